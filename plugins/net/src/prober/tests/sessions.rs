//! How long sessions last, and what is said in them.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_that_is_cut_goes_on_in_another_one() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    for cut in [Say::closing("421 4.3.2 shutting down"), Say::Close] {
        let asked = AtomicUsize::new(0);
        let host = Host::default().on("RCPT", move |line| match asked.fetch_add(1, Relaxed) {
            2 => cut.clone(),
            _ => Say::line(if line.contains("<user") { "250 ok" } else { "550 5.1.1 no such user" }),
        });
        let users: Vec<String> = (0..5).map(|n| format!("user{n}@example.org")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let found = answers(&one(&host), ask(mx(&["mx"]), &users)).await;
        assert!(found.iter().all(|found| class(found) == ReplyClass::Accepted));
        // Once is no limit yet.
        assert_eq!(host.connections(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_keeps_hanging_up_is_left_alone() {
    let host = Host::default().on("RCPT", |_| Say::closing("421 4.7.0 go away"));
    let found = answer(&one(&host), &["mx"]).await;
    assert_eq!((reading(&found).code, class(&found)), (421, ReplyClass::Rate));
    assert_eq!(host.connections(), 3);

    let silent = Host::default().on("RCPT", |_| Say::Close);
    assert_eq!(answer(&one(&silent), &["mx"]).await, Answer::Failed(ProbeFailure::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_one_recipient_is_learned() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let named = Arc::new(AtomicUsize::new(0));
    let reset = named.clone();
    let host = Host::knowing(&["a", "b", "c"]).on("EHLO", move |_| {
        reset.store(0, Relaxed);
        Say::line("250 mx")
    });
    let strict = host.clone().on("RCPT", move |line| {
        let known = ["<a@", "<b@", "<c@"].iter().any(|local| line.contains(local));
        Say::line(match (named.fetch_add(1, Relaxed), known) {
            (0, true) => "250 ok",
            (0, false) => "550 5.1.1 no such user",
            _ => "452 4.5.3 Too many recipients",
        })
    });
    let found =
        answers(&one(&strict), ask(mx(&["mx"]), &["a@example.org", "b@example.org", "c@example.org"])).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::Accepted));
    assert!(found.iter().all(|found| catch_all(found) == NO_FROM_CACHE), "each had a session of its own");
    assert_eq!(strict.connections(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_before_too_many_are_refused() {
    let host = Host::knowing(&[]);
    let users: Vec<String> = (0..30).map(|n| format!("user{n}@example.org")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let found = answers(&one(&host), ask(mx(&["mx"]), &users)).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::NoSuchMailbox));
    assert_eq!(host.connections(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_us_at_every_recipient_is_not_asked_about_all() {
    let host = rcpt("554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org");
    let users: Vec<String> = (0..100).map(|n| format!("user{n}@example.org")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let found = answers(&one(&host), ask(mx(&["mx"]), &users)).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::Blocked));
    // Five, and those that other sessions had in flight.
    assert!(host.written().count("RCPT") <= 6);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_recipients_take_ten_sessions_and_one_random_recipient() {
    let host = Host::default().on("RCPT", |line| {
        Say::line(if line.contains("<user") { "250 ok" } else { "550 5.1.1 no such user" })
    });
    let users: Vec<String> = (0..1_000).map(|n| format!("user{n}@example.org")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let found = answers(&one(&host), ask(mx(&["mx"]), &users)).await;
    assert!(found.iter().all(|found| class(found) == ReplyClass::Accepted));
    assert!(found.iter().all(|found| [NO, NO_FROM_CACHE].contains(&catch_all(found))));
    assert!(found.iter().filter(|found| catch_all(found) == NO).count() >= 9);
    assert_eq!(
        (host.connections(), host.written().count("RCPT"), host.written().count("MAIL")),
        (10, 1_001, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn the_null_sender_asks_few_in_a_session() {
    let host = Host::default();
    let (prober, _) = prober_with(
        Config { mail_from: String::new(), ..config() },
        Net::default().host("mx", "9.9.9.9", &host),
    );
    let users: Vec<String> = (0..20).map(|n| format!("user{n}@example.org")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    assert_eq!(answers(&prober, ask(mx(&["mx"]), &users)).await.len(), 20);
    assert_eq!(host.connections(), 3);
    assert_eq!(host.written().count("MAIL FROM:<>"), 21);
}

#[tokio::test(start_paused = true)]
async fn replies_that_say_nothing_of_the_mailbox_are_handed_on() {
    for (text, class_of) in [
        ("450 4.2.0 <jane@example.org>: Greylisted for 300 seconds", ReplyClass::Greylisted),
        ("530 5.7.0 Must issue a STARTTLS command first", ReplyClass::TlsRequired),
        ("550 5.7.1 We do not like your face", ReplyClass::Policy),
        ("503 5.5.1 nested MAIL", ReplyClass::ProtocolError),
        ("554 Transaction failed", ReplyClass::Unclear),
    ] {
        let found = answer(&one(&rcpt(text)), &["mx"]).await;
        assert_eq!(class(&found), class_of);
        assert!(!reading(&found).text.contains("jane"), "{}", reading(&found).text);
    }
}

#[tokio::test(start_paused = true)]
async fn one_accepted_recipient_can_be_enough() {
    let host = Host::knowing(&["b"]);
    let recipients = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"];
    let first = Ask { stop: Stop::FirstAccepted, ..ask(mx(&["mx"]), &recipients) };
    let found = answers(&one(&host), first).await;
    assert_eq!((class(&found[0]), class(&found[1])), (ReplyClass::NoSuchMailbox, ReplyClass::Accepted));
    assert_eq!(
        found[2..],
        [Answer::Failed(ProbeFailure::NotProbed), Answer::Failed(ProbeFailure::NotProbed)]
    );
    assert_eq!(host.written().count("RCPT"), 3);
}

#[tokio::test(start_paused = true)]
async fn every_ask_ends_at_its_deadline() {
    let tarpit = || Host::default().on("RCPT", |_| Say::after(Duration::from_secs(7), "250 ok"));
    for net in [
        Net::default().host("a", "9.9.9.1", &tarpit()),
        Net::default().host(
            "a",
            "9.9.9.1",
            &Host::default().banner(Say::Drip(Duration::from_secs(10), "220 mx".into())),
        ),
        (1..9).fold(Net::default(), |net, n| net.silent("a", &format!("9.9.9.{n}"))),
    ] {
        let began = Instant::now();
        let users: Vec<String> = (0..50).map(|n| format!("user{n}@example.org")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let found = answers(&prober(net), ask(mx(&["a", "a", "a", "a"]), &users)).await;
        assert!(began.elapsed() <= Duration::from_mins(1));
        assert!(found.contains(&Answer::Failed(ProbeFailure::Timeout)));
        // Who was accepted, but not proven, is told so.
        let unproven = Some(CatchAll::Unknown { reason: Reason::Timeout });
        assert!(found.iter().all(|found| matches!(found, Answer::Failed(_)) || catch_all(found) == unproven));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_means_no_connection() {
    let host = Host::default();
    let late = Ask { deadline: Instant::now(), ..ask(mx(&["mx"]), &["jane@example.org"]) };
    assert_eq!(answers(&one(&host), late).await, [Answer::Failed(ProbeFailure::NotItsTurn)]);
    assert_eq!(host.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_stops_the_work() {
    let host = Host::default().on("RCPT", |_| Say::after(Duration::from_secs(2), "250 ok"));
    let users: Vec<String> = (0..20).map(|n| format!("user{n}@example.org")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let alone = Config { sessions_per_mx_max: 1, ..config() };
    let (prober, _) = prober_with(alone, Net::default().host("mx", "9.9.9.9", &host));
    let receiver = prober.ask(ask(mx(&["mx"]), &users));
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(receiver);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(host.written().count("RCPT"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_holds_up_nobody_else() {
    let slow = Host::default().on("RCPT", |_| Say::after(Duration::from_secs(9), "250 ok"));
    let fast = Host::knowing(&["jane"]);
    let few = Config { sessions_max: 3, ..config() };
    let net = Net::default().host("slow", "9.9.9.1", &slow).host("fast", "9.9.9.2", &fast);
    let (prober, _) = prober_with(few, net);
    let waiting: Vec<_> =
        (0..20).map(|n| prober.ask(ask(mx(&["slow"]), &[&format!("user{n}@slow.test")]))).collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(slow.connections(), 2, "no more sessions than one host gets");
    let began = Instant::now();
    assert_eq!(class(&answer(&prober, &["fast"]).await), ReplyClass::Accepted);
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_the_six_commands_is_ever_written() {
    let hosts = [
        Host::default(),
        Host::knowing(&["jane"]),
        rcpt("354 Start mail input; end with <CRLF>.<CRLF>"),
        rcpt("530 5.7.0 Must issue a STARTTLS command first"),
        rcpt("550 nothing to see"),
        Host::default().on("EHLO", |_| Say::line("500 what?")),
        Host::default().on("EHLO", |_| Say::line("250-mx\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 SMTPUTF8")),
        Host::default().on("MAIL", |_| Say::line("451 later")),
        Host::default().on("RCPT", |_| Say::closing("421 bye")),
        Host::default().banner(Say::line("hello")),
    ];
    for host in hosts {
        for mail_from in ["", "probe@example.net"] {
            let config = Config { mail_from: mail_from.into(), ..config() };
            let (prober, _) = prober_with(config, Net::default().host("mx", "9.9.9.9", &host));
            let all = ["jane@example.org", "joe@example.org", "jörg@example.org", "\"a b>\"@example.org"];
            answers(&prober, ask(mx(&["mx"]), &all)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        for line in host.written().lines() {
            let verb = line.split(' ').next().unwrap_or_default();
            assert!(["EHLO", "HELO", "MAIL", "RCPT", "RSET", "QUIT"].contains(&verb), "{line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn replies_out_of_turn_prove_nothing() {
    let host = rcpt("250 ok\r\n250 ok");
    assert_eq!(answer(&one(&host), &["mx"]).await, Answer::Failed(ProbeFailure::ProtocolError));
    // In a window, the last reply shows that there is one too many, and none of them counts. One by one, it costs only
    // whom it is about.
    let host = Host::default().pipelining().on("RCPT TO:<jane", |_| Say::line("250 ok\r\n550 5.1.1 unknown"));
    let found = answers(&one(&host), ask(mx(&["mx"]), &["jane@example.org", "joe@example.org"])).await;
    assert_eq!(found[0], Answer::Failed(ProbeFailure::ProtocolError));
    assert_eq!(class(&found[1]), ReplyClass::Accepted);
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_takes_one_domain_at_a_time_is_asked_so() {
    let domain = Arc::new(std::sync::Mutex::new(None::<String>));
    let begun = domain.clone();
    let host = Host::knowing(&["jane"])
        .on("MAIL", move |_| {
            *begun.lock().unwrap() = None;
            Say::line("250 2.1.0 OK")
        })
        .on("RCPT", move |line| {
            let asked = line.rsplit_once('@').unwrap().1.to_owned();
            let fits = *domain.lock().unwrap().get_or_insert_with(|| asked.clone()) == asked;
            Say::line(match (fits, line.contains("<jane@")) {
                (false, _) => "451 4.3.0 Multiple destination domains per transaction is unsupported.",
                (true, true) => "250 2.1.5 OK",
                (true, false) => "550 5.1.1 The email account that you tried to reach does not exist.",
            })
        });
    let prober = prober(Net::default().host("aspmx.l.google.com", "9.9.9.9", &host));
    let all = ["jane@a.test", "jane@b.test", "joe@a.test", "joe@b.test"];
    let found = answers(&prober, ask(mx(&["aspmx.l.google.com"]), &all)).await;
    assert!(found[..2].iter().all(|found| catch_all(found) == NO));
    assert!(found[2..].iter().all(|found| class(found) == ReplyClass::NoSuchMailbox));
    // One transaction for the recipients of each domain, and one for its random recipient.
    assert_eq!((host.connections(), host.written().count("MAIL")), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn a_recipient_at_which_the_host_hangs_up_costs_only_itself() {
    for hang_up in [Say::Close, Say::closing("421 4.1.1 verification in progress")] {
        let host = Host::knowing(&["user"]).on("RCPT TO:<joe@", move |_| hang_up.clone());
        let found =
            answers(&one(&host), ask(mx(&["mx"]), &["joe@example.org", "user@example.org", "x@example.org"]))
                .await;
        assert_eq!(class(&found[1]), ReplyClass::Accepted);
        assert_eq!(class(&found[2]), ReplyClass::NoSuchMailbox);
        assert!(!matches!(&found[0], Answer::Replied { reading, .. } if reading.code / 100 != 4));
    }
}
