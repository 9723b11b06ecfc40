//! Why there is no private cluster to use.

use std::{io, path::PathBuf, time::Duration};

use super::binaries::VERSION_MIN;

/// One line each, for whoever runs mailsonde.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// No binaries are found.
    #[error(
        "Postgres is not installed: install {VERSION_MIN} or newer (`apt-get install postgresql`), \
         or set `[database] url`"
    )]
    NotInstalled,
    /// All that are found are too old.
    #[error(
        "Postgres {newest} in {} is too old: install {VERSION_MIN} or newer, or set `[database] url`", folder.display()
    )]
    TooOld {
        /// Where the newest is.
        folder: PathBuf,
        /// Its version.
        newest: u32,
    },
    /// The cluster was made by a version that is not installed.
    #[error(
        "the cluster in {} is of Postgres {made_by}, but installed is {installed}: \
         install Postgres {made_by} too, or set `[database] url`",
        folder.display()
    )]
    OtherVersion {
        /// Of the cluster.
        folder: PathBuf,
        /// The version that made it.
        made_by: u32,
        /// The versions that are there.
        installed: String,
    },
    /// The folder of the cluster or of its socket is not ours alone.
    #[error("{} {what}: nobody else may have a hand in a private cluster; set `[database] data_dir`", folder.display())]
    NotOurs {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The folder is that of something else.
    #[error(
        "{} holds other things: a private cluster wants a folder to itself; set `[database] data_dir`",
        folder.display()
    )]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// Postgres does not run as root, and the user it runs as cannot get to the folder.
    #[error(
        "the user {user}, as whom Postgres runs, cannot enter {}: let him (`chmod o+x`), or set `[database] data_dir` to a folder elsewhere",
        folder.display()
    )]
    Shut {
        /// The user of the cluster.
        user: String,
        /// The folder that keeps him out.
        folder: PathBuf,
    },
    /// As root: there is no user as whom the cluster could run.
    #[error("Postgres does not run as root, and there is no user {user} to run it as: {why}")]
    NoUser {
        /// His name.
        user: &'static str,
        /// Why he was not made.
        why: String,
    },
    /// A program failed.
    #[error("{program}: {said}")]
    Failed {
        /// The program.
        program: String,
        /// The last line that it printed or logged, or its exit status.
        said: String,
    },
    /// A program took too long, and was killed.
    #[error("{program}: not done within {}", humantime::format_duration(*limit))]
    TimedOut {
        /// The program.
        program: String,
        /// How long it had.
        limit: Duration,
    },
    /// Another process of ours starts or stops the cluster, and does not come to an end.
    #[error(
        "another mailsonde has been starting or stopping this cluster for more than {}: {}",
        humantime::format_duration(*limit),
        lock.display()
    )]
    Busy {
        /// The file that it has locked.
        lock: PathBuf,
        /// How long we have waited.
        limit: Duration,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cluster runs and does not let us in.
    #[error("the private cluster runs but does not serve: {0}")]
    Unserved(String),
}

impl ClusterError {
    /// For `map_err`: what went wrong with a file, and with which.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
