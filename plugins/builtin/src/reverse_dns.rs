//! Reverse DNS: has the address of the mail host a name?
//!
//! The host is the one that answered the probe, or else the best of the route; of its addresses the first counts, IPv4
//! before IPv6. Any PTR record is a name: whether that leads back to the address is not asked. No answer is none found.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use mailsonde_engine::{
    Batch, BoxFuture, Context, Facts, Finding, Lookup, MailRoute, Outcome, RecordData, RecordKind, Resolver,
    Stage, StageError, Subject,
};
use serde::{Deserialize, Serialize};

use crate::per_domain;

/// Options of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Mail hosts of one batch that are looked up at the same time.
    pub hosts_in_flight: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { hosts_in_flight: 64 }
    }
}

/// The stage.
pub struct ReverseDns {
    resolver: Arc<dyn Resolver>,
    hosts_in_flight: usize,
}

impl ReverseDns {
    /// The stage with its source.
    pub fn new(config: Config, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, hosts_in_flight: config.hosts_in_flight }
    }

    async fn has_name(&self, host: Arc<str>) -> bool {
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            let Lookup::Found(records) = self.resolver.lookup(&host, kind).await else { continue };
            let address = records.iter().find_map(|record| match record {
                RecordData::Address(address) => Some(*address),
                _ => None,
            });
            if let Some(address) = address {
                let name = self.resolver.lookup(&reverse_name(address), RecordKind::Ptr).await;
                return matches!(name, Lookup::Found(_));
            }
        }
        false
    }
}

/// The name under which names of an address stand (RFC 1035, section 3.5; RFC 3596, section 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => reverse_name_v6(address),
    }
}

fn reverse_name_v6(address: Ipv6Addr) -> String {
    let mut name = String::with_capacity(72);
    for octet in address.octets().into_iter().rev() {
        // Writing to a text does not fail.
        let _ = write!(name, "{:x}.{:x}.", octet & 0xf, octet >> 4);
    }
    name + "ip6.arpa"
}

/// The mail host that is asked about.
fn host(subject: &Subject) -> Option<Box<str>> {
    let heard = subject.findings().filter_map(|finding| match finding {
        Finding::Reply(reading) => Some(&*reading.host),
        _ => None,
    });
    if let Some(host) = heard.last() {
        return Some(host.into());
    }
    match &**subject.route()? {
        MailRoute::Mx { hosts, .. } => hosts.first().map(|host| host.name.clone()),
        MailRoute::Implicit => subject.address().map(|address| address.domain().into()),
        _ => None,
    }
}

impl Stage for ReverseDns {
    fn name(&self) -> &'static str {
        "reverse-dns"
    }

    fn facts(&self) -> Facts {
        Facts::new(&["dns.route"], &["dns.reverse"])
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let tell = |has_name: &bool, outcome: &mut Outcome| {
                if *has_name {
                    outcome.found(Finding::ReverseDns);
                }
            };
            per_domain::settle_by(batch, self.hosts_in_flight, host, |host| self.has_name(host), tell).await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailsonde_engine::{Address, Check, Context, MailHost, Pipeline, Pure, Slot};

    use super::*;
    use crate::fake_dns::FakeDns;

    /// Routes by domain, so that no other stage is needed: that of `d.test` is the domain itself, `e.test` has none, and the
    /// others lead to what follows a dash.
    struct Routes;

    impl Check for Routes {
        fn name(&self) -> &'static str {
            "routes"
        }

        fn facts(&self) -> Facts {
            Facts::new(&[], &["dns.route"])
        }

        fn check(&self, subject: &Subject, outcome: &mut Outcome) {
            let Some((local, domain)) = subject.input().rsplit_once('@') else { return };
            let host = |preference, name: &str| MailHost { preference, name: name.into() };
            let route = match (domain, domain.split_once('-')) {
                (_, Some((_, best))) => {
                    let hosts = vec![host(10, best), host(20, "other.test")];
                    MailRoute::Mx { hosts, beside_null: false }
                }
                ("d.test", None) => MailRoute::Implicit,
                _ => MailRoute::NullMx,
            };
            outcome.resolved(Address::new(local, domain));
            outcome.found(Finding::Route(Arc::new(route)));
        }
    }

    /// Whether reverse DNS was found for each address.
    async fn found(dns: &Arc<FakeDns>, addresses: &[&str]) -> Vec<bool> {
        let stage = ReverseDns::new(Config::default(), dns.clone());
        let slots = vec![Slot::new(Arc::new(Pure(Routes))), Slot::new(Arc::new(stage))];
        let mut batch = Batch::new(addresses.iter().map(|address| Subject::new(*address)).collect());
        let context = Context::within(Duration::from_mins(1));
        Pipeline::new("test", slots).unwrap().run(&context, &mut batch).await;
        let is_found = |subject: &Subject| subject.findings().any(|found| *found == Finding::ReverseDns);
        batch.subjects().iter().map(is_found).collect()
    }

    #[tokio::test]
    async fn the_first_address_of_the_best_host_has_a_name_or_not() {
        let dns = FakeDns::new(
            "mx.test A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR mx.test\nnameless.test A 192.0.2.2\n\
             broken.test A 192.0.2.3\n3.2.0.192.in-addr.arpa PTR SERVFAIL\nd.test A 192.0.2.1",
        );
        let addresses =
            ["x@a-mx.test", "x@b-nameless.test", "x@c-broken.test", "x@d.test", "x@e.test", "nobody"];
        assert_eq!(found(&dns, &addresses).await, [true, false, false, true, false, false]);
    }

    #[tokio::test]
    async fn a_host_of_many_domains_is_asked_about_once() {
        let dns = FakeDns::new(
            "mx.test AAAA 2001:db8::1\n\
             1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.test",
        );
        assert_eq!(found(&dns, &["x@a-mx.test", "y@a-mx.test", "z@b-mx.test"]).await, [true; 3]);
        assert_eq!(dns.asked_for("mx.test", RecordKind::Aaaa), 1);
    }
}
