//! What a polite server says, what impolite clients are booked for, and how servers misbehave.

mod client;

use std::time::Duration;

use client::{Client, server};
use mailsonde_lab::{Internet, Verb, Violations};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn ordinary_dialogue() {
    let internet = server("");
    let mut client = Client::connect(&internet).await;
    assert_eq!(client.reply().await, "220 mx.a.test ESMTP");
    let ehlo = client.say("EHLO probe.lab.test").await;
    assert!(ehlo.starts_with("250-mx.a.test\n") && ehlo.contains("250-PIPELINING"), "{ehlo}");
    assert_eq!(client.say("MAIL FROM:<probe@lab.test>").await, "250 2.1.0 Ok");
    assert_eq!(client.rcpt("jane@a.test").await, "250 2.1.5 Ok");
    assert_eq!(client.rcpt("Postmaster@a.test").await, "250 2.1.5 Ok");
    assert_eq!(
        client.rcpt("nobody@a.test").await,
        "550 5.1.1 <nobody@a.test>: Recipient address rejected: User unknown"
    );
    assert_eq!(client.say("RSET").await, "250 2.0.0 Ok");
    assert_eq!(client.say("QUIT").await, "221 2.0.0 Bye");
    assert_eq!(client.rest().await, b"");

    let total = internet.counts().total;
    assert_eq!((total.connections, total.sessions_open, total.sessions_most), (1, 0, 1));
    assert_eq!((total.accepted, total.rejected, total.left_without_quit), (2, 1, 0));
    assert_eq!((total.commands_total(), total.commands_of(Verb::Rcpt)), (7, 3));
    assert_eq!(total.round_trips, 8, "connection, banner, six commands; QUIT costs none");
    assert_eq!(total.violations, Violations::default());
}

#[tokio::test(start_paused = true)]
async fn burst_is_one_round_trip_and_takes_one() {
    let internet = server("rtt = '50ms'");
    let mut client = Client::in_transaction(&internet).await;
    let (before, started) = (internet.counts().total.round_trips, Instant::now());
    client.write("RCPT TO:<jane@a.test>\r\nRCPT TO:<x@a.test>\r\nRCPT TO:<y@a.test>\r\n").await;
    for code in ["250", "550", "550"] {
        assert!(client.reply().await.starts_with(code));
    }
    assert_eq!(started.elapsed().as_millis(), 50);
    assert_eq!(internet.counts().total.round_trips, before + 1);
}

#[tokio::test(start_paused = true)]
async fn connection_and_banner_take_a_round_trip_each() {
    let internet = server("rtt = '50ms'");
    let started = Instant::now();
    let mut client = Client::connect(&internet).await;
    assert_eq!(started.elapsed().as_millis(), 50);
    client.reply().await;
    assert_eq!(started.elapsed().as_millis(), 100);
}

#[tokio::test(start_paused = true)]
async fn breaches_are_booked() {
    let internet = server("ehlo.pipelining = false");
    let mut client = Client::connect(&internet).await;
    client.write("EHLO early.test\r\n").await;
    client.reply().await;
    client.reply().await;
    client.say("RCPT TO:<jane@a.test>").await;
    client.write("MAIL FROM:<probe@lab.test>\r\nRCPT TO:<jane@a.test>\r\n").await;
    client.reply().await;
    client.reply().await;
    client.write("RCPT TO:<jané@a.test>\n").await;
    client.reply().await;
    client.rcpt(&"x".repeat(600)).await;
    client.say("DATA").await;
    drop(client);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let total = internet.counts().total;
    let expected = Violations {
        before_banner: 1,
        out_of_order: 1,
        pipelining: 1,
        bare_lf: 1,
        non_ascii: 1,
        long_line: 1,
        data: 1,
    };
    assert_eq!(total.violations, expected);
    assert_eq!(total.left_without_quit, 1);
}

