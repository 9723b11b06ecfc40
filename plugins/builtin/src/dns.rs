//! DNS: where does mail for the domain go, and who runs the hosts?
//!
//! The route by RFC 5321 §5.1: MX records by preference, or else the domain's own address; none at all for a null MX
//! (RFC 7505), a domain without either, or one that does not exist. A look-up without an answer is a route of its own
//! kind, since it says nothing about the domain. Only a domain that does not exist ends a subject's way here.
//!
//! It does not look up the mail hosts' addresses, nor refuse hosts that may not be probed (`localhost`, IP addresses
//! as names, private networks): that belongs to whoever connects. Names for special use (RFC 6761: `.test`,
//! `.invalid` …) are asked like all others, as only the configured servers know whether this is a laboratory. An
//! address literal needs no DNS: it gets no route, and `smtp-probe` says that it is not allowed.

use std::sync::Arc;

use mailsonde_engine::{
    Batch, BoxFuture, Context, Facts, Finding, Lookup, LookupFailure, MX_HOSTS_MAX, MailHost, MailRoute,
    Operator, Outcome, RecordData, RecordKind, Resolver, Stage, StageError,
};
use serde::{Deserialize, Serialize};

use crate::{lists::Lists, per_domain};

/// Options of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Domains of one batch that are asked at the same time. As many as the resolver has queries in flight: a dead
    /// domain waits for seconds, and must not make the living ones behind it wait along.
    pub domains_in_flight: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { domains_in_flight: 256 }
    }
}

/// The stage.
pub struct Dns {
    resolver: Arc<dyn Resolver>,
    lists: Arc<Lists>,
    domains_in_flight: usize,
}

/// What is known of one domain, to be told to all its subjects.
struct Known {
    route: Arc<MailRoute>,
    operator: Option<Operator>,
    is_disposable: bool,
    is_parked: bool,
}

impl Dns {
    /// The stage with its sources.
    pub fn new(config: Config, resolver: Arc<dyn Resolver>, lists: Arc<Lists>) -> Self {
        Self { resolver, lists, domains_in_flight: config.domains_in_flight }
    }

    async fn know(&self, domain: Arc<str>) -> Known {
        let route = self.route(&domain).await;
        let hosts = match &route {
            MailRoute::Mx { hosts, .. } => hosts.as_slice(),
            _ => &[],
        };
        Known {
            operator: hosts.iter().find_map(|host| Operator::of_host(&host.name)),
            is_disposable: hosts.iter().any(|host| self.lists.is_disposable_mx(&host.name)),
            is_parked: hosts.iter().any(|host| self.lists.is_parking_server(&host.name)),
            route: Arc::new(route),
        }
    }

    async fn route(&self, domain: &str) -> MailRoute {
        match self.resolver.lookup(domain, RecordKind::Mx).await {
            Lookup::Found(records) => by_mx(&records),
            Lookup::NoData => self.implicit(domain).await,
            Lookup::NoDomain => MailRoute::NoDomain,
            Lookup::Failed(failure) => MailRoute::Unanswered { failure },
        }
    }

    /// Without MX records the domain itself is the host, if it has an address.
    async fn implicit(&self, domain: &str) -> MailRoute {
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            match self.resolver.lookup(domain, kind).await {
                Lookup::Found(_) => return MailRoute::Implicit,
                Lookup::Failed(failure) => return MailRoute::Unanswered { failure },
                // The name exists, as the answer about MX said; some servers get this wrong for other kinds.
                Lookup::NoData | Lookup::NoDomain => {}
            }
        }
        MailRoute::NoMail
    }
}

/// The hosts by preference, then by name, each once. The root as a host means that there is none; beside real hosts,
/// where it should not stand, they count.
fn by_mx(records: &[RecordData]) -> MailRoute {
    let mut candidates: Vec<(u16, &str)> = records
        .iter()
        .filter_map(|record| match record {
            RecordData::Mx { preference, exchange } => Some((*preference, &**exchange)),
            _ => None,
        })
        .collect();
    candidates.sort_unstable();
    let mut hosts: Vec<MailHost> = Vec::new();
    for &(preference, name) in candidates.iter().filter(|(_, name)| !name.is_empty()) {
        if hosts.len() < MX_HOSTS_MAX && hosts.iter().all(|host| &*host.name != name) {
            hosts.push(MailHost { preference, name: name.into() });
        }
    }
    let beside_null = candidates.iter().any(|(_, name)| name.is_empty());
    match (hosts.is_empty(), beside_null) {
        (true, true) => MailRoute::NullMx,
        // An answer without any MX record makes no sense, and must not be the end of a domain.
        (true, false) => MailRoute::Unanswered { failure: LookupFailure::Unreachable },
        (false, _) => MailRoute::Mx { hosts, beside_null },
    }
}

