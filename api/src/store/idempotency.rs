//! Answers that are given again to whoever asks again with the same key. A request claims its key before it does anything,
//! and keeps its answer there, best in the transaction in which it does it: then both are done, or none.
//!
//! Who claims a key has it until a moment, which is the fence of that claim: after that another one may have it.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use uuid::Uuid;

use super::{StoreError, keys::ShortToken, tasks::Parameter};

/// A claim that has run out is nobody's, and neither is an answer that was kept long enough.
pub(super) const CLAIM: &str = "
insert into idempotency as kept (client, key, until)
values ($1, $2, now() + $3 * interval '1 second')
on conflict (client, key) do update set
    until = excluded.until, request = null, status = null, sealed = null, tokens = null
where kept.until < now()
returning until";

pub(super) const LOOK: &str = "
select request, status, sealed from idempotency where client = $1 and key = $2 and until >= now()";

pub(super) const KEEP: &str = "
update idempotency
set request = $4, status = $5, sealed = $6, tokens = $7, until = now() + $8 * interval '1 second'
where client = $1 and key = $2 and until = $3 and status is null";

pub(super) const LET_GO: &str = "
delete from idempotency where client = $1 and key = $2 and until = $3 and status is null";

pub(super) const WITHDRAW: &str = "delete from idempotency where client = $1 and key = $2 and sealed = $3";

/// Tokens are looked for at every octet: an answer in which one seems to begin goes too, and its request may be done again.
pub(super) const FORGET: &str = "
delete from idempotency where client = $1 and exists (
    select from unnest($2::bytea[]) as wanted (token) where position(token in tokens) > 0
)";

pub(super) const FORGET_OLD: &str = "
delete from idempotency where (client, key) in (
    select client, key from idempotency where until < now() limit $1
)";

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

/// An answer that is kept for whoever has the claim's key and sends the same body again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) claim: Claim,
    /// A blind index of the body that was answered.
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
    /// The body of the answer.
    pub(crate) sealed: Vec<u8>,
    /// By which people are found in it, eight octets each.
    pub(crate) tokens: Vec<u8>,
    /// For how long it is kept.
    pub(crate) time: Duration,
}

