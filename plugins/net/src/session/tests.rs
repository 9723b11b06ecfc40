use std::{sync::Arc, time::Duration};

use mailsonde_engine::{Address, ReplyClass};
use tokio::time::Instant;

use super::*;
use crate::{
    memory::Manners,
    script::{Host, Say, Written},
    tls::{Certificates, Tls},
};

async fn open_as(host: Host, sender: &str) -> (Result<Session, Break>, Written) {
    let (stream, written) = host.connect();
    let terms = Terms {
        identity: Arc::new(Identity { hello: "probe.example.net".into(), sender: sender.into() }),
        reply_timeout: Duration::from_secs(10),
        starttls: StartTls::IfRequired,
        tls: Arc::new(Tls::new(Certificates::Any)),
        manners: Manners::default(),
    };
    (Session::open(stream, Peer::named("mx.example.org"), terms).await, written)
}

impl Session {
    /// Asks about one recipient alone.
    async fn recipient(&mut self, address: &Address) -> Result<Reading, Break> {
        assert_eq!(self.write(std::slice::from_ref(address)).await?, 1);
        match self.read().await? {
            Heard::Reply { reading, .. } => Ok(*reading),
            Heard::Unwritable => panic!("unwritable"),
        }
    }
}

async fn open(host: Host) -> (Result<Session, Break>, Written) {
    open_as(host, "probe@example.net").await
}

async fn break_of(host: Host) -> Break {
    open(host).await.0.err().unwrap()
}

fn jane() -> Address {
    Address::new("jane", "example.org")
}

