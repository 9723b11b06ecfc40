//! Domain trust: how well is the domain kept, by what its owner and others publish about it in DNS?
//!
//! A score with its reasons, and nothing more: it never moves the category. Only DNS is asked: no stage opens a
//! registry's or a web server's door, so there is neither the domain's age nor its web site here.
//!
//! Sources: SPF (RFC 7208), DMARC (RFC 7489), MTA-STS (RFC 8461), TLS reporting (RFC 8460), DNSSEC (a DS record,
//! RFC 4034 §5), CAA (RFC 8659), name servers of parking services, blocklists of domains (RFC 5782, zones chosen by
//! the operator), and the share of phishing among the names of the top-level domain. What belongs to a registration
//! and not to each name below it (DS, name servers, blocklists) is asked at the registrable domain.

mod records;

use std::{collections::HashSet, sync::Arc};

use futures_util::future::{join, join_all, join4};
use mailsonde_engine::{
    Batch, BoxFuture, Context, DmarcPolicy, DomainTrust as Trust, Facts, Finding, MailRoute, Outcome,
    RecordData, RecordKind, Resolver, Stage, StageError, Subject, TldRisk,
};
use serde::{Deserialize, Serialize};

use self::records::{answered, dmarc_policy, has_version, is_listed, is_spf, texts};
use crate::{
    lists::{Lists, ListsError, Names, normalise},
    per_domain,
};

/// Names at which CAA is looked for, from the registrable domain downwards. Addresses lie one or two below it.
const CAA_NAMES_MAX: usize = 8;

/// Phishing domains per 10,000 names from which a top-level domain is a high risk, and from which a medium one.
const TLD_RISK_HIGH: f64 = 300.0;
const TLD_RISK_MEDIUM: f64 = 50.0;

/// Options of the stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// DNS blocklists of domains, by their zones (`dbl.example`). None by default: each has terms of its own.
    /// A zone that lists a domain is shown to clients under this name.
    pub blocklist_zones: Vec<String>,
    /// Domains of one batch that are asked at the same time; each is some ten questions.
    pub domains_in_flight: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { blocklist_zones: Vec::new(), domains_in_flight: 32 }
    }
}

/// The stage.
pub struct DomainTrust {
    resolver: Arc<dyn Resolver>,
    lists: Arc<Lists>,
    blocklist_zones: Vec<Box<str>>,
    domains_in_flight: usize,
}

impl DomainTrust {
    /// The stage with its sources.
    ///
    /// # Errors
    /// [`ListsError::NotADomain`] when a blocklist zone is none.
    pub fn new(config: &Config, resolver: Arc<dyn Resolver>, lists: Arc<Lists>) -> Result<Self, ListsError> {
        let zone = |name: &String| match normalise(name, Names::Domains) {
            Ok(zone) => Ok(Box::from(zone)),
            Err(reason) => Err(ListsError::NotADomain { name: name.clone(), reason }),
        };
        let blocklist_zones = config.blocklist_zones.iter().map(zone).collect::<Result<_, _>>()?;
        Ok(Self { resolver, lists, blocklist_zones, domains_in_flight: config.domains_in_flight })
    }

    /// Asks everything about one domain at the same time.
    async fn trust(&self, domain: &str, mx_is_parked: bool) -> Trust {
        let registrable = psl::domain_str(domain).unwrap_or(domain);
        let mail_policies = join4(
            self.exists(domain, RecordKind::Txt, is_spf),
            self.dmarc(domain, registrable),
            self.has_one_text(format!("_mta-sts.{domain}"), "v=STSv1"),
            self.has_one_text(format!("_smtp._tls.{domain}"), "v=TLSRPTv1"),
        );
        let registration = join4(
            self.exists(registrable, RecordKind::Ds, |_| true),
            self.has_caa(domain, registrable),
            self.exists(registrable, RecordKind::Ns, |record| self.is_parking(record)),
            self.blocklists(registrable),
        );
        let (policies, registration) = join(mail_policies, registration).await;
        let (has_spf, dmarc, has_mta_sts, has_tls_rpt) = policies;
        let (has_dnssec, has_caa, ns_is_parked, (blocklists, all_answered)) = registration;
        let mut trust = Trust {
            score: 0.0,
            has_spf,
            has_dmarc: dmarc.map(|policy| policy.is_some()),
            dmarc_policy: dmarc.flatten(),
            has_mta_sts,
            has_tls_rpt,
            has_dnssec,
            has_caa,
            is_parked: if mx_is_parked { Some(true) } else { ns_is_parked },
            tld_risk: tld_risk(self.lists.tld_phishing_score(domain)),
            blocklists,
            reasons: Vec::new(),
        };
        weigh(&mut trust, all_answered);
        trust
    }

