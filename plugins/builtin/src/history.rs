//! `history`: what this installation remembers of mailboxes.
//!
//! Asks for all subjects of a batch in one look-up, behind the engine's [`History`]. It finds how long ago a mailbox
//! refused mail for good; how long that counts is not decided here. What cannot be looked up costs this fact alone.

use std::{sync::Arc, time::SystemTime};

use mailsonde_engine::{
    Address, Batch, BoxFuture, Context, Facts, Finding, History, HistoryFact, Outcome, Remembered, Stage,
    StageError, SubjectId,
};
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// Options of the stage: none yet.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// The stage.
pub struct Recall {
    history: Arc<dyn History>,
}

impl Recall {
    /// The stage over this memory; there is nothing to configure.
    pub fn new(_: Config, history: Arc<dyn History>) -> Self {
        Self { history }
    }

    /// What is remembered of the subjects that are addresses.
    async fn recall(
        &self,
        batch: &Batch,
    ) -> Result<impl Iterator<Item = (SubjectId, Option<Remembered>)> + use<>, StageError> {
        let (ids, addresses): (Vec<SubjectId>, Vec<&Address>) =
            batch.open().filter_map(|(id, subject)| Some((id, subject.address()?))).unzip();
        let failed = |error| StageError { message: format!("nothing could be recalled: {error}").into() };
        let recalled = if addresses.is_empty() {
            Vec::new()
        } else {
            self.history.recall(&addresses).await.map_err(failed)?
        };
        Ok(ids.into_iter().zip(recalled))
    }
}

impl Stage for Recall {
    fn name(&self) -> &'static str {
        "history"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["history"])
    }

    fn run<'a>(&'a self, cx: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let strangers: Vec<_> =
                batch.open().filter(|(_, subject)| subject.address().is_none()).map(|(id, _)| id).collect();
            for id in strangers {
                batch.settle(id, Outcome::default());
            }
            let now = cx.clock.now();
            for (id, remembered) in self.recall(batch).await? {
                batch.settle(id, Outcome::of(remembered.map(|remembered| fact(remembered, now))));
            }
            Ok(())
        })
    }
}

fn fact(remembered: Remembered, now: SystemTime) -> Finding {
    // Another host's clock may be ahead of ours.
    let age = now.duration_since(remembered.seen_at).unwrap_or_default();
    let age_days = u32::try_from(age.as_secs() / DAY_S).unwrap_or(u32::MAX);
    Finding::History(HistoryFact::HardBounce { age_days, source: remembered.source })
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use mailsonde_engine::{
        Check, Clock, Fault, FaultCause, HistoryError, HistorySource, Pipeline, Pure, Slot, Subject,
    };

    use super::*;

    /// Remembers by local part, and notes what it was asked.
    #[derive(Default)]
    struct Scripted {
        questions: Mutex<Vec<Vec<String>>>,
        is_away: bool,
    }

    impl History for Scripted {
        fn recall<'a>(
            &'a self,
            addresses: &'a [&'a Address],
        ) -> BoxFuture<'a, Result<Vec<Option<Remembered>>, HistoryError>> {
            Box::pin(async move {
                let question = addresses.iter().map(|address| address.as_str().to_owned()).collect();
                self.questions.lock().unwrap().push(question);
                if self.is_away {
                    return Err(HistoryError("the database is away".into()));
                }
                Ok(addresses.iter().map(|address| remembered(address.local())).collect())
            })
        }
    }

    fn remembered(local: &str) -> Option<Remembered> {
        let (source, seen_at) = match local {
            "bounced" => (HistorySource::Bounce, NOON - Duration::from_hours(71)),
            "refused" => (HistorySource::Probe, NOON - Duration::from_hours(72)),
            "tomorrow" => (HistorySource::Probe, NOON + Duration::from_hours(30)),
            _ => return None,
        };
        Some(Remembered { source, seen_at })
    }

    const NOON: SystemTime = SystemTime::UNIX_EPOCH;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> SystemTime {
            NOON
        }
    }

    /// Stands for syntax.
    struct Parts;

    impl Check for Parts {
        fn name(&self) -> &'static str {
            "parts"
        }

        fn check(&self, subject: &Subject, outcome: &mut Outcome) {
            if let Some((local, domain)) = subject.input().split_once('@') {
                outcome.resolved(Address::new(local, domain));
            }
        }
    }

    async fn run(history: &Arc<Scripted>, inputs: &[&str]) -> Vec<Vec<Finding>> {
        let stage = Recall::new(Config::default(), history.clone());
        let slots = vec![Slot::new(Arc::new(Pure(Parts))), Slot::new(Arc::new(stage))];
        let mut batch = Batch::new(inputs.iter().map(|input| Subject::new(*input)).collect());
        let cx = Context { clock: Arc::new(Noon), ..Context::within(Duration::from_secs(1)) };
        Pipeline::new("test", slots).unwrap().run(&cx, &mut batch).await;
        batch.subjects().iter().map(|subject| subject.findings().cloned().collect()).collect()
    }

    fn bounce(age_days: u32, source: HistorySource) -> Vec<Finding> {
        vec![Finding::History(HistoryFact::HardBounce { age_days, source })]
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_one_question_and_each_gets_its_own_answer() {
        let history = Arc::new(Scripted::default());
        let inputs =
            ["jane@one.test", "no address", "bounced@one.test", "refused@two.test", "tomorrow@one.test"];
        let found = run(&history, &inputs).await;
        let expected = [
            vec![],
            vec![],
            bounce(2, HistorySource::Bounce),
            bounce(3, HistorySource::Probe),
            bounce(0, HistorySource::Probe),
        ];
        assert_eq!(found, expected);
        let asked = ["jane@one.test", "bounced@one.test", "refused@two.test", "tomorrow@one.test"];
        assert_eq!(*history.questions.lock().unwrap(), [asked.map(String::from).to_vec()]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_no_address_is_not_asked_about() {
        let history = Arc::new(Scripted::default());
        assert_eq!(run(&history, &["no address"]).await, [vec![]]);
        assert!(history.questions.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_memory_that_is_away_costs_its_fact_and_nothing_else() {
        let history = Arc::new(Scripted { is_away: true, ..Scripted::default() });
        let found = run(&history, &["bounced@one.test", "no address"]).await;
        let [Finding::Fault(Fault { cause, message, lost })] = &found[0][..] else { panic!("{found:?}") };
        assert_eq!((*cause, &**lost), (FaultCause::Error, &[Box::from("history")][..]));
        assert_eq!(&**message, "nothing could be recalled: the database is away");
        assert_eq!(found[1], []);
    }
}
