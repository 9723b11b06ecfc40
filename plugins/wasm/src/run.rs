//! One batch at work: calls of bounded size, each settled at once. A call that fails is repeated with halves of its
//! subjects until those at fault are alone; they are left open, which the slot makes a fault finding of.

use std::sync::atomic::Ordering::Relaxed;

use mailsonde_engine::{Batch, Context, Outcome, StageError, SubjectId};

use crate::{
    CallFault, InstanceKind,
    instance::Instance,
    limits::FAILED_CALLS_MAX,
    stage::{Counters, WasmStage},
    subjects::{self, Handed},
    version::Version,
};

/// A batch at work. When it is dropped before its end, the batch ran out of time; what it had settled stays.
pub(crate) struct Run<'r> {
    stage: &'r WasmStage,
    version: &'r Version,
    cx: &'r Context,
    /// None before the first call, and after one that failed: what trapped is dropped.
    instance: Option<Instance>,
    /// Subjects that came.
    entered: usize,
    settled: usize,
    failed_calls: usize,
    /// The first fault of a subject alone.
    of_one: Option<CallFault>,
    /// The first fault of several: shown if the search ended before anybody was found.
    of_several: Option<CallFault>,
}

/// How a call was not made, or failed.
enum Failed {
    /// No instance begins: that is no subject's fault.
    Start(CallFault),
    Call(CallFault),
}

impl<'r> Run<'r> {
    pub(crate) fn new(stage: &'r WasmStage, version: &'r Version, cx: &'r Context, entered: usize) -> Self {
        let instance = match stage.config.instance {
            InstanceKind::Warm => version.pool.take(&cx.client),
            InstanceKind::Fresh => None,
        };
        Self {
            stage,
            version,
            cx,
            instance,
            entered,
            settled: 0,
            failed_calls: 0,
            of_one: None,
            of_several: None,
        }
    }

    /// Settles subjects: all in one call, or as many as can be told from those at fault.
    pub(crate) async fn settle(&mut self, batch: &mut Batch, ids: &[SubjectId]) {
        let mut parts = vec![ids];
        while let Some(part) = parts.pop() {
            if self.failed_calls >= FAILED_CALLS_MAX {
                return;
            }
            match self.call(batch, part).await {
                Ok(outcomes) => {
                    for (id, outcome) in part.iter().zip(outcomes) {
                        self.settle_one(batch, *id, outcome);
                    }
                }
                Err(Failed::Start(fault)) => {
                    self.of_several.get_or_insert(fault);
                    self.failed_calls = FAILED_CALLS_MAX;
                }
                Err(Failed::Call(fault)) => {
                    self.failed(part.len(), fault);
                    if part.len() > 1 {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                }
            }
        }
    }

    fn settle_one(&mut self, batch: &mut Batch, id: SubjectId, outcome: Result<Outcome, CallFault>) {
        match outcome {
            Ok(outcome) => {
                batch.settle(id, outcome);
                self.settled += 1;
            }
            Err(fault) => {
                self.of_one.get_or_insert(fault);
            }
        }
    }

    fn failed(&mut self, subjects: usize, fault: CallFault) {
        self.instance = None;
        self.failed_calls += 1;
        self.stage.counters.failed_calls.fetch_add(1, Relaxed);
        let place = if subjects == 1 { &mut self.of_one } else { &mut self.of_several };
        place.get_or_insert(fault);
    }

    async fn call(
        &mut self,
        batch: &Batch,
        ids: &[SubjectId],
    ) -> Result<Vec<Result<Outcome, CallFault>>, Failed> {
        let Version { program, description, .. } = self.version;
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => none.insert(self.version.start(&*self.cx.clock).await.map_err(Failed::Start)?),
        };
        self.stage.counters.calls.fetch_add(1, Relaxed);
        let handed = Handed::of(batch, ids, description);
        let facts = handed.facts();
        let given = self.stage.given(self.cx, ids.len());
        let said = instance.check_many(program, given, &handed.subjects(&facts)).await;
        let authority = self.stage.config.authority;
        let checked = |said| subjects::outcome(said, description, authority);
        Ok(said.map_err(Failed::Call)?.into_iter().map(checked).collect())
    }

    /// What the pipeline is told of those that are left open.
    pub(crate) fn end(mut self) -> Result<(), StageError> {
        if let Some(instance) = self.instance.take()
            && self.stage.config.instance == InstanceKind::Warm
        {
            self.version.pool.put(self.cx.client.clone(), instance);
        }
        match self.of_one.take().or(self.of_several.take()) {
            Some(fault) if self.settled < self.entered => {
                Err(StageError { message: fault.to_string().into() })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.version.breaker.batch_done(self.settled > 0);
        let Counters { settled, left_open, .. } = &self.stage.counters;
        settled.fetch_add(self.settled as u64, Relaxed);
        left_open.fetch_add((self.entered - self.settled) as u64, Relaxed);
    }
}
