//! What there is to read of a job: a verdict for each of its rows, whether it was asked about or not.
//!
//! | | |
//! |---|---|
//! | here | what a chunk tells, and all verdicts of a job at once, for who has room for them |
//! | `walk` | the chunks one after the other, for who has not |
//! | `listed` | what lists tell of the rows |
//! | `page` | all that is known of some of them |

pub(crate) mod listed;
pub(crate) mod page;
#[cfg(test)]
mod tests;
pub(super) mod walk;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use mailsonde_engine::{Fault, FaultCause, Finding, Policy, Subject, Verdict};
use uuid::Uuid;

use super::rows::{
    RowsError,
    items::{self, Item},
    outcomes::{self, Outcome},
    verdicts::{self, Judged},
};
use crate::store::{
    StoreError,
    jobs::{Contents, End, JobRow, KeptChunk},
    keys::{Keyring, Row},
};

/// Who finds what a job itself says of an item.
pub(super) const SOURCE: &str = "job";

/// The verdicts of a job, by row. `ended`: those who have none get that word; before, they are left out. Who was put off
/// and never heard again keeps the verdict from before. What cannot be opened does not keep a job from ending: whose rows
/// are lost with it get a verdict without their input.
pub(crate) fn open(
    keys: &Keyring,
    job: Uuid,
    contents: &Contents,
    ended: Option<End>,
) -> Result<Vec<Judged>, StoreError> {
    open_as(keys, job, contents, ended, |judged| judged)
}

/// What lists tell of a job's rows. When its results have expired, that is all there is: nobody's input is told.
pub(crate) fn outcomes(
    keys: &Keyring,
    job: &JobRow,
    contents: &Contents,
) -> Result<Vec<Outcome>, StoreError> {
    if let Some(sealed) = &contents.outcomes {
        let text = keys.open(Row::Outcomes { job: job.id }, sealed)?;
        return Ok(outcomes::read(&text)?);
    }
    let is_expired = job.is_expired;
    open_as(keys, job.id, contents, job.end(), |judged| {
        let outcome = Outcome::from(judged);
        let input = outcome.input.filter(|_| !is_expired);
        Outcome { input, ..outcome }
    })
}

/// As much of each verdict as is wanted: all of all of them is much.
fn open_as<T>(
    keys: &Keyring,
    job: Uuid,
    contents: &Contents,
    ended: Option<End>,
    wanted: impl Fn(Judged) -> T,
) -> Result<Vec<T>, StoreError> {
    let wanted = |judged: Judged| (judged.is_final, wanted(judged));
    let at = contents.ended_at.unwrap_or_else(Timestamp::now);
    let mut known = BTreeMap::new();
    let mut is_lost = false;
    for chunk in &contents.chunks {
        let opened = open_chunk(keys, job, chunk, ended, whole)?;
        is_lost |= opened.is_lost;
        known.extend(opened.verdicts.into_iter().map(|(row, judged)| (row, wanted(judged))));
        let Some(cause) = opened.cause else { continue };
        for (row, Item { input, .. }) in opened.rest {
            known.entry(row).or_insert_with(|| wanted(without_answer(row, input, cause, at)));
        }
    }
    if is_lost {
        for row in 1..=contents.items {
            let lost = || wanted(without_answer(row, Box::default(), FaultCause::Error, at));
            known.entry(row).or_insert_with(lost);
        }
    }
    let is_told = |is_final: bool| is_final || ended.is_some();
    Ok(known.into_values().filter_map(|(is_final, told)| is_told(is_final).then_some(told)).collect())
}

/// The items of a chunk, by row.
pub(super) type Items = BTreeMap<u32, Item>;

/// What a chunk has to tell of its rows. Those of a later one come in place of these.
pub(super) struct OpenedChunk<T> {
    /// Of each verdict its row, and what was read of it, as they were written: of a row, the last one counts.
    pub(super) verdicts: Vec<(u32, T)>,
    /// The other items.
    pub(super) rest: Items,
    /// Why these have no answer, if no chunk has a verdict for them; nothing where they may still get one.
    pub(super) cause: Option<FaultCause>,
    /// It cannot be opened, and nobody knows which rows it has.
    pub(super) is_lost: bool,
}

