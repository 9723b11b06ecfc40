//! What asks share: sessions, recipients, what was learned, and what becomes of it when one of them ends.

use super::*;

fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user{n}@example.org")).collect()
}

fn refs(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

/// A host that knows everybody called `user…`.
fn of_users() -> Host {
    Host::default().on("RCPT", |line| {
        Say::line(if line.contains("<user") { "250 2.1.5 Ok" } else { "550 5.1.1 User unknown" })
    })
}

#[tokio::test(start_paused = true)]
async fn asks_to_the_same_hosts_share_a_session() {
    let host = of_users().pipelining();
    let prober = one(&host);
    let (a, b) = (users(20), users(40));
    let (first, second) = tokio::join!(
        answers(&prober, ask(mx(&["mx"]), &refs(&a))),
        answers(&prober, ask(mx(&["mx"]), &refs(&b[20..])))
    );
    assert!(first.iter().chain(&second).all(|found| class(found) == ReplyClass::Accepted));
    assert_eq!((host.connections(), host.written().count("RCPT")), (1, 41));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_two_ask_about_is_asked_about_once() {
    let host = of_users();
    let prober = one(&host);
    let asked = || ask(mx(&["mx"]), &["user1@example.org", "user1@example.org"]);
    let (first, second) = tokio::join!(answers(&prober, asked()), answers(&prober, asked()));
    assert!(first.iter().chain(&second).all(|found| catch_all(found) == NO));
    assert_eq!(host.written().count("RCPT TO:<user1@"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_kept_for_whoever_comes_soon() {
    let host = of_users();
    let prober = one(&host);
    for n in 0..3 {
        answers(&prober, ask(mx(&["mx"]), &[&format!("user{n}@example.org")])).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!((host.connections(), host.written().count("MAIL")), (1, 1));
    sessions_end().await;
    assert_eq!(host.written().count("QUIT"), 1);
    assert_eq!(prober.sessions(), 0);
    answers(&prober, ask(mx(&["mx"]), &["user9@example.org"])).await;
    assert_eq!(host.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_kept_makes_room_for_others() {
    let (one, other) = (of_users(), of_users());
    let net = Net::default().host("one", "9.9.9.1", &one).host("other", "9.9.9.2", &other);
    let (prober, _) = prober_with(Config { sessions_max: 1, ..config() }, net);
    answers(&prober, ask(mx(&["one"]), &["user@one.test"])).await;
    let began = Instant::now();
    answers(&prober, ask(mx(&["other"]), &["user@other.test"])).await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_once_the_prober_closes() {
    let host = of_users();
    let prober = one(&host);
    answers(&prober, ask(mx(&["mx"]), &["user1@example.org"])).await;
    assert_eq!(prober.sessions(), 1);
    let began = Instant::now();
    prober.close().await;
    assert_eq!((prober.sessions(), began.elapsed()), (0, Duration::ZERO));
    assert_eq!(host.written().count("QUIT"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_takes_only_his_own_recipients_along() {
    let host = of_users().on("RCPT", |_| Say::after(Duration::from_secs(1), "250 ok"));
    let (prober, _) = prober_with(
        Config { sessions_per_mx_max: 1, ..config() },
        Net::default().host("mx", "9.9.9.9", &host),
    );
    let (a, b) = (users(20), ["user1@example.org", "joe@example.org"]);
    let leaves = prober.ask(ask(mx(&["mx"]), &refs(&a)));
    let stays = prober.ask(ask(mx(&["mx"]), &b));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    drop(leaves);
    let mut stays = stays;
    let mut heard = 0;
    while stays.recv().await.is_some() {
        heard += 1;
    }
    assert_eq!((heard, host.connections()), (2, 1));
    assert!(host.written().count("RCPT") <= 6, "{:?}", host.written().lines());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_us_is_let_alone_for_a_while() {
    let host = Host::default().banner(Say::line("554 5.7.1 blocked using zen.spamhaus.org"));
    let prober = one(&host);
    for _ in 0..3 {
        let found = answer(&prober, &["mx"]).await;
        assert_eq!(class(&found), ReplyClass::Blocked);
        assert_eq!(host.connections(), 1);
    }
    tokio::time::sleep(config().cool_down).await;
    answer(&prober, &["mx"]).await;
    assert_eq!(host.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_refuses_us_costs_its_neighbours_nothing() {
    let host = of_users().pipelining().on("RCPT", |line| {
        Say::line(match (line.contains("@closed.test"), line.contains("<user")) {
            (true, _) => "550 5.7.1 our policy refuses you",
            (false, true) => "250 ok",
            (false, false) => "550 5.1.1 unknown",
        })
    });
    let prober = one(&host);
    let closed: Vec<String> = (0..30).map(|n| format!("user{n}@closed.test")).collect();
    let open: Vec<String> = (0..30).map(|n| format!("user{n}@open.test")).collect();
    let all: Vec<&str> = closed.iter().chain(&open).map(String::as_str).collect();
    let found = answers(&prober, ask(mx(&["mx"]), &all)).await;
    assert!(found[..30].iter().all(|found| class(found) == ReplyClass::Policy));
    assert!(found[30..].iter().all(|found| class(found) == ReplyClass::Accepted));
    assert!(host.written().lines().iter().filter(|line| line.contains("@closed.test")).count() < 20);
}

#[tokio::test(start_paused = true)]
async fn one_session_too_many_is_one_less_from_then_on() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let open = Arc::new(AtomicUsize::new(0));
    let (arrives, leaves) = (open.clone(), open.clone());
    let host = Host::default()
        .on("EHLO", move |_| {
            if arrives.fetch_add(1, Relaxed) == 2 {
                return Say::closing("421 4.7.0 too many connections");
            }
            Say::line("250 mx")
        })
        .on("QUIT", move |_| {
            leaves.fetch_sub(1, Relaxed);
            Say::closing("221 bye")
        })
        .on("RCPT", |_| Say::after(Duration::from_secs(1), "250 ok"));
    let config = Config { sessions_per_mx_max: 8, ..config() };
    let (prober, _) = prober_with(config, Net::default().host("mx", "9.9.9.9", &host));
    let all = users(40);
    let found = answers(&prober, ask(mx(&["mx"]), &refs(&all))).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::Accepted));
    assert_eq!(host.connections(), 3, "two that work and the one that was refused");
}

#[tokio::test(start_paused = true)]
async fn a_pace_that_is_refused_is_kept_to() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let minute = Arc::new((AtomicUsize::new(0), std::sync::Mutex::new(Instant::now())));
    let (counts, refused) = (minute.clone(), Arc::new(AtomicUsize::new(0)));
    let refusals = refused.clone();
    let host = of_users().pipelining().on("RCPT", move |line| {
        let mut since = counts.1.lock().unwrap();
        if since.elapsed() >= Duration::from_mins(1) {
            *since = Instant::now();
            counts.0.store(0, Relaxed);
        }
        if counts.0.fetch_add(1, Relaxed) >= 30 {
            refusals.fetch_add(1, Relaxed);
            return Say::line("450 4.7.1 too many recipients from you");
        }
        Say::line(if line.contains("<user") { "250 ok" } else { "550 5.1.1 unknown" })
    });
    let prober = one(&host);
    let all = users(150);
    let patient = Ask { deadline: Instant::now() + Duration::from_mins(20), ..ask(mx(&["mx"]), &refs(&all)) };
    let began = Instant::now();
    let found = answers(&prober, patient).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::Accepted));
    assert!(began.elapsed() < Duration::from_mins(8), "{:?}", began.elapsed());
    assert!(refused.load(Relaxed) < 60, "{}", refused.load(Relaxed));
}

#[tokio::test(start_paused = true)]
async fn five_silent_operators_mean_that_we_are_not_heard() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let net =
        names.iter().zip(1..).fold(Net::default(), |net, (name, n)| net.silent(name, &format!("9.9.9.{n}")));
    let (prober, net) = prober_with(config(), net);
    let asks: Vec<_> = names[..5].iter().map(|name| prober.ask(ask(mx(&[name]), &["jane@x.test"]))).collect();
    for mut receiver in asks {
        assert!(matches!(receiver.recv().await.unwrap().answer, Answer::Failed(_)));
    }
    assert!(prober.outage().is_some());
    let dialled = net.dialled().len();
    assert_eq!(answer(&prober, &["f"]).await, Answer::Failed(ProbeFailure::EgressDown));
    assert_eq!(net.dialled().len(), dialled, "nobody else is tried");
}

#[tokio::test(start_paused = true)]
async fn who_is_put_off_is_asked_about_with_the_same_stranger() {
    let host = Host::default().on("RCPT", |_| Say::line("450 4.2.0 Greylisted"));
    let prober = one(&host);
    for _ in 0..2 {
        assert_eq!(class(&answer(&prober, &["mx"]).await), ReplyClass::Greylisted);
        sessions_end().await;
    }
    let strangers: std::collections::BTreeSet<String> = host
        .written()
        .lines()
        .into_iter()
        .filter(|l| l.starts_with("RCPT") && !l.contains("<jane@"))
        .collect();
    assert_eq!(strangers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn few_recipients_take_the_random_one_along() {
    let host = of_users().pipelining();
    answers(&one(&host), ask(mx(&["mx"]), &["user1@example.org"])).await;
    let lines = host.written().lines();
    assert!(lines[2].contains("<user1@") && lines[3].starts_with("RCPT"), "{lines:?}");

    // Many wait until somebody is accepted.
    let host = Host::knowing(&[]).pipelining();
    let all = users(9);
    answers(&one(&host), ask(mx(&["mx"]), &refs(&all))).await;
    assert_eq!(host.written().count("RCPT"), 9);
}

#[tokio::test(start_paused = true)]
async fn candidates_are_few_at_a_time() {
    let host = Host::knowing(&["c5"]).pipelining();
    let all: Vec<String> = (0..20).map(|n| format!("c{n}@example.org")).collect();
    let first = Ask { stop: Stop::FirstAccepted, ..ask(mx(&["mx"]), &refs(&all)) };
    let found = answers(&one(&host), first).await;
    assert_eq!((class(&found[5]), catch_all(&found[5])), (ReplyClass::Accepted, NO));
    assert!(found[6..].iter().all(|found| *found == Answer::Failed(ProbeFailure::NotProbed)));
    assert_eq!(host.connections(), 1);
    assert!(host.written().count("RCPT") <= 8, "{:?}", host.written().lines());
}
