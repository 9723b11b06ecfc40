//! The count of a job's verdicts when it ends, those that nobody got among them.
//!
//! Nobody writes meanwhile, so little is opened: chunks that are whole are counted by their parts, and those of which
//! nothing is there by their items. Of the others one is opened at a time, and no more is kept of it than the category of
//! each row.

use std::collections::HashMap;

use jiff::Timestamp;
use mailsonde_engine::{Category, FaultCause};
use uuid::Uuid;

use super::add;
use crate::{
    jobs::{
        aside::aside,
        results::{cause, open_chunk, whole, without_answer},
    },
    store::{
        StoreError,
        jobs::{End, Ending, Progress},
        keys::Keyring,
    },
};

/// See the module.
pub(super) struct Tally {
    keys: Keyring,
    job: Uuid,
    how: End,
    counts: Vec<i32>,
    /// Of rows that were opened. What later chunks say of a row comes in place of what was said before.
    opened: HashMap<u32, Category>,
    /// A chunk could not be opened, and nobody knows which rows it has.
    is_lost: bool,
}

impl Tally {
    /// Of a job that ends so.
    pub(super) fn new(keys: &Keyring, job: Uuid, how: End) -> Self {
        let counts = vec![0; Category::ALL.len()];
        Self { keys: keys.clone(), job, how, counts, opened: HashMap::new(), is_lost: false }
    }

    /// Counts, by category.
    pub(super) async fn take(mut self, ending: &Ending<'_>) -> Result<Vec<i32>, StoreError> {
        let chunks = ending.progress().await?;
        for chunk in &chunks {
            match (chunk.round, chunk.parts.is_empty()) {
                (0, true) => self.count_unanswered(chunk),
                // Who was put off has a verdict in the chunk that he left.
                (_, true) => {}
                (0, false) if is_whole(chunk) => self.count_parts(chunk),
                _ => self.open(ending, chunk).await?,
            }
        }
        self.opened.values().for_each(|category| add(&mut self.counts, *category, 1));
        if self.is_lost {
            // Items of later rounds stand in chunks of the first one too.
            let items: i32 = chunks.iter().filter(|chunk| chunk.round == 0).map(|chunk| chunk.items).sum();
            let lost = items - self.counts.iter().sum::<i32>();
            add(&mut self.counts, category_without_answer(FaultCause::Error), lost);
        }
        Ok(self.counts)
    }

    fn count_parts(&mut self, chunk: &Progress) {
        for part in &chunk.parts {
            self.counts.iter_mut().zip(part).for_each(|(sum, count)| *sum += count);
        }
    }

    fn count_unanswered(&mut self, chunk: &Progress) {
        if let Some(cause) = cause(chunk.is_dead, Some(self.how)) {
            add(&mut self.counts, category_without_answer(cause), chunk.items);
        }
    }

    async fn open(&mut self, ending: &Ending<'_>, chunk: &Progress) -> Result<(), StoreError> {
        let kept = ending.chunk(chunk.no, chunk.is_dead).await?;
        let (keys, job, how) = (self.keys.clone(), self.job, self.how);
        let opened = aside(move || open_chunk(&keys, job, &kept, Some(how), whole)).await?;
        self.is_lost |= opened.is_lost;
        for (row, judged) in opened.verdicts {
            self.opened.insert(row, judged.verdict.judgement.category);
        }
        if let Some(cause) = opened.cause {
            let category = category_without_answer(cause);
            for row in opened.rest.into_keys() {
                self.opened.entry(row).or_insert(category);
            }
        }
        Ok(())
    }
}

/// All its items have a final verdict.
pub(super) fn is_whole(chunk: &Progress) -> bool {
    chunk.parts.iter().flatten().sum::<i32>() >= chunk.items
}

fn category_without_answer(cause: FaultCause) -> Category {
    without_answer(0, Box::default(), cause, Timestamp::UNIX_EPOCH).verdict.judgement.category
}
