//! Writing verdicts down, under the lease of the chunk's task.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mailsonde_engine::{Category, Judgement};
use tokio::time::{Instant, sleep};

use super::ChunkRun;
use crate::{
    jobs::{
        aside::aside,
        ending,
        queue::{TaskError, Word},
        rows::verdicts::{self, Judged},
    },
    store::{
        StoreError,
        chunks::{self, Deferred, NewPart},
        history,
        keys::Row,
        webhooks::NewWebhook,
    },
};

/// How long to try to write verdicts down that the store does not take, in leases: after that somebody else has them.
const WRITE_LEASES_MAX: u32 = 3;

/// The same, when the process is to end.
const STOP_MAX: Duration = Duration::from_secs(5);

/// The first pause before another try, and the longest: each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

impl ChunkRun {
    /// Writes a part of verdicts; with `last` the chunk is done. A store that is away is waited for: nobody has to be asked
    /// again because of it.
    pub(super) async fn write(
        &mut self,
        verdicts: Arc<[Judged]>,
        last: Option<Vec<Deferred>>,
    ) -> Result<(), TaskError> {
        let no = self.stored.next_part;
        let (mut counts, mut disposable) = (vec![0; Category::ALL.len()], vec![0; Category::ALL.len()]);
        let mut role_based = 0;
        for judged in verdicts.iter().filter(|judged| judged.is_final) {
            let Judgement { category, flags, .. } = &judged.verdict.judgement;
            ending::count(&mut counts, *category);
            role_based += i32::from(flags.role.is_some());
            if flags.is_disposable {
                ending::count(&mut disposable, *category);
            }
        }
        let row = Row::Part { job: self.id.job, chunk: self.id.no, no };
        let sealed = self.desk.store.keys().seal(row, &verdicts::write(&verdicts));
        let told = self.told(verdicts.clone()).await;
        let part = NewPart { no, counts, role_based, disposable, sealed, told };
        let began = Instant::now();
        let mut pause = PAUSE_MIN;
        let mut is_unclear = false;
        loop {
            match self.try_write(&part, last.as_deref(), is_unclear).await {
                Ok(()) => break,
                Err(error) if error.is_transient() && began.elapsed() < self.patience() => {
                    is_unclear |= matches!(error, StoreError::Away(_));
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.stored.next_part += 1;
        self.learn(&verdicts).await;
        Ok(())
    }

    /// What is told of those that are final, where they are told one by one. It is the same at every try. What cannot be told
    /// keeps no verdict back.
    async fn told(&self, verdicts: Arc<[Judged]>) -> Vec<NewWebhook> {
        let Some(each) = self.each.clone() else { return Vec::new() };
        let keys = self.desk.store.keys().clone();
        let told = aside(move || Ok::<_, StoreError>(each.tell_final(&keys, &verdicts))).await;
        told.unwrap_or_else(|error| {
            tracing::warn!("rows of job {} are not told: {error}", self.id.job);
            Vec::new()
        })
    }

    /// How long to try to write: less where the process is to end.
    fn patience(&self) -> Duration {
        if *self.leased.word.borrow() == Word::Stop {
            STOP_MAX
        } else {
            self.desk.config.lease * WRITE_LEASES_MAX
        }
    }

    /// `is_unclear`: an earlier try may have succeeded, and its answer was lost.
    async fn try_write(
        &self,
        part: &NewPart,
        last: Option<&[Deferred]>,
        is_unclear: bool,
    ) -> Result<(), StoreError> {
        let lease = self.leased.task.lease;
        let mut client = self.desk.store.worker().await?;
        if is_unclear && chunks::was_written(&client, lease, self.id, part.no).await? {
            return Ok(());
        }
        match chunks::write(&mut client, lease, self.id, part, last).await {
            // The earlier try was under way all the time.
            Err(StoreError::Fenced)
                if is_unclear && chunks::was_written(&client, lease, self.id, part.no).await? =>
            {
                Ok(())
            }
            written => written,
        }
    }

    /// Remembers who refused mail for good, and forgets that of those who take it; and how domains make addresses.
    async fn learn(&self, verdicts: &[Judged]) {
        self.desk.formats.learn(verdicts.iter().map(|judged| &judged.verdict));
        let learned = history::learn_from(verdicts.iter().map(|judged| &judged.verdict));
        if learned.is_empty() {
            return;
        }
        // When it was heard, and not when the store has taken it: others may have heard otherwise since.
        let at = verdicts.iter().map(|judged| judged.verified_at).min().unwrap_or_else(Timestamp::now);
        let (store, tokens) = (&self.desk.store, &self.stored.tokens);
        let written = match store.worker().await {
            Ok(mut client) => learned.write(&mut client, store.keys(), at, self.id, tokens).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::debug!("nothing is remembered of a chunk: {error}");
        }
    }

    /// Ends the job if this was the last of it. Whoever looks after leases does so too.
    pub(super) async fn end_job(&self) {
        if let Err(error) = ending::end_if_done(&self.desk.store, self.id.job).await {
            tracing::debug!("a job is not ended yet: {error}");
        }
    }
}
