//! The schema, brought up to date in one transaction by whoever comes first.

use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use deadpool_postgres::Client;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::{error::StoreError, keys::Keyring};

/// One step of the schema. Never changed once it was released: its checksum is kept.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// All steps, in order. A new one is a new file and a line here.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_jobs", sql: include_str!("migrations/0001_jobs.sql") },
    Migration { name: "0002_clients", sql: include_str!("migrations/0002_clients.sql") },
    Migration { name: "0003_relentless", sql: include_str!("migrations/0003_relentless.sql") },
    Migration { name: "0004_tasks", sql: include_str!("migrations/0004_tasks.sql") },
    Migration { name: "0005_formats", sql: include_str!("migrations/0005_formats.sql") },
    Migration { name: "0006_asks_and_messages", sql: include_str!("migrations/0006_asks_and_messages.sql") },
];

/// Whoever migrates holds it: "mailsonde" has no other meaning for it.
const ADVISORY_LOCK: i64 = 0x6d61_696c_736f_6e64;

/// The oldest Postgres that will do, as `server_version_num` has it.
const SERVER_VERSION_MIN: i32 = 150_000;

pub(super) const APPLIED: &str = "select no, name, sha256 from migration order by no";

/// How long a step waits for tables that others use: they wait behind it.
const STEP_PATIENCE: &str = "set local lock_timeout = '1s'";

/// How often it is tried beside others, and the pause in between: for who copies a large file into the store, or out of it.
const TRIES_MAX: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Applies what is missing, when others leave room for it.
///
/// # Errors
/// A database that is too old, newer than this program, changed by others, or used by them all the time; all without a
/// trace.
pub(super) async fn migrate(client: &mut Client) -> Result<()> {
    for _ in 1..TRIES_MAX {
        match apply(client).await {
            Err(error) if has_others_in_the_way(&error) => {
                tracing::info!(
                    "the schema is brought up to date as soon as others leave room for it: {error}"
                );
                sleep(PAUSE).await;
            }
            done => return done,
        }
    }
    apply(client).await
}

fn has_others_in_the_way(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Conflict(_) | StoreError::Busy(_)))
}

/// One try, in one transaction.
async fn apply(client: &mut Client) -> Result<()> {
    let version: i32 =
        client.query_one("select current_setting('server_version_num')::int", &[]).await?.get(0);
    ensure!(
        version >= SERVER_VERSION_MIN,
        "the database is Postgres {}; mailsonde needs 15 or newer",
        version / 10_000,
    );
    let tx = client.transaction().await.map_err(StoreError::from)?;
    // Others may migrate for longer than a lock is waited for otherwise.
    tx.batch_execute("set local lock_timeout = 0; set local statement_timeout = 0").await?;
    tx.execute("select pg_advisory_xact_lock($1)", &[&ADVISORY_LOCK]).await?;
    tx.batch_execute(
        "create table if not exists migration (no int primary key, name text not null, \
         sha256 bytea not null, applied_at timestamptz not null default now())",
    )
    .await?;
    let applied = tx.query(APPLIED, &[]).await?;
    if let Some(newer) = applied.get(MIGRATIONS.len()) {
        bail!(
            "the database is newer than this program: it has `{}`, which is unknown here; update mailsonde",
            newer.get::<_, &str>("name"),
        );
    }
    for (row, migration) in applied.iter().zip(MIGRATIONS) {
        let digest: &[u8] = row.get("sha256");
        ensure!(
            row.get::<_, &str>("name") == migration.name && digest == &Sha256::digest(migration.sql)[..],
            "the database's step `{}` is not the one of this program: the database was made by a version that was \
             never released, or changed by hand",
            row.get::<_, &str>("name"),
        );
    }
    tx.batch_execute(STEP_PATIENCE).await?;
    for (position, migration) in MIGRATIONS.iter().enumerate().skip(applied.len()) {
        tx.batch_execute(migration.sql).await.map_err(|error| match StoreError::from(error) {
            StoreError::Refused(error) => anyhow!(
                "step `{}` cannot be applied, and nothing was changed: {error}; the database holds something that is \
                 not mailsonde's, or half of it",
                migration.name,
            ),
            error => error.into(),
        })?;
        let number = i32::try_from(position + 1)?;
        let digest = Sha256::digest(migration.sql);
        tx.execute(
            "insert into migration (no, name, sha256) values ($1, $2, $3)",
            &[&number, &migration.name, &&digest[..]],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether these are the names of all steps, in order.
pub(super) fn are_those(names: &[&str]) -> bool {
    names.iter().eq(MIGRATIONS.iter().map(|migration| &migration.name))
}

pub(super) const KEYS: &str = "select sealed from key";
pub(super) const ADD_KEY: &str = "insert into key (id, sealed) values ($1, $2) on conflict do nothing";

/// The keys that the store was written with are there, and the current one is known to it.
///
/// # Errors
/// A key that is missing, or another one under the same id.
pub(super) async fn check_keys(client: &Client, keys: &Keyring) -> Result<()> {
    for row in client.query(KEYS, &[]).await? {
        keys.opens(row.get(0))?;
    }
    let current = keys.current_id();
    client.execute(ADD_KEY, &[&current.as_slice(), &keys.check(current)]).await?;
    Ok(())
}
