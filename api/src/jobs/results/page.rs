//! Some rows of a job with all that is known of them, evidence and all: for who tells more of a row than lists do. The job's
//! chunks are looked at one after the other, and no more is kept than the page.

use std::{collections::BTreeMap, ops::Range};

use jiff::Timestamp;
use mailsonde_engine::FaultCause;
use uuid::Uuid;

use super::{items_of, open_chunk, walk::each_chunk, whole, without_answer};
use crate::{
    jobs::rows::verdicts::Judged,
    store::{
        Store, StoreError,
        jobs::{self, End, JobRow, KeptChunk},
        keys::Keyring,
    },
};

/// A row of a page.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its place in the job, from 1.
    pub(crate) row: u32,
    /// The input as submitted; empty where it cannot be opened.
    pub(crate) input: Box<str>,
    /// Its verdict, where it has one: while a job runs, only a final one.
    pub(crate) judged: Option<Judged>,
}

/// Up to `rows` rows of a job from `first_row` on, in their order. Nothing, where its results are deleted.
pub(crate) async fn page(
    store: &Store,
    job: &JobRow,
    first_row: u32,
    rows: u32,
) -> Result<Option<Vec<Told>>, StoreError> {
    if job.pruned_at.is_some() {
        return Ok(None);
    }
    let end = u32::try_from(job.items).unwrap_or_default().saturating_add(1);
    // A page past the end is an empty one.
    let first = first_row.clamp(1, end);
    let wanted = first..first.saturating_add(rows).min(end);
    let gathering = each_chunk(store, job.id, Gathering::new(job, wanted), Gathering::open).await?;
    // What was deleted meanwhile is not told as if it had never been there.
    let still = jobs::job(&store.request().await?, job.id).await?;
    Ok(still.filter(|still| still.pruned_at.is_none()).map(|_| gathering.finish()))
}

/// What is told so far.
struct Gathering {
    job: Uuid,
    ended: Option<End>,
    at: Timestamp,
    wanted: Range<u32>,
    told: BTreeMap<u32, Told>,
    /// A chunk could not be opened, and nobody knows which rows it has.
    is_lost: bool,
}

impl Gathering {
    fn new(job: &JobRow, wanted: Range<u32>) -> Self {
        let at = job.ended_at.unwrap_or_else(Timestamp::now);
        Self { job: job.id, ended: job.end(), at, wanted, told: BTreeMap::new(), is_lost: false }
    }

    /// Takes what a chunk tells of the wanted rows. A later verdict comes in place of an earlier one.
    fn open(&mut self, keys: &Keyring, chunk: &KeptChunk) -> Result<(), StoreError> {
        let wanted = self.wanted.clone();
        let items = items_of(keys, self.job, chunk.no, &chunk.sealed);
        if items.is_ok_and(|items| items.range(wanted.clone()).next().is_none()) {
            return Ok(());
        }
        let opened = open_chunk(keys, self.job, chunk, self.ended, whole)?;
        self.is_lost |= opened.is_lost;
        for (row, judged) in opened.verdicts.into_iter().filter(|(row, _)| wanted.contains(row)) {
            let input = judged.verdict.input.clone();
            self.told.insert(row, Told { row, input, judged: Some(judged) });
        }
        for (row, item) in opened.rest.into_iter().filter(|(row, _)| wanted.contains(row)) {
            let judged = opened.cause.map(|cause| without_answer(row, item.input.clone(), cause, self.at));
            self.tell_first(row, item.input, judged);
        }
        Ok(())
    }

    /// Of a row of which nothing is told yet.
    fn tell_first(&mut self, row: u32, input: Box<str>, judged: Option<Judged>) {
        let told = self.told.entry(row).or_insert_with(|| Told { row, input, judged: None });
        if told.judged.is_none() {
            told.judged = judged;
        }
    }

    fn finish(mut self) -> Vec<Told> {
        if self.is_lost {
            for row in self.wanted.clone() {
                let lost = without_answer(row, Box::default(), FaultCause::Error, self.at);
                self.tell_first(row, Box::default(), Some(lost));
            }
        }
        if self.ended.is_none() {
            // Something better may come.
            for told in self.told.values_mut() {
                told.judged = told.judged.take().filter(|judged| judged.is_final);
            }
        }
        self.told.into_values().collect()
    }
}
