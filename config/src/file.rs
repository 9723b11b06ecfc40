//! Finding and reading the configuration file.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    str,
};

use crate::{ConfigError, Place};

/// Bytes of a configuration file. No configuration is that long; a device or a mailbox named by mistake is.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration file that was read.
#[derive(Clone)]
pub(crate) struct ConfigFile {
    /// As it was named or found.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Where a configuration file is looked for when nobody names one, from `$XDG_CONFIG_HOME` and `$HOME`.
/// A relative `$XDG_CONFIG_HOME` does not count (XDG Base Directory Specification).
pub(crate) fn usual_places(xdg_config_home: Option<OsString>, home: Option<OsString>) -> Vec<PathBuf> {
    let absolute = |folder: Option<OsString>| folder.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let user = absolute(xdg_config_home).or_else(|| absolute(home).map(|home| home.join(".config")));
    [
        Some(PathBuf::from("mailsonde.toml")),
        user.map(|folder| folder.join("mailsonde/config.toml")),
        Some(PathBuf::from("/etc/mailsonde/config.toml")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Reads the first of these files that exists. One that exists and cannot be read is an error: to pass
/// over it would run with settings that nobody chose.
pub(crate) fn first_of(places: &[PathBuf]) -> Result<Option<ConfigFile>, ConfigError> {
    for path in places {
        match read(path, "") {
            Err(ConfigError::Unreadable { reason, .. }) if is_absent(&reason) => {}
            read => return read.map(Some),
        }
    }
    Ok(None)
}

/// Reads a file. `named_by` is empty or says who named it, for errors.
pub(crate) fn read(path: &Path, named_by: &'static str) -> Result<ConfigFile, ConfigError> {
    let unreadable = |reason| ConfigError::Unreadable { file: path.to_owned(), reason, named_by };
    let bytes = read_bytes(path).map_err(|reason| match reason.kind() {
        kind if is_absent(&reason) => unreadable(io::Error::new(kind, "no such file")),
        _ => unreadable(reason),
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(ConfigFile { path: path.to_owned(), text }),
        Err(error) => Err(not_utf8(path, &error.as_bytes()[..error.utf8_error().valid_up_to()])),
    }
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB"));
    }
    Ok(bytes)
}

/// Whether there is no such file, be it that a part of its path is a file.
fn is_absent(reason: &io::Error) -> bool {
    matches!(reason.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The error of a file whose bytes are text only as far as `valid`.
fn not_utf8(path: &Path, valid: &[u8]) -> ConfigError {
    let before = str::from_utf8(valid).unwrap_or_default();
    ConfigError::Syntax {
        place: Place::File { file: path.to_owned(), line: 1 + before.matches('\n').count() },
        column: 1 + before.rsplit('\n').next().unwrap_or_default().chars().count(),
        message: "not UTF-8 text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test alone, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mailsonde-config-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, bytes).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn places(xdg: &str, home: &str) -> Vec<String> {
        let places = usual_places(Some(xdg.into()), Some(home.into()));
        places.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_usual_places_in_order() {
        let system = "/etc/mailsonde/config.toml";
        assert_eq!(places("/x", "/home/ada"), ["mailsonde.toml", "/x/mailsonde/config.toml", system]);
        let of_home = ["mailsonde.toml", "/home/ada/.config/mailsonde/config.toml", system];
        assert_eq!(places("", "/home/ada"), of_home);
        assert_eq!(places("relative", "/home/ada"), of_home);
        assert_eq!(usual_places(None, None), [Path::new("mailsonde.toml"), Path::new(system)]);
    }

    #[test]
    fn the_first_file_that_exists_is_read() {
        let folder = Folder::new("first");
        let second = folder.write("b.toml", b"a = 1");
        let below_a_file = second.join("config.toml");
        let found = first_of(&[folder.0.join("a.toml"), below_a_file, second.clone()]).unwrap().unwrap();
        assert_eq!((found.path, found.text.as_str()), (second, "a = 1"));
        assert!(first_of(&[folder.0.join("a.toml")]).unwrap().is_none());
        assert!(first_of(std::slice::from_ref(&folder.0)).is_err(), "a folder is no file");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = Folder::new("unusable");
        let message = |path: &Path| read(path, " (named by X)").err().unwrap().to_string();
        let absent = folder.0.join("absent.toml");
        assert_eq!(message(&absent), format!("{}: no such file (named by X)", absent.display()));
        let latin1 = folder.write("latin1.toml", b"a = 1\nb = \"caf\xe9\"\n");
        assert_eq!(message(&latin1), format!("{}:2:9: not UTF-8 text", latin1.display()));
        let long = folder.write("long.toml", &vec![b' '; 1 << 21]);
        assert_eq!(message(&long), format!("{}: longer than 1 MiB (named by X)", long.display()));
    }
}