#[tokio::test(start_paused = true)]
async fn quit_need_not_be_waited_for() {
    let internet = server("says.quit.delay = '200ms'");
    let mut client = Client::in_transaction(&internet).await;
    client.write("RSET\r\nQUIT\r\n").await;
    drop(client);
    let mut client = Client::in_transaction(&internet).await;
    client.write("RSET\r\n").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    client.write("RSET\r\n").await;
    client.write("QUIT\r\n").await;
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let total = internet.counts().total;
    assert_eq!((total.left_without_quit, total.sessions_open), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn some_do_not_come_about() {
    let internet =
        Internet::parse("", "[host.refused]\nreach = 'refused'\n[host.silent]\nreach = 'silent'").unwrap();
    let refused = internet.dial(internet.address("refused").unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let silent = internet.dial(internet.address("silent").unwrap());
    assert!(tokio::time::timeout(Duration::from_hours(1), silent).await.is_err());
    let nobody = internet.dial("192.0.2.99".parse().unwrap()).await.unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!((internet.counts().total.missed, internet.counts().total.connections), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn banner_may_refuse() {
    let internet = server("banner.text = '554 5.7.1 blocked using dnsbl.test; {client}'");
    let mut client = Client::connect(&internet).await;
    assert_eq!(client.reply().await, "554 5.7.1 blocked using dnsbl.test; [192.0.2.1]");
    assert!(client.say("EHLO probe.lab.test").await.starts_with("503"));
    assert!(client.say("QUIT").await.starts_with("221"));
    let internet = server("banner.text = '421 4.3.2 busy'\nbanner.sessions = 1");
    let mut client = Client::connect(&internet).await;
    assert_eq!(client.reply().await, "421 4.3.2 busy");
    assert_eq!(client.rest().await, b"");
    assert!(Client::connect(&internet).await.reply().await.starts_with("220"), "only the first session");
}

#[tokio::test(start_paused = true)]
async fn banner_may_be_late_slow_or_missing() {
    let started = Instant::now();
    let late = server("banner.delay = '5m'");
    Client::connect(&late).await.reply().await;
    assert_eq!(started.elapsed().as_secs(), 300);

    let started = Instant::now();
    Client::connect(&server("banner.drip = '10s'")).await.reply().await;
    assert_eq!(started.elapsed().as_secs(), 10 * "220 mx.a.test ESMTP\r\n".len() as u64);

    let mute = server("banner.raw = ''");
    let mut client = Client::connect(&mute).await;
    assert!(tokio::time::timeout(Duration::from_hours(1), client.reply()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn says_octets_as_they_stand() {
    for (options, expected) in [
        ("says.rcpt.raw = \"250 ok\\n\"", &b"250 ok\n"[..]),
        ("says.rcpt.raw = \"250 o\\u0000k\\r\\n\"", b"250 o\0k\r\n"),
        ("says.rcpt.raw = \"99\\r\\n\"", b"99\r\n"),
        (
            "says.rcpt.raw = \"250-one\\r\\n550 two\\r\\n250 three\\r\\n\"",
            b"250-one\r\n550 two\r\n250 three\r\n",
        ),
        ("says.rcpt = { raw = '250-more', times = 3 }", b"250-more250-more250-more"),
    ] {
        let internet = server(&format!("{options}\nsays.quit = {{ raw = '', then = 'close' }}"));
        let mut client = Client::in_transaction(&internet).await;
        client.write("RCPT TO:<jane@a.test>\r\nQUIT\r\n").await;
        assert_eq!(client.rest().await, expected, "{options}");
    }
}

#[tokio::test(start_paused = true)]
async fn endless_reply_ends_with_its_reader() {
    let internet = server("says.ehlo = { raw = \"250-more\\r\\n\", times = 1_000_000_000_000 }");
    let mut client = Client::connect(&internet).await;
    client.reply().await;
    client.write("EHLO probe.lab.test\r\n").await;
    for _ in 0..1_000_000 {
        client.octet().await.unwrap().unwrap();
    }
    drop(client);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(internet.counts().total.sessions_open, 0);
}

#[tokio::test(start_paused = true)]
async fn hangs_up_when_told_to() {
    let internet = server("says.rcpt = { text = '550 5.7.1 go away', then = 'close', after = 1 }");
    let mut client = Client::in_transaction(&internet).await;
    assert!(client.rcpt("jane@a.test").await.starts_with("250"), "the first is as usual");
    assert_eq!(client.rcpt("jane@a.test").await, "550 5.7.1 go away");
    assert_eq!(client.octet().await.unwrap(), None);

    let internet = server("says.ehlo = { raw = '', then = 'reset' }");
    let mut client = Client::connect(&internet).await;
    client.reply().await;
    client.write("EHLO probe.lab.test\r\n").await;
    assert_eq!(client.octet().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn refusal_by_command_has_no_effect() {
    let internet = server("says.mail.text = '451 4.3.0 later'\nsays.mail.sessions = 1");
    let mut client = Client::in_transaction(&internet).await;
    assert!(client.rcpt("jane@a.test").await.starts_with("503"));
    assert_eq!(internet.counts().total.violations.out_of_order, 0, "in a burst it would be nobody's fault");
    let mut client = Client::in_transaction(&internet).await;
    assert!(client.rcpt("jane@a.test").await.starts_with("250"));
}

#[tokio::test(start_paused = true)]
async fn may_know_helo_alone() {
    let internet = server("ehlo.helo_only = true");
    let mut client = Client::connect(&internet).await;
    client.reply().await;
    assert!(client.say("EHLO probe.lab.test").await.starts_with("502"));
    assert_eq!(client.say("HELO probe.lab.test").await, "250 mx.a.test");
}

#[tokio::test(start_paused = true)]
async fn liars_contradict_themselves() {
    let internet = server("lie = 'about_the_same'");
    let mut client = Client::in_transaction(&internet).await;
    assert!(client.rcpt("jane@a.test").await.starts_with("250"));
    assert!(client.rcpt("jane@a.test").await.starts_with("550"));
    let internet = server("lie = 'about_strangers'");
    let mut client = Client::in_transaction(&internet).await;
    assert!(client.rcpt("one@a.test").await.starts_with("250"));
    assert!(client.rcpt("two@a.test").await.starts_with("550"));
    assert!(client.rcpt("jane@a.test").await.starts_with("250"));
}

#[tokio::test(start_paused = true)]
async fn replies_may_differ_by_recipient() {
    let internet =
        server("replies = { 'jane@*' = '452 4.2.2 <{rcpt}> full', 'old*@a.test' = '550 5.2.1 disabled' }");
    let mut client = Client::in_transaction(&internet).await;
    assert_eq!(client.rcpt("jane@a.test").await, "452 4.2.2 <jane@a.test> full");
    assert_eq!(client.rcpt("old.boy@a.test").await, "550 5.2.1 disabled");
}

#[tokio::test(start_paused = true)]
async fn many_sessions_leave_nothing_behind() {
    let internet = server("rtt = '50ms'\nbanner.delay = '1h'");
    let mut clients = Vec::new();
    for _ in 0..1_000 {
        clients.push(Client::connect(&internet).await);
    }
    assert_eq!(internet.counts().total.sessions_open, 1_000);
    drop(clients);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(internet.counts().total.sessions_open, 0);
}
