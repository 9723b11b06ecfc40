//! SMTP probe: would a mail host accept a message for the address? Asked up to RCPT; no mail is ever sent.
//!
//! The stage groups the subjects of a batch by their mail hosts, hands each group to the process's [`Prober`] as one
//! ask, and settles each subject as its answer arrives. A person's candidates are an ask of their own, which ends with the
//! first that is accepted. It speaks no SMTP, reads no replies and knows no sockets:
//! all that is behind the trait. A subject whose answer does not come is left to the pipeline, which calls it a fault.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use futures_util::{
    Stream, StreamExt,
    stream::{poll_fn, select_all},
};
use mailsonde_engine::{
    Answer, Answered, Ask, Batch, BoxFuture, CatchAll, Context, Deferral, EgressId, Facts, Finding, MailHost,
    MailRoute, MxSet, Outcome, ProbeFailure, Prober, Reading, Reason, ReplyClass, Stage, StageError, Stop,
    Subject, SubjectId,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What the prober gets less than there is, so that its last answers are here before the slot's time is up.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// Wait after others came first: sessions and recipients a minute are free again within it.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// The longest wait that a host can ask of us.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Options of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Wait after a greylisting host that does not say how long it wants.
    #[serde(with = "humantime_serde")]
    pub greylist_wait: Duration,
    /// Wait after a host that is busy, has trouble of its own, or wants us to slow down.
    #[serde(with = "humantime_serde")]
    pub busy_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        // postgrey's default delay, which most others share.
        Self { greylist_wait: Duration::from_mins(5), busy_wait: Duration::from_mins(2) }
    }
}

/// The stage.
pub struct SmtpProbe {
    config: Config,
    prober: Arc<dyn Prober>,
}

/// Subjects whose domains have the same mail hosts.
struct Group {
    ask: Ask,
    /// By index in [`Ask::recipients`].
    subjects: Vec<SubjectId>,
}

/// Where a subject's question goes.
enum Way {
    To(MxSet),
    /// It cannot be asked.
    Failed(ProbeFailure),
    /// There is nothing to ask.
    Nothing,
}

/// When the prober has to be done.
fn answers_due(deadline: Instant) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    // Of very little time, half is left.
    now + left.saturating_sub(ANSWER_MARGIN).max(left / 2)
}

/// The questions of a batch; subjects without one are settled at once.
fn group(cx: &Context, batch: &mut Batch) -> Vec<Group> {
    let deadline = answers_due(cx.deadline);
    let mut groups: Vec<Group> = Vec::new();
    let mut positions: HashMap<(MxSet, Option<EgressId>, Option<SubjectId>), usize> = HashMap::new();
    let ways: Vec<_> = batch.open().map(|(id, subject)| (id, way(subject))).collect();
    for (id, way) in ways {
        let mx = match way {
            Way::To(mx) => mx,
            Way::Failed(failure) => {
                batch.settle(id, Outcome::of([Finding::ProbeFailed(failure)]));
                continue;
            }
            Way::Nothing => {
                batch.settle(id, Outcome::default());
                continue;
            }
        };
        // A host that asked us to come back knows us by this identity.
        let egress = batch.subject(id).earlier().map(|earlier| earlier.egress);
        let person = batch.subject(id).person();
        let position = *positions.entry((mx, egress, person)).or_insert_with_key(|(mx, egress, person)| {
            let (mx, egress) = (mx.clone(), *egress);
            let stop = if person.is_some() { Stop::FirstAccepted } else { Stop::All };
            let ask = Ask { mx, recipients: Vec::new(), stop, deadline, egress };
            groups.push(Group { ask, subjects: Vec::new() });
            groups.len() - 1
        });
        groups[position].ask.recipients.extend(batch.subject(id).address().cloned());
        groups[position].subjects.push(id);
    }
    groups
}

impl SmtpProbe {
    /// The stage with the process's prober.
    pub fn new(config: Config, prober: Arc<dyn Prober>) -> Self {
        Self { config, prober }
    }

    /// Asks, and gives out answers by subject.
    fn ask(&self, group: Group) -> Pin<Box<dyn Stream<Item = (SubjectId, Answered)> + Send>> {
        let Group { ask, subjects } = group;
        let mut answers = self.prober.ask(ask);
        let answered = move |answered: Answered| Some((*subjects.get(answered.recipient)?, answered));
        poll_fn(move |cx| answers.poll_recv(cx))
            .filter_map(move |next| std::future::ready(answered(next)))
            .boxed()
    }

