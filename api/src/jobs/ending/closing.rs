//! What is written down of the end of a job of Relentless Identity: who ran the mail hosts of its items, and how large its
//! artifact is. Chunks are opened one after the other, and of their rows no more is kept than that.

use mailsonde_engine::FaultCause;

use crate::{
    facade::relentless::{
        artifact::Sum,
        item::JobItem,
        job::{Closing, Counts, JobType},
        terms::Terms,
    },
    jobs::{
        aside::aside,
        results::{open_chunk, whole, without_answer},
    },
    store::{
        StoreError,
        jobs::{End, Ending, JobRow, KeptChunk},
        keys::Keyring,
    },
    webhooks::callback_of,
};

/// What there is to write down of a job that ends so.
pub(super) struct Closed {
    pub(super) terms: Terms,
    pub(super) closing: Closing,
    /// What it has cost, in millionths of the currency.
    pub(super) actual_micros: i64,
}

/// Looks at all items of a job. `job`: as it will be when it has ended so.
pub(super) async fn close(
    keys: &Keyring,
    ending: &Ending<'_>,
    job: &JobRow,
    how: End,
) -> Result<Option<Closed>, StoreError> {
    let Some(terms) = ending.terms().await? else { return Ok(None) };
    let terms = Terms::read(&terms)?;
    let url = callback_of(keys, job)?;
    let mut gathering = Gathering { job: job.clone(), terms, how, sum: Sum::default(), is_lost: false };
    for chunk in ending.progress().await? {
        let kept = ending.chunk(chunk.no, chunk.is_dead).await?;
        let keys = keys.clone();
        gathering = aside(move || gathering.open(&keys, &kept)).await?;
    }
    let closed = aside(move || gathering.finish(url));
    closed.await.map(Some)
}

struct Gathering {
    job: JobRow,
    terms: Terms,
    how: End,
    sum: Sum,
    /// A chunk could not be opened, and nobody knows which rows it has.
    is_lost: bool,
}

impl Gathering {
    /// Chunks come in their order: a later verdict comes in place of an earlier one.
    fn open(mut self, keys: &Keyring, chunk: &KeptChunk) -> Result<Self, StoreError> {
        let opened = open_chunk(keys, self.job.id, chunk, Some(self.how), whole)?;
        self.is_lost |= opened.is_lost;
        for (row, judged) in &opened.verdicts {
            let item = JobItem::of(&self.job, &self.terms, *row, &judged.verdict.input, Some(judged));
            self.sum.take(*row, &item)?;
        }
        if let Some(cause) = opened.cause {
            for (row, item) in opened.rest {
                self.lack(row, item.input, cause)?;
            }
        }
        Ok(self)
    }

    /// A row has no verdict, unless it had one before.
    fn lack(&mut self, row: u32, input: Box<str>, cause: FaultCause) -> Result<(), StoreError> {
        if self.sum.knows(row) {
            return Ok(());
        }
        let at = self.job.ended_at.unwrap_or_default();
        let judged = without_answer(row, input, cause, at);
        let item = JobItem::of(&self.job, &self.terms, row, &judged.verdict.input, Some(&judged));
        self.sum.take(row, &item)
    }

    fn finish(mut self, url: Option<String>) -> Result<Closed, StoreError> {
        if self.is_lost {
            for row in 1..=u32::try_from(self.job.items).unwrap_or_default() {
                self.lack(row, Box::default(), FaultCause::Error)?;
            }
        }
        let Self { job, terms, sum, .. } = self;
        let asked = JobType::of(&job).asks();
        let counts = Counts::of(job.counts.as_deref().unwrap_or_default(), terms.catchall(asked));
        let actual_micros = terms.actual(asked, counts);
        let closing = sum.close(&job, &terms, url)?;
        Ok(Closed { terms, closing, actual_micros })
    }
}