    /// Whether a record of the kind is there that `is_meant`; `None` without an answer.
    async fn exists(
        &self,
        name: &str,
        kind: RecordKind,
        is_meant: impl Fn(&RecordData) -> bool,
    ) -> Option<bool> {
        answered(self.resolver.lookup(name, kind).await).map(|records| records.iter().any(is_meant))
    }

    /// Whether exactly one text record of this version is there: with several, both RFCs say to use none.
    async fn has_one_text(&self, name: String, version: &str) -> Option<bool> {
        let records = answered(self.resolver.lookup(&name, RecordKind::Txt).await)?;
        Some(texts(&records).filter(|text| has_version(text, version)).count() == 1)
    }

    /// The DMARC policy for mail of the domain: its own, or that of the registrable domain for those below it
    /// (RFC 7489 §6.6.3). `None` without an answer, `Some(None)` without a record.
    async fn dmarc(&self, domain: &str, registrable: &str) -> Option<Option<DmarcPolicy>> {
        let at = |name: &str| {
            let name = format!("_dmarc.{name}");
            async move { answered(self.resolver.lookup(&name, RecordKind::Txt).await) }
        };
        let is_dmarc = |text: &&str| has_version(text, "v=DMARC1");
        let own = at(domain).await?;
        match texts(&own).filter(is_dmarc).collect::<Vec<_>>()[..] {
            [text] => return Some(Some(dmarc_policy(text, &["p"]))),
            [] if domain != registrable => {}
            // Several records count as none, and no other name is asked.
            _ => return Some(None),
        }
        let inherited = at(registrable).await?;
        match texts(&inherited).filter(is_dmarc).collect::<Vec<_>>()[..] {
            [text] => Some(Some(dmarc_policy(text, &["sp", "p"]))),
            _ => Some(None),
        }
    }

    /// Whether the domain, or a parent up to the registrable domain, has a CAA record: the nearest one counts for a
    /// certificate, but any will do to say that there is one.
    async fn has_caa(&self, domain: &str, registrable: &str) -> Option<bool> {
        let found = join_all(
            self_and_parents(domain, registrable).map(|name| self.exists(name, RecordKind::Caa, |_| true)),
        );
        let found = found.await;
        if found.contains(&Some(true)) {
            Some(true)
        } else {
            found.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
        }
    }

    fn is_parking(&self, record: &RecordData) -> bool {
        matches!(record, RecordData::Ns(host) if self.lists.is_parking_server(host))
    }

    /// The zones that list the domain, in the order of the configuration, and whether every zone gave an answer.
    async fn blocklists(&self, registrable: &str) -> (Vec<Box<str>>, bool) {
        let listed = join_all(self.blocklist_zones.iter().map(|zone| {
            let name = format!("{registrable}.{zone}");
            async move { is_listed(self.resolver.lookup(&name, RecordKind::A).await) }
        }))
        .await;
        let zones = self.blocklist_zones.iter().zip(&listed).filter(|(_, listed)| **listed == Some(true));
        (zones.map(|(zone, _)| zone.clone()).collect(), !listed.contains(&None))
    }
}

/// The domain and its parents that are not above the registrable domain, nearest to it last.
fn self_and_parents<'d>(domain: &'d str, registrable: &str) -> impl Iterator<Item = &'d str> {
    let mut names = vec![domain];
    let mut name = domain;
    while name.len() > registrable.len()
        && let Some((_, parent)) = name.split_once('.')
    {
        names.push(parent);
        name = parent;
    }
    let skipped = names.len().saturating_sub(CAA_NAMES_MAX);
    names.into_iter().skip(skipped)
}

fn tld_risk(phishing_per_10k: Option<f64>) -> TldRisk {
    match phishing_per_10k {
        Some(score) if score >= TLD_RISK_HIGH => TldRisk::High,
        Some(score) if score >= TLD_RISK_MEDIUM => TldRisk::Medium,
        _ => TldRisk::Low,
    }
}

