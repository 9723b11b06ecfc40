//! What operators were heard to bear, for the plans of jobs to come. How that is learned is decided in `jobs`.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{StoreError, tasks::Parameter};

/// Somebody else may have added it meanwhile.
pub(super) const ADD: &str = "
insert into capacity (operator, usual, lately, again, heard_seconds, heard_at) values ($1, $2, $3, $4, 0, now())
on conflict do nothing";

/// Nobody else changes it until this transaction ends. The moment is that at which it is ours.
pub(super) const TAKE: &str = "
select operator, usual, lately, again, heard_seconds, heard_at, slow_since, clock_timestamp() as now
from capacity where operator = $1 for update";

pub(super) const CHANGE: &str = "
update capacity set usual = $2, lately = $3, again = $4, heard_seconds = $5, heard_at = $6, slow_since = $7
where operator = $1";

pub(super) const ALL: &str =
    "select operator, usual, lately, again, heard_seconds, heard_at, slow_since from capacity";

/// What was heard of one operator. What it means for plans is `jobs`' to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CapacityRow {
    /// Recipients that one session asks about in a second.
    pub(crate) usual: f64,
    /// The same, lately.
    pub(crate) lately: f64,
    /// The share of recipients that are asked about again.
    pub(crate) again: f64,
    /// Seconds at full use for which it was heard.
    pub(crate) heard_seconds: f64,
    pub(crate) heard_at: Timestamp,
    /// Since when it is slow, if it is.
    pub(crate) slow_since: Option<Timestamp>,
}

/// What is remembered of all operators.
pub(crate) async fn all(client: &impl GenericClient) -> Result<Vec<(String, CapacityRow)>, StoreError> {
    let all = client.prepare_cached(ALL).await?;
    let rows = client.query(&all, &[]).await?;
    Ok(rows.iter().map(|row| (row.get("operator"), read(row))).collect())
}

/// Changes what is remembered of an operator; whoever else does so waits. `fresh`: what is assumed where nothing is
/// remembered. `change` is given the present moment by the database's clock.
pub(crate) async fn learn(
    client: &mut Client,
    operator: &str,
    fresh: CapacityRow,
    change: impl FnOnce(Timestamp, CapacityRow) -> CapacityRow,
) -> Result<(), StoreError> {
    let tx = client.transaction().await?;
    let (add, take, write) =
        tokio::try_join!(tx.prepare_cached(ADD), tx.prepare_cached(TAKE), tx.prepare_cached(CHANGE))?;
    let assumed: [Parameter<'_>; 4] = [&operator, &fresh.usual, &fresh.lately, &fresh.again];
    let of: [Parameter<'_>; 1] = [&operator];
    let (_, row) = tokio::try_join!(tx.execute(&add, &assumed), tx.query_one(&take, &of))?;
    let learned = change(row.get("now"), read(&row));
    let CapacityRow { usual, lately, again, heard_seconds, heard_at, slow_since } = learned;
    tx.execute(&write, &[&operator, &usual, &lately, &again, &heard_seconds, &heard_at, &slow_since]).await?;
    tx.commit().await?;
    Ok(())
}

fn read(row: &Row) -> CapacityRow {
    CapacityRow {
        usual: row.get("usual"),
        lately: row.get("lately"),
        again: row.get("again"),
        heard_seconds: row.get("heard_seconds"),
        heard_at: row.get("heard_at"),
        slow_since: row.get("slow_since"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    const FRESH: CapacityRow = CapacityRow {
        usual: 0.0,
        lately: 0.0,
        again: 0.0,
        heard_seconds: 0.0,
        heard_at: Timestamp::UNIX_EPOCH,
        slow_since: None,
    };

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_of_what_several_learn_at_once() {
        let store = testing::store().await;
        let learn = |_| {
            let pool = store.workers().clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let mut client = pool.get().await.unwrap();
                    let more =
                        |now, row: CapacityRow| CapacityRow { usual: row.usual + 1.0, heard_at: now, ..row };
                    learn(&mut client, "google", FRESH, more).await.unwrap();
                }
            })
        };
        for learner in (0..4).map(learn).collect::<Vec<_>>() {
            learner.await.unwrap();
        }
        let all = all(&store.worker().await.unwrap()).await.unwrap();
        assert_eq!((all.len(), &*all[0].0, all[0].1.usual), (1, "google", 100.0));
        assert!(all[0].1.heard_at > Timestamp::UNIX_EPOCH);
    }
}
