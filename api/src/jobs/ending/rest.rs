//! The rows of a task that have no verdict for good when it ends, where rows are told one by one: each is told with what it
//! gets then. All others were told as their verdicts were written down, if rows were told one by one by then.
//!
//! Chunks are opened one after the other, twice: at first it is found out in which chunk the word stands that counts of a row,
//! and then it is told from there. No more is kept meanwhile than that, so a task may be of any size.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mailsonde_engine::FaultCause;
use uuid::Uuid;

use super::tally::is_whole;
use crate::{
    jobs::{
        aside::aside,
        results::{Items, open_chunk, whole, without_answer},
        rows::{
            RowsError,
            items::Item,
            verdicts::{Judged, brief},
        },
    },
    store::{
        Store, StoreError,
        jobs::{End, Ending, JobRow, KeptChunk, Progress},
        keys::Keyring,
        webhooks::NewWebhook,
    },
    webhooks::Each,
};

/// Rows that are told together where they stand in no chunk that can be opened.
const TOGETHER: usize = 500;

/// Tells them, if the transaction is committed. `foreseen`: the job as it will be known.
pub(super) async fn tell(
    store: &Store,
    ending: &Ending<'_>,
    how: End,
    foreseen: &JobRow,
) -> Result<(), StoreError> {
    // Where to, cannot be opened: so it is said of the end too.
    let Ok(Some(each)) = Each::of(store, foreseen.clone()) else { return Ok(()) };
    let chunks = ending.progress().await?;
    let (settled, open): (Vec<&Progress>, Vec<&Progress>) =
        chunks.iter().partition(|chunk| chunk.round == 0 && is_whole(chunk));
    let at = foreseen.ended_at.unwrap_or_default();
    let rest = Rest { keys: store.keys().clone(), job: foreseen.id, how, at, each };
    let mut standing = Standing::default();
    for chunk in &open {
        standing = rest.look(ending, chunk, standing).await?;
    }
    if standing.is_lost {
        // Which rows it has is known when all others are.
        for chunk in &settled {
            standing = rest.look(ending, chunk, standing).await?;
        }
    }
    for chunk in open {
        let rows = standing.of(chunk.no);
        if !rows.is_empty() {
            let kept = ending.chunk(chunk.no, chunk.is_dead).await?;
            let rest = rest.clone();
            ending.tell_rows(&aside(move || rest.of_chunk(&kept, &rows)).await?).await?;
        }
    }
    for rows in standing.lost(foreseen.items).chunks(TOGETHER) {
        ending.tell_rows(&rest.lost(rows)).await?;
    }
    Ok(())
}

/// A job that ends.
#[derive(Clone)]
struct Rest {
    keys: Keyring,
    job: Uuid,
    how: End,
    at: Timestamp,
    each: Each,
}

/// Where the word stands that counts of each row.
#[derive(Default)]
struct Standing {
    rows: BTreeMap<u32, Place>,
    /// A chunk could not be opened, and nobody knows which rows it has.
    is_lost: bool,
}

#[derive(Clone, Copy)]
struct Place {
    chunk: i32,
    /// It was told. Of a part that cannot be opened nobody knows that, and its rows are told once more.
    is_final: bool,
}

impl Rest {
    /// Notes what a chunk says. Chunks come in their order: a later verdict comes in place of an earlier one.
    async fn look(
        &self,
        ending: &Ending<'_>,
        chunk: &Progress,
        mut standing: Standing,
    ) -> Result<Standing, StoreError> {
        let kept = ending.chunk(chunk.no, chunk.is_dead).await?;
        let Self { keys, job, how, .. } = self.clone();
        aside(move || {
            let opened = open_chunk(&keys, job, &kept, Some(how), is_final)?;
            standing.is_lost |= opened.is_lost;
            for (row, is_final) in opened.verdicts {
                standing.rows.insert(row, Place { chunk: kept.no, is_final });
            }
            if opened.cause.is_some() {
                for row in opened.rest.into_keys() {
                    standing.rows.entry(row).or_insert(Place { chunk: kept.no, is_final: false });
                }
            }
            Ok(standing)
        })
        .await
    }

    /// What is told of these rows of a chunk.
    fn of_chunk(&self, kept: &KeptChunk, rows: &BTreeSet<u32>) -> Result<Vec<NewWebhook>, StoreError> {
        let opened = open_chunk(&self.keys, self.job, kept, Some(self.how), whole)?;
        let mut judged: BTreeMap<u32, Judged> = opened.verdicts.into_iter().collect();
        if let Some(cause) = opened.cause {
            let without = |(row, item): (u32, Item)| (row, without_answer(row, item.input, cause, self.at));
            judged.extend(opened.rest.into_iter().map(without));
        }
        Ok(self.each.tell(&self.keys, judged.values().filter(|judged| rows.contains(&judged.row))))
    }

    /// What is told of rows that cannot be opened. One that was told before and whose message was taken is told once more,
    /// with another body under its old id: nothing is left to say that it was told.
    fn lost(&self, rows: &[u32]) -> Vec<NewWebhook> {
        let lost = |row: &u32| without_answer(*row, Box::default(), FaultCause::Error, self.at);
        let lost: Vec<Judged> = rows.iter().map(lost).collect();
        self.each.tell(&self.keys, lost.iter())
    }
}

impl Standing {
    /// The rows that are told from this chunk.
    fn of(&self, chunk: i32) -> BTreeSet<u32> {
        let of_it = self.rows.iter().filter(|(_, place)| place.chunk == chunk && !place.is_final);
        of_it.map(|(row, _)| *row).collect()
    }

    /// The rows that stand nowhere, of so many.
    fn lost(&self, items: i32) -> Vec<u32> {
        if !self.is_lost {
            return Vec::new();
        }
        let all = 1..=u32::try_from(items).unwrap_or_default();
        all.filter(|row| !self.rows.contains_key(row)).collect()
    }
}

/// Of each verdict of a text, whether nothing better will come.
fn is_final(text: &[u8], items: &Items) -> Result<Vec<(u32, bool)>, RowsError> {
    let known = |brief: brief::Brief| {
        items.get(&brief.row).ok_or(RowsError::NoInput(brief.row))?;
        Ok((brief.row, brief.is_final))
    };
    brief::read(text)?.rows.into_iter().map(known).collect()
}
