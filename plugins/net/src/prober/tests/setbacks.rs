//! When things go wrong: it costs whom it is about, ends by itself, and never makes a live mailbox dead.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;

fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user{n}@example.org")).collect()
}

async fn all_users(prober: &SmtpProber, hosts: &[&str], count: usize) -> Vec<Answer> {
    let all = users(count);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    answers(prober, ask(mx(hosts), &all)).await
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_up_at_everybody_is_tried_three_times() {
    let host = Host::default().on("RCPT", |_| Say::closing("421 4.3.2 not now"));
    let found = all_users(&one(&host), &["mx"], 100).await;
    assert_eq!(host.connections(), 3);
    assert!(
        !found.iter().any(|found| matches!(found, Answer::Replied { reading, .. } if reading.code >= 500))
    );
}

#[tokio::test(start_paused = true)]
async fn a_yes_in_the_wrong_place_is_no_acceptance() {
    for host in [
        Host::default().on("MAIL", |_| Say::line("220 ok")),
        Host::default().banner(Say::line("250 ok")),
        Host::default().on("EHLO", |_| Say::line("220 ok")),
    ] {
        assert_eq!(answer(&one(&host), &["mx"]).await, Answer::Failed(ProbeFailure::ProtocolError));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_turns_against_us_kills_nobody() {
    // Twenty are accepted; then everybody is refused without a word.
    let heard = AtomicUsize::new(0);
    let host = Host::default().pipelining().on("RCPT", move |line| {
        let is_open = heard.fetch_add(1, Relaxed) < 20;
        Say::line(match (is_open, line.contains("<user")) {
            (true, true) => "250 ok",
            (true, false) => "550 5.1.1 unknown",
            _ => "550 Requested action not taken",
        })
    });
    let found = all_users(&one(&host), &["mx"], 40).await;
    assert!(!found.iter().any(|found| matches!(found, Answer::Replied { reading, .. } if reading.agreed)));
}

#[tokio::test(start_paused = true)]
async fn a_second_session_that_fails_takes_nothing_from_the_first() {
    let opened = AtomicUsize::new(0);
    let host = Host::default()
        .on(
            "EHLO",
            move |_| if opened.fetch_add(1, Relaxed) == 0 { Say::line("250 mx") } else { Say::Nothing },
        )
        .on("RCPT", |_| Say::after(Duration::from_millis(300), "250 ok"));
    let found = all_users(&one(&host), &["mx"], 60).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::Accepted));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_kept_at_the_next_host_is_used_at_once() {
    let busy = rcpt("451 4.3.0 trouble");
    let good = Host::knowing(&["user0", "user1"]);
    let (prober, _) =
        prober_with(config(), Net::default().host("a", "9.9.9.1", &busy).host("b", "9.9.9.2", &good));
    let began = Instant::now();
    for local in ["user0", "user1"] {
        let found = answers(&prober, ask(mx(&["a", "b"]), &[&format!("{local}@example.org")])).await;
        assert_eq!(class(&found[0]), ReplyClass::Accepted);
    }
    assert_eq!((busy.connections(), good.connections(), began.elapsed()), (1, 1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_refuses_us_is_let_alone_each_time() {
    let host = rcpt("550 5.7.1 our policy refuses you").pipelining();
    let prober = one(&host);
    for round in 1..4 {
        all_users(&prober, &["mx"], 60).await;
        assert!(host.written().count("RCPT") <= round * 9);
        tokio::time::sleep(config().cool_down).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_recipient_costs_only_itself() {
    let host = Host::knowing(&["user"]).on("RCPT TO:<slow@", |_| Say::Nothing);
    let recipients = ["slow@example.org", "user@example.org", "gone@example.org"];
    let found = answers(&one(&host), ask(mx(&["mx"]), &recipients)).await;
    assert_eq!(found[0], Answer::Failed(ProbeFailure::Timeout));
    assert_eq!(class(&found[1]), ReplyClass::Accepted);
    assert_eq!(class(&found[2]), ReplyClass::NoSuchMailbox);
}
