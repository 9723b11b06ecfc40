//! The memory in the store, as the stage `history` asks it. Whoever asks while others are being answered is answered with
//! all who did so, by one statement: one request alone waits for nobody, and hundreds at once cost the database little.

use std::{
    collections::HashMap,
    mem::take,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool_postgres::Pool;
use mailsonde_engine::{Address, BoxFuture, History, HistoryError, Remembered};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{look_up, newest};
use crate::store::{
    StoreError, gather,
    keys::{Keyring, Scope, Token},
};

/// Batches that are asked about in one statement: as many as requests may wait for one, or some tens of chunks.
const AT_ONCE_MAX: usize = 256;

/// Batches that may wait. More wait outside.
const WAITING_MAX: usize = 1_024;

/// How long a statement may take. Who asked does not wait any longer either, as the stage is configured.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// What is known of mailboxes, under their tokens.
type Known = HashMap<Token, Remembered>;

/// Somebody wants to know what is remembered of mailboxes, under all tokens that they may have.
struct Ask {
    tokens: Arc<[Token]>,
    reply: oneshot::Sender<Result<Arc<Known>, StoreError>>,
}

/// The memory in the store.
pub(crate) struct StoredHistory {
    keys: Keyring,
    asks: mpsc::Sender<Ask>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often it was asked about a mailbox since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LookUps {
    /// Something was remembered.
    pub(crate) hits: u64,
    /// Nothing was.
    pub(crate) misses: u64,
}

impl StoredHistory {
    /// The memory behind these connections. Within a runtime: starts a task, which ends with the value.
    pub(crate) fn new(pool: Pool, keys: Keyring) -> Self {
        let (asks, arriving) = mpsc::channel(WAITING_MAX);
        tokio::spawn(answer(pool, arriving));
        Self { keys, asks, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// How often it was asked. What could not be answered is not counted.
    pub(crate) fn look_ups(&self) -> LookUps {
        LookUps { hits: self.hits.load(Relaxed), misses: self.misses.load(Relaxed) }
    }

    async fn recall(&self, addresses: &[&Address]) -> Result<Vec<Option<Remembered>>, StoreError> {
        let tokens_of = |address: &&Address| self.keys.indexes(Scope::Installation, address);
        let tokens: Arc<[Token]> = addresses.iter().flat_map(tokens_of).collect();
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::Away("nobody looks into the history any more".into());
        self.asks.send(Ask { tokens: tokens.clone(), reply }).await.map_err(|_| gone())?;
        let known = answer.await.map_err(|_| gone())??;
        // Each address has a token of every key, so as many as any other.
        let of_each = (tokens.len() / addresses.len().max(1)).max(1);
        let found: Vec<_> = tokens.chunks(of_each).map(|tokens| newest(tokens, &known)).collect();
        let hits = found.iter().flatten().count();
        self.hits.fetch_add(hits as u64, Relaxed);
        self.misses.fetch_add((found.len() - hits) as u64, Relaxed);
        Ok(found)
    }
}

impl History for StoredHistory {
    fn recall<'a>(
        &'a self,
        addresses: &'a [&'a Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Remembered>>, HistoryError>> {
        Box::pin(async move {
            self.recall(addresses).await.map_err(|error| HistoryError(error.to_string().into()))
        })
    }
}

/// Answers until nobody can ask any more.
async fn answer(pool: Pool, mut arriving: mpsc::Receiver<Ask>) {
    let mut asks = Vec::new();
    while arriving.recv_many(&mut asks, AT_ONCE_MAX).await > 0 {
        gather(&mut arriving, &mut asks, AT_ONCE_MAX).await;
        let mut asks = take(&mut asks);
        asks.retain(|ask| !ask.reply.is_closed());
        let wanted: Vec<&Token> = asks.iter().flat_map(|ask| ask.tokens.iter()).collect();
        let late = || StoreError::Busy("the history does not answer in time".into());
        let known = timeout(LOOK_MAX, known(&pool, &wanted)).await.unwrap_or_else(|_| Err(late()));
        let known = known.map(Arc::new);
        for ask in asks {
            // Who does not wait any more needs no answer.
            let _ = ask.reply.send(known.clone());
        }
    }
}

async fn known(pool: &Pool, wanted: &[&Token]) -> Result<Known, StoreError> {
    if wanted.is_empty() {
        return Ok(Known::new());
    }
    look_up(&pool.get().await?, wanted.iter().copied()).await
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use mailsonde_engine::HistorySource;

    use super::*;
    use crate::store::{
        history::{Refusal, remember},
        testing,
    };

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_who_ask_at_once_each_hears_of_his_own() {
        let store = testing::store().await;
        let of = |number: usize| Address::new(&format!("user{number}"), "example.com");
        let refusals: Vec<Refusal> = (0..600)
            .step_by(3)
            .map(|number| Refusal {
                address: of(number),
                source: HistorySource::Bounce,
                seen_at: jiff::Timestamp::UNIX_EPOCH,
            })
            .collect();
        remember(&store.worker().await.unwrap(), store.keys(), &refusals).await.unwrap();
        let history = StoredHistory::new(store.workers().clone(), store.keys().clone());
        let asked = (0..600).map(async |number| {
            let (one, next) = (of(number), of(number + 1));
            history.recall(&[&one, &next]).await.unwrap()
        });
        for (number, heard) in join_all(asked).await.into_iter().enumerate() {
            let known: Vec<bool> = heard.iter().map(Option::is_some).collect();
            let was_refused = |number: usize| number.is_multiple_of(3) && number < 600;
            assert_eq!(known, [was_refused(number), was_refused(number + 1)], "{number}");
        }
        // Each of 200 is asked about as one, and as the next, but for the first.
        assert_eq!(history.look_ups(), LookUps { hits: 399, misses: 801 });
    }

    #[tokio::test]
    async fn who_does_not_wait_any_more_holds_nobody_up_and_a_fault_is_told_to_all() {
        let store = testing::store().await;
        let history = StoredHistory::new(store.workers().clone(), store.keys().clone());
        let jane = Address::new("jane", "example.com");
        let gone = timeout(Duration::ZERO, history.recall(&[&jane])).await;
        assert!(gone.is_err());
        assert_eq!(history.recall(&[&jane]).await.unwrap(), [None]);
        store.worker().await.unwrap().batch_execute("drop table history").await.unwrap();
        let jane = [&jane];
        let (one, other) = tokio::join!(history.recall(&jane), history.recall(&jane));
        assert!(one.is_err() && other.is_err());
    }
}
