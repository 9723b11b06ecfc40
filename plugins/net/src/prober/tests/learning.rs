//! What one prober learns and another one is told.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    budget::BudgetKey,
    learned::{Learned, Lesson},
    memory::Rest,
};

/// As a store keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    learned: Learned,
}

/// What is told by now.
fn told(lessons: &mut Lessons) -> Vec<Lesson> {
    std::iter::from_fn(|| lessons.next().now_or_never().flatten()).collect()
}

/// The same after it was kept.
fn kept(lesson: &Lesson) -> Learned {
    let text = toml::to_string(&Kept { learned: lesson.learned.clone() }).unwrap();
    toml::from_str::<Kept>(&text).unwrap().learned
}

fn kinds(lessons: &[Lesson]) -> Vec<&'static str> {
    lessons.iter().map(|lesson| lesson.learned.kind()).collect()
}

/// Everything that can be learned, as it comes up.
async fn learn_everything(prober: &SmtpProber) {
    let shared = &prober.0;
    let (google, host) = (BudgetKey::Operator("google"), Arc::from("mx"));
    let hosts = BudgetKey::of(&mx(&["mx"]));
    shared.memory.learn(&google, |manners| manners.one_domain = true);
    shared.memory.learn(&hosts, |manners| manners.recipients_per_session = Some(3));
    let refused = reading(&answer(prober, &["mx"]).await).clone();
    let why = Rest::Refused(Box::new(refused));
    shared.memory.rest(EgressId(0), &host, Some("rest.test"), Duration::from_mins(1), why);
    let silent = Rest::Failed(ProbeFailure::Timeout);
    shared.memory.rest(EgressId(0), &Arc::from("other"), None, Duration::from_mins(1), silent);
    shared.memory.catch_all.remember("all.test", "mx", true);
    shared.memory.keep_random("grey.test", &host, Some(Address::new("xyz123", "grey.test")));
    let share = shared.budget.share(EgressId(0), &google);
    let _open = (share.session().await, share.session().await, share.session().await);
    assert!(share.too_many_sessions());
    share.heard(Instant::now(), 90, 10);
}

#[tokio::test(start_paused = true)]
async fn a_prober_knows_what_another_one_has_learned() {
    let host = rcpt("550 5.7.1 our policy refuses you");
    let (first, second) = (one(&host), one(&host));
    let (mut lessons, mut echoes) = (first.learned(), second.learned());
    learn_everything(&first).await;
    let told = told(&mut lessons);
    assert_eq!(
        kinds(&told),
        ["manners", "manners", "rest", "rest", "catch_all", "random", "sessions", "pace"]
    );
    for lesson in &told {
        second.teach(kept(lesson), lesson.life);
    }
    let (google, mx_host) = (BudgetKey::Operator("google"), Arc::from("mx"));
    let knows = |prober: &SmtpProber| {
        let memory = &prober.0.memory;
        let share = prober.0.budget.share(EgressId(0), &google);
        (
            (memory.manners(&google), memory.manners(&BudgetKey::of(&mx(&["mx"])))),
            memory.resting(EgressId(0), &mx_host, "rest.test"),
            memory.resting(EgressId(0), &Arc::from("other"), "any.test"),
            memory.catch_all.recall("all.test", "mx"),
            memory.random("grey.test", &mx_host),
            share.sessions_max(),
        )
    };
    assert_eq!(knows(&first), knows(&second));
    assert_eq!(knows(&second).5, 2);
    let share = second.0.budget.share(EgressId(0), &google);
    assert_eq!(share.recipients(1_000), Ok(87));

    // Learning what it has been told is no news; nor is being told twice.
    second.0.memory.catch_all.remember("all.test", "mx", true);
    second.0.memory.learn(&google, |manners| manners.one_domain = true);
    assert_eq!(kinds(&super::learning::told(&mut echoes)), Vec::<&str>::new());

    second.0.memory.catch_all.forget("all.test", "mx");
    second.0.memory.keep_random("grey.test", &mx_host, None);
    let back = super::learning::told(&mut echoes);
    assert_eq!(kinds(&back), ["catch_all", "random"]);
    for lesson in &back {
        let earlier = told.iter().find(|earlier| earlier.learned.key() == lesson.learned.key()).unwrap();
        assert_eq!(earlier.learned.kind(), lesson.learned.kind(), "it takes the place of the other one");
        first.teach(kept(lesson), lesson.life);
    }
    assert_eq!((knows(&first).3, knows(&first).4), (None, None));
    assert_eq!(kinds(&super::learning::told(&mut lessons)), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refused_one_process_is_let_alone_by_the_other() {
    let host = Host::default().banner(Say::line("554 5.7.1 blocked using zen.spamhaus.org"));
    let (first, second) = (one(&host), one(&host));
    let mut lessons = first.learned();
    assert_eq!(class(&answer(&first, &["mx"]).await), ReplyClass::Blocked);
    for lesson in told(&mut lessons) {
        second.teach(kept(&lesson), lesson.life);
    }
    assert_eq!(class(&answer(&second, &["mx"]).await), ReplyClass::Blocked);
    assert_eq!(host.connections(), 1);
    tokio::time::sleep(config().cool_down).await;
    answer(&second, &["mx"]).await;
    assert_eq!(host.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_met_again_and_again_is_told_seldom() {
    let prober = one(&Host::default().pipelining());
    let mut lessons = prober.learned();
    for n in 0..50 {
        answers(&prober, ask(mx(&["mx"]), &[&format!("user{n}@example.org")])).await;
    }
    assert_eq!(kinds(&told(&mut lessons)), ["catch_all"]);
}

#[test]
fn no_lesson_shows_an_address() {
    let local = Some("xyz123".into());
    let random = Fact::Random { domain: "grey.test".into(), host: "mx".into(), local };
    let lesson = Lesson { learned: Learned(random), life: Duration::from_secs(1) };
    assert!(!format!("{lesson:?}").contains("xyz123"));
}

#[tokio::test(start_paused = true)]
async fn a_lesson_that_cannot_be_meant_does_no_harm() {
    let prober = one(&Host::default());
    let hour = Duration::from_hours(1);
    let random = |local: &str, domain: &str| Fact::Random {
        domain: domain.into(),
        host: "mx".into(),
        local: Some(local.into()),
    };
    for fact in [
        random("a>\r\nDATA", "grey.test"),
        random("", "grey.test"),
        Fact::Sessions { egress: EgressId(0), of: BudgetKey::Operator("google"), max: 0 },
        Fact::Pace { egress: EgressId(0), of: BudgetKey::Operator("google"), ceiling: 0 },
    ] {
        prober.teach(Learned(fact), hour);
    }
    assert_eq!(prober.0.memory.random("grey.test", &Arc::from("mx")), None);
    let share = prober.0.budget.share(EgressId(0), &BudgetKey::Operator("google"));
    assert_eq!((share.sessions_max(), share.recipients(100)), (1, Ok(6)));
    assert!(
        toml::from_str::<Kept>(
            "[learned]\nfact = 'pace'\negress = 0\nof = { operator = 'gogle' }\nceiling = 1"
        )
        .is_err()
    );
}
