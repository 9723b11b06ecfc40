//! A pipeline: ordered slots, each a stage with its limits. It runs a batch through them and loses nothing that is settled.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Batch, Context, FaultCause, Stage, batch::StopOn};

/// A stage in a pipeline.
#[derive(Clone)]
pub struct Slot {
    stage: Arc<dyn Stage>,
    name: Arc<str>,
    deadline: Option<Duration>,
    on_fault: OnFault,
    stop_on: StopOn,
    reads: Arc<[Box<str>]>,
    writes: Arc<[Box<str>]>,
}

/// What a fault of a stage means for the subjects that it left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// The next slot takes them.
    #[default]
    Continue,
    /// They go no further and are judged by what is there.
    Stop,
}

/// What one slot cost one batch: the source of its metrics and of `--explain`.
#[derive(Debug, Clone)]
pub struct SlotReport {
    /// The slot's place in the pipeline, from 0.
    pub position: usize,
    /// Name of the stage.
    pub stage: Arc<str>,
    /// Time from the first to the last subject.
    pub elapsed: Duration,
    /// Subjects that were open when the slot began.
    pub entered: usize,
    /// Subjects that the stage left open, by a fault or at a deadline.
    pub faults: usize,
    /// Why, if there were any.
    pub cause: Option<FaultCause>,
}

/// Why slots make no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A stage needs a finding that no earlier one makes.
    #[error("stage `{stage}` reads `{fact}`, which no earlier stage of the pipeline writes")]
    MissingFact {
        /// The stage that reads it.
        stage: String,
        /// The finding's key.
        fact: String,
    },
    /// A stage stands twice.
    #[error("stage `{stage}` stands twice in the pipeline")]
    Twice {
        /// The stage.
        stage: String,
    },
}

impl Slot {
    /// A slot without limits of its own: the run's deadline holds.
    pub fn new(stage: Arc<dyn Stage>) -> Self {
        let name = Arc::from(stage.name());
        let facts = stage.facts();
        let owned = |keys: &[Cow<'static, str>]| keys.iter().map(|key| key.as_ref().into()).collect();
        let (reads, writes) = (owned(&facts.reads), owned(&facts.writes));
        Self {
            stage,
            name,
            deadline: None,
            on_fault: OnFault::Continue,
            stop_on: StopOn::default(),
            reads,
            writes,
        }
    }

    /// Limits the stage's time for one batch.
    #[must_use]
    pub fn deadline(self, deadline: Option<Duration>) -> Self {
        Self { deadline, ..self }
    }

    /// Says what a fault means.
    #[must_use]
    pub fn on_fault(self, on_fault: OnFault) -> Self {
        Self { on_fault, ..self }
    }

    /// Findings of earlier stages with which a subject does not enter this slot, nor a later one: the answer is
    /// there, the work is saved. A word is one of [`crate::STOP_WORDS`], or the name of a stage, which stands for any
    /// opinion of that stage, whatever its authority.
    #[must_use]
    pub fn stop_on(self, words: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self { stop_on: StopOn { words, ..self.stop_on }, ..self }
    }

    /// Days for which a memory is meant by the word `remembered`: those of the judge's policy, so that whoever is not
    /// asked about again has a verdict.
    #[must_use]
    pub fn history_trust_days(self, days: u32) -> Self {
        Self { stop_on: StopOn { history_trust_days: days, ..self.stop_on }, ..self }
    }

    /// Name of the stage.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A fact that the stage reads and that is not among those written before it.
    fn missing(&self, written: &[Box<str>]) -> Option<&str> {
        self.reads.iter().find(|fact| !written.contains(fact)).map(|fact| &**fact)
    }
}

/// Ordered slots under a name.
#[derive(Clone)]
pub struct Pipeline {
    name: Arc<str>,
    slots: Vec<Slot>,
    bereft: Vec<Arc<str>>,
}

impl Pipeline {
    /// Joins slots, if each finds what it reads.
    ///
    /// # Errors
    /// [`PipelineError`] when the order cannot work.
    pub fn new(name: &str, slots: Vec<Slot>) -> Result<Self, PipelineError> {
        let mut written: Vec<Box<str>> = Vec::new();
        for (position, slot) in slots.iter().enumerate() {
            let stage = slot.name.to_string();
            if slots[..position].iter().any(|earlier| earlier.name == slot.name) {
                return Err(PipelineError::Twice { stage });
            }
            if let Some(fact) = slot.missing(&written) {
                return Err(PipelineError::MissingFact { stage, fact: fact.into() });
            }
            written.extend(slot.writes.iter().cloned());
        }
        Ok(Self { name: name.into(), slots, bereft: Vec::new() })
    }