/// Opens a chunk of a job that ended so, if it has ended. `read`: reads of a text of verdicts what is wanted of them.
pub(super) fn open_chunk<T>(
    keys: &Keyring,
    job: Uuid,
    chunk: &KeptChunk,
    ended: Option<End>,
    mut read: impl FnMut(&[u8], &Items) -> Result<Vec<(u32, T)>, RowsError>,
) -> Result<OpenedChunk<T>, StoreError> {
    let mut verdicts = Vec::new();
    let mut items = match items_of(keys, job, chunk.no, &chunk.sealed) {
        Ok(items) => items,
        Err(error) => {
            pass_over(job, chunk, error, ended)?;
            return Ok(OpenedChunk { verdicts, rest: Items::new(), cause: None, is_lost: true });
        }
    };
    let mut is_damaged = false;
    for (no, sealed) in &chunk.parts {
        let text = keys.open(Row::Part { job, chunk: chunk.no, no: *no }, sealed).map_err(StoreError::from);
        match text.and_then(|text| Ok(read(&text, &items)?)) {
            Ok(part) => verdicts.extend(part),
            Err(error) => {
                pass_over(job, chunk, error, ended)?;
                is_damaged = true;
            }
        }
    }
    for (row, _) in &verdicts {
        items.remove(row);
    }
    let cause = cause(chunk.is_dead || is_damaged, ended);
    Ok(OpenedChunk { verdicts, rest: items, cause, is_lost: false })
}

/// All of each verdict of a text.
pub(super) fn whole(text: &[u8], items: &Items) -> Result<Vec<(u32, Judged)>, RowsError> {
    let verdicts = verdicts::read(text, |row| items.get(&row).map(|item| item.input.clone()))?;
    Ok(verdicts.into_iter().map(|judged| (judged.row, judged)).collect())
}

/// Why those have no verdict who have none; nothing where they may still get one.
pub(super) fn cause(is_given_up: bool, ended: Option<End>) -> Option<FaultCause> {
    match (is_given_up, ended) {
        (true, _) => Some(FaultCause::Error),
        (false, Some(End::DeadlinePassed)) => Some(FaultCause::RequestDeadline),
        (false, Some(End::Canceled)) => Some(FaultCause::Canceled),
        (false, Some(End::Done) | None) => None,
    }
}

/// The items of a chunk of this number.
fn items_of(keys: &Keyring, job: Uuid, no: i32, sealed: &[u8]) -> Result<Items, StoreError> {
    let plain = keys.open(Row::Chunk { job, no }, sealed)?;
    let items = items::read(&plain)?;
    Ok(items.into_iter().map(|item| (item.row, item)).collect())
}

/// A job that has ended, or is about to, is told without what cannot be opened. Before, somebody may yet bring it back.
fn pass_over(job: Uuid, chunk: &KeptChunk, error: StoreError, ended: Option<End>) -> Result<(), StoreError> {
    if ended.is_none() {
        return Err(error);
    }
    tracing::error!("chunk {} of job {job} is lost: {error}", chunk.no);
    Ok(())
}

/// The verdict of an item that nobody got to.
pub(super) fn without_answer(row: u32, input: Box<str>, cause: FaultCause, at: Timestamp) -> Judged {
    let mut subject = Subject::new(input);
    note_fault(&mut subject, cause);
    let verdict = Verdict::of(subject, Policy::default());
    Judged { row, verdict, verified_at: at, took: Duration::ZERO, is_final: true }
}

/// Notes why the job has no answer about a subject.
pub(super) fn note_fault(subject: &mut Subject, cause: FaultCause) {
    let message = match cause {
        FaultCause::RequestDeadline => "the deadline passed first",
        FaultCause::Canceled => "the job was canceled",
        _ => "its chunk was given up, or cannot be read",
    };
    let lost = Arc::from([Box::from("smtp.reply")]);
    subject.note(&Arc::from(SOURCE), Finding::Fault(Fault { cause, message: message.into(), lost }));
}