/// Sets the score, in hundredths from 50, and the reasons in their order.
fn weigh(trust: &mut Trust, all_blocklists_answered: bool) {
    let is_enforced = matches!(trust.dmarc_policy, Some(DmarcPolicy::Quarantine | DmarcPolicy::Reject));
    let weights = [
        (trust.has_spf == Some(true), 10, "spf"),
        (trust.has_dmarc == Some(true), 10, "dmarc"),
        (is_enforced, 10, "dmarc_enforced"),
        (trust.has_mta_sts == Some(true), 5, "mta_sts"),
        (trust.has_tls_rpt == Some(true), 5, "tls_rpt"),
        (trust.has_dnssec == Some(true), 5, "dnssec"),
        (trust.has_caa == Some(true), 5, "caa"),
        (trust.is_parked == Some(true), -40, "parked"),
        (!trust.blocklists.is_empty(), -40, "blocklisted"),
        (trust.tld_risk == TldRisk::High, -20, "tld_risk_high"),
    ];
    let failures = [
        (trust.has_spf.is_none(), "dns_failure:has_spf"),
        (trust.has_dmarc.is_none(), "dns_failure:has_dmarc"),
        (trust.has_mta_sts.is_none(), "dns_failure:has_mta_sts"),
        (trust.has_tls_rpt.is_none(), "dns_failure:has_tls_rpt"),
        (trust.has_dnssec.is_none(), "dns_failure:has_dnssec"),
        (trust.has_caa.is_none(), "dns_failure:has_caa"),
        (trust.is_parked.is_none(), "dns_failure:is_parked"),
        (!all_blocklists_answered, "dns_failure:blocklists"),
    ];
    let moved = weights.iter().filter(|(holds, ..)| *holds);
    let hundredths = 50 + moved.clone().map(|(_, weight, _)| weight).sum::<i32>();
    trust.score = f64::from(hundredths.clamp(0, 100)) / 100.0;
    let failed = failures.iter().filter(|(holds, _)| *holds).map(|(_, reason)| *reason);
    trust.reasons = moved.map(|(.., reason)| *reason).chain(failed).map(Box::from).collect();
}

/// A domain that does not exist has no standing.
fn is_asked(subject: &Subject) -> bool {
    !matches!(subject.route().map(|route| &**route), Some(MailRoute::NoDomain))
}

/// Domains that an earlier stage knows to be parked, by their mail hosts.
fn parked_domains(batch: &Batch) -> HashSet<Box<str>> {
    let is_parked = |subject: &&Subject| subject.findings().any(|finding| *finding == Finding::Parked);
    let parked = batch.open().map(|(_, subject)| subject).filter(is_parked);
    parked.filter_map(Subject::address).map(|address| address.domain().into()).collect()
}

