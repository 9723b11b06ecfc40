//! One go at a chunk: its pipeline runs, and what is known is written down meanwhile.

use std::{
    collections::HashSet,
    mem,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use jiff::Timestamp;
use mailsonde_engine::{
    Batch, Context, FaultCause, Finding, Pipeline, Subject, SubjectId, SystemClock, Verdict,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{ChunkRun, has_fault, was_not_asked};
use crate::jobs::{
    queue::{Done, TaskError, Word},
    results::{SOURCE, note_fault},
    rows::{items::Item, verdicts::Judged},
};

/// Verdicts are written down this often while a chunk is at work: what a killed worker asks again at most.
const RECORD_EVERY: Duration = Duration::from_secs(2);

/// The stage that duplicates run through too: whether something is an address, each row is told for itself.
const SYNTAX: &str = "syntax";

impl ChunkRun {
    /// Works until then at the most.
    pub(super) async fn work(mut self, pipeline: &Pipeline, until: Instant) -> Result<Done, TaskError> {
        let began = Instant::now();
        let (watcher, mut known) = mpsc::unbounded_channel();
        let (cancel, canceled) = watch::channel(false);
        let mut run = self.start(pipeline.clone(), until, watcher, canceled);
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
        until: Instant,
        watcher: mpsc::UnboundedSender<(SubjectId, Subject)>,
        canceled: watch::Receiver<bool>,
    ) -> AbortOnDrop {
        let cx = Context {
            deadline: until,
            clock: Arc::new(SystemClock),
            client: Some(self.leased.task.client.to_string().into()),
            attempt: u32::try_from(self.stored.round).unwrap_or_default(),
            canceled: Some(canceled),
        };
        let mut subjects: Vec<Subject> = self.items.iter().map(subject).collect();
        let duplicates = subjects.split_off(self.items.partition_point(|item| item.duplicate_of.is_none()));
        let metrics = self.desk.metrics();
        let task = tokio::spawn(async move {
            let mut batch = Batch::new(subjects).watched(watcher);
            let reports = pipeline.run(&cx, &mut batch).await;
            if let Some(metrics) = metrics {
                metrics.of_pipeline(&pipeline).passed(&reports);
            }
            let mut subjects = batch.into_subjects();
            let mut batch = Batch::new(duplicates);
            pipeline.only(SYNTAX).run(&cx, &mut batch).await;
            subjects.extend(batch.into_subjects());
            subjects
        });
        AbortOnDrop(task)
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
            if self.deferral(&subject).is_none() && !was_not_asked(&subject) && recorded.insert(item.row) {
                verdicts.push(self.judge(item.row, subject, true, began));
            }
        }
        if verdicts.is_empty() {
            return Ok(());
        }
        self.write(verdicts.into(), None).await
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
        let own = mem::take(&mut self.items);
        for (item, mut subject) in own.into_iter().zip(subjects) {
            if recorded.contains(&item.row) {
                continue;
            }
            if has_fault(&subject, FaultCause::Canceled) {
                is_interrupted = true;
                continue;
            }
            let deferral = self.deferral(&subject);
            if deferral.is_none() && self.is_too_late_to_ask(&subject) {
                note_fault(&mut subject, FaultCause::RequestDeadline);
            }
            verdicts.push(self.judge(item.row, subject, deferral.is_none(), began));
            if let Some((wait, egress)) = deferral {
                later.push((wait, Item { egress, ..item }));
            }
        }
        if is_interrupted {
            verdicts.retain(|judged| judged.is_final);
            if !verdicts.is_empty() {
                self.write(verdicts.into(), None).await?;
            }
            return Ok(Done::HandBack);
        }
        let deferred = self.deferred(later);
        self.write(verdicts.into(), Some(deferred)).await?;
        self.end_job().await;
        Ok(Done::Settled)
    }

    fn judge(&self, row: u32, subject: Subject, is_final: bool, began: Instant) -> Judged {
        Judged {
            row,
            verdict: Verdict::of(subject, self.policy),
            verified_at: Timestamp::now(),
            took: began.elapsed(),
            is_final,
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

/// Ends when the handler is told something.
async fn heard(word: &mut watch::Receiver<Word>) -> Word {
    word.wait_for(|word| *word != Word::GoOn).await.map_or(Word::Lost, |word| *word)
}

/// A task that ends with whoever waits for it.
struct AbortOnDrop(JoinHandle<Vec<Subject>>);

impl Future for AbortOnDrop {
    type Output = Result<Vec<Subject>, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| TaskError::Fault("the pipeline panicked".into()))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
