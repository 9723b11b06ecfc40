//! A batch: subjects that go through a pipeline together. Stages settle its open subjects.

use std::sync::Arc;

use crate::{Deferral, Fault, FaultCause, Finding, Flow, Outcome, Recorded, Subject};

/// Position of a subject in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(usize);

/// Subjects in the order in which they were submitted, and the slot they are in.
#[derive(Debug, Default)]
pub struct Batch {
    subjects: Vec<Subject>,
    slot: usize,
    stage: Arc<str>,
    /// What the stage declared that it writes: what a fault of it loses.
    writes: Arc<[Box<str>]>,
}

impl Batch {
    /// A batch of these subjects.
    pub fn new(subjects: Vec<Subject>) -> Self {
        Self { subjects, stage: Arc::from(""), ..Self::default() }
    }

    /// All subjects, in the order of submission.
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The subjects, in the order of submission.
    pub fn into_subjects(self) -> Vec<Subject> {
        self.subjects
    }

    /// One subject.
    pub fn subject(&self, id: SubjectId) -> &Subject {
        &self.subjects[id.0]
    }

    /// The subjects that the current stage has still to settle.
    pub fn open(&self) -> impl Iterator<Item = (SubjectId, &Subject)> {
        let slot = self.slot;
        self.subjects
            .iter()
            .enumerate()
            .filter(move |(_, s)| is_open(s, slot))
            .map(|(i, s)| (SubjectId(i), s))
    }

    /// Settles a subject in the current slot: its findings are kept, its flow is applied.
    /// A subject that is already settled stays as it is: the first word counts.
    pub fn settle(&mut self, id: SubjectId, mut outcome: Outcome) {
        let Self { subjects, slot, stage, writes, .. } = self;
        let subject = &mut subjects[id.0];
        if is_open(subject, *slot) {
            apply(subject, *slot, stage, writes, &mut outcome);
        }
    }

    /// Settles every open subject with what `check` says; one scratch outcome serves them all.
    pub(crate) fn settle_each(
        &mut self,
        mut check: impl FnMut(&Subject, &mut Outcome) -> Result<(), FaultCause>,
    ) {
        let mut outcome = Outcome::default();
        let Self { subjects, slot, stage, writes } = self;
        for subject in subjects.iter_mut().filter(|subject| is_open(subject, *slot)) {
            match check(subject, &mut outcome) {
                Ok(()) => apply(subject, *slot, stage, writes, &mut outcome),
                Err(cause) => {
                    outcome = Outcome::of([fault(cause, "the check panicked", writes)]);
                    apply(subject, *slot, stage, writes, &mut outcome);
                }
            }
        }
    }

    /// Enters the next slot: every subject that was not stopped is open again, but for those that already have a
    /// finding after which this slot's pipeline asks no more.
    pub(crate) fn enter(
        &mut self,
        slot: usize,
        stage: &Arc<str>,
        writes: &Arc<[Box<str>]>,
        stop_on: &[Box<str>],
    ) {
        self.slot = slot;
        self.stage = stage.clone();
        self.writes = writes.clone();
        if stop_on.is_empty() {
            return;
        }
        let is_listed = |word: &str| stop_on.iter().any(|on| **on == *word);
        let is_enough = |recorded: &Recorded| match &recorded.finding {
            Finding::Opinion(_) => is_listed(&recorded.stage),
            finding => finding.stop_word().is_some_and(is_listed),
        };
        for subject in self.subjects.iter_mut().filter(|subject| subject.stopped.is_none()) {
            if subject.findings.iter().any(is_enough) {
                subject.stopped = Some(slot);
            }
        }
    }

    /// Gives every subject that the stage left open a fault. Returns how many there were.
    pub(crate) fn fail_open(&mut self, cause: FaultCause, message: &str, stop: bool) -> usize {
        let writes = self.writes.clone();
        let ids: Vec<_> = self.open().map(|(id, _)| id).collect();
        for id in &ids {
            let mut outcome = Outcome::of([fault(cause, message, &writes)]);
            if stop {
                outcome.stop();
            }
            self.settle(*id, outcome);
        }
        ids.len()
    }
}

/// Open: not stopped by an earlier slot, not settled in this one.
fn is_open(subject: &Subject, slot: usize) -> bool {
    subject.stopped.is_none() && subject.settled != Some(slot)
}

/// A stage writes what it said that it would, so that the pipeline's order and its faults can be trusted.
fn is_declared(finding: &Finding, writes: &[Box<str>]) -> bool {
    matches!(finding, Finding::Fault(_)) || writes.iter().any(|key| **key == *finding.key())
}

fn fault(cause: FaultCause, message: &str, writes: &Arc<[Box<str>]>) -> Finding {
    Finding::Fault(Fault { cause, message: message.into(), lost: writes.clone() })
}

/// Moves an outcome into its subject and leaves it empty for the next one.
fn apply(subject: &mut Subject, slot: usize, stage: &Arc<str>, writes: &[Box<str>], outcome: &mut Outcome) {
    debug_assert!(
        outcome.findings.iter().all(|finding| is_declared(finding, writes)),
        "stage `{stage}` found {:?} and declares {writes:?}",
        outcome.findings,
    );
    subject.settled = Some(slot);
    subject
        .findings
        .extend(outcome.findings.drain(..).map(|finding| Recorded { stage: stage.clone(), finding }));
    if let Some(address) = outcome.address.take() {
        subject.resolve(address);
    }
    match std::mem::take(&mut outcome.flow) {
        Flow::Continue => {}
        Flow::Stop => subject.stopped = Some(slot),
        Flow::Defer { wait, egress } => subject.defer(Deferral { wait, egress }),
    }
}
