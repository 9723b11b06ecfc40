//! Who is proven, and by whom.

use super::*;

#[tokio::test(start_paused = true)]
async fn targets_first_then_one_who_does_not_exist() {
    let host = Host::knowing(&["jane"]);
    let found = answers(&one(&host), ask(mx(&["mx"]), &["jane@example.org", "joe@example.org"])).await;
    assert_eq!((class(&found[0]), catch_all(&found[0])), (ReplyClass::Accepted, NO));
    assert_eq!((class(&found[1]), catch_all(&found[1])), (ReplyClass::NoSuchMailbox, None));
    assert_eq!(&*reading(&found[1]).host, "mx");
    sessions_end().await;
    let lines = host.written().lines();
    assert_eq!(lines[2..4], ["RCPT TO:<jane@example.org>", "RCPT TO:<joe@example.org>"]);
    assert!(lines[4].starts_with("RCPT TO:<") && lines[4].ends_with("@example.org>"));
    assert_eq!(lines[5..], ["QUIT"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_invented_where_nobody_was_accepted() {
    let host = Host::knowing(&[]);
    answer(&one(&host), &["mx"]).await;
    assert_eq!(host.written().count("RCPT"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_accepts_everybody_is_a_catch_all_and_remembered() {
    let host = Host::default();
    let prober = one(&host);
    assert_eq!(catch_all(&answer(&prober, &["mx"]).await), YES);
    sessions_end().await;
    let again = catch_all(&answer(&prober, &["mx"]).await);
    assert_eq!(again, Some(CatchAll::Yes { source: CatchAllSource::Cache }));
    assert_eq!(host.written().count("RCPT"), 3);
}

#[tokio::test(start_paused = true)]
async fn catch_all_is_a_matter_of_the_domain() {
    let host = Host::default().on("RCPT", |line| {
        let accepted = line.contains("@all.test") || line.starts_with("RCPT TO:<jane@");
        Say::line(if accepted { "250 ok" } else { "550 5.1.1 no such user" })
    });
    let found =
        answers(&one(&host), ask(mx(&["mx"]), &["jane@all.test", "jane@some.test", "joe@none.test"])).await;
    assert_eq!((catch_all(&found[0]), catch_all(&found[1])), (YES, NO));
    assert_eq!(class(&found[2]), ReplyClass::NoSuchMailbox);
    assert_eq!(host.written().count("RCPT"), 5);
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_accepts_everybody_needs_no_random_recipient() {
    let host = Host::default();
    let prober = prober(Net::default().host("mta5.am0.yahoodns.net", "9.9.9.9", &host));
    let found = answer(&prober, &["mta5.am0.yahoodns.net"]).await;
    assert_eq!(catch_all(&found), Some(CatchAll::Yes { source: CatchAllSource::Operator }));
    assert_eq!(host.written().count("RCPT"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_random_recipient_without_a_clear_answer_proves_nothing_and_is_not_remembered() {
    for (text, reason) in [
        ("450 4.2.0 Greylisted", Reason::Greylisted),
        ("451 4.3.0 trouble", Reason::RateLimitedByServer),
        ("550 5.7.1 refused", Reason::BlockedByServer),
        ("552 5.2.2 over quota", Reason::InconsistentAnswers),
    ] {
        let host = Host::default()
            .on("RCPT", move |line| Say::line(if line.contains("<jane@") { "250 ok" } else { text }));
        let prober = one(&host);
        for sessions in 1..3 {
            let found = answer(&prober, &["mx"]).await;
            let unknown = CatchAll::Unknown { reason: reason.clone() };
            assert_eq!(catch_all(&found), Some(unknown), "{text}");
            assert_eq!(host.connections(), sessions);
            sessions_end().await;
        }
        assert_eq!(host.written().count("RCPT"), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_remembered_yes_is_doubted_when_a_recipient_is_refused() {
    let host = Host::default();
    let prober = one(&host);
    answer(&prober, &["mx"]).await;
    // The same host learns who is there.
    let strict = Host::knowing(&["jane"]).pipelining();
    let (later, _) = prober_with(config(), Net::default().host("mx", "9.9.9.9", &strict));
    later.0.memory.catch_all.remember("example.org", "mx", true);
    let found = answers(&later, ask(mx(&["mx"]), &["jane@example.org", "joe@example.org"])).await;
    assert_eq!(catch_all(&found[0]), NO);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_no_is_doubted_when_everybody_is_accepted() {
    let prober = one(&Host::default().pipelining());
    prober.0.memory.catch_all.remember("example.org", "mx", false);
    assert_eq!(catch_all(&answer(&prober, &["mx"]).await), NO_FROM_CACHE);
    let many: Vec<String> = (0..8).map(|n| format!("user{n}@example.org")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(answers(&prober, ask(mx(&["mx"]), &many)).await.iter().all(|found| catch_all(found) == YES));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_contradicts_itself_about_nobody_proves_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let accepted_once = AtomicBool::new(false);
    let host = Host::default().on("RCPT", move |line| {
        let known =
            line.contains("<jane@") || (!line.contains("<joe@") && !accepted_once.swap(true, Relaxed));
        Say::line(if known { "250 ok" } else { "550 5.1.1 no such user" })
    });
    let found = answers(&one(&host), ask(mx(&["mx"]), &["jane@example.org", "joe@example.org"])).await;
    assert_eq!(catch_all(&found[0]), Some(CatchAll::Unknown { reason: Reason::InconsistentAnswers }));
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_accepts_everybody_is_not_judged_by_the_first_host() {
    let (strict, backup) = (Host::knowing(&["jane"]), Host::default());
    let net = || Net::default().host("a", "9.9.9.1", &strict).host("b", "9.9.9.2", &backup);
    let prober_of = |net| prober_with(config(), net).0;
    assert_eq!(catch_all(&answer(&prober_of(net()), &["a", "b"]).await), NO);

    // The first host is away, but what it said of unknown recipients is remembered.
    let away = prober_of(Net::default().name("a", "9.9.9.1").host("b", "9.9.9.2", &backup));
    away.0.memory.catch_all.remember("example.org", "a", false);
    assert_eq!(catch_all(&answer(&away, &["a", "b"]).await), YES);

    // It goes away in the middle of an ask.
    let fickle = Host::knowing(&["jane", "joe"]).on("RCPT TO:<joe", |_| Say::closing("421 4.3.2 bye"));
    let net = Net::default().host("a", "9.9.9.1", &fickle).host("b", "9.9.9.2", &backup);
    let found =
        answers(&prober_of(net), ask(mx(&["a", "b"]), &["jane@example.org", "joe@example.org"])).await;
    assert_eq!((catch_all(&found[0]), catch_all(&found[1])), (NO_FROM_CACHE, YES));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_no_cause_is_not_remembered() {
    let host = Host::default().on("RCPT", |line| {
        Say::line(if line.contains("<jane@") { "250 ok" } else { "554 Transaction failed" })
    });
    let prober = one(&host);
    for _ in 0..2 {
        assert_eq!(catch_all(&answer(&prober, &["mx"]).await), NO);
        sessions_end().await;
    }
    assert_eq!(host.written().count("RCPT"), 4);
}
