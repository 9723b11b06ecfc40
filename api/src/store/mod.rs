//! The store: what the service keeps, in Postgres. Only this folder knows SQL; what a job is and when it may run is
//! decided in `jobs`.
//!
//! Whatever a client gave, or that may echo it, is sealed before it gets here ([`keys`]), but for the domain of a chunk
//! that has but one.
//!
//! Statements of a transaction that are sent together are joined in their order (`biased`): where one fails, so do those
//! behind it, and only the first says why.

pub(crate) mod access;
mod advice;
pub(crate) mod billing;
pub(crate) mod capacity;
pub(crate) mod chunks;
pub(crate) mod clients;
pub(crate) mod cluster;
pub(crate) mod condition;
mod error;
pub(crate) mod figures;
pub(crate) mod forget;
pub(crate) mod formats;
mod gathering;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod learned;
pub(crate) mod leases;
mod migrations;
pub(crate) mod notes;
mod pools;
pub(crate) mod relentless;
pub(crate) mod requests;
pub(crate) mod retention;
mod retry;
pub(crate) mod sheets;
mod statements;
pub(crate) mod submission;
pub(crate) mod task_lists;
pub(crate) mod tasks;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod webhooks;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
pub(crate) use deadpool_postgres::Object as Connection;
#[cfg(test)]
pub(crate) use deadpool_postgres::Transaction;
use deadpool_postgres::{Object, Pool};
use mailsonde_config::Settings;
use serde::Deserialize;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

pub(crate) use self::advice::NotLetIn;
use self::{
    cluster::Cluster,
    keys::{ForeignStore, Keyring},
    pools::Purpose,
};
pub(crate) use self::{error::StoreError, gathering::gather, pools::DatabaseConfig, retry::Retries};
use crate::{facade::tasks::TasksConfig, words::TasksVocabulary};

/// The client of whoever types commands on the host.
pub(crate) const LOCAL_CLIENT: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

/// The client of tasks that nobody submitted.
pub(crate) const OWN_CLIENT: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000);

/// What the service keeps. One per process.
pub(crate) struct Store {
    requests: Pool,
    workers: Pool,
    keeper: Pool,
    clerk: Pool,
    keys: Keyring,
    connection: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    cluster: Option<Cluster>,
    vocabulary: TasksVocabulary,
    tells_each: bool,
}

/// The table `[encryption]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Encryption {
    keys: String,
    key_file: PathBuf,
}

impl Store {
    /// Opens the store that the configuration names, or the private cluster; brings its schema up to date.
    ///
    /// # Errors
    /// A configuration that is wrong, a database that is away or not ours, a key that is missing.
    pub(crate) async fn open(settings: &Settings, data_folder: &Path) -> Result<Self> {
        let config: DatabaseConfig = settings.section("database")?;
        let (keys, whose_keys) = keyring(settings, data_folder)?;
        let (connection, cluster) = if config.url.is_empty() {
            let dir = if config.data_dir.as_os_str().is_empty() {
                cluster::within(data_folder)?
            } else {
                config.data_dir.clone()
            };
            let cluster = tokio::task::spawn_blocking(move || Cluster::open(&dir)).await??;
            (cluster.config(), Some(cluster))
        } else {
            // What the parser says may hold the password.
            let parsed = config.url.parse::<tokio_postgres::Config>();
            let mut connection = parsed.map_err(|_| settings.invalid("database.url", advice::UNREADABLE))?;
            if let Some(fault) = advice::fault_of(&connection) {
                return Err(settings.invalid("database.url", fault).into());
            }
            if connection.get_ssl_mode() == SslMode::Prefer {
                // A certificate is checked or not looked at: which of the two must be said.
                connection.ssl_mode(SslMode::Disable);
            }
            (connection, None)
        };
        let TasksConfig { vocabulary, webhook_each: tells_each, .. } = settings.section("tasks")?;
        let store = Self { vocabulary, tells_each, ..Self::new(&config, connection, keys, cluster)? };
        let with_keys = |error: anyhow::Error| {
            if error.is::<ForeignStore>() {
                error.context(format!("the keys of {whose_keys} do not open the store"))
            } else {
                error
            }
        };
        store.prepare().await.map_err(with_keys)?;
        Ok(store)
    }

