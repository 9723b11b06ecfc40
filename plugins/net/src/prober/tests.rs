//! Whole asks against scripted hosts.

mod catch_all;
mod hosts;
mod laws;
mod learning;
mod pooling;
mod sessions;
mod setbacks;
mod shared;
mod store;
mod turns;
mod usage;

use std::{sync::Arc, time::Duration};

use mailsonde_engine::{
    Address, Answer, CatchAll, CatchAllSource, EgressId, Lookup, LookupFailure, MailHost, MxSet, Reading,
    Reason, ReplyClass, Stop,
};
use tokio::time::Instant;

use super::*;
use crate::{
    destination::Destinations,
    learned::Fact,
    script::{Host, Net, Say},
};

const YES: Option<CatchAll> = Some(CatchAll::Yes { source: CatchAllSource::Session });
const NO: Option<CatchAll> = Some(CatchAll::No { source: CatchAllSource::Session });
const NO_FROM_CACHE: Option<CatchAll> = Some(CatchAll::No { source: CatchAllSource::Cache });

fn config() -> Config {
    Config {
        hello_name: "probe.example.net".into(),
        mail_from: "probe@example.net".into(),
        ..Config::default()
    }
}

fn prober_with(config: Config, net: Net) -> (SmtpProber, Arc<Net>) {
    let net = Arc::new(net);
    let dialer = net.clone();
    (SmtpProber::with_dialers(config, net.clone(), move |_| dialer.clone()).unwrap(), net)
}

fn prober(net: Net) -> SmtpProber {
    prober_with(config(), net).0
}

/// One host `mx` at a public address.
fn one(host: &Host) -> SmtpProber {
    prober(Net::default().host("mx", "9.9.9.9", host))
}

fn mx(names: &[&str]) -> MxSet {
    let host = |(n, name): (usize, &&str)| MailHost {
        preference: u16::try_from(n).unwrap() * 10,
        name: (*name).into(),
    };
    names.iter().enumerate().map(host).collect()
}

fn ask(mx: MxSet, addresses: &[&str]) -> Ask {
    let address =
        |text: &&str| text.rsplit_once('@').map(|(local, domain)| Address::new(local, domain)).unwrap();
    Ask {
        mx,
        recipients: addresses.iter().map(address).collect(),
        stop: Stop::All,
        deadline: Instant::now() + Duration::from_mins(1),
        egress: None::<EgressId>,
    }
}

/// The answers by recipient; each recipient must have exactly one.
async fn answers(prober: &SmtpProber, ask: Ask) -> Vec<Answer> {
    let mut found: Vec<Option<Answer>> = vec![None; ask.recipients.len()];
    let mut receiver = prober.ask(ask);
    while let Some(answered) = receiver.recv().await {
        let slot = &mut found[answered.recipient];
        assert!(slot.is_none(), "recipient {} is answered twice", answered.recipient);
        *slot = Some(answered.answer);
    }
    found.into_iter().map(|answer| answer.expect("a recipient has no answer")).collect()
}

async fn answer(prober: &SmtpProber, hosts: &[&str]) -> Answer {
    answers(prober, ask(mx(hosts), &["jane@example.org"])).await.remove(0)
}

fn reading(answer: &Answer) -> &Reading {
    match answer {
        Answer::Replied { reading, .. } => reading,
        Answer::Failed(failure) => panic!("{failure:?}"),
    }
}

fn class(answer: &Answer) -> ReplyClass {
    reading(answer).class
}

fn catch_all(answer: &Answer) -> Option<CatchAll> {
    match answer {
        Answer::Replied { catch_all, .. } => catch_all.clone(),
        Answer::Failed(failure) => panic!("{failure:?}"),
    }
}

fn rcpt(text: &'static str) -> Host {
    Host::default().on("RCPT", move |_| Say::line(text))
}

/// Until no session is kept any more.
async fn sessions_end() {
    tokio::time::sleep(config().keep_warm + Duration::from_secs(1)).await;
}
