//! Which hosts are asked, and whose word counts.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_next_host_is_asked_when_one_cannot_or_will_not_speak() {
    let refusing = || Host::default().banner(Say::line("554 No SMTP service here"));
    let busy = || Host::default().banner(Say::closing("421 4.3.2 too busy"));
    let dropping = || Host::default().on("EHLO", |_| Say::Close);
    let garbage = || Host::default().banner(Say::line("HTTP/1.1 400 Bad Request"));
    for first in [
        Net::default().name("a", "9.9.9.1"),
        Net::default().silent("a", "9.9.9.1"),
        Net::default().host("a", "9.9.9.1", &refusing()),
        Net::default().host("a", "9.9.9.1", &busy()),
        Net::default().host("a", "9.9.9.1", &dropping()),
        Net::default().host("a", "9.9.9.1", &garbage()),
        Net::default().host("a", "9.9.9.1", &Host::default().banner(Say::Nothing)),
        Net::default().host("a", "9.9.9.1", &rcpt("554 5.7.1 Client host blocked using zen.spamhaus.org")),
        Net::default().host("a", "9.9.9.1", &rcpt("451 4.3.5 Server configuration problem")),
        Net::default().host("a", "9.9.9.1", &Host::default().on("MAIL", |_| Say::line("550 5.7.1 no"))),
        Net::default().name("a", "10.0.0.1"),
        Net::default(),
    ] {
        let (prober, net) = prober_with(config(), first.host("b", "9.9.9.2", &Host::knowing(&["jane"])));
        let found = answer(&prober, &["a", "b"]).await;
        assert_eq!((class(&found), catch_all(&found)), (ReplyClass::Accepted, NO), "{:?}", net.dialled());
    }
}

#[tokio::test(start_paused = true)]
async fn every_address_of_a_host_is_tried() {
    let net = Net::default().name("mx", "9.9.9.1").name("mx", "2a00::1").host(
        "mx",
        "9.9.9.2",
        &Host::knowing(&["jane"]),
    );
    let (prober, net) = prober_with(config(), net);
    assert_eq!(class(&answer(&prober, &["mx"]).await), ReplyClass::Accepted);
    assert_eq!(net.dialled(), ["9.9.9.1", "2a00::1", "9.9.9.2"]);
}

