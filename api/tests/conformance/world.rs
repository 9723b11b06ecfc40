//! DNS and mail hosts in memory, which always say the same, and the inputs that stages are tried on.

use std::{borrow::Cow, net::Ipv4Addr, sync::Arc, time::SystemTime};

use mailsonde_builtin::syntax;
use mailsonde_engine::{
    Address, Answer, Answered, Answers, Ask, BoxFuture, CatchAll, CatchAllSource, Check, DialogueStage,
    EgressId, Facts, Finding, FormatCounts, Formats, History, HistoryError, HistorySource, Lookup,
    LookupFailure, MailHost, MailRoute, Outcome, ProbeFailure, Prober, Reading, RecordData, RecordKind,
    Remembered, ReplyClass, Resolver, Strength, Subject,
};
use tokio::sync::mpsc;

/// Addresses of all kinds that stages know, and people who are to be found.
pub(crate) const ADDRESSES: &[&str] = &[
    "jane.doe@example.com",
    "info@example.com",
    "sales@example.org",
    "xk4q9zv7wq2p@example.com",
    "jane+news@gmail.com",
    "jane@gmial.com",
    "j.a.n.e@gmail.com",
    "jane@mailinator.com",
    "jane@gone.example",
    "jane@silent.example",
    "refused@example.com",
    "unheard@example.org",
    "jane@xn--bcher-kva.example",
    "\"jane doe\"@example.com",
    "jane@[192.0.2.1]",
    "Jane Doe\texample.com",
    "17\texample.com",
];

/// Inputs that are hardly addresses. One has 10,000 octets.
pub(crate) fn odd_inputs() -> Vec<String> {
    let long = "a".repeat(10_000);
    let mut inputs: Vec<String> = [
        "",
        " ",
        "@",
        "a@",
        "@b",
        "no address",
        "a@b@c",
        "a@b..c",
        ".a@b.example",
        "a@-b.example",
        "\"@b.example",
        "a\0b@c.example",
        "a@b.example\r\nRCPT TO:<x@y.example>",
        "\u{1b}[2J@b.example",
        "\u{202e}a@b.example",
        "ünïcode@bücher.example",
        "a@\u{1f4a9}.example",
        "<a@b.example>",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@192.0.2.1",
        "{\"key\": 1}@b.example",
        "%00%40@b.example",
        "a@b.example.",
        "\u{feff}a@b.example",
    ]
    .map(String::from)
    .to_vec();
    inputs.extend([
        long.clone(),
        format!("{long}@b.example"),
        format!("a@{long}.example"),
        "@".repeat(10_000),
    ]);
    inputs
}

/// Says the same of a name whenever it is asked, and after others had their turn.
pub(crate) struct FakeDns;

impl Resolver for FakeDns {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if name.ends_with("gone.example") {
                return Lookup::NoDomain;
            }
            if name.ends_with("silent.example") {
                return Lookup::Failed(LookupFailure::Timeout);
            }
            match kind {
                RecordKind::Mx => {
                    let exchange = format!("mx.{name}").into();
                    Lookup::Found(Arc::from([RecordData::Mx { preference: 10, exchange }]))
                }
                RecordKind::A => {
                    Lookup::Found(Arc::from([RecordData::Address(Ipv4Addr::new(192, 0, 2, 1).into())]))
                }
                RecordKind::Txt => Lookup::Found(Arc::from([RecordData::Txt("v=spf1 -all".into())])),
                RecordKind::Aaaa | RecordKind::Ns | RecordKind::Ds | RecordKind::Caa => Lookup::NoData,
                RecordKind::Ptr => Lookup::Found(Arc::from([RecordData::Present])),
            }
        })
    }
}

/// Remembers those who are called `refused`, since long ago.
pub(crate) struct FakeHistory;

impl History for FakeHistory {
    fn recall<'a>(
        &'a self,
        addresses: &'a [&'a Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Remembered>>, HistoryError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let long_ago = Remembered { source: HistorySource::Bounce, seen_at: SystemTime::UNIX_EPOCH };
            Ok(addresses.iter().map(|address| (address.local() == "refused").then_some(long_ago)).collect())
        })
    }
}

/// Knows how one domain makes addresses.
pub(crate) struct FakeFormats;

impl Formats for FakeFormats {
    fn recall<'a>(
        &'a self,
        domains: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<FormatCounts>, HistoryError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let of = |domain: &&str| match *domain {
                "example.com" => vec![("flast".into(), 2.0)],
                _ => FormatCounts::new(),
            };
            Ok(domains.iter().map(of).collect())
        })
    }
}

/// Answers each recipient by its local part, the last first.
pub(crate) struct FakeProber;

impl Prober for FakeProber {
    fn ask(&self, ask: Ask) -> Answers {
        let (sender, answers) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for (recipient, address) in ask.recipients.iter().enumerate().rev() {
                tokio::task::yield_now().await;
                let answer = match address.local() {
                    "refused" => replied(ReplyClass::NoSuchMailbox, 550),
                    "unheard" => Answer::Failed(ProbeFailure::Timeout),
                    _ => replied(ReplyClass::Accepted, 250),
                };
                if sender.send(Answered { recipient, answer, egress: EgressId(0) }).is_err() {
                    return;
                }
            }
        });
        answers
    }
}

fn replied(class: ReplyClass, code: u16) -> Answer {
    let reading = Reading {
        class,
        strength: Strength::Code,
        rule: Cow::Borrowed("test"),
        stage: DialogueStage::Rcpt,
        code,
        enhanced: None,
        text: "as it is".into(),
        host: "mx.example.com".into(),
        agreed: false,
    };
    let catch_all = (code == 250).then_some(CatchAll::No { source: CatchAllSource::Session });
    Answer::Replied { reading: Box::new(reading), catch_all }
}

/// What stages read and others write: the address, and where its mail goes.
pub(crate) struct Before;

impl Check for Before {
    fn name(&self) -> &'static str {
        "before"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["dns.route"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let Ok(address) = syntax::parse(subject.input(), syntax::Policy::default()) else { return };
        if !address.domain().starts_with('[') {
            let hosts = vec![MailHost { preference: 10, name: format!("mx.{}", address.domain()).into() }];
            outcome.found(Finding::Route(Arc::new(MailRoute::Mx { hosts, beside_null: false })));
        }
        outcome.resolved(address);
    }
}
