//! What servers bear, and how they show it; and the servers that look like well-known ones.

mod client;

use std::time::Duration;

use client::{Client, server};
use mailsonde_lab::{Host, Internet, Verb};
use tokio::time::{Instant, advance};

/// Codes of the replies to `recipients`, and what time they took.
async fn codes(client: &mut Client, recipients: &[&str]) -> (Vec<String>, Duration) {
    let started = Instant::now();
    let mut codes = Vec::new();
    for recipient in recipients {
        codes.push(client.rcpt(recipient).await.chars().take(9).collect());
    }
    (codes, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn recipients_of_a_transaction_and_of_a_session() {
    let internet = server("limits.recipients_per_transaction = 1");
    let mut client = Client::in_transaction(&internet).await;
    let (said, _) = codes(&mut client, &["member1@a.test", "member2@a.test"]).await;
    assert_eq!(said, ["250 2.1.5", "452 4.5.3"]);
    client.say("RSET").await;
    client.say("MAIL FROM:<probe@lab.test>").await;
    assert_eq!(codes(&mut client, &["member2@a.test"]).await.0, ["250 2.1.5"]);

    let internet =
        server("limits.recipients_per_session = 1\nlimits.too_many_recipients = '421 4.5.3 enough'");
    let mut client = Client::in_transaction(&internet).await;
    let (said, _) = codes(&mut client, &["member1@a.test", "member2@a.test"]).await;
    assert_eq!(said, ["250 2.1.5", "421 4.5.3"]);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test(start_paused = true)]
async fn postfix_slows_down_and_hangs_up() {
    let internet = server("like = 'postfix'\nlimits.soft_errors = 2\nlimits.hard_errors = 4");
    let mut client = Client::in_transaction(&internet).await;
    assert_eq!(codes(&mut client, &["x@a.test", "y@a.test"]).await.1, Duration::ZERO);
    assert_eq!(codes(&mut client, &["x@a.test", "y@a.test"]).await.1, Duration::from_secs(2));
    assert_eq!(client.reply().await, "421 4.7.0 mx.a.test Error: too many errors");
    assert_eq!(client.rest().await, b"");
    assert_eq!(internet.counts().total.left_without_quit, 0, "it was the server who left");
}

#[tokio::test(start_paused = true)]
async fn postfix_charges_for_transactions_without_tokens() {
    let internet = server("limits.flow = { tokens = 2, delay = '1s' }");
    let mut client = Client::in_transaction(&internet).await;
    let mut times = Vec::new();
    for _ in 0..4 {
        times.push(codes(&mut client, &["member1@a.test", "member2@a.test"]).await.1.as_secs());
        client.say("RSET").await;
        client.say("MAIL FROM:<probe@lab.test>").await;
    }
    assert_eq!(times, [0, 0, 1, 1], "once a transaction");
}

#[tokio::test(start_paused = true)]
async fn exim_counts_resets() {
    let internet = server("like = 'exim'");
    let mut client = Client::in_transaction(&internet).await;
    for _ in 0..10 {
        assert!(client.say("RSET").await.starts_with("250"));
    }
    assert_eq!(client.say("RSET").await, "554 Too many nonmail commands");
    assert_eq!(client.rest().await, b"");
}

#[tokio::test(start_paused = true)]
async fn opensmtpd_refuses_bursts() {
    let internet = server("like = 'opensmtpd'");
    let mut client = Client::in_transaction(&internet).await;
    client.write("RCPT TO:<jane@a.test>\r\nRCPT TO:<jane@a.test>\r\n").await;
    assert!(client.reply().await.starts_with("250"));
    assert!(client.reply().await.starts_with("500 5.5.1"));
    assert_eq!(internet.counts().total.violations.pipelining, 1);
}

#[tokio::test(start_paused = true)]
async fn sendmail_waits_longer_and_longer() {
    let internet = server("like = 'sendmail'");
    let mut client = Client::in_transaction(&internet).await;
    let strangers = ["x@a.test", "y@a.test", "z@a.test"];
    assert_eq!(codes(&mut client, &strangers).await.1, Duration::from_secs(1 + 2));
}

#[tokio::test(start_paused = true)]
async fn tarpit_holds_every_recipient() {
    let internet = server("tarpit = { rcpt = '2s', reject = '3s' }");
    let mut client = Client::in_transaction(&internet).await;
    assert_eq!(codes(&mut client, &["jane@a.test", "x@a.test"]).await.1, Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn one_domain_a_transaction() {
    let internet = server("limits.one_domain = {}");
    let mut client = Client::in_transaction(&internet).await;
    let (said, _) = codes(&mut client, &["jane@a.test", "jane@b.test", "member1@a.test"]).await;
    assert_eq!(said, ["250 2.1.5", "451 4.3.0", "250 2.1.5"]);
}

#[tokio::test(start_paused = true)]
async fn bounce_goes_to_one() {
    let internet = server("limits.recipients_of_bounce = 1");
    let mut client = Client::connect(&internet).await;
    client.reply().await;
    client.say("EHLO probe.lab.test").await;
    client.say("MAIL FROM:<>").await;
    let (said, _) = codes(&mut client, &["member1@a.test", "member2@a.test"]).await;
    assert_eq!(said, ["250 2.1.5", "550 5.5.3"]);
}

#[tokio::test(start_paused = true)]
async fn sessions_at_a_time() {
    let internet = server("limits.sessions = 1");
    let first = Client::in_transaction(&internet).await;
    assert!(
        Client::connect(&internet).await.reply().await.starts_with("421 4.7.0 mx.a.test Error: too many")
    );
    drop(first);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(Client::connect(&internet).await.reply().await.starts_with("220"));
    assert_eq!(internet.counts().total.refused_for_rate, 1);
}

#[tokio::test(start_paused = true)]
async fn recipients_in_a_minute() {
    let internet = server("limits.pace = { recipients = 2, per = '1m', window = 'sliding' }");
    let mut client = Client::in_transaction(&internet).await;
    let members = ["member1@a.test", "member2@a.test", "member3@a.test"];
    assert_eq!(codes(&mut client, &members).await.0, ["250 2.1.5", "250 2.1.5", "450 4.7.1"]);
    advance(Duration::from_mins(1)).await;
    assert_eq!(codes(&mut client, &members[2..]).await.0, ["250 2.1.5"]);
    assert_eq!(internet.counts().total.refused_for_rate, 1);
}

#[tokio::test(start_paused = true)]
async fn greylisting_remembers_the_triplet() {
    let internet = server("greylist = { delay = '5m', text = '450 4.2.0 again in {wait} seconds' }");
    for _ in 0..2 {
        let mut client = Client::in_transaction(&internet).await;
        assert_eq!(client.rcpt("jane@a.test").await, "450 4.2.0 again in 300 seconds");
    }
    advance(Duration::from_mins(5)).await;
    let mut client = Client::in_transaction(&internet).await;
    assert!(client.rcpt("jane@a.test").await.starts_with("250"));
    let elsewhere = internet.dial_from("192.0.2.2".parse().unwrap(), internet.address("mx.a.test").unwrap());
    let mut client = Client::over(elsewhere.await.unwrap());
    client.reply().await;
    client.say("EHLO probe.lab.test").await;
    client.say("MAIL FROM:<probe@lab.test>").await;
    assert!(client.rcpt("jane@a.test").await.starts_with("450"), "another client is another triplet");
}

#[tokio::test(start_paused = true)]
async fn hosts_may_come_from_code() {
    let host = Host { accepts: vec!["*".into()], ..Host::like("google").unwrap() };
    let hosts = (0..1_000).map(|n| (format!("mx{n}.a.test"), host.clone())).collect();
    let internet = Internet::new("", hosts).unwrap().with_rtt(Duration::from_millis(50));
    let mut client = Client::over(internet.dial(internet.address("mx999.a.test").unwrap()).await.unwrap());
    assert!(client.reply().await.starts_with("220 mx.google.com"));
    assert_eq!(internet.counts().hosts["mx999.a.test"].connections, 1);
    assert_eq!(internet.counts().total.commands_of(Verb::Rcpt), 0);
}

#[test]
fn misspelt_option_is_an_error() {
    let error = Internet::parse("", "[host.x]\nacepts = []").unwrap_err();
    assert!(format!("{error:#}").contains("host x") && format!("{error:#}").contains("acepts"), "{error:#}");
}
