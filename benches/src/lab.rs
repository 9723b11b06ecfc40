//! The simulated mail internet as the prober sees it: in memory, where the clock may stand still, behind the engine's
//! `Resolver` and the prober's `Dialer`.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use anyhow::Result;
use mailsonde_builtin::{
    dns::{self, Dns},
    lists::Lists,
    smtp_probe::{self, SmtpProbe},
    syntax::{self, Syntax},
};
use mailsonde_engine::{
    BoxFuture, Lookup, LookupFailure, Pipeline, Pure, RecordData, RecordKind, Resolver, Slot,
};
use mailsonde_lab::{Answer, Host, Internet, RecordData as LabData, RecordType};
use mailsonde_net::{Dialer, SmtpConfig, SmtpProber, dialer::Stream};

/// The way into it.
#[derive(Clone)]
pub struct Way(pub Arc<Internet>);

impl Resolver for Way {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            let record_type = match kind {
                RecordKind::A => RecordType::A,
                RecordKind::Aaaa => RecordType::Aaaa,
                RecordKind::Mx => RecordType::Mx,
                _ => return Lookup::NoData,
            };
            match self.0.lookup(name, record_type).await {
                Answer::Records(records) => {
                    Lookup::Found(records.into_iter().filter_map(|record| data(record.data)).collect())
                }
                Answer::NoData => Lookup::NoData,
                Answer::NxDomain => Lookup::NoDomain,
                _ => Lookup::Failed(LookupFailure::ServerFailure),
            }
        })
    }
}

fn data(data: LabData) -> Option<RecordData> {
    match data {
        LabData::A(address) => Some(RecordData::Address(address.into())),
        LabData::Aaaa(address) => Some(RecordData::Address(address.into())),
        LabData::Mx { preference, exchange } => {
            Some(RecordData::Mx { preference, exchange: exchange.into() })
        }
        _ => None,
    }
}

impl Dialer for Way {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move { Ok(Box::new(self.0.dial(to.ip()).await?) as Stream) })
    }
}

impl Way {
    /// A prober in there.
    pub fn prober(&self, config: SmtpConfig) -> Result<SmtpProber> {
        let dialer = Arc::new(self.clone());
        Ok(SmtpProber::with_dialers(config, Arc::new(self.clone()), move |_| dialer.clone())?)
    }

    /// The stages that need a network, and what they need.
    pub fn pipeline(&self, config: SmtpConfig) -> Result<Pipeline> {
        let lists = Arc::new(Lists::embedded());
        let prober = Arc::new(self.prober(config)?);
        let slots = vec![
            Slot::new(Arc::new(Pure(Syntax::new(syntax::Config::default())))),
            Slot::new(Arc::new(Dns::new(dns::Config::default(), Arc::new(self.clone()), lists))),
            Slot::new(Arc::new(SmtpProbe::new(smtp_probe::Config::default(), prober))),
        ];
        Ok(Pipeline::new("lab", slots)?)
    }
}

/// `count` domains `d0.test` …, each with a mail server of its own that knows the recipients `user…`.
pub fn domains(count: usize, host: impl Fn(usize) -> Host) -> Result<Internet> {
    let zone: Vec<_> = (0..count).map(|n| format!("d{n}.test MX 10 mx.d{n}.test")).collect();
    let mut hosts = BTreeMap::new();
    for n in 0..count {
        hosts.insert(format!("mx.d{n}.test"), Host { accepts: vec!["user*".into()], ..host(n) });
    }
    Internet::new(&zone.join("\n"), hosts)
}

/// Addresses `user…` and `gone…`, `unknown` percent of them the latter, in a random order by `seed`, spread evenly over
/// `domains` domains.
pub fn addresses(count: usize, domains: usize, unknown: usize, seed: u64) -> Vec<String> {
    let mut drawn = seed;
    let mut draw = move || {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        drawn = drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let per_domain = count / domains;
    let mut all = Vec::with_capacity(count);
    for domain in 0..domains {
        let mut own: Vec<String> = (0..per_domain)
            .map(|n| {
                let local = if n * 100 < unknown * per_domain { "gone" } else { "user" };
                format!("{local}{n}@d{domain}.test")
            })
            .collect();
        for last in (1..own.len()).rev() {
            own.swap(last, usize::try_from(draw() % (last as u64 + 1)).unwrap_or(0));
        }
        all.extend(own);
    }
    all
}
