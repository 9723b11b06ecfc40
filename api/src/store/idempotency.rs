//! Answers that are given again to whoever asks again with the same key. A request claims its key before it does anything,
//! and keeps its answer there, best in the transaction in which it does it: then both are done, or none.
//!
//! Who claims a key has it until a moment, which is the fence of that claim: after that another one may have it.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use uuid::Uuid;

use super::{StoreError, tasks::Parameter};

/// A claim that has run out is nobody's, and neither is an answer that was kept long enough.
pub(super) const CLAIM: &str = "
insert into idempotency as kept (client, key, request, until)
values ($1, $2, $3, now() + $4 * interval '1 second')
on conflict (client, key) do update set
    request = excluded.request, status = null, sealed = null, until = excluded.until
where kept.until < now()
returning until";

pub(super) const LOOK: &str = "
select request, status, sealed from idempotency where client = $1 and key = $2 and until >= now()";

pub(super) const KEEP: &str = "
update idempotency set status = $4, sealed = $5, until = now() + $6 * interval '1 second'
where client = $1 and key = $2 and until = $3 and status is null";

pub(super) const LET_GO: &str = "
delete from idempotency where client = $1 and key = $2 and until = $3 and status is null";

pub(super) const FORGET_OLD: &str = "delete from idempotency where until < now()";

/// A client's key that is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whose.
    pub(crate) client: Uuid,
    /// A blind index of method, path and key.
    pub(crate) key: Vec<u8>,
    /// Until when it is; the fence.
    pub(crate) until: Timestamp,
}

/// What came of claiming a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// It is ours.
    Ours(Claim),
    /// Somebody works at it.
    Running {
        /// A blind index of that request's body.
        request: Vec<u8>,
    },
    /// It was answered.
    Answered {
        /// A blind index of that request's body.
        request: Vec<u8>,
        /// The status of the answer.
        status: u16,
        /// Its body.
        sealed: Vec<u8>,
    },
}

/// Claims a key of a client for this long, unless it is taken.
pub(crate) async fn claim(
    client: &impl GenericClient,
    whose: Uuid,
    key: &[u8],
    request: &[u8],
    time: Duration,
) -> Result<Claimed, StoreError> {
    let claim = client.prepare_cached(CLAIM).await?;
    let parameters: [Parameter<'_>; 4] = [&whose, &key, &request, &time.as_secs_f64()];
    if let Some(row) = client.query_opt(&claim, &parameters).await? {
        return Ok(Claimed::Ours(Claim { client: whose, key: key.to_owned(), until: row.get("until") }));
    }
    let look = client.prepare_cached(LOOK).await?;
    let Some(row) = client.query_opt(&look, &[&whose, &key]).await? else {
        // It was let go in between. Whoever asks again may have it.
        return Err(StoreError::Busy("a request with this key has just ended".into()));
    };
    let (request, status): (Vec<u8>, Option<i16>) = (row.get("request"), row.get("status"));
    Ok(match status.and_then(|status| u16::try_from(status).ok()) {
        None => Claimed::Running { request },
        Some(status) => Claimed::Answered { request, status, sealed: row.get("sealed") },
    })
}

/// Keeps the answer of a claim for this long, in the transaction of whoever does what was asked for.
///
/// # Errors
/// [`StoreError::Fenced`]: another request has the key by now, and does it.
pub(crate) async fn keep(
    client: &impl GenericClient,
    claim: &Claim,
    status: u16,
    sealed: &[u8],
    time: Duration,
) -> Result<(), StoreError> {
    let keep = client.prepare_cached(KEEP).await?;
    let Claim { client: whose, key, until } = claim;
    let status = i16::try_from(status).map_err(|_| StoreError::Refused("no status of HTTP".into()))?;
    let parameters: [Parameter<'_>; 6] = [whose, key, until, &status, &sealed, &time.as_secs_f64()];
    match client.execute(&keep, &parameters).await? {
        1 => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

/// Gives up a claim: nothing was done.
pub(crate) async fn let_go(client: &impl GenericClient, claim: &Claim) -> Result<(), StoreError> {
    let let_go = client.prepare_cached(LET_GO).await?;
    let Claim { client: whose, key, until } = claim;
    client.execute(&let_go, &[whose, key, until]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LOCAL_CLIENT, Store, testing};

    const MINUTE: Duration = Duration::from_mins(1);

    async fn claim(store: &Store, request: &[u8], time: Duration) -> Claimed {
        super::claim(&store.worker().await.unwrap(), LOCAL_CLIENT, b"key", request, time).await.unwrap()
    }

    async fn ours(store: &Store, time: Duration) -> Claim {
        match claim(store, b"one", time).await {
            Claimed::Ours(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_key_is_claimed_once_and_its_answer_kept() {
        let store = testing::store().await;
        let first = ours(&store, MINUTE).await;
        assert_eq!(claim(&store, b"other", MINUTE).await, Claimed::Running { request: b"one".into() });
        let client = store.worker().await.unwrap();
        keep(&client, &first, 202, b"sealed", MINUTE).await.unwrap();
        let answered = Claimed::Answered { request: b"one".into(), status: 202, sealed: b"sealed".into() };
        assert_eq!(claim(&store, b"one", MINUTE).await, answered);
        // What is answered is not answered again, nor given up.
        assert!(matches!(keep(&client, &first, 500, b"", MINUTE).await, Err(StoreError::Fenced)));
        let_go(&client, &first).await.unwrap();
        assert_eq!(claim(&store, b"one", MINUTE).await, answered);
    }

    #[tokio::test]
    async fn a_claim_that_was_given_up_or_has_run_out_is_free() {
        let store = testing::store().await;
        let client = store.worker().await.unwrap();
        let first = ours(&store, MINUTE).await;
        let_go(&client, &first).await.unwrap();
        let dead = ours(&store, Duration::ZERO).await;
        let heir = ours(&store, MINUTE).await;
        assert!(matches!(keep(&client, &dead, 202, b"", MINUTE).await, Err(StoreError::Fenced)));
        let_go(&client, &dead).await.unwrap();
        keep(&client, &heir, 202, b"", Duration::ZERO).await.unwrap();
        // An answer is not kept forever.
        ours(&store, MINUTE).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_at_once_one_has_it() {
        let store = std::sync::Arc::new(testing::store().await);
        let all = (0..50).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { matches!(claim(&store, b"one", MINUTE).await, Claimed::Ours(_)) })
        });
        let mut ours = 0;
        for one in futures_util::future::join_all(all).await {
            ours += usize::from(one.unwrap());
        }
        assert_eq!(ours, 1);
    }

    #[tokio::test]
    async fn what_was_done_and_its_answer_are_one() {
        let store = testing::store().await;
        let mut client = store.worker().await.unwrap();
        let first = ours(&store, MINUTE).await;
        let transaction = client.transaction().await.unwrap();
        keep(&transaction, &first, 202, b"", MINUTE).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(claim(&store, b"one", MINUTE).await, Claimed::Running { request: b"one".into() });
    }
}
