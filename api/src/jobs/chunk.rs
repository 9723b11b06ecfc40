//! The handler of a chunk: asks about its items, writes verdicts down as they become known, and gives those a chunk of
//! their own whom servers want to hear of again.
//!
//! A worker that is killed here loses what it has not written; whoever takes the chunk over asks about the others only.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::{
    Batch, BoxFuture, Category, Context, EgressId, FaultCause, Finding, Pipeline, Subject, SubjectId,
    SystemClock, Verdict,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    ending,
    person::tokens,
    plan::schedule::Window,
    queue::{Done, Leased, TaskError, Word},
    results::SOURCE,
    rows::{
        RowsError,
        items::{self, Item},
        verdicts::{self, Judged},
    },
    work::Desk,
};
use crate::store::{
    StoreError,
    chunks::{self, Deferred, NewPart, StoredChunk},
    history, jobs,
    keys::Row,
    tasks::{ChunkId, Lease},
};

/// Verdicts are written down this often while a chunk is at work: what a killed worker asks again at most.
const RECORD_EVERY: Duration = Duration::from_secs(2);

/// Work ends so long before the job's deadline, so that its verdicts are in time.
const DEADLINE_MARGIN: Duration = Duration::from_secs(2);

/// Retries that are due within this time leave together, in one session where they can.
const TOGETHER: Duration = Duration::from_secs(10);

/// How often an item may be put off: a server that always wants us later is not waited for until the deadline.
const ROUNDS_MAX: i32 = 50;

/// How long to try to write verdicts down that the store does not take, in leases: after that somebody else has them.
const WRITE_LEASES_MAX: u32 = 3;

/// The stage that duplicates run through too: whether something is an address, each row is told for itself.
const SYNTAX: &str = "syntax";

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
    let left = terms.left.saturating_sub(DEADLINE_MARGIN);
    if left.is_zero() {
        // The job's end is near, and gives everybody a verdict.
        return Ok(Done::Snooze(DEADLINE_MARGIN));
    }
    let Some(stored) = load(&desk, id).await? else { return Ok(Done::Finished) };
    let pipeline = desk.pipeline(&terms.pipeline, &terms.skips)?;
    if let Err(wait) = desk.may_begin(&pipeline, &stored.operator).await {
        return Ok(Done::Snooze(wait.min(left)));
    }
    let mut items = remaining(&desk, id, &stored).await?;
    items.sort_by_key(|item| item.duplicate_of.is_some());
    let budget = desk.config.task_max.min(left);
    Shift { desk, id, stored, items, left: Instant::now() + left, leased }.work(&pipeline, budget).await
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
    let mut items = items::read(&plain).map_err(unreadable)?;
    if stored.next_part > 0 {
        let client = desk.store.worker().await?;
        let parts = chunks::parts(&client, id).await?;
        let inputs: HashMap<u32, Box<str>> =
            items.iter().map(|item| (item.row, item.input.clone())).collect();
        let mut known = HashSet::new();
        for (no, sealed) in parts {
            let row = Row::Part { job: id.job, chunk: id.no, no };
            let plain = keys.open(row, &sealed).map_err(StoreError::from)?;
            let verdicts = verdicts::read(&plain, |row| inputs.get(&row).cloned()).map_err(unreadable)?;
            known.extend(verdicts.iter().filter(|judged| judged.is_final).map(|judged| judged.row));
        }
        items.retain(|item| !known.contains(&item.row));
    }
    Ok(items)
}

fn unreadable(error: RowsError) -> TaskError {
    TaskError::Fault(error.to_string().into())
}

/// One go at a chunk.
struct Shift {
    desk: Arc<Desk>,
    id: ChunkId,
    stored: StoredChunk,
    /// Duplicates come last.
    items: Vec<Item>,
    /// When the job's deadline is near.
    left: Instant,
    leased: Leased,
}

