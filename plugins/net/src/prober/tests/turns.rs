//! Whose time runs out while others come first.

use super::*;

const NOT_ITS_TURN: Answer = Answer::Failed(ProbeFailure::NotItsTurn);
const TIMEOUT: Answer = Answer::Failed(ProbeFailure::Timeout);

fn slow() -> Host {
    Host::default().on("RCPT", |_| Say::after(Duration::from_secs(5), "250 ok"))
}

fn within(seconds: u64, ask: Ask) -> Ask {
    Ask { deadline: Instant::now() + Duration::from_secs(seconds), ..ask }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_place_is_told_so_and_not_that_the_host_is_silent() {
    let other = Host::default();
    let net = Net::default().host("slow", "9.9.9.1", &slow()).host("other", "9.9.9.2", &other);
    let (prober, _) = prober_with(Config { sessions_max: 1, ..config() }, net);
    let all: Vec<String> = (0..20).map(|n| format!("user{n}@slow.test")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let first = prober.ask(ask(mx(&["slow"]), &all));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found = answers(&prober, within(10, ask(mx(&["other"]), &["user@other.test"]))).await;
    assert_eq!((found, other.connections()), (vec![NOT_ITS_TURN], 0));
    drop(first);
    assert_eq!(class(&answer(&prober, &["other"]).await), ReplyClass::Accepted);
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_about_has_had_its_turn() {
    let (prober, _) = prober_with(
        Config { sessions_per_mx_max: 1, ..config() },
        Net::default().host("mx", "9.9.9.9", &Host::default().on("RCPT", |_| Say::Nothing)),
    );
    let found = answers(&prober, within(5, ask(mx(&["mx"]), &["user1@a.test", "user2@a.test"]))).await;
    assert_eq!(found, [TIMEOUT, NOT_ITS_TURN]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_silent_however_short_the_time() {
    let hangs = Host::default().banner(Say::Nothing);
    for net in [Net::default().silent("mx", "9.9.9.9"), Net::default().host("mx", "9.9.9.9", &hangs)] {
        let found = answers(&prober(net), within(3, ask(mx(&["mx"]), &["user@a.test"]))).await;
        assert_eq!(found, [TIMEOUT]);
    }
    // The first is silent, and no time is left for the second.
    let net = Net::default().silent("a", "9.9.9.1").silent("b", "9.9.9.2");
    let found = answers(&prober(net), within(7, ask(mx(&["a", "b"]), &["user@a.test"]))).await;
    assert_eq!(found, [TIMEOUT]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_pace_had_no_turn() {
    let host = Host::default().pipelining();
    let (prober, _) = prober_with(
        Config { recipients_per_minute: 5, ..config() },
        Net::default().host("mx", "9.9.9.9", &host),
    );
    let all: Vec<String> = (0..10).map(|n| format!("user{n}@a.test")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let found = answers(&prober, within(20, ask(mx(&["mx"]), &all))).await;
    let turns = found.iter().filter(|found| **found == NOT_ITS_TURN).count();
    assert!((5..9).contains(&turns), "{found:?}");
    assert!(!found.contains(&TIMEOUT), "{found:?}");
}