    fn outcome(&self, answered: Answered) -> Outcome {
        let (reading, catch_all) = match answered.answer {
            Answer::Failed(failure) => {
                let mut outcome = Outcome::of([Finding::ProbeFailed(failure)]);
                let wait = match failure {
                    // Perhaps another way out is open by then.
                    ProbeFailure::EgressDown => Some(self.config.busy_wait),
                    ProbeFailure::NotItsTurn => Some(TURN_WAIT),
                    _ => None,
                };
                if let Some(wait) = wait {
                    outcome.defer(Deferral { wait, egress: answered.egress });
                }
                return outcome;
            }
            Answer::Replied { reading, catch_all } => (reading, catch_all),
        };
        let wait = self.wait(&reading, catch_all.as_ref());
        let mut outcome = Outcome::of([Finding::Reply(reading)]);
        if let Some(catch_all) = catch_all {
            outcome.found(Finding::CatchAll(catch_all));
        }
        if let Some(wait) = wait {
            outcome.defer(Deferral { wait, egress: answered.egress });
        }
        outcome
    }

    /// How long to wait before asking again, when another time may tell more.
    fn wait(&self, reading: &Reading, catch_all: Option<&CatchAll>) -> Option<Duration> {
        match reading.class {
            ReplyClass::Greylisted => Some(stated_wait(&reading.text).unwrap_or(self.config.greylist_wait)),
            ReplyClass::Rate | ReplyClass::Temporary if reading.code < 500 => Some(self.config.busy_wait),
            // The host does not know the random recipient yet.
            _ if catch_all == Some(&CatchAll::Unknown { reason: Reason::Greylisted }) => {
                Some(self.config.greylist_wait)
            }
            _ => None,
        }
    }
}

impl Stage for SmtpProbe {
    fn name(&self) -> &'static str {
        "smtp-probe"
    }

    fn facts(&self) -> Facts {
        Facts::new(&["dns.route"], &["smtp.reply", "smtp.catch_all", "smtp.failed"])
    }

    fn run<'a>(&'a self, cx: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let groups = group(cx, batch);
            let mut answers = select_all(groups.into_iter().map(|group| self.ask(group)));
            while let Some((id, answered)) = answers.next().await {
                batch.settle(id, self.outcome(answered));
            }
            Ok(())
        })
    }
}

fn way(subject: &Subject) -> Way {
    let Some(address) = subject.address() else { return Way::Nothing };
    if address.is_literal() {
        // It names a machine, not a domain whose owner published a mail host.
        return Way::Failed(ProbeFailure::MxNotAllowed);
    }
    match subject.route().map(|route| &**route) {
        Some(MailRoute::Mx { hosts, .. }) => Way::To(hosts.as_slice().into()),
        Some(MailRoute::Implicit) => {
            Way::To([MailHost { preference: 0, name: address.domain().into() }].into())
        }
        Some(MailRoute::NullMx | MailRoute::NoMail | MailRoute::NoDomain) => Way::Nothing,
        Some(MailRoute::Unanswered { .. }) | None => Way::Failed(ProbeFailure::DnsFailure),
    }
}

