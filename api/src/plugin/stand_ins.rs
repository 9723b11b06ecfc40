//! What stands in for production around a plugin: the stages before it, the clock, DNS.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use mailsonde_builtin::syntax;
use mailsonde_engine::{
    Batch, BoxFuture, Clock, Context, Facts, Lookup, LookupFailure, Outcome, RecordKind, Resolver, Stage,
    StageError,
};

use super::{answers, cases::SYNTAX};

/// Name of the stage that stands for all those before the plugin.
pub(super) const GIVEN: &str = "the case"; // no plugin can have this name

/// Stands for the stages before the plugin: it parses the input, and has written what the plugin reads.
pub(super) struct Given {
    /// Whether an input becomes an address.
    pub(super) is_parsed: bool,
    /// The facts that the plugin reads. They are with the subjects already, or nowhere.
    pub(super) writes: Vec<Cow<'static, str>>,
}

impl Stage for Given {
    fn name(&self) -> &'static str {
        GIVEN
    }

    fn facts(&self) -> Facts {
        Facts { reads: Vec::new(), writes: self.writes.clone() }
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        let open: Vec<_> = batch.open().map(|(id, subject)| (id, self.outcome(subject.input()))).collect();
        for (id, outcome) in open {
            batch.settle(id, outcome);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Given {
    fn outcome(&self, input: &str) -> Outcome {
        let mut outcome = Outcome::default();
        if self.is_parsed
            && let Ok(address) = syntax::parse(input, SYNTAX)
        {
            outcome.resolved(address);
        }
        outcome
    }
}

/// A clock that stands still.
pub(super) struct StoppedClock(pub(super) SystemTime);

impl Clock for StoppedClock {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// Answers what is listed, refuses anything else, and knows what that was.
#[derive(Default)]
pub(super) struct ListedAnswers(Mutex<Questions>);

#[derive(Default)]
struct Questions {
    answers: BTreeMap<String, Lookup>,
    unlisted: Vec<String>,
}

impl ListedAnswers {
    /// From now on these are the answers, and nothing is unlisted.
    pub(super) fn begin(&self, answers: &BTreeMap<String, Lookup>) {
        *self.lock() = Questions { answers: answers.clone(), unlisted: Vec::new() };
    }

    /// The questions since then that have no answer.
    pub(super) fn unlisted(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().unlisted)
    }

    fn lock(&self) -> MutexGuard<'_, Questions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for ListedAnswers {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        let question = answers::question(name, kind);
        let mut questions = self.lock();
        let answer = questions.answers.get(&question).cloned().unwrap_or_else(|| {
            questions.unlisted.push(question);
            Lookup::Failed(LookupFailure::Refused)
        });
        Box::pin(std::future::ready(answer))
    }
}
