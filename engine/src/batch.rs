//! A batch: subjects that go through a pipeline together. Stages settle its open subjects.

use std::{
    collections::HashMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::sync::mpsc;

use crate::{
    Candidate, Check, Deferral, Fault, FaultCause, Finding, Flow, Outcome, Policy, Recorded, Subject,
    person::speak_for,
};

/// Position of a subject in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(usize);

impl SubjectId {
    /// Its position, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Subjects in the order in which they were submitted, and the slot they are in.
#[derive(Debug, Default)]
pub struct Batch {
    /// Those that were submitted, and behind them candidates.
    subjects: Vec<Subject>,
    /// How many were submitted.
    submitted: usize,
    /// Persons, and the places of their candidates.
    persons: HashMap<SubjectId, Range<usize>>,
    slot: usize,
    stage: Arc<str>,
    /// What the stage declared that it writes: what a fault of it loses.
    writes: Arc<[Box<str>]>,
    /// No slot comes after this one.
    is_last: bool,
    /// Days for which a memory is trusted.
    history_trust_days: u32,
    watcher: Option<Watcher>,
}

/// Where subjects are sent as soon as nothing more will be found of them.
type Watcher = mpsc::UnboundedSender<(SubjectId, Subject)>;

/// With which findings a subject does not enter a slot.
#[derive(Clone)]
pub(crate) struct StopOn {
    pub(crate) words: Arc<[Box<str>]>,
    /// Days for which a memory is meant by its word.
    pub(crate) history_trust_days: u32,
}

impl Default for StopOn {
    fn default() -> Self {
        Self { words: Arc::from([]), history_trust_days: Policy::default().history_trust_days }
    }
}

impl Batch {
    /// A batch of these subjects.
    pub fn new(subjects: Vec<Subject>) -> Self {
        Self { submitted: subjects.len(), subjects, stage: Arc::from(""), ..Self::default() }
    }

    /// Sends a copy of each subject as soon as its way has ended, while the pipeline is still busy with others: what is
    /// known by then need not be lost with the run. Not those whom a fault ended, nor those whom checks without I/O
    /// settled, which cost nothing to repeat.
    #[must_use]
    pub fn watched(self, watcher: mpsc::UnboundedSender<(SubjectId, Subject)>) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    /// All subjects, in the order of submission. While a pipeline runs, candidates stand behind them.
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
            let is_fault = outcome.findings.iter().any(|finding| matches!(finding, Finding::Fault(_)));
            let candidates = apply(subject, *slot, stage, writes, &mut outcome);
            self.expand(id, candidates);
            if !is_fault {
                self.tell(id);
            }
        }
    }

    /// Lets candidates go on in a person's place.
    fn expand(&mut self, person: SubjectId, candidates: Vec<Candidate>) {
        if candidates.is_empty() {
            return;
        }
        let begin = self.subjects.len();
        let (slot, stage) = (self.slot, &self.stage);
        let of = &self.subjects[person.0];
        let candidates: Vec<_> =
            candidates.into_iter().map(|candidate| of.candidate(person, stage, slot, candidate)).collect();
        self.subjects.extend(candidates);
        self.persons.insert(person, begin..self.subjects.len());
    }

    /// Tells who watches of a subject whose way has ended: of a person, when the last candidate's has.
    fn tell(&self, id: SubjectId) {
        let Some(watcher) = &self.watcher else { return };
        let id = self.subjects[id.0].person.unwrap_or(id);
        let candidates = self.persons.get(&id).map(|places| &self.subjects[places.clone()]);
        let has_ended = match candidates {
            Some(candidates) => candidates.iter().all(|candidate| self.has_ended(candidate)),
            None => self.has_ended(&self.subjects[id.0]),
        };
        if !has_ended {
            return;
        }
        let mut subject = self.subjects[id.0].clone();
        if let Some(candidates) = candidates {
            speak_for(&mut subject, candidates.to_vec(), self.policy());
        }
        // Who has left need not hear it.
        let _ = watcher.send((id, subject));
    }

    /// Nothing more will be found of it.
    fn has_ended(&self, subject: &Subject) -> bool {
        subject.stopped.is_some() || (self.is_last && subject.settled == Some(self.slot))
    }

    /// By which candidates are compared: what a memory is worth is as in the judge's.
    fn policy(&self) -> Policy {
        Policy { history_trust_days: self.history_trust_days, ..Policy::default() }
    }

    /// The pipeline has ended: what is known of candidates becomes what is known of persons.
    pub(crate) fn gather(&mut self) {
        let policy = self.policy();
        let candidates = self.subjects.split_off(self.submitted);
        let mut candidates: Vec<Option<Subject>> = candidates.into_iter().map(Some).collect();
        for (person, places) in self.persons.drain() {
            let places = places.start - self.submitted..places.end - self.submitted;
            let own = candidates[places].iter_mut().filter_map(Option::take).collect();
            speak_for(&mut self.subjects[person.0], own, policy);
        }
    }

    /// Settles every open subject with what a check says; one scratch outcome serves them all.
    pub(crate) fn apply_check(&mut self, check: &dyn Check) {
        let mut outcome = Outcome::default();
        let mut expanded = Vec::new();
        let Self { subjects, slot, stage, writes, .. } = self;
        for (position, subject) in
            subjects.iter_mut().enumerate().filter(|(_, subject)| is_open(subject, *slot))
        {
            // A check holds no state of its own between subjects, so a panic leaves nothing half done.
            if catch_unwind(AssertUnwindSafe(|| check.check(subject, &mut outcome))).is_err() {
                outcome = Outcome::of([fault(FaultCause::Panic, "the check panicked", writes)]);
            }
            let candidates = apply(subject, *slot, stage, writes, &mut outcome);
            if !candidates.is_empty() {
                expanded.push((SubjectId(position), candidates));
            }
        }
        for (person, candidates) in expanded {
            self.expand(person, candidates);
        }
    }

    /// Enters the next slot: every subject that was not stopped is open again, but for those that already have a
    /// finding after which this slot's pipeline asks no more.
    pub(crate) fn enter(
        &mut self,
        slot: usize,
        stage: &Arc<str>,
        writes: &Arc<[Box<str>]>,
        stop_on: &StopOn,
        is_last: bool,
    ) {
        self.slot = slot;
        self.is_last = is_last;
        self.stage = stage.clone();
        self.writes = writes.clone();
        self.history_trust_days = stop_on.history_trust_days;
        if stop_on.words.is_empty() {
            return;
        }
        let is_listed = |word: &str| stop_on.words.iter().any(|on| **on == *word);
        let is_enough = |recorded: &Recorded| match &recorded.finding {
            Finding::Opinion(_) => is_listed(&recorded.stage),
            finding => finding.stop_word(stop_on.history_trust_days).is_some_and(is_listed),
        };
        for subject in self.subjects.iter_mut().filter(|subject| subject.stopped.is_none()) {
            if subject.findings.iter().any(is_enough) {
                subject.stopped = Some(slot);
            }
        }
    }

    /// Gives every subject that the stage left open a fault. Returns how many there were.
    pub(crate) fn fail_open(&mut self, cause: FaultCause, message: &str, stop: bool) -> usize {
        let ids: Vec<_> = self.open().map(|(id, _)| id).collect();
        if ids.is_empty() {
            return 0;
        }
        let writes = self.writes.clone();
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

/// Moves an outcome into its subject and leaves it empty for the next one. Returns who goes on in its place.
fn apply(
    subject: &mut Subject,
    slot: usize,
    stage: &Arc<str>,
    writes: &[Box<str>],
    outcome: &mut Outcome,
) -> Vec<Candidate> {
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
        Flow::Expand(candidates) => {
            subject.stopped = Some(slot);
            // A candidate that is a person itself would have nobody to speak for.
            if subject.person.is_none() {
                return candidates;
            }
        }
    }
    Vec::new()
}
