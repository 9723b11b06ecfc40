//! What the installation knows of how domains make addresses of names, by blind index: counts, the older ones counted for
//! less, since companies change their ways.

use std::{collections::HashMap, time::Duration};

use deadpool_postgres::{GenericClient, Pool};
use mailsonde_engine::{BoxFuture, FormatCounts, Formats, HistoryError, Verdict};
use tokio::{sync::mpsc, time::timeout};

use super::{StoreError, keys::Keyring};
use crate::formats::{Seen, told_by};

/// What was seen so long ago counts half.
const HALF_LIFE: Duration = Duration::from_hours(365 * 24);

/// How many verdicts' formats may wait to be written. With more, some are not learned: nothing depends on one of them.
const WAITING_MAX: usize = 10_000;

/// How many are written in one statement.
const AT_ONCE_MAX: usize = 1_000;

/// How long a statement may take.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The sort of blind index.
const SORT: &str = "format";

pub(super) const RECALL: &str = "
select domain, format, weight * power(0.5, extract(epoch from now() - seen_at)::float8 / $2) as weight
from domain_format where domain = any($1::text[])";

/// One mailbox that is asked about again and again does not outvote a company: what is learned at once counts for three
/// people at most, and all of it for twenty. In the order of the key, so that two who learn the same at once wait for each
/// other, and not crosswise.
pub(super) const LEARN: &str = "
insert into domain_format as known (domain, format, weight, seen_at)
select domain, format, least(sum(weight), 3), now()
from unnest($1::text[], $2::text[], $3::float8[]) as new (domain, format, weight)
group by domain, format order by domain, format
on conflict (domain, format) do update set seen_at = now(),
    weight = least(
        known.weight * power(0.5, extract(epoch from now() - known.seen_at)::float8 / $4) + excluded.weight, 20
    )";

/// After five half-lives next to nothing is left of a count.
pub(super) const FORGET_OLD: &str = "
delete from domain_format where (domain, format) in (
    select domain, format from domain_format where seen_at < now() - interval '5 years' limit $1
)";

/// The memory in the store.
#[derive(Debug)]
pub(crate) struct StoredFormats {
    pool: Pool,
    keys: Keyring,
    seen: mpsc::Sender<Seen>,
}

impl StoredFormats {
    /// The memory behind these connections. Within a runtime: starts a task, which ends with the value.
    pub(crate) fn new(pool: Pool, keys: Keyring) -> Self {
        let (seen, arriving) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(pool.clone(), keys.clone(), arriving));
        Self { pool, keys, seen }
    }

    /// Learns from verdicts, soon.
    pub(crate) fn learn<'v>(&self, verdicts: impl IntoIterator<Item = &'v Verdict>) {
        for seen in verdicts.into_iter().flat_map(told_by) {
            if self.seen.try_send(seen).is_err() {
                return;
            }
        }
    }

    async fn recall(&self, domains: &[&str]) -> Result<Vec<FormatCounts>, StoreError> {
        let names: Vec<String> = domains.iter().map(|domain| index(&self.keys, domain)).collect();
        let client = self.pool.get().await?;
        let recall = client.prepare_cached(RECALL).await?;
        let mut known: HashMap<String, FormatCounts> = HashMap::new();
        for row in client.query(&recall, &[&names, &HALF_LIFE.as_secs_f64()]).await? {
            let format = row.get::<_, &str>("format").into();
            known.entry(row.get("domain")).or_default().push((format, row.get("weight")));
        }
        Ok(names.iter().map(|name| known.get(name).cloned().unwrap_or_default()).collect())
    }
}

impl Formats for StoredFormats {
    fn recall<'a>(
        &'a self,
        domains: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<FormatCounts>, HistoryError>> {
        Box::pin(async move {
            let late = || StoreError::Busy("the memory of formats does not answer in time".into());
            let recalled = timeout(LOOK_MAX, self.recall(domains)).await.unwrap_or_else(|_| Err(late()));
            recalled.map_err(|error| HistoryError(error.to_string().into()))
        })
    }
}

/// By a key that all processes hold.
fn index(keys: &Keyring, domain: &str) -> String {
    keys.lasting_index_of_name(SORT, domain)
}

/// Writes until nobody can learn any more.
async fn write(pool: Pool, keys: Keyring, mut arriving: mpsc::Receiver<Seen>) {
    let mut seen = Vec::new();
    while arriving.recv_many(&mut seen, AT_ONCE_MAX).await > 0 {
        if let Err(error) = learn(&pool, &keys, &seen).await {
            tracing::debug!("formats of {} addresses are not learned: {error}", seen.len());
        }
        seen.clear();
    }
}

async fn learn(pool: &Pool, keys: &Keyring, seen: &[Seen]) -> Result<(), StoreError> {
    let domains: Vec<String> = seen.iter().map(|seen| index(keys, &seen.domain)).collect();
    let formats: Vec<&str> = seen.iter().map(|seen| &*seen.format).collect();
    let weights: Vec<f64> = seen.iter().map(|seen| seen.weight).collect();
    let client = pool.get().await?;
    let learn = client.prepare_cached(LEARN).await?;
    client.execute(&learn, &[&domains, &formats, &weights, &HALF_LIFE.as_secs_f64()]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store;

    fn seen(domain: &str, format: &str, weight: f64) -> Seen {
        Seen { domain: domain.into(), format: format.into(), weight }
    }

    #[tokio::test]
    async fn counts_add_up_and_fade() {
        let store = store().await;
        let (pool, keys) = (store.workers().clone(), store.keys().clone());
        let both = [seen("a.test", "flast", 0.5), seen("a.test", "flast", 1.0), seen("b.test", "first", 1.0)];
        learn(&pool, &keys, &both).await.unwrap();
        learn(&pool, &keys, &both[..1]).await.unwrap();
        let memory = StoredFormats::new(pool.clone(), keys.clone());
        let recalled = memory.recall(&["b.test", "a.test", "c.test"]).await.unwrap();
        let [b, a, nothing] = recalled.try_into().unwrap();
        let near = |counts: &FormatCounts, format: &str, weight: f64| {
            counts.len() == 1 && &*counts[0].0 == format && (counts[0].1 - weight).abs() < 0.01
        };
        assert!(near(&a, "flast", 2.0) && near(&b, "first", 1.0) && nothing.is_empty(), "{a:?} {b:?}");
        let client = pool.get().await.unwrap();
        client.batch_execute("update domain_format set seen_at = now() - interval '365 days'").await.unwrap();
        assert!(near(&memory.recall(&["a.test"]).await.unwrap()[0], "flast", 1.0));
        learn(&pool, &keys, &both[..1]).await.unwrap();
        assert!(
            near(&memory.recall(&["a.test"]).await.unwrap()[0], "flast", 1.5),
            "older ones count for less"
        );
        let named: i64 = client
            .query_one("select count(*) from domain_format where domain like '%test%'", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(named, 0, "no domain stands there");
        client.batch_execute("update domain_format set seen_at = now() - interval '6 years'").await.unwrap();
        assert_eq!(client.execute(FORGET_OLD, &[&10_i64]).await.unwrap(), 2);
    }
}