/// What came of claiming a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// It is ours.
    Ours(Claim),
    /// Somebody works at it.
    Running,
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
    time: Duration,
) -> Result<Claimed, StoreError> {
    let claim = client.prepare_cached(CLAIM).await?;
    let parameters: [Parameter<'_>; 3] = [&whose, &key, &time.as_secs_f64()];
    if let Some(row) = client.query_opt(&claim, &parameters).await? {
        return Ok(Claimed::Ours(Claim { client: whose, key: key.to_owned(), until: row.get("until") }));
    }
    let look = client.prepare_cached(LOOK).await?;
    let Some(row) = client.query_opt(&look, &[&whose, &key]).await? else {
        // It was let go in between. Whoever asks again may have it.
        return Err(StoreError::Busy("a request with this key has just ended".into()));
    };
    let status: Option<i16> = row.get("status");
    Ok(match status.and_then(|status| u16::try_from(status).ok()) {
        None => Claimed::Running,
        Some(status) => Claimed::Answered { request: row.get("request"), status, sealed: row.get("sealed") },
    })
}

/// Keeps the answer of a claim, in the transaction of whoever does what was asked for.
///
/// # Errors
/// [`StoreError::Fenced`]: another request has the key by now, and does it; or it has its answer already.
pub(crate) async fn keep(client: &impl GenericClient, answer: &Answer) -> Result<(), StoreError> {
    let keep = client.prepare_cached(KEEP).await?;
    let Answer { claim: Claim { client: whose, key, until }, request, sealed, tokens, .. } = answer;
    let status = i16::try_from(answer.status).map_err(|_| StoreError::Refused("no status of HTTP".into()))?;
    let time = answer.time.as_secs_f64();
    let parameters: [Parameter<'_>; 8] = [whose, key, until, request, &status, sealed, tokens, &time];
    match client.execute(&keep, &parameters).await? {
        1 => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

/// Takes back an answer that was kept, or may have been: nothing came of it.
pub(crate) async fn withdraw(client: &impl GenericClient, answer: &Answer) -> Result<(), StoreError> {
    let withdraw = client.prepare_cached(WITHDRAW).await?;
    let Answer { claim: Claim { client: whose, key, .. }, sealed, .. } = answer;
    client.execute(&withdraw, &[whose, key, sealed]).await?;
    Ok(())
}

/// Gives up a claim: nothing was done.
pub(crate) async fn let_go(client: &impl GenericClient, claim: &Claim) -> Result<(), StoreError> {
    let let_go = client.prepare_cached(LET_GO).await?;
    let Claim { client: whose, key, until } = claim;
    client.execute(&let_go, &[whose, key, until]).await?;
    Ok(())
}

/// Drops the answers to a client in which one of the tokens stands. Returns how many there were.
pub(crate) async fn forget(client: &mut Client, of: Uuid, tokens: &[ShortToken]) -> Result<u64, StoreError> {
    let tx = client.transaction().await?;
    // All answers to the client are looked at.
    tx.batch_execute("set local statement_timeout = 0").await?;
    let tokens: Vec<&[u8]> = tokens.iter().map(<[u8; 8]>::as_slice).collect();
    let forget = tx.prepare_cached(FORGET).await?;
    let forgotten = tx.execute(&forget, &[&of, &tokens]).await?;
    tx.commit().await?;
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LOCAL_CLIENT, Store, testing};

    const MINUTE: Duration = Duration::from_mins(1);

    async fn claim(store: &Store, time: Duration) -> Claimed {
        super::claim(&store.worker().await.unwrap(), LOCAL_CLIENT, b"key", time).await.unwrap()
    }

    async fn ours(store: &Store, time: Duration) -> Claim {
        match claim(store, time).await {
            Claimed::Ours(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    fn answer(claim: &Claim, time: Duration) -> Answer {
        let (request, sealed, tokens) = (b"one".into(), b"sealed".into(), [7; 16].into());
        Answer { claim: claim.clone(), request, status: 202, sealed, tokens, time }
    }

    fn answered() -> Claimed {
        Claimed::Answered { request: b"one".into(), status: 202, sealed: b"sealed".into() }
    }

    #[tokio::test]
    async fn a_key_is_claimed_once_and_its_answer_kept() {
        let store = testing::store().await;
        let first = ours(&store, MINUTE).await;
        assert_eq!(claim(&store, MINUTE).await, Claimed::Running);
        let client = store.worker().await.unwrap();
        keep(&client, &answer(&first, MINUTE)).await.unwrap();
        assert_eq!(claim(&store, MINUTE).await, answered());
        // What is answered is not answered again, nor given up.
        let other = Answer { status: 500, ..answer(&first, MINUTE) };
        assert!(matches!(keep(&client, &other).await, Err(StoreError::Fenced)));
        let_go(&client, &first).await.unwrap();
        assert_eq!(claim(&store, MINUTE).await, answered());
        // Unless it is taken back, by whoever kept it.
        withdraw(&client, &Answer { sealed: b"another".into(), ..answer(&first, MINUTE) }).await.unwrap();
        assert_eq!(claim(&store, MINUTE).await, answered());
        withdraw(&client, &answer(&first, MINUTE)).await.unwrap();
        ours(&store, MINUTE).await;
    }

    #[tokio::test]
    async fn a_claim_that_was_given_up_or_has_run_out_is_free() {
        let store = testing::store().await;
        let client = store.worker().await.unwrap();
        let first = ours(&store, MINUTE).await;
        let_go(&client, &first).await.unwrap();
        let dead = ours(&store, Duration::ZERO).await;
        let heir = ours(&store, MINUTE).await;
        assert!(matches!(keep(&client, &answer(&dead, MINUTE)).await, Err(StoreError::Fenced)));
        let_go(&client, &dead).await.unwrap();
        keep(&client, &answer(&heir, Duration::ZERO)).await.unwrap();
        // An answer is not kept forever.
        ours(&store, MINUTE).await;
        assert_eq!(claim(&store, MINUTE).await, Claimed::Running);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_at_once_one_has_it() {
        let store = std::sync::Arc::new(testing::store().await);
        let all = (0..50).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { matches!(claim(&store, MINUTE).await, Claimed::Ours(_)) })
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
        keep(&transaction, &answer(&first, MINUTE)).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(claim(&store, MINUTE).await, Claimed::Running);
    }

    #[tokio::test]
    async fn answers_in_which_somebody_stands_are_dropped() {
        let store = testing::store().await;
        let mut client = store.worker().await.unwrap();
        let first = ours(&store, MINUTE).await;
        keep(&client, &answer(&first, MINUTE)).await.unwrap();
        assert_eq!(forget(&mut client, LOCAL_CLIENT, &[[8; 8]]).await.unwrap(), 0);
        assert_eq!(forget(&mut client, Uuid::from_u128(9), &[[7; 8]]).await.unwrap(), 0);
        assert_eq!(claim(&store, MINUTE).await, answered());
        assert_eq!(forget(&mut client, LOCAL_CLIENT, &[[8; 8], [7; 8]]).await.unwrap(), 1);
        ours(&store, MINUTE).await;
    }
}