    /// The pipeline's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its stages, in their order.
    pub fn stages(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.slots.iter().map(|slot| &slot.name)
    }

    /// Whether a stage is in it.
    pub fn has(&self, stage: &str) -> bool {
        self.slots.iter().any(|slot| &*slot.name == stage)
    }

    /// The same pipeline without some stages: what a request switched off. A stage that reads what nobody is left to
    /// write is switched off too, and so on down the pipeline; [`Pipeline::bereft`] names those.
    #[must_use]
    pub fn without(&self, stages: &[&str]) -> Self {
        let mut rest = Self { name: self.name.clone(), slots: Vec::new(), bereft: self.bereft.clone() };
        let mut written: Vec<Box<str>> = Vec::new();
        for slot in self.slots.iter().filter(|slot| !stages.contains(&&*slot.name)) {
            if slot.missing(&written).is_some() {
                rest.bereft.push(slot.name.clone());
                continue;
            }
            written.extend(slot.writes.iter().cloned());
            rest.slots.push(slot.clone());
        }
        rest
    }

    /// The same pipeline with one of its stages alone. Nothing is left of it when the stage is not in it, or reads what
    /// others write.
    #[must_use]
    pub fn only(&self, stage: &str) -> Self {
        let others: Vec<&str> =
            self.slots.iter().map(|slot| &*slot.name).filter(|name| *name != stage).collect();
        self.without(&others)
    }

    /// The stages that nobody switched off, and that do not run because what they read is no longer written.
    pub fn bereft(&self) -> &[Arc<str>] {
        &self.bereft
    }

    /// Runs the batch through every slot. Never fails: what goes wrong is a fault finding of the subjects it struck.
    pub async fn run(&self, cx: &Context, batch: &mut Batch) -> Vec<SlotReport> {
        let mut reports = Vec::with_capacity(self.slots.len());
        let mut began = Instant::now();
        for (position, slot) in self.slots.iter().enumerate() {
            let is_last = position + 1 == self.slots.len();
            batch.enter(position, &slot.name, &slot.writes, &slot.stop_on, is_last);
            let entered = batch.open().count();
            if entered == 0 {
                continue;
            }
            let failure = match slot.stage.as_check() {
                Some(check) => {
                    let applied = catch_unwind(AssertUnwindSafe(|| batch.apply_check(check)));
                    applied.err().map(|_| panicked())
                }
                None => run_slot(slot, cx, batch).await,
            };
            let unsettled = || (FaultCause::Unsettled, "the stage settled nothing".into());
            let (cause, message) = failure.unwrap_or_else(unsettled);
            let faults = batch.fail_open(cause, &message, slot.on_fault == OnFault::Stop);
            let ended = Instant::now();
            reports.push(SlotReport {
                position,
                stage: slot.name.clone(),
                elapsed: ended - began,
                entered,
                faults,
                cause: (faults > 0).then_some(cause),
            });
            began = ended;
        }
        batch.gather();
        reports
    }
}

/// Runs one stage under its limits. Returns why it ended early, if it did.
async fn run_slot(slot: &Slot, cx: &Context, batch: &mut Batch) -> Option<(FaultCause, Cow<'static, str>)> {
    let own = slot.deadline.map(|limit| Instant::now() + limit).filter(|own| *own < cx.deadline);
    let shorter = own.map(|deadline| Context { deadline, ..cx.clone() });
    let late = if shorter.is_some() { FaultCause::Deadline } else { FaultCause::RequestDeadline };
    let cx = shorter.as_ref().unwrap_or(cx);
    // Within a future of its own, so that a panic before the stage's future exists is caught too.
    let work = AssertUnwindSafe(async { slot.stage.run(cx, batch).await }).catch_unwind();
    tokio::select! {
        biased;
        done = work => match done {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some((FaultCause::Error, error.to_string().into())),
            Err(_) => Some(panicked()),
        },
        () = tokio::time::sleep_until(cx.deadline) => Some((late, "the deadline passed first".into())),
        () = is_canceled(cx) => Some((FaultCause::Canceled, "the caller left".into())),
    }
}

fn panicked() -> (FaultCause, Cow<'static, str>) {
    (FaultCause::Panic, "the stage panicked".into())
}

/// Ends when the caller cancels; never, when nobody can.
async fn is_canceled(cx: &Context) {
    let is_heard = match cx.canceled.clone() {
        Some(mut canceled) => canceled.wait_for(|canceled| *canceled).await.is_ok(),
        None => false,
    };
    if !is_heard {
        std::future::pending::<()>().await;
    }
}
