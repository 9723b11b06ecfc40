//! What probes have learned, for all processes: written as it is learned, read by asking for what is newer.

use std::time::Duration;

use deadpool_postgres::GenericClient;

use super::StoreError;

/// The version counts up with each change, so that others find it.
pub(super) const TEACH: &str = "
insert into learned (kind, key, sealed, until)
select kind, key, sealed, now() + seconds * interval '1 second'
from unnest($1::text[], $2::text[], $3::bytea[], $4::float8[]) as new (kind, key, sealed, seconds)
on conflict (kind, key) do update set sealed = excluded.sealed, until = excluded.until, version = default";

pub(super) const NEWER: &str = "
select kind, key, sealed, version, extract(epoch from until - now())::float8 as left_s
from learned where version > $1 and until > now() order by version limit $2";

pub(super) const FORGET_OLD: &str = "delete from learned where until < now()";

/// A fact, and how long it holds.
pub(crate) struct Fact {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) left: Duration,
}

/// Writes facts.
pub(crate) async fn teach(client: &impl GenericClient, facts: &[Fact]) -> Result<(), StoreError> {
    let teach = client.prepare_cached(TEACH).await?;
    let kinds: Vec<&str> = facts.iter().map(|fact| &*fact.kind).collect();
    let keys: Vec<&str> = facts.iter().map(|fact| &*fact.key).collect();
    let sealed: Vec<&[u8]> = facts.iter().map(|fact| &*fact.sealed).collect();
    let left: Vec<f64> = facts.iter().map(|fact| fact.left.as_secs_f64()).collect();
    client.execute(&teach, &[&kinds, &keys, &sealed, &left]).await?;
    Ok(())
}

/// Facts that are newer than `version`, at most `limit`, and the newest version among them.
pub(crate) async fn newer(
    client: &impl GenericClient,
    version: i64,
    limit: i64,
) -> Result<(Vec<Fact>, i64), StoreError> {
    let newer = client.prepare_cached(NEWER).await?;
    let rows = client.query(&newer, &[&version, &limit]).await?;
    let newest = rows.last().map_or(version, |row| row.get("version"));
    let fact = |row: &tokio_postgres::Row| Fact {
        kind: row.get("kind"),
        key: row.get("key"),
        sealed: row.get("sealed"),
        left: Duration::try_from_secs_f64(row.get("left_s")).unwrap_or_default(),
    };
    Ok((rows.iter().map(fact).collect(), newest))
}