impl Stage for DomainTrust {
    fn name(&self) -> &'static str {
        "domain-trust"
    }

    // What `dns` found helps and is not needed, so nothing is read that must be there.
    fn facts(&self) -> Facts {
        Facts::new(&[], &["domain.trust"])
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let parked = parked_domains(batch);
            let ask = |domain: Arc<str>| {
                let mx_is_parked = parked.contains(&*domain);
                async move { Arc::new(self.trust(&domain, mx_is_parked).await) }
            };
            let tell = |trust: &Arc<Trust>, outcome: &mut Outcome| {
                outcome.found(Finding::DomainTrust(trust.clone()));
            };
            per_domain::settle(batch, self.domains_in_flight, is_asked, ask, tell).await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake_dns::{FakeDns, run},
        lists::ListName,
    };

    const KEPT: &str = "\
        example.test TXT v=spf1 -all\n\
        _dmarc.example.test TXT v=DMARC1; p=reject\n\
        example.test CAA";

    async fn told(dns: &Arc<FakeDns>, zones: &[&str], addresses: &[&str]) -> Vec<Subject> {
        let config =
            Config { blocklist_zones: zones.iter().map(ToString::to_string).collect(), ..Config::default() };
        let stage = DomainTrust::new(&config, dns.clone(), Arc::new(Lists::embedded())).unwrap();
        run(stage, addresses).await
    }

    fn of(subject: &Subject) -> Option<Arc<Trust>> {
        subject.findings().find_map(|finding| match finding {
            Finding::DomainTrust(trust) => Some(trust.clone()),
            _ => None,
        })
    }

    /// What is said of a domain in a zone, with one blocklist.
    async fn trust(zone: &str, domain: &str) -> Arc<Trust> {
        let subjects = told(&FakeDns::new(zone), &["dbl.test"], &[&format!("jane@{domain}")]).await;
        of(&subjects[0]).unwrap()
    }

    /// The score in hundredths and the reasons, for `example.test`.
    async fn weighed(zone: &str) -> (i32, String) {
        let trust = trust(zone, "example.test").await;
        #[allow(clippy::cast_possible_truncation)] // 0 to 100
        let hundredths = (trust.score * 100.0).round() as i32;
        (hundredths, trust.reasons.join(" "))
    }

    #[tokio::test]
    async fn a_kept_domain_in_the_shape_that_clients_see() {
        let trust = serde_json::to_value(&*trust(KEPT, "example.test").await).unwrap();
        let expected = serde_json::json!({
            "score": 0.85, "has_spf": true, "has_dmarc": true, "dmarc_policy": "reject", "has_mta_sts": false,
            "has_tls_rpt": false, "has_dnssec": false, "has_caa": true, "is_parked": false, "tld_risk": "low",
            "blocklists": [], "reasons": ["spf", "dmarc", "dmarc_enforced", "caa"],
        });
        assert_eq!(trust, expected);
    }

    #[tokio::test]
    async fn everything_that_can_be_said_for_a_domain() {
        let zone = format!(
            "{KEPT}\n_mta-sts.example.test TXT v=STSv1; id=1\n_smtp._tls.example.test TXT v=TLSRPTv1; rua=mailto:a\n\
             example.test DS"
        );
        let reasons = "spf dmarc dmarc_enforced mta_sts tls_rpt dnssec caa";
        assert_eq!(weighed(&zone).await, (100, reasons.into()));
    }

    #[tokio::test]
    async fn a_bare_domain_stands_in_the_middle() {
        assert_eq!(weighed("example.test A 192.0.2.1").await, (50, String::new()));
        assert_eq!(weighed("_dmarc.example.test TXT v=DMARC1; p=none").await, (60, "dmarc".into()));
    }

    #[tokio::test]
    async fn parked_and_listed_domains_lose() {
        let lists = Lists::embedded();
        let parking = lists.get(ListName::Parking).iter().next().unwrap().0;
        let parked = format!("example.test NS ns1.{parking}");
        let listed = "example.test.dbl.test A 127.0.1.2";
        assert_eq!(weighed(&parked).await, (10, "parked".into()));
        assert_eq!(weighed(listed).await, (10, "blocklisted".into()));
        assert_eq!(weighed(&format!("{parked}\n{listed}")).await, (0, "parked blocklisted".into()));
        assert_eq!(*trust(listed, "mail.example.test").await.blocklists, ["dbl.test".into()]);
    }

    #[tokio::test]
    async fn a_top_level_domain_of_high_risk_weighs_and_one_of_medium_risk_is_only_told() {
        let lists = Lists::embedded();
        let top = |range: std::ops::Range<u64>| {
            let found = lists.get(ListName::TldRisk).iter().find(|(_, per_100k)| range.contains(per_100k));
            format!("example.{}", found.unwrap().0)
        };
        let high = trust("", &top(3_000..100_000)).await;
        assert_eq!(
            (high.tld_risk, high.score, &*high.reasons),
            (TldRisk::High, 0.3, &["tld_risk_high".into()][..])
        );
        let medium = trust("", &top(500..3_000)).await;
        assert_eq!((medium.tld_risk, medium.score, medium.reasons.len()), (TldRisk::Medium, 0.5, 0));
    }

    #[tokio::test]
    async fn a_blocklist_that_refuses_us_is_no_listing() {
        let reason = "dns_failure:blocklists";
        for data in ["127.255.255.254", "192.0.2.1", "SERVFAIL"] {
            assert_eq!(
                weighed(&format!("example.test.dbl.test A {data}")).await,
                (50, reason.into()),
                "{data}"
            );
        }
    }

    #[tokio::test]
    async fn a_look_up_without_an_answer_weighs_nothing_and_says_so() {
        let fields = [
            ("example.test TXT", "has_spf"),
            ("_dmarc.example.test TXT", "has_dmarc"),
            ("_mta-sts.example.test TXT", "has_mta_sts"),
            ("_smtp._tls.example.test TXT", "has_tls_rpt"),
            ("example.test DS", "has_dnssec"),
            ("example.test CAA", "has_caa"),
            ("example.test NS", "is_parked"),
        ];
        for (question, field) in fields {
            let zone = format!("{question} TIMEOUT");
            assert_eq!(weighed(&zone).await, (50, format!("dns_failure:{field}")), "{question}");
            let json = serde_json::to_value(&*trust(&zone, "example.test").await).unwrap();
            assert!(json[field].is_null(), "{json}");
        }
        let all = fields.map(|(question, _)| format!("{question} SERVFAIL")).join("\n");
        let reasons = fields.map(|(_, field)| format!("dns_failure:{field}")).join(" ");
        assert_eq!(weighed(&all).await, (50, reasons));
    }

    #[tokio::test]
    async fn subdomains_inherit_what_their_registration_publishes() {
        let zone = "_dmarc.example.test TXT v=DMARC1; p=reject; sp=quarantine\n\
                    example.test DS\nexample.test CAA\nexample.test TXT v=spf1 -all";
        let trust = trust(zone, "eu.mail.example.test").await;
        assert_eq!((trust.has_spf, trust.has_dnssec, trust.has_caa), (Some(false), Some(true), Some(true)));
        assert_eq!((trust.has_dmarc, trust.dmarc_policy), (Some(true), Some(DmarcPolicy::Quarantine)));
    }

    #[tokio::test]
    async fn a_subdomain_s_own_dmarc_record_comes_first() {
        let zone = "_dmarc.example.test TXT v=DMARC1; p=reject\n_dmarc.eu.example.test TXT v=DMARC1; p=none";
        assert_eq!(trust(zone, "eu.example.test").await.dmarc_policy, Some(DmarcPolicy::None));
        let twice = format!("{zone}\n_dmarc.eu.example.test TXT v=DMARC1; p=reject");
        assert_eq!(trust(&twice, "eu.example.test").await.has_dmarc, Some(false));
    }

    #[test]
    fn caa_is_looked_for_from_the_registrable_domain_downwards() {
        let names = |domain| self_and_parents(domain, "example.test").collect::<Vec<_>>();
        assert_eq!(names("example.test"), ["example.test"]);
        assert_eq!(names("a.b.example.test"), ["a.b.example.test", "b.example.test", "example.test"]);
        let deep = "a.".repeat(100) + "example.test";
        assert_eq!((names(&deep).len(), *names(&deep).last().unwrap()), (CAA_NAMES_MAX, "example.test"));
    }

    #[test]
    fn top_level_domains_are_risky_by_the_share_of_phishing() {
        let scores = [(None, TldRisk::Low), (Some(49.9), TldRisk::Low), (Some(50.0), TldRisk::Medium)];
        for (score, risk) in
            scores.into_iter().chain([(Some(299.9), TldRisk::Medium), (Some(300.0), TldRisk::High)])
        {
            assert_eq!(tld_risk(score), risk, "{score:?}");
        }
    }

    #[tokio::test]
    async fn a_domain_is_asked_once_and_a_literal_never() {
        let dns = FakeDns::new(KEPT);
        let addresses = ["a@example.test", "b@example.test", "c@[192.0.2.1]"];
        let subjects = told(&dns, &["one.test", "two.test"], &addresses).await;
        assert_eq!(dns.asked_for("example.test", RecordKind::Txt), 1);
        assert_eq!(dns.asked(), 9);
        assert!(Arc::ptr_eq(&of(&subjects[0]).unwrap(), &of(&subjects[1]).unwrap()));
        assert_eq!(of(&subjects[2]), None);
    }

    #[test]
    fn a_blocklist_zone_that_is_no_name_is_refused() {
        let config = Config { blocklist_zones: vec!["not a zone".into()], ..Config::default() };
        let stage = DomainTrust::new(&config, FakeDns::new(""), Arc::new(Lists::embedded()));
        assert!(matches!(stage.map(|_| ()), Err(ListsError::NotADomain { .. })));
    }
}
