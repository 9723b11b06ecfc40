//! A private cluster of Postgres, for whoever configures no database: made of the installed binaries, in a folder of
//! its own, behind a Unix socket that only its user can reach. It never runs as root.
//!
//! All processes of ours that name the same folder use the same cluster. Who comes first starts it, who leaves last
//! stops it; one that is killed leaves it running for the next. What is in the database is no business of this module.

mod binaries;
mod database;
mod error;
mod folder;
mod locks;
mod owner;
mod program;
mod server;
mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;

#[cfg(test)]
pub(super) use self::tests::{folder as folder_of_tests, open as open_of_tests};
use self::{
    binaries::Binaries,
    folder::Folder,
    locks::{Presence, Turn},
    owner::Owner,
    server::Server,
};
pub(crate) use self::{error::ClusterError, folder::within};

/// The database, and the role that owns everything.
const NAME: &str = "mailsonde";

/// A private cluster in use by this process. Dropping it gives it up, and stops it if nobody else uses it; that blocks,
/// and what goes wrong is only logged, so [`Cluster::release`] is better.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: Folder,
    server: Server,
    /// None once it is given up.
    presence: Option<Presence>,
}

impl Cluster {
    /// Finds the cluster in this folder, or makes it, and starts it unless it runs. Blocks for as long as that takes:
    /// seconds for a new one, up to minutes after a crash. Not to be called from asynchronous code.
    ///
    /// # Errors
    /// No Postgres that would do, a folder that will not do, or whatever hinders Postgres.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, ClusterError> {
        let owner = Owner::of_clusters()?;
        let installed = binaries::installed(binaries::PLACES, std::env::var_os("PATH").as_deref(), &owner);
        Self::open_with(data_dir, owner, installed)
    }

    fn open_with(data_dir: &Path, owner: Owner, installed: Vec<Binaries>) -> Result<Self, ClusterError> {
        // Before anything is made.
        let installed = binaries::usable(installed)?;
        let folder = Folder::open(data_dir, &owner)?;
        let turn = Turn::take(&folder.turn())?;
        let presence = Presence::announce(&folder.presence())?;
        let binaries = binaries::choose(installed, &folder.data())?;
        let mut cluster =
            Self { server: Server::new(binaries, owner, &folder), folder, presence: Some(presence) };
        match cluster.make_ready() {
            Ok(()) => Ok(cluster),
            Err(error) => {
                // What hindered it is what should be known.
                let _ = cluster.leave(&turn);
                Err(error)
            }
        }
    }

    /// It is our turn, so nobody else does any of this.
    fn make_ready(&self) -> Result<(), ClusterError> {
        if !self.folder.data().exists() {
            server::create(&self.server, &self.folder)?;
        }
        database::reach(&self.config(), || self.start_unless_running())
    }

    fn start_unless_running(&self) -> Result<(), ClusterError> {
        if self.server.is_running()? {
            return Ok(());
        }
        self.folder.write_settings(&settings::text(self.folder.socket()))?;
        self.server.start()
    }

    /// How to connect. Further options are the caller's.
    pub(crate) fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.socket()).user(NAME).dbname(NAME);
        config
    }

    /// Gives the cluster up, and stops it if nobody else uses it. Blocks until it has stopped.
    ///
    /// # Errors
    /// It does not stop, or whether others use it cannot be seen.
    pub(crate) fn release(mut self) -> Result<(), ClusterError> {
        self.give_up()
    }

    fn give_up(&mut self) -> Result<(), ClusterError> {
        if self.presence.is_none() {
            return Ok(());
        }
        let turn = Turn::take(&self.folder.turn())?;
        self.leave(&turn)
    }

    fn leave(&mut self, _turn: &Turn) -> Result<(), ClusterError> {
        let Some(presence) = self.presence.take() else { return Ok(()) };
        if presence.is_last()? && self.server.is_running()? { self.server.stop() } else { Ok(()) }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.give_up() {
            tracing::warn!("the private cluster: {error}");
        }
    }
}