#[tokio::test(start_paused = true)]
async fn when_no_host_answers_the_failure_is_the_most_telling_one() {
    let dns = Lookup::Failed(LookupFailure::ServerFailure);
    let hang_up = Host::default().banner(Say::Close);
    for (net, failure) in [
        (Net::default(), ProbeFailure::MxWithoutAddress),
        (Net::default().lookup("a", &dns), ProbeFailure::DnsFailure),
        (Net::default().name("a", "10.1.2.3").name("b", "::1"), ProbeFailure::MxNotAllowed),
        (Net::default().name("a", "9.9.9.1").name("b", "9.9.9.2"), ProbeFailure::ConnectionRefused),
        (Net::default().name("a", "9.9.9.1").lookup("b", &dns), ProbeFailure::ConnectionRefused),
        (Net::default().name("a", "9.9.9.1").silent("b", "9.9.9.2"), ProbeFailure::Timeout),
        (Net::default().host("a", "9.9.9.1", &hang_up), ProbeFailure::Disconnected),
        (
            Net::default().host("a", "9.9.9.1", &Host::default().banner(Say::line("99"))),
            ProbeFailure::ProtocolError,
        ),
    ] {
        assert_eq!(answer(&prober(net), &["a", "b"]).await, Answer::Failed(failure));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_inside_is_ever_dialled() {
    let inside = Host::default();
    let net = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1"]
        .into_iter()
        .fold(Net::default(), |net, address| net.host("mx", address, &inside));
    let (closed, net) = prober_with(config(), net);
    assert_eq!(
        answer(&closed, &["mx", "127.0.0.1", "localhost"]).await,
        Answer::Failed(ProbeFailure::MxNotAllowed)
    );
    assert!(net.dialled().is_empty());
    let lab = Config { destinations: Destinations::Any, ..config() };
    let (open, _) = prober_with(lab, Net::default().host("mx", "127.0.0.1", &inside));
    assert_eq!(class(&answer(&open, &["mx"]).await), ReplyClass::Accepted);
}

#[tokio::test(start_paused = true)]
async fn domains_that_asked_not_to_be_probed_are_not() {
    let host = Host::default();
    let quiet = Config { never: vec!["example.org".into()], ..config() };
    let (prober, _) = prober_with(quiet, Net::default().host("mx", "9.9.9.9", &host));
    let found = answers(&prober, ask(mx(&["mx"]), &["a@example.org", "b@sub.example.org"])).await;
    assert_eq!(found, vec![Answer::Failed(ProbeFailure::NotProbed); 2]);
    assert_eq!(host.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bare_refusal_wants_a_second_voice() {
    let bare = || rcpt("550 Requested action not taken");
    // A second host agrees.
    let (first, second) = (bare(), bare());
    let net = Net::default().host("a", "9.9.9.1", &first).host("b", "9.9.9.2", &second);
    let found = answer(&prober(net), &["a", "b"]).await;
    assert_eq!((class(&found), reading(&found).agreed), (ReplyClass::NoSuchMailbox, true));
    assert_eq!((first.connections(), second.connections()), (1, 1));

    // With one host, a second session does where somebody else is accepted: who refuses us refuses everybody.
    let host = bare().on("RCPT TO:<joe@", |_| Say::line("250 ok"));
    let found = answers(&one(&host), ask(mx(&["mx"]), &["jane@example.org", "joe@example.org"])).await;
    assert!(reading(&found[0]).agreed);
    assert_eq!((host.connections(), host.written().count("RCPT TO:<jane@")), (2, 2));
    let host = bare();
    assert!(!reading(&answer(&one(&host), &["mx"]).await).agreed);
    assert_eq!(host.connections(), 1, "another try would tell nothing");

    // A second host contradicts.
    let net = Net::default().host("a", "9.9.9.1", &bare()).host("b", "9.9.9.2", &Host::default());
    assert_eq!(answer(&prober(net), &["a", "b"]).await, Answer::Failed(ProbeFailure::Inconsistent));

    // The second voice says nothing of the mailbox.
    let net = Net::default().host("a", "9.9.9.1", &bare()).host("b", "9.9.9.2", &rcpt("451 4.3.0 trouble"));
    let found = answer(&prober(net), &["a", "b"]).await;
    assert_eq!((class(&found), reading(&found).agreed), (ReplyClass::NoSuchMailbox, false));

    // A clear refusal wants none.
    let host = rcpt("550 5.1.1 no such user");
    assert!(!reading(&answer(&one(&host), &["mx"]).await).agreed);
    assert_eq!(host.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_domain_takes_no_mail_only_when_every_host_says_so() {
    let no_mail = || Host::default().banner(Say::closing("521 mx does not accept mail"));
    let net = Net::default().host("a", "9.9.9.1", &no_mail()).host(
        "b",
        "9.9.9.2",
        &rcpt("556 5.1.10 no mail here"),
    );
    let found = answer(&prober(net), &["a", "b"]).await;
    assert_eq!((class(&found), reading(&found).agreed), (ReplyClass::NotAcceptingMail, true));

    let net = Net::default().host("a", "9.9.9.1", &no_mail()).name("b", "9.9.9.2");
    assert_eq!(answer(&prober(net), &["a", "b"]).await, Answer::Failed(ProbeFailure::ConnectionRefused));
    let net =
        Net::default().host("a", "9.9.9.1", &no_mail()).host("b", "9.9.9.2", &rcpt("451 4.3.0 trouble"));
    assert_eq!(class(&answer(&prober(net), &["a", "b"]).await), ReplyClass::Temporary);
    let net = Net::default().host("a", "9.9.9.1", &no_mail()).host("b", "9.9.9.2", &Host::default());
    assert_eq!(class(&answer(&prober(net), &["a", "b"]).await), ReplyClass::Accepted);
}

#[tokio::test(start_paused = true)]
async fn one_host_without_smtputf8_says_nothing_of_the_others() {
    let ascii = || Host::default();
    let asked = |net| async move {
        answers(&prober(net), ask(mx(&["a", "b"]), &["jörg@example.org"])).await.remove(0)
    };
    let away = Net::default().host("a", "9.9.9.1", &ascii()).name("b", "9.9.9.2");
    assert_eq!(asked(away).await, Answer::Failed(ProbeFailure::ConnectionRefused));
    let busy = rcpt("451 4.3.0 trouble").on("EHLO", |_| Say::line("250-mx\r\n250 SMTPUTF8"));
    let busy = Net::default().host("a", "9.9.9.1", &busy).host("b", "9.9.9.2", &ascii());
    assert_eq!(class(&asked(busy).await), ReplyClass::Temporary);
    let both = Net::default().host("a", "9.9.9.1", &ascii()).host("b", "9.9.9.2", &ascii());
    assert_eq!(class(&asked(both).await), ReplyClass::NonAsciiUnsupported);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_our_sender_is_none_of_the_recipient() {
    let found = answer(&one(&rcpt("550 5.1.1 <probe@example.net>: no such user")), &["mx"]).await;
    assert_eq!(class(&found), ReplyClass::Policy);
}
