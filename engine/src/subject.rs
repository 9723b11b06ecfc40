//! A subject: an address in flight, and what has been found of it so far.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Address, Candidate, EgressId, Finding, MailRoute, Recorded, SubjectId};

/// One input on its way through a pipeline.
#[derive(Clone)]
pub struct Subject {
    pub(crate) input: Box<str>,
    pub(crate) address: Option<Address>,
    pub(crate) findings: Vec<Recorded>,
    /// Slot in which the subject was last settled.
    pub(crate) settled: Option<usize>,
    /// Slot that ended the subject's way.
    pub(crate) stopped: Option<usize>,
    deferral: Option<Deferral>,
    /// Of the attempt before this one.
    earlier: Option<Deferral>,
    /// Where the subject is a candidate: the person's place in the batch.
    pub(crate) person: Option<SubjectId>,
    /// Where it is a person whose candidates have gone their ways.
    pub(crate) candidates: Vec<Self>,
}

/// A stage's wish to try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferral {
    /// How long to wait at least.
    pub wait: Duration,
    /// The identity to come back under, since the server remembers it.
    pub egress: EgressId,
}

impl Subject {
    /// A subject for an input as submitted. White space around it is the caller's to drop, where it means nothing.
    pub fn new(input: impl Into<Box<str>>) -> Self {
        Self {
            input: input.into(),
            address: None,
            findings: Vec::new(),
            settled: None,
            stopped: None,
            deferral: None,
            earlier: None,
            person: None,
            candidates: Vec::new(),
        }
    }

    /// A candidate for a person, found by this stage in this slot.
    pub(crate) fn candidate(&self, person: SubjectId, stage: &Arc<str>, slot: usize, of: Candidate) -> Self {
        let Candidate { address, guess } = of;
        Self {
            address: Some(address.clone()),
            findings: vec![Recorded { stage: stage.clone(), finding: Finding::Candidate(guess) }],
            settled: Some(slot),
            earlier: self.earlier,
            person: Some(person),
            ..Self::new(address.as_str())
        }
    }

    /// The same input for another run of the pipeline, which comes back as it was asked to.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { earlier: self.deferral, ..Self::new(self.input.clone()) }
    }

    /// An input that was asked about before, and to which its server expects this identity to come back.
    pub fn returning(input: impl Into<Box<str>>, egress: EgressId) -> Self {
        Self { earlier: Some(Deferral { wait: Duration::ZERO, egress }), ..Self::new(input) }
    }

    /// The input as submitted.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The parsed address, once a stage has resolved the input to one.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// What was found so far, in order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|recorded| &recorded.finding)
    }

    /// What was found so far, with the stages that found it.
    pub fn recorded(&self) -> &[Recorded] {
        &self.findings
    }

    /// Where mail for the subject's domain goes, once the `dns` stage knows.
    pub fn route(&self) -> Option<&Arc<MailRoute>> {
        self.findings().find_map(|finding| match finding {
            Finding::Route(route) => Some(route),
            _ => None,
        })
    }

    /// The wish of a stage to try again later.
    pub fn deferral(&self) -> Option<Deferral> {
        self.deferral
    }

    /// What an earlier attempt was asked: to come back later, and as whom.
    pub fn earlier(&self) -> Option<Deferral> {
        self.earlier
    }

    /// The person for whom this is a candidate, if it is one.
    pub fn person(&self) -> Option<SubjectId> {
        self.person
    }

    /// The candidates for this person, the likeliest first; none before they have gone their ways, nor of an address.
    pub fn candidates(&self) -> &[Self] {
        &self.candidates
    }

    /// Position of the slot after which nothing else ran.
    pub fn stopped_by(&self) -> Option<usize> {
        self.stopped
    }

    /// Records a fact that the caller knows before any stage runs: a duplicate row, a remembered bounce.
    pub fn note(&mut self, source: &Arc<str>, finding: Finding) {
        self.findings.push(Recorded { stage: source.clone(), finding });
    }

    pub(crate) fn resolve(&mut self, address: Address) {
        self.address = Some(address);
    }

    /// Several stages may defer; the longest wait serves them all.
    pub(crate) fn defer(&mut self, deferral: Deferral) {
        if self.deferral.is_none_or(|earlier| earlier.wait < deferral.wait) {
            self.deferral = Some(deferral);
        }
    }
}

/// Without the input: no address gets into a log in full.
impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Subject");
        shown.field("address", &self.address).field("findings", &self.findings);
        shown.field("settled", &self.settled).field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_starts_anew_and_knows_whom_it_was() {
        let mut subject = Subject::new("jane.doe@example.com");
        subject.resolve(Address::new("jane.doe", "example.com"));
        let deferral = Deferral { wait: Duration::from_mins(1), egress: EgressId(7) };
        subject.defer(deferral);
        let again = subject.again();
        assert_eq!((again.input(), again.address(), again.deferral()), (subject.input(), None, None));
        assert_eq!(again.earlier(), Some(deferral));
    }

    #[test]
    fn debugging_shows_no_address() {
        let mut subject = Subject::new("jane.doe@example.com");
        subject.resolve(Address::new("jane.doe", "example.com"));
        let shown = format!("{subject:?}");
        assert!(!shown.contains("jane.doe") && shown.contains("example.com"), "{shown}");
    }
}
