//! A folder in which the binary is run, away from the user's own files and name servers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A folder with plugins and what they leave behind.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and says where.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The binary, about to run in this folder with this configuration if there is any.
    pub(crate) fn command(&self, toml: Option<&str>, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailsonde"));
        command.current_dir(self.path()).env("XDG_CONFIG_HOME", self.path()).env_remove("MAILSONDE_CONFIG");
        let dir = self.path().join("data");
        command.env("MAILSONDE_DATA__DIR", dir).env("MAILSONDE_DNS__SERVERS", "[\"127.0.0.1:9\"]");
        if let Some(toml) = toml {
            command.arg("--config").arg(self.write("mailsonde.toml", toml));
        }
        command.args(args);
        command
    }
}

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
