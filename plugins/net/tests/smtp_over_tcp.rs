//! The prober over real TCP on loopback; everything else about it is tested in memory, beside its code.

#![allow(clippy::unwrap_used)] // a test that cannot be set up has failed

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use mailsonde_engine::{
    Address, Answer, Ask, BoxFuture, CatchAll, CatchAllSource, Lookup, MailHost, ProbeFailure, Prober,
    RecordData, RecordKind, ReplyClass, Resolver, Stop,
};
use mailsonde_net::{Destinations, SmtpConfig, SmtpProber};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// Every name is this machine.
struct Loopback;

impl Resolver for Loopback {
    fn lookup<'a>(&'a self, _: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        let found = || Lookup::Found([RecordData::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))].into());
        Box::pin(std::future::ready(if kind == RecordKind::A { found() } else { Lookup::NoData }))
    }
}

/// Answers until the client has gone; `None` resets the connection.
async fn serve(stream: TcpStream, rcpt: fn(&str) -> Option<&'static str>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mx.test ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split(' ').next() {
            Some("EHLO") => Some("250-mx.test\r\n250 SIZE"),
            Some("RCPT") => rcpt(&line),
            Some("MAIL" | "RSET" | "QUIT") => Some("250 ok"),
            _ => Some("502 what?"),
        };
        let Some(answer) = answer else {
            let reader = lines.into_inner().into_inner();
            let stream = reader.reunite(writer).map_err(std::io::Error::other)?;
            return stream.set_zero_linger();
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

async fn ask(rcpt: fn(&str) -> Option<&'static str>) -> Vec<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, rcpt));
        }
    });
    let config = SmtpConfig {
        port,
        mail_from: "probe@example.net".into(),
        destinations: Destinations::Any,
        ..SmtpConfig::default()
    };
    let prober = SmtpProber::new(config, Arc::new(Loopback)).unwrap();
    let mut answers = prober.ask(Ask {
        mx: [MailHost { preference: 10, name: "mx.test".into() }].into(),
        recipients: ["jane", "joe"].map(|local| Address::new(local, "example.org")).to_vec(),
        stop: Stop::All,
        deadline: Instant::now() + Duration::from_secs(20),
        egress: None,
    });
    let mut found = vec![Answer::Failed(ProbeFailure::NotProbed); 2];
    while let Some(answered) = answers.recv().await {
        found[answered.recipient] = answered.answer;
    }
    server.abort();
    found
}

#[tokio::test]
async fn tells_who_is_there() {
    let found =
        ask(|line| Some(if line.contains("<jane@") { "250 ok" } else { "550 5.1.1 no such user" })).await;
    let [Answer::Replied { reading: jane, catch_all }, Answer::Replied { reading: joe, .. }] = &found[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!((jane.class, joe.class), (ReplyClass::Accepted, ReplyClass::NoSuchMailbox));
    assert_eq!(*catch_all, Some(CatchAll::No { source: CatchAllSource::Session }));
}

#[tokio::test]
async fn a_reset_is_no_answer() {
    let found = ask(|_| None).await;
    assert_eq!(found, vec![Answer::Failed(ProbeFailure::Disconnected); 2]);
}
