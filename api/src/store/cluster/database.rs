//! The first connection to a cluster: sees that it serves, and that the database is there.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime, time};
use tokio_postgres::{Config, NoTls, error::SqlState};

use super::{ClusterError, NAME};

/// A server that runs already may be recovering from a crash, or on its way down.
const SERVES_WITHIN: Duration = Duration::from_mins(2);
/// For one connection and what is done there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Between two attempts.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The database that every cluster has.
const FIRST: &str = "postgres";

/// Connects until the cluster serves, with `start` between attempts, and makes the database if it is missing. The first
/// attempt comes before: a server that serves is not asked for its process, which could be in another container.
///
/// # Errors
/// What `start` says, or a cluster that does not let us in for too long.
pub(super) fn reach(
    config: &Config,
    start: impl Fn() -> Result<(), ClusterError>,
) -> Result<(), ClusterError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ClusterError::Unserved(error.to_string()))?;
    let mut first = config.clone();
    first.dbname(FIRST).connect_timeout(ANSWERS_WITHIN);
    let started = Instant::now();
    loop {
        let why = match runtime.block_on(async { time::timeout(ANSWERS_WITHIN, prepare(&first)).await }) {
            Ok(Ok(())) => return Ok(()),
            // Refused for good.
            Ok(Err(error)) if error.code().is_some_and(|code| *code != SqlState::CANNOT_CONNECT_NOW) => {
                return Err(ClusterError::Unserved(said(&error)));
            }
            Ok(Err(error)) => said(&error),
            Err(_) => "no answer".to_owned(),
        };
        if started.elapsed() > SERVES_WITHIN {
            return Err(ClusterError::Unserved(why));
        }
        thread::sleep(AGAIN_AFTER);
        start()?;
    }
}

async fn prepare(config: &Config) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // Owns the client, so that the connection ends with it.
    let work = async move {
        let known = client.query_opt("select 1 from pg_database where datname = $1", &[&NAME]).await?;
        if known.is_none() {
            // Errors of statements stay out of the log, since they may quote values. Those of the server's own
            // processes are logged as ever.
            client.batch_execute(&format!("alter role {NAME} set log_min_messages = log")).await?;
            client.batch_execute(&format!("create database {NAME}")).await?;
        }
        Ok(())
    };
    // Should the connection end before, the work hears of it.
    let (done, _) = tokio::join!(work, connection);
    done
}

fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
