//! Connections: the table `[database]`, and pools of them.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use anyhow::Result;
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use serde::Deserialize;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

/// How long who works in the background waits for a free connection.
const WORKER_CONNECTION_MAX: Duration = Duration::from_secs(2);

/// How long who has a caller waits for a free connection. With the next one, the caller hears within two seconds that the
/// database is busy.
const REQUEST_CONNECTION_MAX: Duration = Duration::from_millis(700);

/// How long a statement of who has a caller waits for what others hold: longer than the second (`deadlock_timeout`) after
/// which Postgres finds out that some wait for each other, which is worth another try. How long a statement is at work is
/// another matter: a long list takes its time.
const REQUEST_LOCK_MAX: Duration = Duration::from_millis(1200);

/// How long the other side may be silent: a process that is frozen within a transaction holds up no others for longer, and
/// a connection on which nothing gets through is given up. Less than a lease.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How often a quiet connection is tried.
const TRIED_EVERY: Duration = Duration::from_secs(5);

/// A connection that notices when the other side is gone.
pub(super) fn attentive(mut connection: tokio_postgres::Config) -> tokio_postgres::Config {
    connection.tcp_user_timeout(SILENCE_MAX).keepalives_idle(TRIED_EVERY).keepalives_interval(TRIED_EVERY);
    connection
}

/// Who uses a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody waits for an answer.
    Requests,
    /// Nobody does.
    Background,
}

/// The table `[database]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    /// Empty: a private cluster.
    pub(super) url: String,
    /// Authorities whose certificates will do; empty: those that browsers trust.
    pub(super) ca_file: PathBuf,
    /// Of the private cluster; empty: within the data folder.
    pub(super) data_dir: PathBuf,
    /// Connections for requests.
    pub(super) requests_max: NonZeroUsize,
    /// Connections for tasks.
    pub(super) workers_max: NonZeroUsize,
    #[serde(with = "humantime_serde")]
    connect_timeout: Duration,
    #[serde(with = "humantime_serde")]
    statement_timeout: Duration,
    #[serde(with = "humantime_serde")]
    lock_timeout: Duration,
}

impl DatabaseConfig {
    /// How connections are encrypted, where `sslmode` in the URL asks for that.
    pub(super) fn tls(&self) -> Result<MakeRustlsConnect> {
        Ok(MakeRustlsConnect::new(tls::client("database", &self.ca_file)?))
    }

    /// A pool; connects when a connection is asked for.
    pub(super) fn pool(
        &self,
        connection: &tokio_postgres::Config,
        tls: &MakeRustlsConnect,
        size: usize,
        purpose: Purpose,
    ) -> Result<Pool> {
        let (wait_max, lock_max) = match purpose {
            Purpose::Requests => (REQUEST_CONNECTION_MAX, self.lock_timeout.min(REQUEST_LOCK_MAX)),
            Purpose::Background => (WORKER_CONNECTION_MAX, self.lock_timeout),
        };
        let mut connection = connection.clone();
        connection.application_name("mailsonde").connect_timeout(self.connect_timeout);
        let limits = format!(
            "set statement_timeout = {}; set lock_timeout = {}; set idle_in_transaction_session_timeout = {}",
            self.statement_timeout.as_millis(),
            lock_max.as_millis(),
            SILENCE_MAX.as_millis(),
        );
        let limit = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let limits = limits.clone();
            Box::pin(async move { client.batch_execute(&limits).await.map_err(HookError::Backend) })
        });
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(connection, tls.clone(), manager_config);
        Ok(Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(wait_max))
            .create_timeout(Some(self.connect_timeout))
            .post_create(limit)
            .build()?)
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_config::Settings;

    use super::*;

    #[test]
    fn a_process_has_a_connection_at_the_least() {
        for key in ["requests_max", "workers_max"] {
            let of = |value| Settings::from_parts(&format!("[database]\n{key} = {value}\n"), &[]).unwrap();
            assert!(of(1).section::<DatabaseConfig>("database").is_ok());
            let refused = of(0).section::<DatabaseConfig>("database").unwrap_err().to_string();
            assert!(refused.contains("mailsonde.toml:2") && refused.contains(key), "{refused}");
        }
    }
}
