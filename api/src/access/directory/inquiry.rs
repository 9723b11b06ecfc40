//! How a process finds out about keys: questions of those who wait, another look at what is known, and an ear for changes.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use super::memory::Memory;
use crate::store::{
    Shared, StoreError, access,
    keys::AccessDigest,
    notes::{Note, Topic},
};

/// Keys that are looked up in one statement.
const ASKED_MAX: usize = 500;

/// How often to see whether another look is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The pause before another attempt to listen, and after the store was away.
const PAUSE: Duration = Duration::from_secs(1);

/// Somebody waits to hear whose key it is.
pub(super) struct Question {
    /// Of one key, by each pepper; the current one's first.
    pub(super) digests: Vec<AccessDigest>,
    /// The memory knows now.
    pub(super) answer: oneshot::Sender<Result<(), StoreError>>,
}

/// What finds out about keys.
pub(super) struct Inquiry {
    pub(super) store: Shared,
    pub(super) memory: Memory,
    /// Another look is due.
    wake: Notify,
}

impl Inquiry {
    pub(super) fn new(store: Shared) -> Self {
        Self { store, memory: Memory::new(), wake: Notify::new() }
    }

    /// Until it is stopped.
    pub(super) async fn run(self: Arc<Self>, questions: mpsc::Receiver<Question>) {
        tokio::join!(self.answer(questions), self.look_again(), self.listen());
    }

    /// Answers whoever asks, many at a time.
    async fn answer(&self, mut questions: mpsc::Receiver<Question>) {
        let mut asked = Vec::with_capacity(ASKED_MAX);
        while questions.recv_many(&mut asked, ASKED_MAX).await > 0 {
            // Who has given up need not be asked about.
            asked.retain(|question| !question.answer.is_closed());
            let digests: HashSet<AccessDigest> =
                asked.iter().flat_map(|question| question.digests.iter().copied()).collect();
            let found = self.ask(&digests.into_iter().collect::<Vec<_>>(), Purpose::Request).await;
            let now = Instant::now();
            for Question { digests, answer } in asked.drain(..) {
                let is_known = |digest| self.memory.recall(digest, now).is_some();
                if found.is_ok() && !digests.iter().any(is_known) {
                    digests.first().into_iter().for_each(|digest| self.memory.estrange(*digest, now));
                }
                // He may have given up by now.
                let _ = answer.send(found.clone());
            }
        }
    }

    /// Looks again at what is known: at once at what is in doubt, else now and then.
    async fn look_again(&self) {
        let mut is_away = false;
        loop {
            let looked = self.look().await;
            if let Err(error) = &looked
                && !is_away
            {
                tracing::warn!("keys of clients are taken for what they were a moment ago: {error}");
            }
            if is_away && looked.is_ok() {
                tracing::info!("changes of clients and their keys are known again");
            }
            is_away = looked.is_err();
            if is_away {
                sleep(PAUSE).await;
            } else {
                // Woken up or not, it is time to look.
                let _ = timeout(LOOK_EVERY, self.wake.notified()).await;
            }
        }
    }

    /// Asks about everything that is due.
    async fn look(&self) -> Result<(), StoreError> {
        loop {
            let due = self.memory.due(Instant::now(), ASKED_MAX);
            if due.is_empty() {
                return Ok(());
            }
            self.ask(&due, Purpose::Background).await?;
        }
    }

    /// Hears of changes.
    async fn listen(&self) {
        loop {
            let heard = self.store.listen(Topic::Access, |note| {
                if let Note::Access(client) = note {
                    self.memory.doubt(client);
                    self.wake.notify_one();
                }
            });
            if let Err(error) = heard.await {
                tracing::debug!(
                    "changes of clients and their keys are not heard of, but looked for: {error}"
                );
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask(&self, digests: &[AccessDigest], purpose: Purpose) -> Result<(), StoreError> {
        if digests.is_empty() {
            return Ok(());
        }
        let connection = match purpose {
            Purpose::Request => self.store.request().await?,
            Purpose::Background => self.store.worker().await?,
        };
        let asked = self.memory.asking(Instant::now());
        let kept = access::look_up(&connection, digests).await?;
        if self.memory.learn(digests, kept, asked) {
            self.wake.notify_one();
        }
        Ok(())
    }
}

/// For whom the store is asked.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// Somebody waits.
    Request,
    /// Nobody does.
    Background,
}
