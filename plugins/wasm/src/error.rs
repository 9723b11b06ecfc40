//! What can be wrong with a plugin: when it is loaded, and in a call.

use std::{fmt, io, path::PathBuf, time::Duration};

use crate::{Grant, limits::SHOWN_OCTETS_MAX};

/// Why a plugin is not loaded. A running version goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than a plugin may be.
    #[error("{}: the file has {octets} octets, a plugin at most {max}", path.display(), max = crate::FILE_OCTETS_MAX)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        octets: u64,
    },
    /// The file is not the one whose digest is pinned.
    #[error("sha256 is {found}, but {pinned} is pinned: this is another file")]
    Digest {
        /// Of the file.
        found: String,
        /// Of the configuration.
        pinned: String,
    },
    /// The file is no WebAssembly component, or is damaged.
    #[error("no WebAssembly component: {0}")]
    Malformed(String),
    /// The component implements no interface that this mailsonde knows.
    #[error(
        "it exports {found} and no `mailsonde:stage/plugin` of version 1, the only one that this mailsonde knows"
    )]
    Version {
        /// What it exports instead.
        found: String,
    },
    /// The component imports an interface that a plugin must be granted.
    #[error("it imports `{import}`, which `grants` does not hold: add \"{grant}\" to let it")]
    NotGranted {
        /// The interface.
        import: String,
        /// What would allow it.
        grant: Grant,
    },
    /// The component imports what no plugin gets.
    #[error("it imports `{import}`, which no plugin is given")]
    Forbidden {
        /// The interface.
        import: String,
    },
    /// The component's imports or exports have other types than the interface.
    #[error("it does not fit the interface: {0}")]
    Mismatch(String),
    /// What `describe` says makes no sense.
    #[error("`describe` says: {0}")]
    Description(String),
    /// `configure` refuses the configuration.
    #[error("it refuses its configuration: {0}")]
    Refused(String),
    /// There is no room for all its instances.
    #[error("there is room for {left} more instances of it in this process, not for {instances}")]
    NoRoom {
        /// What it needs: its `instances_max`.
        instances: usize,
        /// What is left.
        left: usize,
    },
    /// A call of the loading failed.
    #[error("`{call}` failed: {fault}")]
    Call {
        /// Which.
        call: &'static str,
        /// How.
        fault: CallFault,
    },
    /// The new version of a running plugin has other facts.
    #[error(
        "it reads or writes other facts than the running version: the order of stages must be checked again, so load the configuration anew"
    )]
    OtherFacts,
    /// The runtime could not be set up.
    #[error("the WebAssembly runtime: {0}")]
    Runtime(String),
}

/// How a call of a guest fails. Says nothing that the guest said: no address gets out this way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFault {
    /// It computed for too long.
    Cpu(Duration),
    /// It did not end in time.
    Wall(Duration),
    /// It wanted more memory than it may have, and stopped.
    Memory,
    /// It called itself too deeply.
    Stack,
    /// It called the host too often.
    HostCalls,
    /// It handed over more than it may.
    HandedOver,
    /// It asked for more than it can be told at once.
    Returned,
    /// It returned this many outcomes for so many subjects.
    Count {
        /// Outcomes returned.
        outcomes: usize,
        /// Subjects given.
        subjects: usize,
    },
    /// It returned something that the interface does not allow.
    Garbage(String),
    /// It trapped.
    Trap(String),
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu(limit) => write!(f, "it computed for more than {limit:?}"),
            Self::Wall(limit) => write!(f, "it did not end within {limit:?}"),
            Self::Memory => f.write_str("it ran out of its memory (`memory_max`)"),
            Self::Stack => f.write_str("it ran out of its stack"),
            Self::HostCalls => f.write_str("it called the host too often"),
            Self::HandedOver => f.write_str("it handed over too much at once"),
            Self::Returned => f.write_str("it asked for more than it can be told at once"),
            Self::Count { outcomes, subjects } => {
                let plural = |count: &usize| if *count == 1 { "" } else { "s" };
                let (of_outcomes, of_subjects) = (plural(outcomes), plural(subjects));
                write!(f, "it returned {outcomes} outcome{of_outcomes} for {subjects} subject{of_subjects}")
            }
            Self::Garbage(what) => write!(f, "it returned {what}"),
            Self::Trap(what) => write!(f, "it trapped: {what}"),
        }
    }
}

impl std::error::Error for CallFault {}

/// A text of others, fit to be shown: no control characters but the ends of lines, and no more than a page.
pub(crate) fn shown(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_OCTETS_MAX);
    let is_odd = |letter: char| letter.is_control() && letter != '\n';
    let mut shown: String = text[..end].chars().map(|c| if is_odd(c) { ' ' } else { c }).collect();
    if end < text.len() {
        shown.push_str(" …");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_fit_to_be_shown() {
        assert_eq!(shown("two\nlines\u{1b}[2J"), "two\nlines [2J");
        let long = "é".repeat(SHOWN_OCTETS_MAX);
        assert_eq!(shown(&long), format!("{} …", "é".repeat(SHOWN_OCTETS_MAX / 2)));
    }
}