/// The wait that a text names: "Greylisted for 300 seconds", "try again in 4 minutes 30 sec".
fn stated_wait(text: &str) -> Option<Duration> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut seconds: Option<u64> = None;
    for pair in words.windows(2) {
        let Ok(number) = pair[0].parse::<u32>() else { continue };
        let unit = match pair[1].to_ascii_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            _ => continue,
        };
        seconds = Some(seconds.unwrap_or(0) + u64::from(number) * unit);
    }
    let stated = Duration::from_secs(seconds.filter(|seconds| *seconds > 0)?);
    Some(stated.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, sync::Mutex};

    use mailsonde_engine::{
        Address, Answers, CatchAllSource, Check, DialogueStage, FaultCause, LookupFailure, Pipeline, Pure,
        Slot, Strength,
    };
    use tokio::sync::mpsc;

    use super::*;

    /// Answers each recipient by its local part, and remembers what it was asked.
    #[derive(Default)]
    struct Scripted {
        asks: Mutex<Vec<Ask>>,
    }

    impl Prober for Scripted {
        fn ask(&self, ask: Ask) -> Answers {
            let (sender, answers) = mpsc::unbounded_channel();
            self.asks.lock().unwrap().push(ask.clone());
            tokio::spawn(async move {
                for (recipient, address) in ask.recipients.iter().enumerate().rev() {
                    let answer = match address.local() {
                        "slow" => {
                            tokio::time::sleep_until(ask.deadline).await;
                            Answer::Failed(ProbeFailure::Timeout)
                        }
                        "queued" => {
                            tokio::time::sleep_until(ask.deadline).await;
                            Answer::Failed(ProbeFailure::NotItsTurn)
                        }
                        "refused" => Answer::Failed(ProbeFailure::ConnectionRefused),
                        "grey" => replied(ReplyClass::Greylisted, "Greylisted for 90 seconds", None),
                        "mute" => replied(ReplyClass::Greylisted, "come back later", None),
                        "greyish" => {
                            let unknown = CatchAll::Unknown { reason: Reason::Greylisted };
                            replied(ReplyClass::Accepted, "ok", Some(unknown))
                        }
                        "lost" => continue,
                        _ => {
                            let no = CatchAll::No { source: CatchAllSource::Session };
                            replied(ReplyClass::Accepted, "ok", Some(no))
                        }
                    };
                    let egress = EgressId(7);
                    if sender.send(Answered { recipient, answer, egress }).is_err() {
                        return;
                    }
                }
            });
            answers
        }
    }

    fn replied(class: ReplyClass, text: &str, catch_all: Option<CatchAll>) -> Answer {
        let reading = Reading {
            class,
            strength: Strength::Code,
            rule: Cow::Borrowed("test"),
            stage: DialogueStage::Rcpt,
            code: 250,
            enhanced: None,
            text: text.into(),
            host: "mx.test".into(),
            agreed: false,
        };
        Answer::Replied { reading: Box::new(reading), catch_all }
    }

    /// Stands for syntax and dns: the domain's name says which route it has.
    struct Routes;

    impl Check for Routes {
        fn name(&self) -> &'static str {
            "routes"
        }

        fn facts(&self) -> Facts {
            Facts::new(&[], &["dns.route"])
        }

        fn check(&self, subject: &Subject, outcome: &mut Outcome) {
            let Some((local, domain)) = subject.input().rsplit_once('@') else { return };
            let mx = |name: &str| MailRoute::Mx {
                hosts: vec![MailHost { preference: 10, name: name.into() }],
                beside_null: false,
            };
            let route = match domain {
                "implicit.test" => MailRoute::Implicit,
                "null.test" => MailRoute::NullMx,
                "nomail.test" => MailRoute::NoMail,
                "gone.test" => MailRoute::NoDomain,
                "dns.test" => MailRoute::Unanswered { failure: LookupFailure::ServerFailure },
                "own.test" => mx("mx.own.test"),
                _ => mx("mx.shared.test"),
            };
            outcome.resolved(Address::new(local, domain));
            if domain != "noroute.test" && !domain.starts_with('[') {
                outcome.found(Finding::Route(Arc::new(route)));
            }
        }
    }

    async fn run_in(config: Config, cx: Context, inputs: &[&str]) -> (Vec<Subject>, Vec<Ask>) {
        let prober = Arc::new(Scripted::default());
        let stage = SmtpProbe::new(config, prober.clone());
        let slots = vec![Slot::new(Arc::new(Pure(Routes))), Slot::new(Arc::new(stage))];
        let pipeline = Pipeline::new("test", slots).unwrap();
        let mut batch = Batch::new(inputs.iter().map(|input| Subject::new(*input)).collect());
        pipeline.run(&cx, &mut batch).await;
        let asks = prober.asks.lock().unwrap().drain(..).collect();
        (batch.into_subjects(), asks)
    }

    async fn run(inputs: &[&str]) -> (Vec<Subject>, Vec<Ask>) {
        run_in(Config::default(), Context::within(Duration::from_secs(30)), inputs).await
    }

    /// The findings of this stage.
    fn found(subject: &Subject) -> Vec<&Finding> {
        subject.recorded().iter().filter(|r| &*r.stage == "smtp-probe").map(|r| &r.finding).collect()
    }

    fn keys(subject: &Subject) -> Vec<&str> {
        found(subject).into_iter().map(Finding::key).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn subjects_with_the_same_hosts_are_one_ask() {
        let (subjects, asks) = run(&["a@one.test", "b@own.test", "c@two.test", "d@implicit.test"]).await;
        let asked: Vec<(Vec<&str>, Vec<&str>)> = asks
            .iter()
            .map(|ask| {
                let hosts = ask.mx.iter().map(|host| &*host.name).collect();
                (hosts, ask.recipients.iter().map(Address::as_str).collect())
            })
            .collect();
        assert_eq!(
            asked,
            [
                (vec!["mx.shared.test"], vec!["a@one.test", "c@two.test"]),
                (vec!["mx.own.test"], vec!["b@own.test"]),
                (vec!["implicit.test"], vec!["d@implicit.test"]),
            ]
        );
        assert!(subjects.iter().all(|subject| keys(subject) == ["smtp.reply", "smtp.catch_all"]));
        assert!(asks.iter().all(|ask| ask.stop == Stop::All && ask.egress.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_where_dns_has_said_it() {
        let (subjects, asks) = run(&["a@null.test", "a@nomail.test", "a@gone.test", "no address"]).await;
        assert!(asks.is_empty());
        assert!(subjects.iter().all(|subject| found(subject).is_empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_asked_is_a_failure() {
        let inputs = ["a@dns.test", "a@noroute.test", "a@[192.0.2.1]", "refused@one.test"];
        let (subjects, asks) = run(&inputs).await;
        assert_eq!(asks.len(), 1);
        let failures = [
            ProbeFailure::DnsFailure,
            ProbeFailure::DnsFailure,
            ProbeFailure::MxNotAllowed,
            ProbeFailure::ConnectionRefused,
        ];
        for (subject, failure) in subjects.iter().zip(failures) {
            assert_eq!(found(subject), [&Finding::ProbeFailed(failure)], "{}", subject.input());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn greylisting_defers() {
        let (subjects, _) =
            run(&["grey@one.test", "mute@one.test", "greyish@one.test", "fine@one.test"]).await;
        let waits: Vec<_> =
            subjects.iter().map(|s| s.deferral().map(|deferral| deferral.wait.as_secs())).collect();
        assert_eq!(waits, [Some(90), Some(300), Some(300), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_arrive_before_the_deadline() {
        let (subjects, asks) = run(&["slow@one.test", "fine@one.test"]).await;
        assert_eq!(found(&subjects[0]), [&Finding::ProbeFailed(ProbeFailure::Timeout)]);
        assert_eq!(keys(&subjects[1]), ["smtp.reply", "smtp.catch_all"]);
        assert_eq!(asks.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_had_no_turn_is_no_fault_and_comes_back_as_before() {
        let (subjects, _) = run(&["queued@one.test", "fine@one.test"]).await;
        assert_eq!(found(&subjects[0]), [&Finding::ProbeFailed(ProbeFailure::NotItsTurn)]);
        assert_eq!(subjects[0].deferral(), Some(Deferral { wait: TURN_WAIT, egress: EgressId(7) }));
        assert_eq!(keys(&subjects[1]), ["smtp.reply", "smtp.catch_all"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_goes_out_as_before() {
        let (subjects, _) = run(&["grey@one.test", "fine@one.test"]).await;
        let prober = Arc::new(Scripted::default());
        let mut stage_batch = Batch::new(subjects.iter().map(Subject::again).collect());
        let stage = SmtpProbe::new(Config::default(), prober.clone());
        let slots = vec![Slot::new(Arc::new(Pure(Routes))), Slot::new(Arc::new(stage))];
        let cx = Context { attempt: 1, ..Context::within(Duration::from_secs(30)) };
        Pipeline::new("test", slots).unwrap().run(&cx, &mut stage_batch).await;
        let egresses: Vec<_> = prober.asks.lock().unwrap().iter().map(|ask| ask.egress).collect();
        assert_eq!(egresses, [Some(EgressId(7)), None], "who was not put off goes out as it may");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_a_fault_of_that_subject_alone() {
        let (subjects, _) = run(&["lost@one.test", "fine@one.test"]).await;
        let [Finding::Fault(fault)] = found(&subjects[0])[..] else { panic!("no fault") };
        assert_eq!(fault.cause, FaultCause::Unsettled);
        assert!(fault.lost.iter().any(|key| **key == *"smtp.reply"));
        assert_eq!(keys(&subjects[1]), ["smtp.reply", "smtp.catch_all"]);
    }

    #[test]
    fn waits_are_read_where_they_are_stated() {
        for (text, seconds) in [
            ("Greylisted for 300 seconds", Some(300)),
            ("4.7.1 Greylisting in action, please come back in 5 minutes", Some(300)),
            ("try again in 4 min 35 sec", Some(275)),
            ("retry in 1 hour", Some(3600)),
            ("retry in 999999 hours", Some(3600)),
            ("retry in 0 seconds", None),
            ("450 4.2.0 greylisted", None),
            ("retry in 99999999999999999999 seconds", None),
            ("", None),
        ] {
            assert_eq!(stated_wait(text), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
