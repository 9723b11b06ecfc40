//! The program under test: built once per test process, run in an empty folder with no environment of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// No run takes longer, in seconds; one that does is killed, and its exit status says so (137).
const RUN_SECONDS_MAX: &str = "60";

/// One run of the program, to be made.
#[derive(Debug)]
pub struct Mailsonde {
    command: Command,
    stdin: String,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote.
    pub stdout: String,
    /// What it had to say.
    pub stderr: String,
}

/// Keeps the program from settings and files of this machine's: of its environment, the folder's and the user's.
pub fn alone(command: &mut Command) {
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"MAILSONDE_"))
    {
        command.env_remove(name);
    }
    command.current_dir("/");
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(name, "/nonexistent");
    }
}

impl Mailsonde {
    /// The program with these arguments.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn new(args: &[&str]) -> Self {
        let mut command = Command::new("timeout"); // of coreutils: std can wait, but not with a limit
        command.args(["--signal=KILL", RUN_SECONDS_MAX]).arg(Self::path()).args(args);
        alone(&mut command);
        Self { command, stdin: String::new() }
    }

    /// Where the program is, built from the sources as they were at the first call.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn path() -> &'static Path {
        static PATH: OnceLock<Result<PathBuf>> = OnceLock::new();
        PATH.get_or_init(build)
            .as_ref()
            .unwrap_or_else(|error| panic!("mailsonde cannot be built: {error:#}"))
    }

    /// Sets variables; a later value of a name replaces an earlier one.
    #[must_use]
    pub fn env<N: AsRef<str>, V: AsRef<str>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.command.envs(
            variables.into_iter().map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned())),
        );
        self
    }

    /// What it will read.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Starts it and leaves its output to the caller.
    pub fn spawn(mut self) -> Result<Child> {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting mailsonde")?;
        let mut stdin = child.stdin.take().context("its standard input")?;
        // In a thread, or both sides could wait for each other to read. A program that stops reading may.
        thread::spawn(move || stdin.write_all(self.stdin.as_bytes()));
        Ok(child)
    }

    /// Runs it to its end.
    pub fn run(self) -> Result<Run> {
        let output = self.spawn()?.wait_with_output()?;
        Ok(Run {
            status: output.status,
            stdout: String::from_utf8(output.stdout).context("its output")?,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it to its end, which must be a good one, and reads its output as JSON lines.
    pub fn json_lines(self) -> Result<Vec<Value>> {
        let run = self.run()?;
        ensure!(run.status.success(), "{}: {}", run.status, run.stderr);
        run.stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }
}

/// Lets cargo build it in the profile of this crate, and say where it is.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(["build", "--quiet", "--package", "mailsonde", "--bin", "mailsonde"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    // What cargo tells this test of its own crate would make build scripts of others run anew.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "cargo: {}", output.status);
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "mailsonde")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo does not say where the executable is")
}
