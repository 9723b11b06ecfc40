//! The handler of a chunk: asks about its items, writes verdicts down as they become known, and gives those a chunk of
//! their own whom servers want to hear of again.
//!
//! A worker that is killed here loses what it has not written; whoever takes the chunk over asks about the others only.

mod chunk_run;
mod later;
mod writing;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use mailsonde_engine::{Fault, FaultCause, Finding, Policy, ProbeFailure, Subject};
use tokio::time::Instant;

use super::{
    queue::{Done, Leased, TaskError},
    rows::{
        items::{self, Item},
        verdicts,
    },
    work::Desk,
};
use crate::{
    facade::tasks,
    store::{
        StoreError,
        chunks::{self, StoredChunk},
        jobs,
        keys::Row,
        tasks::ChunkId,
    },
    webhooks::Each,
};

/// Work ends so long before the job's deadline, so that its verdicts are in time.
const DEADLINE_MARGIN: Duration = Duration::from_secs(2);

/// Works at a chunk.
pub(super) async fn run(desk: Arc<Desk>, leased: Leased) -> Result<Done, TaskError> {
    let (Some(id), Some(terms)) = (leased.task.chunk, leased.task.terms.clone()) else {
        return Err(TaskError::Fault("a chunk's task without a chunk".into()));
    };
    if !terms.is_live {
        return Ok(Done::Finished);
    }
    if terms.is_paused {
        return Ok(Done::HandBack);
    }
    let until = terms.deadline - DEADLINE_MARGIN;
    if until <= Instant::now() {
        // The job's end is near, and gives everybody a verdict.
        return Ok(Done::Snooze(DEADLINE_MARGIN));
    }
    let Some(stored) = load(&desk, id).await? else { return Ok(Done::Finished) };
    let pipeline = desk.pipeline(&terms.pipeline, &terms.skips)?;
    if let Err(wait) = desk.may_begin(&pipeline, &stored.operator).await {
        return Ok(Done::Snooze(wait.min(until.saturating_duration_since(Instant::now()))));
    }
    let mut items = remaining(&desk, id, &stored).await?;
    items.sort_by_key(|item| item.duplicate_of.is_some());
    let until_pause = until.min(Instant::now() + desk.config.task_max);
    let (policy, each) = (desk.policy(&terms.facade), each(&desk, id, &stored, &terms.facade).await?);
    ChunkRun { desk, policy, id, stored, items, each, until, leased }.work(&pipeline, until_pause).await
}

async fn load(desk: &Desk, id: ChunkId) -> Result<Option<StoredChunk>, StoreError> {
    let client = desk.store.worker().await?;
    let stored = chunks::chunk(&client, id).await?;
    if stored.as_ref().is_some_and(|stored| stored.is_first) {
        jobs::begin(&client, id.job).await?;
    }
    Ok(stored)
}

/// The items that have no final verdict yet.
async fn remaining(desk: &Desk, id: ChunkId, stored: &StoredChunk) -> Result<Vec<Item>, TaskError> {
    let keys = desk.store.keys();
    let plain = keys.open(Row::Chunk { job: id.job, no: id.no }, &stored.sealed).map_err(StoreError::from)?;
    let mut items = items::read(&plain)?;
    if stored.next_part > 0 {
        let client = desk.store.worker().await?;
        let parts = chunks::parts(&client, id).await?;
        let inputs: HashMap<u32, Box<str>> =
            items.iter().map(|item| (item.row, item.input.clone())).collect();
        let mut known = HashSet::new();
        for (no, sealed) in parts {
            let row = Row::Part { job: id.job, chunk: id.no, no };
            let plain = keys.open(row, &sealed).map_err(StoreError::from)?;
            let verdicts = verdicts::read(&plain, |row| inputs.get(&row).cloned())?;
            known.extend(verdicts.iter().filter(|judged| judged.is_final).map(|judged| judged.row));
        }
        items.retain(|item| !known.contains(&item.row));
    }
    Ok(items)
}

/// How the rows of its job are told one by one, if they are.
async fn each(
    desk: &Desk,
    id: ChunkId,
    stored: &StoredChunk,
    facade: &str,
) -> Result<Option<Each>, StoreError> {
    // Of most jobs nothing more is read than before.
    let is_told = desk.store.tells_each() && facade == tasks::WORD && stored.has_callback;
    if is_told { Each::of_job(&desk.store, id.job).await } else { Ok(None) }
}

/// One go at a chunk.
struct ChunkRun {
    desk: Arc<Desk>,
    /// How findings are judged.
    policy: Policy,
    id: ChunkId,
    stored: StoredChunk,
    /// Duplicates come last.
    items: Vec<Item>,
    /// How rows are told one by one, if they are.
    each: Option<Each>,
    /// When the job's deadline is near.
    until: Instant,
    leased: Leased,
}

/// What is asked about the mailbox was not asked of this subject, for this cause. For a flag alone nobody is asked again.
fn has_fault(subject: &Subject, cause: FaultCause) -> bool {
    let is_so = |fault: &Fault| fault.cause == cause && fault.hides_the_mailbox();
    subject.findings().any(|finding| matches!(finding, Finding::Fault(fault) if is_so(fault)))
}

/// Nobody asked about this subject: its turn did not come.
fn was_not_asked(subject: &Subject) -> bool {
    let is_so = |finding: &Finding| matches!(finding, Finding::ProbeFailed(ProbeFailure::NotItsTurn));
    subject.findings().any(is_so)
}