fn tell(known: &Known, outcome: &mut Outcome) {
    outcome.found(Finding::Route(known.route.clone()));
    if let Some(operator) = known.operator {
        outcome.found(Finding::Operator(operator));
    }
    if known.is_disposable {
        outcome.found(Finding::DisposableMx);
    }
    if known.is_parked {
        outcome.found(Finding::Parked);
    }
    if *known.route == MailRoute::NoDomain {
        outcome.stop();
    }
}

impl Stage for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["dns.route", "dns.operator", "dns.disposable_mx", "dns.parked"])
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            per_domain::settle(batch, self.domains_in_flight, |_| true, |domain| self.know(domain), tell)
                .await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailsonde_engine::{FaultCause, Subject};

    use super::*;
    use crate::{
        fake_dns::{FakeDns, run, run_within},
        lists::ListName,
    };

    fn stage(dns: &Arc<FakeDns>) -> Dns {
        Dns::new(Config::default(), dns.clone(), Arc::new(Lists::embedded()))
    }

    async fn one(zone: &str, address: &str) -> Subject {
        run(stage(&FakeDns::new(zone)), &[address]).await.remove(0)
    }

    async fn route(zone: &str) -> MailRoute {
        MailRoute::clone(one(zone, "jane@example.test").await.route().unwrap())
    }

    fn to(hosts: &[(u16, &str)], beside_null: bool) -> MailRoute {
        let hosts =
            hosts.iter().map(|(preference, name)| MailHost { preference: *preference, name: (*name).into() });
        MailRoute::Mx { hosts: hosts.collect(), beside_null }
    }

    #[tokio::test]
    async fn hosts_stand_by_preference_and_then_by_name() {
        let zone = "example.test MX 20 a.test\nexample.test MX 10 c.test\nexample.test MX 10 b.test";
        assert_eq!(route(zone).await, to(&[(10, "b.test"), (10, "c.test"), (20, "a.test")], false));
    }

    #[tokio::test]
    async fn a_host_stands_once_at_its_best_preference() {
        let zone = "example.test MX 20 a.test\nexample.test MX 10 a.test\nexample.test MX 15 b.test";
        assert_eq!(route(zone).await, to(&[(10, "a.test"), (15, "b.test")], false));
    }

    #[tokio::test]
    async fn the_ten_best_hosts_are_kept() {
        use std::fmt::Write;
        let mut zone = String::new();
        for i in (0..500).rev() {
            writeln!(zone, "example.test MX {i} mx{i}.test\nexample.test MX {} mx{i}.test", i + 1).unwrap();
        }
        let MailRoute::Mx { hosts, .. } = route(&zone).await else { panic!("no hosts") };
        assert!(hosts.iter().map(|host| host.preference).eq(0..10), "{hosts:?}");
    }

    #[tokio::test]
    async fn a_null_mx_means_no_mail_only_when_it_stands_alone() {
        assert_eq!(route("example.test MX 0 .").await, MailRoute::NullMx);
        assert_eq!(
            route("example.test MX 0 .\nexample.test MX 10 mx.test").await,
            to(&[(10, "mx.test")], true)
        );
    }

    #[test]
    fn an_answer_about_something_else_is_none() {
        let nonsense = MailRoute::Unanswered { failure: LookupFailure::Unreachable };
        assert_eq!(by_mx(&[]), nonsense);
        assert_eq!(by_mx(&[RecordData::Present]), nonsense);
    }

    #[tokio::test]
    async fn without_mx_the_domain_is_its_own_host() {
        assert_eq!(route("example.test A 192.0.2.1").await, MailRoute::Implicit);
        assert_eq!(route("example.test AAAA 2001:db8::1").await, MailRoute::Implicit);
        assert_eq!(route("example.test TXT nothing else").await, MailRoute::NoMail);
    }

    #[tokio::test]
    async fn no_answer_says_nothing_about_the_domain() {
        let server_failure = MailRoute::Unanswered { failure: LookupFailure::ServerFailure };
        assert_eq!(route("example.test MX SERVFAIL").await, server_failure);
        assert_eq!(route("example.test A SERVFAIL\nexample.test AAAA 2001:db8::1").await, server_failure);
        assert_eq!(route("example.test AAAA SERVFAIL").await, server_failure);
        let timeout = MailRoute::Unanswered { failure: LookupFailure::Timeout };
        assert_eq!(route("example.test MX TIMEOUT\nexample.test A 192.0.2.1").await, timeout);
    }

    #[tokio::test]
    async fn only_a_domain_that_does_not_exist_ends_the_way() {
        for (zone, stops) in [
            ("other.test A 192.0.2.1", true),
            ("example.test MX 0 .", false),
            ("example.test TXT nothing else", false),
            ("example.test MX SERVFAIL", false),
            ("example.test MX 10 mx.test", false),
        ] {
            assert_eq!(one(zone, "jane@example.test").await.stopped_by().is_some(), stops, "{zone}");
        }
    }

    #[tokio::test]
    async fn hosts_that_may_not_be_probed_stay_in_the_route() {
        let zone = "example.test MX 10 localhost\nexample.test MX 20 192.0.2.1";
        assert_eq!(route(zone).await, to(&[(10, "localhost"), (20, "192.0.2.1")], false));
    }

    #[tokio::test]
    async fn the_first_host_that_is_known_names_the_operator() {
        let zone = "example.test MX 10 mx.example.test\n\
                    example.test MX 20 aspmx.l.google.com\n\
                    example.test MX 30 mx1.mimecast.com";
        let subject = one(zone, "jane@example.test").await;
        let operators: Vec<_> = subject
            .findings()
            .filter_map(|finding| match finding {
                Finding::Operator(operator) => Some(operator.id()),
                _ => None,
            })
            .collect();
        assert_eq!(operators, ["google"]);
    }

    #[tokio::test]
    async fn fleets_and_parking_services_are_known_by_their_hosts() {
        let lists = Lists::embedded();
        let listed = |list| lists.get(list).iter().next().expect("an entry").0;
        for (list, expected) in
            [(ListName::DisposableMx, Finding::DisposableMx), (ListName::Parking, Finding::Parked)]
        {
            let zone = format!("example.test MX 10 mx.{}", listed(list));
            assert!(
                one(&zone, "jane@example.test").await.findings().any(|finding| *finding == expected),
                "{zone}"
            );
        }
        let ordinary = one("example.test MX 10 mx.example.test", "jane@example.test").await;
        assert_eq!(ordinary.findings().count(), 1);
    }

    #[tokio::test]
    async fn an_address_literal_is_settled_without_a_question() {
        let dns = FakeDns::new("");
        let subjects = run(stage(&dns), &["jane@[192.0.2.1]"]).await;
        assert_eq!(subjects[0].findings().count(), 0);
        assert_eq!(dns.asked(), 0);
    }

    #[tokio::test]
    async fn a_thousand_subjects_of_ten_domains_are_ten_questions() {
        let zone = (0..10).map(|i| format!("d{i}.test MX 10 mx{i}.test")).collect::<Vec<_>>().join("\n");
        let dns = FakeDns::new(&zone);
        let addresses: Vec<String> = (0..1000).map(|i| format!("user{i}@d{}.test", i % 10)).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let subjects = run(stage(&dns), &addresses).await;
        assert_eq!(dns.asked(), 10);
        for (i, subject) in subjects.iter().enumerate() {
            assert_eq!(**subject.route().unwrap(), to(&[(10, &format!("mx{}.test", i % 10))], false));
        }
        assert!(
            Arc::ptr_eq(subjects[3].route().unwrap(), subjects[13].route().unwrap()),
            "the route is shared"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_that_hangs_costs_its_own_subjects_alone() {
        let dns = FakeDns::new("stuck.test MX HANG\nswift.test MX 10 mx.test");
        let addresses = ["a@stuck.test", "b@swift.test", "c@stuck.test", "d@swift.test", "e@gone.test"];
        let subjects = run_within(Duration::from_secs(5), stage(&dns), &addresses).await;
        let is_late = |subject: &Subject| {
            subject
                .findings()
                .any(|f| matches!(f, Finding::Fault(fault) if fault.cause == FaultCause::Deadline))
        };
        assert_eq!(subjects.iter().map(is_late).collect::<Vec<_>>(), [true, false, true, false, false]);
        assert_eq!(**subjects[3].route().unwrap(), to(&[(10, "mx.test")], false));
        assert_eq!(**subjects[4].route().unwrap(), MailRoute::NoDomain);
    }

    #[tokio::test]
    async fn no_more_domains_are_in_flight_than_allowed() {
        let zone = (0..50).map(|i| format!("d{i}.test MX 10 mx.test")).collect::<Vec<_>>().join("\n");
        let dns = FakeDns::new(&zone);
        let stage = Dns::new(Config { domains_in_flight: 7 }, dns.clone(), Arc::new(Lists::embedded()));
        let addresses: Vec<String> = (0..50).map(|i| format!("jane@d{i}.test")).collect();
        run(stage, &addresses.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(dns.in_flight_most(), 7);
    }
}
