//! Sessions that processes lease of what mail hosts bear: in sum never more than all of them together may have.
//!
//! A call is one transaction. Whoever claims of the same key waits for its end, so the sum is looked at and changed by one
//! at a time; and a call that was given up has either ended before the next one looks, or takes no effect.

use std::{collections::HashMap, time::Duration};

use deadpool_postgres::{Client, GenericClient, Pool};
use mailsonde_engine::BoxFuture;
use mailsonde_net::{Claim, Leave, Portion, Ration, RationError, RationKey, Rival};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use uuid::Uuid;

use super::{StoreError, keys::Keyring, tasks::Parameter};

/// How long a process that is not heard of keeps what it has: three renewals, of which two may get lost.
const LIFE: Duration = Duration::from_secs(30);

/// How long a call may take. What sessions wait for should come soon, or be known not to come.
const CALL_MAX: Duration = Duration::from_secs(4);

/// How long the database may be at one statement of a call, and for what it waits for us within one: less than a call, so
/// that what we have given up has ended there before we come again.
const LIMITS: &str = "set local statement_timeout = 2000; set local lock_timeout = 2000; \
    set local idle_in_transaction_session_timeout = 2000";

/// The first half of the advisory locks of keys.
const KEYS_LOCK: i32 = 0x6c65_6173;

/// Keys of operators stand in clear: they name nobody.
const IN_CLEAR: &str = "operator:";

/// Locks of several keys, in the order in which they are given.
pub(super) const LOCK: &str = "select pg_advisory_xact_lock($1, lock) from unnest($2::int[]) as lock";

/// What others have and could use of each key: those that are alive.
pub(super) const RIVALS: &str = "
select claim.no, lease.sessions, lease.wanted
from unnest($1::int[], $2::text[]) with ordinality as claim (egress, key, no)
join session_lease lease on lease.egress = claim.egress and lease.key = claim.key
where lease.worker <> $3 and lease.until > now()";

pub(super) const HOLD: &str = "
insert into session_lease (egress, key, worker, sessions, wanted, until)
select egress, key, $3, sessions, wanted, now() + $6 * interval '1 second'
from unnest($1::int[], $2::text[], $4::int[], $5::int[]) as new (egress, key, sessions, wanted)
where sessions > 0 or wanted > 0
on conflict (egress, key, worker) do update set
    sessions = excluded.sessions, wanted = excluded.wanted, until = excluded.until";

/// Of which nothing is held or wanted.
pub(super) const LET_GO: &str = "
delete from session_lease lease
using unnest($1::int[], $2::text[], $4::int[], $5::int[]) as new (egress, key, sessions, wanted)
where lease.egress = new.egress and lease.key = new.key and lease.worker = $3
    and new.sessions = 0 and new.wanted = 0";

pub(super) const LET_ALL_GO: &str = "delete from session_lease where worker = $1";

/// Leases that are over mean nothing. They stay for an hour all the same, for whoever looks why a host was let alone; of a
/// key that is still in use the row is taken over sooner.
pub(super) const SWEEP: &str = "delete from session_lease where until < now() - interval '1 hour'";

/// The sessions that are shared through this store, as one process sees them.
pub(crate) struct StoredRation {
    pool: Pool,
    keys: Keyring,
    worker: Uuid,
}

impl StoredRation {
    /// `worker`: a name of this process that no other has.
    pub(crate) fn new(pool: Pool, keys: Keyring, worker: Uuid) -> Self {
        Self { pool, keys, worker }
    }

    /// Gives up all that this process has. Its sessions have ended.
    pub(crate) async fn leave(&self) -> Result<(), StoreError> {
        let leave = async {
            let client = self.pool.get().await?;
            let let_all_go = client.prepare_cached(LET_ALL_GO).await?;
            client.execute(&let_all_go, &[&self.worker]).await?;
            Ok(())
        };
        timeout(CALL_MAX, leave).await.unwrap_or_else(|_| Err(StoreError::Away("it is slow".into())))
    }

    async fn put_in(&self, claims: &[Claim]) -> Result<Vec<Portion>, StoreError> {
        let mut client = self.pool.get().await?;
        let keys: Vec<String> = claims.iter().map(|claim| self.name(&claim.key)).collect();
        claim(&mut client, self.worker, claims, &keys).await
    }

    /// The key as the table has it.
    fn name(&self, key: &RationKey) -> String {
        if key.key.starts_with(IN_CLEAR) {
            return key.key.to_string();
        }
        format!("mx#{}", self.keys.lasting_index_of_name("lease", &key.key))
    }
}

impl Ration for StoredRation {
    fn claim<'a>(&'a self, claims: &'a [Claim]) -> BoxFuture<'a, Result<Leave, RationError>> {
        Box::pin(async move {
            let portions = timeout(CALL_MAX, self.put_in(claims)).await;
            let portions = portions.map_err(|_| RationError("the database is slow".into()))?;
            Ok(Leave { portions: portions.map_err(|error| RationError(error.to_string()))?, life: LIFE })
        })
    }
}

/// Puts in claims under these names of their keys.
async fn claim(
    client: &mut Client,
    worker: Uuid,
    claims: &[Claim],
    keys: &[String],
) -> Result<Vec<Portion>, StoreError> {
    let (lock, rivals, hold, let_go) = tokio::try_join!(
        client.prepare_cached(LOCK),
        client.prepare_cached(RIVALS),
        client.prepare_cached(HOLD),
        client.prepare_cached(LET_GO),
    )?;
    let egress: Vec<i32> = claims.iter().map(|claim| i32::from(claim.key.egress.0)).collect();
    let locks = locks(&egress, keys);
    let tx = client.transaction().await?;
    // All on their way at once; the server takes them one after the other. What others have is looked at by a statement of
    // its own: one sees what was there when it began.
    let (turn, of): ([Parameter<'_>; 2], [Parameter<'_>; 3]) =
        ([&KEYS_LOCK, &locks], [&egress, &keys, &worker]);
    let ((), _, rows) =
        tokio::try_join!(biased; tx.batch_execute(LIMITS), tx.execute(&lock, &turn), tx.query(&rivals, &of))?;
    let mut rivals: HashMap<i64, Vec<Rival>> = HashMap::new();
    for row in rows {
        let rival = Rival { sessions: count(row.get("sessions")), wanted: count(row.get("wanted")) };
        rivals.entry(row.get("no")).or_default().push(rival);
    }
    let portion = |(no, claim): (i64, &Claim)| claim.portion(rivals.get(&no).map_or(&[], Vec::as_slice));
    let portions: Vec<Portion> = (1..).zip(claims).map(portion).collect();
    let sessions: Vec<i32> = portions.iter().map(|portion| number(portion.sessions)).collect();
    let wanted: Vec<i32> = claims.iter().map(|claim| number(claim.wanted)).collect();
    let life = LIFE.as_secs_f64();
    let kept: [Parameter<'_>; 6] = [&egress, &keys, &worker, &sessions, &wanted, &life];
    tokio::try_join!(biased; tx.execute(&hold, &kept), tx.execute(&let_go, &kept[..5]))?;
    tx.commit().await?;
    Ok(portions)
}

/// The second halves of the keys' locks, in one order for all processes. Two keys may have the same lock; then one waits
/// for the other for no reason.
fn locks(egress: &[i32], keys: &[String]) -> Vec<i32> {
    let lock = |(egress, key): (&i32, &String)| {
        let digest = Sha256::digest(format!("{egress} {key}"));
        i32::from_be_bytes(std::array::from_fn(|at| digest[at]))
    };
    let mut locks: Vec<i32> = egress.iter().zip(keys).map(lock).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