#[tokio::test(start_paused = true)]
async fn says_what_it_must_and_no_more() {
    let (session, written) = open(Host::default()).await;
    let mut session = session.unwrap();
    assert_eq!(session.recipient(&jane()).await.unwrap().class, ReplyClass::Accepted);
    assert_eq!(
        session.recipient(&Address::new("joe", "example.org")).await.unwrap().class,
        ReplyClass::Accepted
    );
    session.quit().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        written.lines(),
        [
            "EHLO probe.example.net",
            "MAIL FROM:<probe@example.net>",
            "RCPT TO:<jane@example.org>",
            "RCPT TO:<joe@example.org>",
            "QUIT",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_null_sender_names_one_recipient_per_transaction() {
    let (session, written) = open_as(Host::default(), "").await;
    let mut session = session.unwrap();
    for local in ["a", "b"] {
        session.recipient(&Address::new(local, "example.org")).await.unwrap();
    }
    let lines = written.lines();
    let expected =
        ["MAIL FROM:<>", "RCPT TO:<a@example.org>", "RSET", "MAIL FROM:<>", "RCPT TO:<b@example.org>"];
    assert_eq!(lines[1..], expected);
}

#[tokio::test(start_paused = true)]
async fn falls_back_to_helo() {
    let host = Host::default().on("EHLO", |_| Say::line("502 5.5.2 what?"));
    let (session, written) = open(host).await;
    session.unwrap();
    assert_eq!(written.lines(), ["EHLO probe.example.net", "HELO probe.example.net"]);
}

#[tokio::test(start_paused = true)]
async fn a_non_ascii_recipient_needs_smtputf8() {
    let joerg = Address::new("jörg", "example.org");
    let (session, written) = open(Host::default()).await;
    let reading = session.unwrap().recipient(&joerg).await.unwrap();
    assert_eq!(reading.class, ReplyClass::NonAsciiUnsupported);
    assert_eq!(written.lines().len(), 1, "nothing was asked");

    let host =
        Host::default().on("EHLO", |_| Say::line("250-mx.example.org\r\n250 SMTPUTF8")).on("RCPT", |line| {
            Say::line(if line.is_ascii() { "250 ok" } else { "550 5.1.1 <jörg@example.org>: unknown" })
        });
    let (session, written) = open(host).await;
    let mut session = session.unwrap();
    session.recipient(&jane()).await.unwrap();
    let reading = session.recipient(&joerg).await.unwrap();
    assert_eq!((reading.class, &*reading.text), (ReplyClass::NoSuchMailbox, "5.1.1 <rcpt>: unknown"));
    assert_eq!(
        written.lines()[3..],
        ["RSET", "MAIL FROM:<probe@example.net> SMTPUTF8", "RCPT TO:<jörg@example.org>"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_before_the_recipient_is_read_where_it_came() {
    use DialogueStage::{Connect, Hello, Mail};
    let text = "554 5.7.1 blocked using zen.spamhaus.org";
    for (host, stage) in [
        (Host::default().banner(Say::line(text)), Connect),
        (Host::default().on("EHLO", move |_| Say::line(text)).on("HELO", move |_| Say::line(text)), Hello),
        (Host::default().on("MAIL", move |_| Say::line(text)), Mail),
    ] {
        let refused = match open(host).await.0 {
            Ok(mut session) => session.recipient(&jane()).await.err().unwrap(),
            Err(broken) => broken,
        };
        let Break::Refused(reading) = refused else { panic!("{refused:?}") };
        assert_eq!((reading.stage, reading.class), (stage, ReplyClass::Blocked));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_speak_in_time_is_left() {
    let began = Instant::now();
    assert_eq!(break_of(Host::default().banner(Say::Nothing)).await, Break::Timeout);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    let late = Say::after(Duration::from_mins(5), "220 sorry to be late");
    assert_eq!(break_of(Host::default().banner(late)).await, Break::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_slow_drip_is_cut_at_the_time_of_one_reply() {
    let began = Instant::now();
    let drip = Say::Drip(Duration::from_secs(9), "220 mx.example.org\r\n".into());
    assert_eq!(break_of(Host::default().banner(drip)).await, Break::Timeout);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn many_commands_leave_in_one_write_where_that_is_offered() {
    let addresses: Vec<Address> = ["a", "b", "c"].map(|local| Address::new(local, "example.org")).to_vec();
    let (session, written) = open(Host::knowing(&["a", "c"]).pipelining()).await;
    let mut session = session.unwrap();
    assert_eq!(session.write(&addresses).await.unwrap(), 3);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(written.lines().len(), 5, "EHLO, MAIL and three recipients: nothing was waited for");
    for (code, position) in [(250, 0), (550, 1), (250, 2)] {
        let Heard::Reply { reading, before, .. } = session.read().await.unwrap() else { panic!() };
        assert_eq!((reading.code, before), (code, position));
    }

    let (session, written) = open(Host::default()).await;
    assert_eq!(session.unwrap().write(&addresses).await.unwrap(), 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(written.count("RCPT"), 1);
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_a_reply_loses_nothing() {
    let slow = Host::default().pipelining().on("RCPT", |_| Say::after(Duration::from_secs(2), "250 ok"));
    let (session, _) = open(slow).await;
    let mut session = session.unwrap();
    session.write(&[jane(), jane()]).await.unwrap();
    for _ in 0..2 {
        assert!(timeout(Duration::from_secs(1), session.read()).await.is_err());
        assert!(matches!(session.read().await.unwrap(), Heard::Reply { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_holds_few_transactions() {
    let (session, written) = open_as(Host::default().pipelining(), "").await;
    let mut session = session.unwrap();
    let many = vec![jane(); 20];
    assert_eq!(session.write(&many).await.unwrap(), TRANSACTIONS_MAX);
    for _ in 0..TRANSACTIONS_MAX {
        session.read().await.unwrap();
    }
    assert_eq!(written.count("RSET"), TRANSACTIONS_MAX - 1);
    assert_eq!(session.write(&many).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_sender_takes_its_recipients_along() {
    let host =
        Host::default().pipelining().on("MAIL", |_| Say::line("530 5.7.0 Must issue a STARTTLS command"));
    let (session, _) = open(host).await;
    let mut session = session.unwrap();
    session.write(&[jane(), jane()]).await.unwrap();
    assert!(matches!(session.read().await, Err(Break::Refused(_))));
    session.drain().await.unwrap();
    assert!(session.pending.is_empty());
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_reply() {
    for (wire, error) in [
        ("250 bare line feed\n", Malformed::LineEnding),
        ("220 nul \0\r\n", Malformed::Character),
        ("99 too short\r\n", Malformed::Code),
        ("2x0 ok\r\n", Malformed::Code),
        ("220-mx\r\n250 mx\r\n", Malformed::CodeChanged),
        ("SSH-2.0-OpenSSH_9.2\r\n", Malformed::Code),
    ] {
        let banner = Say::Raw(wire.as_bytes().to_vec());
        assert_eq!(break_of(Host::default().banner(banner)).await, Break::Protocol(error), "{wire:?}");
    }
    let latin1 = Say::Raw(b"220 caf\xe9\r\n".to_vec());
    assert_eq!(break_of(Host::default().banner(latin1)).await, Break::Protocol(Malformed::Character));
}

#[tokio::test(start_paused = true)]
async fn endless_replies_are_cut() {
    let lines = Say::Raw(b"250-and so on\r\n".repeat(1_000_000));
    let line = Say::Raw(vec![b'2'; 10_000_000]);
    for endless in [lines, line] {
        let host = Host::default().on("EHLO", move |_| endless.clone());
        assert_eq!(break_of(host).await, Break::Protocol(Malformed::TooLong));
    }
}

#[tokio::test(start_paused = true)]
async fn replies_ahead_of_commands_end_the_session() {
    let early = Host::default().banner(Say::line("220 mx\r\n250 mx"));
    assert_eq!(break_of(early).await, Break::Protocol(Malformed::Unasked));

    let twice = Host::default().on("RCPT", |_| Say::line("250 ok\r\n550 5.1.1 no such user"));
    let (session, _) = open(twice).await;
    assert_eq!(session.unwrap().recipient(&jane()).await, Err(Break::Protocol(Malformed::Unasked)));
}

#[tokio::test(start_paused = true)]
async fn a_farewell_behind_a_reply_is_no_extra_reply() {
    let host =
        Host::default().on("RCPT", |_| Say::closing("550 5.1.1 no such user\r\n421 4.7.0 too many errors"));
    let (session, _) = open(host).await;
    let mut session = session.unwrap();
    assert_eq!(session.recipient(&jane()).await.unwrap().class, ReplyClass::NoSuchMailbox);
    assert_eq!(session.recipient(&jane()).await, Err(Break::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn an_extra_reply_in_a_packet_of_its_own_is_seen_too() {
    let host = Host::default().on("RCPT", |_| {
        Say::Both(Box::new(Say::line("250 ok")), Box::new(Say::after(Duration::from_secs(1), "250 ok")))
    });
    let (session, _) = open(host).await;
    let mut session = session.unwrap();
    session.recipient(&jane()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(session.recipient(&jane()).await, Err(Break::Protocol(Malformed::Unasked)));
}

#[tokio::test(start_paused = true)]
async fn one_reply_too_many_for_a_window_is_seen_at_its_end() {
    let host = Host::default().pipelining().on("RCPT TO:<jane", |_| Say::line("250 ok\r\n550 5.1.1 unknown"));
    let (session, _) = open(host).await;
    let mut session = session.unwrap();
    session.write(&[jane(), Address::new("joe", "example.org")]).await.unwrap();
    session.read().await.unwrap();
    assert_eq!(session.read().await.err(), Some(Break::Protocol(Malformed::Unasked)));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_up_is_gone() {
    assert_eq!(break_of(Host::default().banner(Say::Close)).await, Break::Disconnected);
    assert_eq!(break_of(Host::default().on("EHLO", |_| Say::Close)).await, Break::Disconnected);
    let (session, _) = open(Host::default().on("RCPT", |_| Say::closing("550 5.1.1 go away"))).await;
    let mut session = session.unwrap();
    assert_eq!(session.recipient(&jane()).await.unwrap().class, ReplyClass::NoSuchMailbox);
    assert_eq!(session.recipient(&jane()).await, Err(Break::Disconnected));
}

#[test]
fn extensions_are_keywords_in_any_case() {
    let reply =
        Reply::from_text("250-smtputf8.example.org\n250-Pipelining\n250-AUTH=LOGIN\n250 SIZE 1000").unwrap();
    let extensions = Extensions::of(&reply);
    assert!(["PIPELINING", "AUTH", "SIZE"].iter().all(|keyword| extensions.offers(keyword)));
    assert!(!extensions.offers("SMTPUTF8.EXAMPLE.ORG") && !extensions.offers("SMTPUTF8"));
}