    /// A store that nothing is known of yet.
    fn new(
        config: &DatabaseConfig,
        connection: tokio_postgres::Config,
        keys: Keyring,
        cluster: Option<Cluster>,
    ) -> Result<Self> {
        let (tls, connection) = (config.tls()?, pools::attentive(connection));
        Ok(Self {
            requests: config.pool(&connection, &tls, config.requests_max.get(), Purpose::Requests)?,
            workers: config.pool(&connection, &tls, config.workers_max.get(), Purpose::Background)?,
            keeper: config.pool(&connection, &tls, 1, Purpose::Background)?,
            clerk: config.pool(&connection, &tls, 1, Purpose::Requests)?,
            keys,
            connection,
            tls,
            cluster,
            vocabulary: TasksVocabulary::Seed,
            tells_each: false,
        })
    }

    /// The schema is ours and up to date, the keys are those that it was written with. With the patience of a request: a
    /// command's caller waits, and a process that stays tries again.
    async fn prepare(&self) -> Result<()> {
        let mut client = self.requests.get().await.map_err(NotLetIn::from)?;
        migrations::migrate(&mut client).await.map_err(told)?;
        statements::prepare_all(&client).await?;
        migrations::check_keys(&client, &self.keys).await.map_err(told)?;
        Ok(())
    }

    /// A connection for somebody who waits for an answer.
    pub(crate) async fn request(&self) -> Result<Object, StoreError> {
        Ok(self.requests.get().await?)
    }

    /// A connection for work in the background.
    pub(crate) async fn worker(&self) -> Result<Object, StoreError> {
        Ok(self.workers.get().await?)
    }

    /// The connection of who keeps leases: those who work cannot take it away.
    pub(crate) async fn keeper(&self) -> Result<Object, StoreError> {
        Ok(self.keeper.get().await?)
    }

    /// The connection of who writes down what requests cost. He keeps it; those who have no part in that have theirs.
    pub(crate) async fn clerk(&self) -> Result<Object, StoreError> {
        Ok(self.clerk.get().await?)
    }

    /// The connections for work in the background.
    pub(crate) fn workers(&self) -> &Pool {
        &self.workers
    }

    /// The keys of this installation.
    pub(crate) fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// The words in which the ends of tasks are told.
    pub(crate) fn vocabulary(&self) -> TasksVocabulary {
        self.vocabulary
    }

    /// Each row of a task is told by itself.
    pub(crate) fn tells_each(&self) -> bool {
        self.tells_each
    }

    /// Closes the connections, and gives up the private cluster, if it is one.
    ///
    /// # Errors
    /// A cluster that does not stop.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.requests.close();
        self.workers.close();
        self.keeper.close();
        self.clerk.close();
        if let Some(cluster) = self.cluster.take() {
            tokio::task::spawn_blocking(move || cluster.release()).await??;
        }
        Ok(())
    }
}

/// An error of the database as the store tells it: by what to do about it.
fn told(error: anyhow::Error) -> anyhow::Error {
    error
        .downcast::<tokio_postgres::Error>()
        .map_or_else(|other| other, |error| StoreError::from(error).into())
}

/// The keys of the configuration or its file, or of a file of our own where there is neither; and where they are from.
fn keyring(settings: &Settings, data_folder: &Path) -> Result<(Keyring, String)> {
    let Encryption { keys, key_file: mut file } = settings.section("encryption")?;
    if !keys.is_empty() {
        let keys = Keyring::from_text(&keys)
            .map_err(|error| settings.invalid("encryption.keys", error.to_string()))?;
        return Ok((keys, "`[encryption] keys`".into()));
    }
    if file.as_os_str().is_empty() {
        std::fs::create_dir_all(data_folder)
            .with_context(|| format!("the data folder {} cannot be made", data_folder.display()))?;
        file = data_folder.join("keys");
    }
    Ok((Keyring::open_or_create(&file)?, file.display().to_string()))
}

/// A store that several tasks share.
pub(crate) type Shared = Arc<Store>;

#[cfg(test)]
mod tests;
