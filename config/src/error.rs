//! What can be wrong with a configuration, each said in one line that begins with its place.

use std::{fmt, io, path::PathBuf};

/// Why a configuration cannot be used. Its text is one line for the person who wrote the setting;
/// passwords and keys in values are masked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A configuration file that is missing or cannot be read.
    #[error("{file}: {reason}{named_by}", file = file.display())]
    Unreadable {
        /// As it was named.
        file: PathBuf,
        /// From the operating system, or a limit of ours.
        reason: io::Error,
        /// Empty, or who named the file, in brackets.
        named_by: &'static str,
    },
    /// The file is no TOML.
    #[error("{place}:{column}: {message}")]
    Syntax {
        /// File and line.
        place: Place,
        /// In characters, from 1.
        column: usize,
        /// What is wrong, from the TOML parser.
        message: String,
    },
    /// A table at the top that no part of mailsonde knows.
    #[error("{place}: unknown table [{table}]{hint}")]
    UnknownTable {
        /// Where it stands.
        place: Place,
        /// Its name.
        table: String,
        /// The nearest known name, or all of them.
        hint: String,
    },
    /// A key that its table does not have.
    #[error("{place}: unknown key `{key}` {}{hint}", within(.table))]
    UnknownKey {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// Path of the table it stands in; empty outside any table.
        table: String,
        /// The nearest known key, or all of them.
        hint: String,
    },
    /// A key without which its table has no meaning.
    #[error("{place}: [{table}] needs the key `{key}`")]
    MissingKey {
        /// Where the table stands.
        place: Place,
        /// Path of the table.
        table: String,
        /// The key.
        key: String,
    },
    /// A value of the wrong type, or out of its range.
    #[error("{place}: {}expected {expected}, found {found}", subject(.place, .path))]
    WrongValue {
        /// Where it stands.
        place: Place,
        /// Path of the setting.
        path: String,
        /// The type or range.
        expected: String,
        /// The value, and a hint where the mistake is a common one.
        found: String,
    },
    /// A value of the right type that cannot be meant.
    #[error("{place}: {}{message}", subject(.place, .path))]
    Invalid {
        /// Where it stands.
        place: Place,
        /// Path of the setting.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the configuration file.
    File {
        /// As it was named or found.
        file: PathBuf,
        /// From 1.
        line: usize,
    },
    /// In the built-in default.toml.
    Default {
        /// From 1.
        line: usize,
    },
    /// In the environment. Boxed, since every error carries its place.
    Variable {
        /// Name of the variable.
        name: Box<str>,
        /// Path of the setting that it gives.
        path: Box<str>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Default { line } => write!(f, "default.toml:{line}"),
            Self::Variable { name, .. } => write!(f, "environment variable {name}"),
        }
    }
}

/// The setting as the start of a message; nothing where the place already says it.
fn subject(place: &Place, path: &str) -> String {
    match place {
        Place::Variable { path: given, .. } if **given == *path => String::new(),
        _ if path.is_empty() => String::new(),
        _ => format!("{path}: "),
    }
}

/// Where a key stands among the tables.
fn within(table: &str) -> String {
    if table.is_empty() { "outside any table".to_owned() } else { format!("in [{table}]") }
}
