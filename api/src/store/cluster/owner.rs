//! As whom the cluster runs: as we do, except that root's runs as a user of its own.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command, time::Duration};

use nix::unistd::{Gid, Uid, User};

use super::{error::ClusterError, program};

/// The user as whom root's cluster runs.
pub(super) const USER: &str = "mailsonde";

/// Making a user writes a few files.
const USER_WITHIN: Duration = Duration::from_secs(30);

/// What Postgres finds in its environment, besides what is set for it: our own holds keys.
const ENVIRONMENT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Who the cluster's files and processes belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    uid: Uid,
    gid: Gid,
    name: String,
}

/// Whether we are root.
pub(super) fn is_root() -> bool {
    Uid::effective().is_root()
}

impl Owner {
    /// The user that clusters of ours run as. For root, he is made if he is missing.
    ///
    /// # Errors
    /// He is missing and cannot be made.
    pub(super) fn of_clusters() -> Result<Self, ClusterError> {
        if !is_root() {
            let (uid, gid) = (Uid::effective(), Gid::effective());
            return Ok(Self { uid, gid, name: format!("with the id {uid}") });
        }
        if let Some(owner) = Self::named(USER)? {
            return Ok(owner);
        }
        let mut useradd = Command::new("useradd");
        useradd.args(["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]);
        useradd.args(["--shell", "/usr/sbin/nologin", USER]);
        let no_user = |why: String| ClusterError::NoUser { user: USER, why };
        let made = program::succeed(useradd, USER_WITHIN);
        // Another process may have been faster.
        match (Self::named(USER)?, made) {
            (Some(owner), _) => Ok(owner),
            (None, Err(error)) => Err(no_user(error.to_string())),
            (None, Ok(_)) => Err(no_user("useradd made none".to_owned())),
        }
    }

    /// A user other than root; none if there is no such user.
    pub(super) fn named(name: &'static str) -> Result<Option<Self>, ClusterError> {
        let no_user = |why: String| ClusterError::NoUser { user: name, why };
        let Some(user) = User::from_name(name).map_err(|error| no_user(error.to_string()))? else {
            return Ok(None);
        };
        if user.uid.is_root() {
            return Err(no_user("that name is root's".to_owned()));
        }
        Ok(Some(Self { uid: user.uid, gid: user.gid, name: user.name }))
    }

    /// His user id.
    pub(super) fn uid(&self) -> Uid {
        self.uid
    }

    /// His group's id.
    pub(super) fn gid(&self) -> Gid {
        self.gid
    }

    /// For messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A program that will run as this user, in English, at a place that everybody may enter, and with no environment
    /// that is ours alone.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        if is_root() {
            // Gives up root's other groups too.
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }
}
