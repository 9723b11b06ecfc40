//! Reverse DNS: has the address of the mail host a name?
//!
//! The host is the one that answered the probe, where that came first; or else the best one of the route that has an address
//! that may be dialled. Of its addresses the first such one counts, IPv4 before IPv6: whoever writes an MX record may point
//! at addresses inside, and what those are called is nobody's business. Any PTR record is a name: whether that leads back to
//! the address is not asked. No answer is none found.

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

/// What stands between the names of hosts; no name has it.
const BETWEEN: &str = " ";

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

/// Whether an address may be dialled.
pub type Allowed = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The stage.
pub struct ReverseDns {
    resolver: Arc<dyn Resolver>,
    allowed: Allowed,
    hosts_in_flight: usize,
}

impl ReverseDns {
    /// The stage with its source. Names are looked up of those addresses alone that are `allowed`.
    pub fn new(config: Config, resolver: Arc<dyn Resolver>, allowed: Allowed) -> Self {
        Self { resolver, allowed, hosts_in_flight: config.hosts_in_flight }
    }

    /// `hosts`: with a space between them, the best first.
    async fn has_name(&self, hosts: Arc<str>) -> bool {
        for host in hosts.split(BETWEEN) {
            if let Some(address) = self.address(host).await {
                let name = self.resolver.lookup(&reverse_name(address), RecordKind::Ptr).await;
                return matches!(name, Lookup::Found(_));
            }
        }
        false
    }

    /// The first address of a host that may be dialled.
    async fn address(&self, host: &str) -> Option<IpAddr> {
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            let Lookup::Found(records) = self.resolver.lookup(host, kind).await else { continue };
            let address = records.iter().find_map(|record| match record {
                RecordData::Address(address) if (self.allowed)(*address) => Some(*address),
                _ => None,
            });
            if address.is_some() {
                return address;
            }
        }
        None
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

/// The mail hosts that are asked about, until one has an address.
fn hosts(subject: &Subject) -> Option<Box<str>> {
    let heard = subject.findings().filter_map(|finding| match finding {
        Finding::Reply(reading) => Some(&*reading.host),
        _ => None,
    });
    if let Some(host) = heard.last() {
        return Some(host.into());
    }
    match &**subject.route()? {
        MailRoute::Mx { hosts, .. } => {
            let names: Vec<&str> = hosts.iter().map(|host| &*host.name).collect();
            (!names.is_empty()).then(|| names.join(BETWEEN).into())
        }
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
            per_domain::settle_by(batch, self.hosts_in_flight, hosts, |hosts| self.has_name(hosts), tell)
                .await;
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
        let inside = |address: IpAddr| address.to_string().starts_with("10.");
        let stage =
            ReverseDns::new(Config::default(), dns.clone(), Arc::new(move |address| !inside(address)));
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

    #[tokio::test]
    async fn the_first_address_that_may_be_dialled_counts_and_no_other_is_asked_about() {
        let dns = FakeDns::new(
            "inside.test A 10.0.0.1\n1.0.0.10.in-addr.arpa PTR secret.test\n\
             both.test A 10.0.0.1\nboth.test A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR mx.test\n\
             other.test A 192.0.2.2",
        );
        assert_eq!(found(&dns, &["x@a-inside.test", "x@b-both.test"]).await, [false, true]);
        assert_eq!(dns.asked_for("1.0.0.10.in-addr.arpa", RecordKind::Ptr), 0);
        assert_eq!(dns.asked_for("2.2.0.192.in-addr.arpa", RecordKind::Ptr), 1, "of the next host");
    }

    #[tokio::test]
    async fn the_best_host_that_has_an_address_is_asked_about() {
        let dns = FakeDns::new("other.test A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR mx.test");
        assert_eq!(found(&dns, &["x@a-gone.test"]).await, [true]);
    }
}
