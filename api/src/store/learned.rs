//! What probes have learned, for all processes: written as it is learned, read by asking for what is newer.

use std::time::Duration;

use deadpool_postgres::GenericClient;

use super::{StoreError, tasks::Parameter};

/// Held by whoever writes, until what he wrote is there for all: so nothing appears later that has a lower version than
/// what others have read.
const TURNS_LOCK: i64 = 0x6d73_6c65_6172_6e65;

/// The version counts up with each change, so that others find it. In the order of keys, since that is how two who write
/// the same would have to be kept from waiting crosswise, were they not kept apart already.
pub(super) const TEACH: &str = "
with turn as materialized (select pg_advisory_xact_lock($5))
insert into learned (kind, key, sealed, until)
select kind, key, sealed, now() + seconds * interval '1 second'
from turn cross join unnest($1::text[], $2::text[], $3::bytea[], $4::float8[]) as new (kind, key, sealed, seconds)
on conflict (kind, key) do update set sealed = excluded.sealed, until = excluded.until, version = default
returning version";

pub(super) const NEWER: &str = "
select kind, key, sealed, version, extract(epoch from until - now())::float8 as left_s
from learned where version > $1 and until > now() order by version limit $2";

pub(super) const FORGET_OLD: &str = "delete from learned where until < now()";

/// A fact, and how long it holds.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) left: Duration,
}

/// A fact as it is kept.
#[derive(Debug)]
pub(crate) struct KeptFact {
    pub(crate) fact: Fact,
    pub(crate) version: i64,
}

/// Writes facts, of which no two have the same key. Returns their versions.
pub(crate) async fn teach(client: &impl GenericClient, facts: &[Fact]) -> Result<Vec<i64>, StoreError> {
    let teach = client.prepare_cached(TEACH).await?;
    let kinds: Vec<&str> = facts.iter().map(|fact| &*fact.kind).collect();
    let keys: Vec<&str> = facts.iter().map(|fact| &*fact.key).collect();
    let sealed: Vec<&[u8]> = facts.iter().map(|fact| &*fact.sealed).collect();
    let left: Vec<f64> = facts.iter().map(|fact| fact.left.as_secs_f64()).collect();
    let parameters: [Parameter<'_>; 5] = [&kinds, &keys, &sealed, &left, &TURNS_LOCK];
    let rows = client.query(&teach, &parameters).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Facts that are newer than `version`, at most `limit`, the oldest first.
pub(crate) async fn newer(
    client: &impl GenericClient,
    version: i64,
    limit: usize,
) -> Result<Vec<KeptFact>, StoreError> {
    let newer = client.prepare_cached(NEWER).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = client.query(&newer, &[&version, &limit]).await?;
    let fact = |row: &tokio_postgres::Row| KeptFact {
        fact: Fact {
            kind: row.get("kind"),
            key: row.get("key"),
            sealed: row.get("sealed"),
            left: Duration::try_from_secs_f64(row.get("left_s")).unwrap_or_default(),
        },
        version: row.get("version"),
    };
    Ok(rows.iter().map(fact).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    fn fact(key: &str, content: &str, left: Duration) -> Fact {
        Fact { kind: "pace".into(), key: key.into(), sealed: content.into(), left }
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn what_is_newer_is_found_and_what_is_over_is_not() {
        let store = testing::store().await;
        let client = store.worker().await.unwrap();
        let first = teach(&client, &[fact("a", "1", HOUR), fact("b", "1", Duration::ZERO)]).await.unwrap();
        let known = newer(&client, 0, 10).await.unwrap();
        assert_eq!((first.len(), known.len(), known[0].version), (2, 1, first[0]));
        assert!(known[0].fact.left > HOUR / 2 && known[0].fact.left <= HOUR);
        let again = teach(&client, &[fact("a", "2", HOUR)]).await.unwrap();
        assert!(again[0] > first[1]);
        let known = newer(&client, first[1], 10).await.unwrap();
        assert_eq!((known.len(), &*known[0].fact.sealed), (1, &b"2"[..]));
        assert!(newer(&client, again[0], 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn nobody_passes_over_what_is_being_written() {
        let store = testing::store().await;
        let (mut slow, quick) = (store.worker().await.unwrap(), store.worker().await.unwrap());
        let tx = slow.transaction().await.unwrap();
        let early = teach(&tx, &[fact("a", "1", HOUR)]).await.unwrap();
        let written = tokio::spawn(async move { teach(&quick, &[fact("b", "1", HOUR)]).await.unwrap() });
        let reader = store.worker().await.unwrap();
        // The second one waits for the first, and is not there before it.
        let waits = "select exists (select from pg_locks where locktype = 'advisory' and not granted \
            and database = (select oid from pg_database where datname = current_database()))";
        while !reader.query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {}
        assert!(newer(&reader, 0, 10).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        let late = written.await.unwrap();
        assert!(late > early);
        assert_eq!(newer(&reader, 0, 10).await.unwrap().len(), 2);
    }
}