impl Shift {
    async fn work(mut self, pipeline: &Pipeline, budget: Duration) -> Result<Done, TaskError> {
        let began = Instant::now();
        let (watcher, mut known) = mpsc::unbounded_channel();
        let (cancel, canceled) = watch::channel(false);
        let mut run = self.start(pipeline.clone(), budget, watcher, canceled);
        let mut recorded = HashSet::new();
        let mut waiting = Vec::new();
        let mut ticks = interval(RECORD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        let mut word = self.leased.word.clone();
        let subjects = loop {
            tokio::select! {
                biased;
                subjects = &mut run => break subjects?,
                said = heard(&mut word) => {
                    if said == Word::Lost {
                        return Ok(Done::HandBack);
                    }
                    // Those that are asked about now are left to the next who takes the chunk.
                    cancel.send_replace(true);
                    break (&mut run).await?;
                }
                Some((position, subject)) = known.recv() => waiting.push((position, subject)),
                _ = ticks.tick() => self.record(&mut waiting, &mut recorded, began).await?,
            }
        };
        self.finish(subjects, &recorded, began).await
    }

    /// The pipeline, in a task of its own: handlers of one worker share a thread, chunks do not.
    fn start(
        &self,
        pipeline: Pipeline,
        budget: Duration,
        watcher: mpsc::UnboundedSender<(SubjectId, Subject)>,
        canceled: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<Vec<Subject>, TaskError>> {
        let cx = Context {
            deadline: Instant::now() + budget,
            clock: Arc::new(SystemClock),
            client: Some(self.leased.task.client.to_string().into()),
            attempt: u32::try_from(self.stored.round).unwrap_or_default(),
            canceled,
        };
        let mut subjects: Vec<Subject> = self.items.iter().map(subject).collect();
        let duplicates = subjects.split_off(self.items.partition_point(|item| item.duplicate_of.is_none()));
        let task = tokio::spawn(async move {
            let mut batch = Batch::new(subjects).watched(watcher);
            pipeline.run(&cx, &mut batch).await;
            let mut subjects = batch.into_subjects();
            let mut batch = Batch::new(duplicates);
            pipeline.only(SYNTAX).run(&cx, &mut batch).await;
            subjects.extend(batch.into_subjects());
            subjects
        });
        let task = AbortOnDrop(task);
        Box::pin(async move { task.await })
    }

    /// Writes down whose verdicts are known by now.
    async fn record(
        &mut self,
        known: &mut Vec<(SubjectId, Subject)>,
        recorded: &mut HashSet<u32>,
        began: Instant,
    ) -> Result<(), TaskError> {
        let mut verdicts = Vec::new();
        for (position, subject) in known.drain(..) {
            let item = &self.items[position.index()];
            if self.deferral(&subject).is_none() && recorded.insert(item.row) {
                verdicts.push(self.judge(item.row, subject, true, began));
            }
        }
        if verdicts.is_empty() {
            return Ok(());
        }
        self.write(&verdicts, None).await
    }

    /// Writes down the rest, and what is left for later.
    async fn finish(
        mut self,
        subjects: Vec<Subject>,
        recorded: &HashSet<u32>,
        began: Instant,
    ) -> Result<Done, TaskError> {
        let mut verdicts = Vec::with_capacity(subjects.len());
        let mut later: Vec<(Duration, Item)> = Vec::new();
        let mut is_interrupted = false;
        let own = std::mem::take(&mut self.items);
        for (item, subject) in own.into_iter().zip(subjects) {
            if recorded.contains(&item.row) {
                continue;
            }
            if has_fault(&subject, FaultCause::Canceled) {
                is_interrupted = true;
                continue;
            }
            let deferral = self.deferral(&subject);
            verdicts.push(self.judge(item.row, subject, deferral.is_none(), began));
            if let Some((wait, egress)) = deferral {
                later.push((wait, Item { egress, ..item }));
            }
        }
        if is_interrupted {
            verdicts.retain(|judged| judged.is_final);
            if !verdicts.is_empty() {
                self.write(&verdicts, None).await?;
            }
            return Ok(Done::HandBack);
        }
        let deferred = self.deferred(later);
        self.write(&verdicts, Some(deferred)).await?;
        self.end_job().await;
        Ok(Done::Settled)
    }

    /// When and as whom to ask again, if that is wanted and there is time for it.
    fn deferral(&self, subject: &Subject) -> Option<(Duration, Option<EgressId>)> {
        let (wait, egress) = match subject.deferral() {
            Some(deferral) => (deferral.wait, Some(deferral.egress)),
            None if has_fault(subject, FaultCause::RequestDeadline) => (TOGETHER, None),
            None => return None,
        };
        // Where the plan has no time for another round, one more try costs nobody his deadline.
        let is_in_time = Instant::now() + wait + TOGETHER < self.left;
        (is_in_time && self.stored.round < ROUNDS_MAX).then_some((wait, egress))
    }

    fn judge(&self, row: u32, subject: Subject, is_final: bool, began: Instant) -> Judged {
        Judged {
            row,
            verdict: Verdict::of(subject, self.desk.policy),
            verified_at: Timestamp::now(),
            took: began.elapsed(),
            is_final,
        }
    }

    /// Chunks of those who are asked about again, together with whoever is due at the same time.
    fn deferred(&self, mut later: Vec<(Duration, Item)>) -> Vec<Deferred> {
        later.sort_by_key(|(wait, _)| *wait);
        let together = later.chunk_by(|(earlier, _), (wait, _)| {
            earlier.as_secs() / TOGETHER.as_secs() == wait.as_secs() / TOGETHER.as_secs()
        });
        together.map(|group| self.deferred_chunk(group)).collect()
    }

    fn deferred_chunk(&self, group: &[(Duration, Item)]) -> Deferred {
        let items: Vec<Item> = group.iter().map(|(_, item)| item.clone()).collect();
        let keys = self.desk.store.keys().clone();
        let tokens = tokens(&keys, self.leased.task.client, items.iter().map(|item| &*item.input));
        let plain = items::write(&items);
        let wait = group.iter().map(|(wait, _)| *wait).max().unwrap_or_default();
        Deferred {
            operator: self.stored.operator.clone(),
            items: i32::try_from(items.len()).unwrap_or(i32::MAX),
            round: self.stored.round + 1,
            seal: Box::new(move |id| keys.seal(Row::Chunk { job: id.job, no: id.no }, &plain)),
            tokens,
            wait,
            within: within(self.left.saturating_duration_since(Instant::now()), wait),
        }
    }

    /// Writes a part of verdicts; with `last` the chunk is done. A store that is away is waited for: nobody has to be asked
    /// again because of it.
    async fn write(&mut self, verdicts: &[Judged], last: Option<Vec<Deferred>>) -> Result<(), TaskError> {
        let no = self.stored.next_part;
        let mut counts = vec![0; Category::ALL.len()];
        for judged in verdicts.iter().filter(|judged| judged.is_final) {
            ending::count(&mut counts, judged.verdict.judgement.category);
        }
        let row = Row::Part { job: self.id.job, chunk: self.id.no, no };
        let sealed = self.desk.store.keys().seal(row, &verdicts::write(verdicts));
        let part = NewPart { no, counts, sealed };
        let until = Instant::now() + self.desk.config.lease * WRITE_LEASES_MAX;
        let mut pause = Duration::from_millis(20);
        let mut is_unclear = false;
        loop {
            match self.try_write(&part, last.as_deref(), is_unclear).await {
                Ok(()) => break,
                Err(error) if error.is_transient() && Instant::now() < until => {
                    is_unclear |= matches!(error, StoreError::Away(_));
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.stored.next_part += 1;
        self.learn(verdicts).await;
        Ok(())
    }

    /// `is_unclear`: an earlier try may have succeeded, and its answer was lost.
    async fn try_write(
        &self,
        part: &NewPart,
        last: Option<&[Deferred]>,
        is_unclear: bool,
    ) -> Result<(), StoreError> {
        let lease: Lease = self.leased.task.lease;
        let mut client = self.desk.store.worker().await?;
        if is_unclear && chunks::was_written(&client, lease, self.id, part.no).await? {
            return Ok(());
        }
        chunks::write(&mut client, lease, self.id, part, last).await
    }

    /// Remembers who refused mail for good, and forgets that of those who take it.
    async fn learn(&self, verdicts: &[Judged]) {
        let learned = history::learn_from(verdicts.iter().map(|judged| &judged.verdict));
        if learned.is_empty() {
            return;
        }
        let written = match self.desk.store.worker().await {
            Ok(client) => learned.write(&client, self.desk.store.keys(), Timestamp::now()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::debug!("nothing is remembered of a chunk: {error}");
        }
    }

    /// Ends the job if this was the last of it. Whoever looks after leases does so too.
    async fn end_job(&self) {
        if let Err(error) = ending::end_if_done(&self.desk.store, self.id.job).await {
            tracing::debug!("a job is not ended yet: {error}");
        }
    }
}

fn subject(item: &Item) -> Subject {
    let mut subject = match item.egress {
        Some(egress) => Subject::returning(item.input.clone(), egress),
        None => Subject::new(item.input.clone()),
    };
    if let Some(row) = item.duplicate_of {
        subject.note(&Arc::from(SOURCE), Finding::DuplicateOf(row.into()));
    }
    subject
}

/// From now until the virtual deadline of a chunk that is left alone for some time: the plan's, or that of its job, which
/// is so far away, where the plan has no time for another round.
fn within(left: Duration, wait: Duration) -> Duration {
    let (now, wait) = (Timestamp::now(), SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
    let Ok(deadline) = now.checked_add(left) else { return left };
    let again = Window { created: now, deadline, greylist_wait: wait }.again(now, wait);
    again.and_then(|again| Duration::try_from(again.at.duration_since(now)).ok()).unwrap_or(left)
}

/// Ends when the handler is told something.
async fn heard(word: &mut watch::Receiver<Word>) -> Word {
    word.wait_for(|word| *word != Word::GoOn).await.map_or(Word::Lost, |word| *word)
}

/// Some stage did not get to this subject, for this cause.
fn has_fault(subject: &Subject, cause: FaultCause) -> bool {
    subject.findings().any(|finding| matches!(finding, Finding::Fault(fault) if fault.cause == cause))
}

/// A task that ends with whoever waits for it.
struct AbortOnDrop(tokio::task::JoinHandle<Vec<Subject>>);

impl Future for AbortOnDrop {
    type Output = Result<Vec<Subject>, TaskError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx).map_err(|_| TaskError::Fault("the pipeline panicked".into()))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::plan::schedule::ROUND;

    #[test]
    fn who_comes_back_has_a_round_of_time_or_what_is_left() {
        let (hour, wait) = (Duration::from_hours(1), Duration::from_mins(5));
        let round = Duration::try_from(ROUND).unwrap();
        assert_eq!(within(hour, wait), wait + round);
        assert_eq!(within(wait + round, wait), wait + round);
        let short = wait + round / 2;
        assert_eq!(within(short, wait), short);
    }
}
