//! Stages: one check each. A stage settles subjects, in any order, as soon as each is known.

use std::{borrow::Cow, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::{Address, Batch, Candidate, Clock, Deferral, EgressId, Finding, Subject, SystemClock};

/// A boxed future that may borrow.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One check of a pipeline. Dropping the future keeps what is settled.
pub trait Stage: Send + Sync {
    /// The stage's name, as pipelines list it.
    fn name(&self) -> &str;

    /// The findings that it cannot do without, and those that it makes; checked before anything runs. Where what it
    /// reads is switched off for a request, so is the stage ([`Pipeline::without`](crate::Pipeline::without)). A stage
    /// that has opinions lists `opinion` among those it makes.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// Settles the open subjects of `batch`, each as soon as it is known.
    ///
    /// # Errors
    /// Only for a failure of ours: a refused recipient or a missing domain is a finding.
    fn run<'a>(&'a self, cx: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>>;

    /// The check that the stage is, if it is nothing else: a pipeline applies it where it stands, without a future and
    /// without a clock that watches it.
    fn as_check(&self) -> Option<&dyn Check> {
        None
    }
}

/// Keys of findings that a stage reads and writes.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Read from earlier stages, without which this one has no meaning.
    pub reads: Vec<Cow<'static, str>>,
    /// Made by this one.
    pub writes: Vec<Cow<'static, str>>,
}

impl Facts {
    /// The facts of a built-in stage.
    pub fn new(reads: &[&'static str], writes: &[&'static str]) -> Self {
        let owned = |keys: &[&'static str]| keys.iter().map(|key| Cow::Borrowed(*key)).collect();
        Self { reads: owned(reads), writes: owned(writes) }
    }
}

/// A failure of a stage. It costs the subjects that the stage had not settled, and nothing else.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// For a person; never holds an address.
    pub message: Box<str>,
}

/// What a run of a pipeline carries along.
#[derive(Clone)]
pub struct Context {
    /// Nothing runs past this moment. A stage sees its slot's deadline here, where that is earlier than the run's.
    pub deadline: Instant,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Who asked, where several clients share the service.
    pub client: Option<Arc<str>>,
    /// 0 at first, one more at each retry.
    pub attempt: u32,
    /// Turns true when the caller no longer wants the answer; `None`, where nobody can say so.
    pub canceled: Option<watch::Receiver<bool>>,
}

impl Context {
    /// A first attempt that ends after `limit`, by the machine's clock, and cannot be canceled.
    pub fn within(limit: Duration) -> Self {
        Self {
            deadline: Instant::now() + limit,
            clock: Arc::new(SystemClock),
            client: None,
            attempt: 0,
            canceled: None,
        }
    }
}

/// What becomes of a subject after a stage.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Flow {
    /// The next slot takes it.
    #[default]
    Continue,
    /// Nothing later has meaning (bad syntax, no such domain).
    Stop,
    /// The other slots finish; whoever runs the pipeline may run it again after the wait, on the same egress.
    Defer {
        /// How long to wait at least.
        wait: Duration,
        /// The identity to come back under.
        egress: EgressId,
    },
    /// The subject is a person, and these addresses go on in its place, the likeliest first.
    Expand(Vec<Candidate>),
}

/// What a stage returns for one subject.
#[derive(Debug, Default)]
pub struct Outcome {
    pub(crate) findings: Vec<Finding>,
    pub(crate) address: Option<Address>,
    pub(crate) flow: Flow,
}

impl Outcome {
    /// An outcome with these findings.
    pub fn of(findings: impl IntoIterator<Item = Finding>) -> Self {
        Self { findings: findings.into_iter().collect(), ..Self::default() }
    }

    /// Adds a finding.
    pub fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The input means this address.
    pub fn resolved(&mut self, address: Address) {
        self.address = Some(address);
    }

    /// Nothing later has meaning.
    pub fn stop(&mut self) {
        self.flow = Flow::Stop;
    }

    /// The subject should be tried again later.
    pub fn defer(&mut self, deferral: Deferral) {
        self.flow = Flow::Defer { wait: deferral.wait, egress: deferral.egress };
    }

    /// The subject is a person, and these addresses go on in its place, the likeliest first. Without any, it goes no
    /// further.
    pub fn expand(&mut self, candidates: Vec<Candidate>) {
        self.flow = Flow::Expand(candidates);
    }

    /// The findings so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The address that the input means, if the stage resolved it.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// What becomes of the subject.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }
}

/// A stage that looks at one subject alone and needs no I/O; [`Pure`] lifts it to a [`Stage`].
pub trait Check: Send + Sync {
    /// The stage's name, as pipelines list it.
    fn name(&self) -> &str;

    /// The findings it reads and writes.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// Looks at one subject.
    fn check(&self, subject: &Subject, outcome: &mut Outcome);
}

/// Lifts a [`Check`] to a [`Stage`]. A subject at which the check panics loses that check alone.
pub struct Pure<C>(pub C);

impl<C: Check> Stage for Pure<C> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        batch.apply_check(&self.0);
        Box::pin(std::future::ready(Ok(())))
    }

    fn as_check(&self) -> Option<&dyn Check> {
        Some(&self.0)
    }
}
