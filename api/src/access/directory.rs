//! The directory: says whose key it is, from memory.
//!
//! A key is looked up once, when somebody first comes with it; from then on the store is asked again in the background:
//! when it says that something has changed, and now and then ([`memory::FRESH_MAX`]) since what it says may get lost. Who
//! comes with a known key never waits. How often one may come with a wrong one is limited in `http`; here those who wait are
//! asked about together, a statement at a time, so that the database sees no more of them than one connection carries.

mod inquiry;
mod memory;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};

use self::inquiry::{Inquiry, Question};
use super::{Access, Denied, Facade, token};
use crate::store::{Shared, StoreError, keys::AccessDigest};

/// Requests that wait for the store to say whose key they have. More are told to come back.
const WAITING_MAX: usize = 1000;

/// How long a request waits for that: with it, somebody hears within two seconds that the database is busy.
const PATIENCE: Duration = Duration::from_millis(1800);

/// Knows keys. One per process.
pub(crate) struct Directory {
    inquiry: Arc<Inquiry>,
    questions: mpsc::Sender<Question>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Directory {
    /// A directory that knows nobody yet, with a task of its own.
    pub(crate) fn new(store: Shared) -> Arc<Self> {
        let inquiry = Arc::new(Inquiry::new(store));
        let (questions, asked) = mpsc::channel(WAITING_MAX);
        let task = Mutex::new(Some(tokio::spawn(inquiry.clone().run(asked))));
        Arc::new(Self { inquiry, questions, task })
    }

    /// What the holder of this key may do at this facade.
    ///
    /// # Errors
    /// Why not; of several reasons the first in the order of [`Denied`].
    pub(crate) async fn admit(&self, presented: &str, facade: Facade) -> Result<Arc<Access>, Denied> {
        if !token::is_shaped(presented, facade) {
            return Err(Denied::Invalid);
        }
        let Inquiry { store, memory, .. } = &*self.inquiry;
        let now = Instant::now();
        let known = store.keys().access_digests(presented).find_map(|digest| memory.recall(&digest, now));
        let found = match known {
            Some(known) => known?,
            None => self.ask(store.keys().access_digests(presented).collect()).await?,
        };
        // The digest is of the prefix too, so this is another one only if the store was changed by hand.
        if found.facade == facade { Ok(found) } else { Err(Denied::Invalid) }
    }

    /// Has the store asked, and waits for what it says. The digests are of one key, by each pepper.
    async fn ask(&self, digests: Vec<AccessDigest>) -> Result<Arc<Access>, Denied> {
        let memory = &self.inquiry.memory;
        if digests.first().is_some_and(|digest| memory.is_stranger(digest, Instant::now())) {
            return Err(Denied::Invalid);
        }
        let (answer, answered) = oneshot::channel();
        let question = Question { digests: digests.clone(), answer };
        self.questions.try_send(question).map_err(|_| busy("too many keys are looked up at once"))?;
        let said = timeout(PATIENCE, answered).await;
        said.map_err(|_| busy("a key is looked up for too long"))?
            .map_err(|_| busy("no keys are looked up any more"))??;
        let now = Instant::now();
        digests.iter().find_map(|digest| memory.recall(digest, now)).unwrap_or(Err(Denied::Invalid))
    }

    /// Stops asking the store, and gives it up. What is known stays for those who are still at work.
    pub(crate) async fn close(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // It was stopped: that is no news.
            let _ = task.await;
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

fn busy(why: &str) -> StoreError {
    StoreError::Busy(why.into())
}
