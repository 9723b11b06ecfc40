//! A result: what is known of one mailbox. It is kept as it was told, in the history of requests.

use mailsonde_builtin::alias;
use mailsonde_engine::{AliasType, Finding, MailRoute, Operator, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{CatchAllPolicy, Outcome, State};

/// What is known of a mailbox. Branch on `outcome` first: of an `error`, `state` says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ClientIdentityResponse)]
pub(crate) struct IdentityResult {
    pub(crate) state: State,
    pub(crate) outcome: Outcome,
    /// The mailbox, where there is one.
    pub(crate) address: Option<String>,
    /// It stands for another one.
    pub(crate) is_alias: bool,
    pub(crate) alias: Option<AliasInfo>,
    /// The domain accepts every recipient.
    pub(crate) is_catchall: bool,
    /// Who runs the domain's mail hosts, as far as that is known.
    pub(crate) identity_providers: Vec<IdentityProvider>,
    /// The domain's mail hosts, the preferred ones first; up to ten.
    pub(crate) mx_hosts: Vec<String>,
    /// The id of the request; none in jobs.
    pub(crate) request_id: Option<String>,
}

/// What an alias stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct AliasInfo {
    /// As it was submitted.
    original: String,
    /// The address behind it, where that can be told.
    resolved: Option<String>,
}

/// Who runs mail hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct IdentityProvider {
    /// Its id.
    pub(crate) provider: String,
    /// The first of the domain's mail hosts that are its own.
    pub(crate) hostname: Option<String>,
}

impl IdentityResult {
    /// What a verdict comes to.
    pub(crate) fn of(verdict: &Verdict, policy: CatchAllPolicy, request_id: Option<&str>) -> Self {
        let judgement = &verdict.judgement;
        let outcome = Outcome::of(judgement.mailbox, policy);
        let address = verdict.address.as_ref().filter(|_| outcome == Outcome::Found);
        let (operator, hosts) = operator_and_hosts(verdict);
        Self {
            state: outcome.state(),
            outcome,
            address: address.map(|address| address.as_str().to_owned()),
            is_alias: judgement.flags.alias.is_some(),
            alias: judgement.flags.alias.and_then(|kind| AliasInfo::of(verdict, kind)),
            is_catchall: judgement.flags.is_catch_all,
            identity_providers: operator
                .map(|operator| IdentityProvider::of(operator, &hosts))
                .into_iter()
                .collect(),
            mx_hosts: hosts.into_iter().map(str::to_owned).collect(),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The id of who runs the mail hosts.
    pub(crate) fn provider(&self) -> Option<&str> {
        self.identity_providers.first().map(|known| &*known.provider)
    }
}

impl AliasInfo {
    fn of(verdict: &Verdict, kind: AliasType) -> Option<Self> {
        let resolved = match kind {
            AliasType::PlusTag | AliasType::DotVariant => alias::resolved(verdict.address.as_ref()?, kind),
            AliasType::ProviderAlias => None,
            // Nothing is told of whose subdomain it is.
            AliasType::Subdomain => return None,
        };
        Some(Self { original: verdict.input.trim().to_owned(), resolved })
    }
}

impl IdentityProvider {
    fn of(operator: Operator, hosts: &[&str]) -> Self {
        let own = hosts.iter().find(|host| Operator::of_host(host) == Some(operator));
        Self { provider: operator.id().to_owned(), hostname: own.map(|&host| host.to_owned()) }
    }
}

fn operator_and_hosts(verdict: &Verdict) -> (Option<Operator>, Vec<&str>) {
    let (mut operator, mut hosts) = (None, Vec::new());
    for finding in verdict.evidence.findings() {
        match finding {
            Finding::Operator(known) => operator = Some(*known),
            Finding::Route(route) => hosts = hosts_of(route),
            _ => {}
        }
    }
    (operator, hosts)
}

/// By preference and name, as they were sorted when they were found.
fn hosts_of(route: &MailRoute) -> Vec<&str> {
    match route {
        MailRoute::Mx { hosts, .. } => hosts.iter().map(|host| &*host.name).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::{Address, MailHost, Policy, Subject};

    use super::*;

    /// A verdict by these findings.
    fn verdict(input: &str, findings: Vec<Finding>) -> Verdict {
        let mut subject = Subject::new(input);
        for finding in findings {
            subject.note(&"test".into(), finding);
        }
        let address = input.rsplit_once('@').map(|(local, domain)| Address::new(local, domain));
        Verdict { address, ..Verdict::of(subject, Policy::default()) }
    }

    fn mx(names: &[&str]) -> Finding {
        let hosts = (1..).zip(names).map(|(preference, name)| MailHost { preference, name: (*name).into() });
        Finding::Route(MailRoute::Mx { hosts: hosts.collect(), beside_null: false }.into())
    }

    fn told(verdict: &Verdict) -> IdentityResult {
        IdentityResult::of(verdict, CatchAllPolicy::Review, Some("r"))
    }

    #[test]
    fn a_provider_stands_with_the_first_of_its_hosts() {
        let google = Operator::by_id("google").unwrap();
        let findings = vec![mx(&["mx.example.com", "aspmx.l.google.com"]), Finding::Operator(google)];
        let told = told(&verdict("jane@example.com", findings));
        let provider =
            IdentityProvider { provider: "google".into(), hostname: Some("aspmx.l.google.com".into()) };
        assert_eq!(told.identity_providers, [provider]);
        assert_eq!(told.mx_hosts, ["mx.example.com", "aspmx.l.google.com"]);
        assert_eq!((told.outcome, told.address), (Outcome::Error, None), "nobody was asked");
    }

    #[test]
    fn an_alias_is_told_with_what_it_stands_for() {
        let of = |input, kind| {
            let told = told(&verdict(input, vec![Finding::Alias(kind)]));
            assert!(told.is_alias);
            told.alias
        };
        let info = |original: &str, resolved: Option<&str>| {
            Some(AliasInfo { original: original.into(), resolved: resolved.map(Into::into) })
        };
        assert_eq!(
            of("jane+x@example.com", AliasType::PlusTag),
            info("jane+x@example.com", Some("jane@example.com"))
        );
        assert_eq!(
            of("j.a.n.e@gmail.com", AliasType::DotVariant),
            info("j.a.n.e@gmail.com", Some("jane@gmail.com"))
        );
        assert_eq!(of("x@duck.com", AliasType::ProviderAlias), info("x@duck.com", None));
        assert_eq!(of("x@jane.fastmail.com", AliasType::Subdomain), None);
    }

    #[test]
    fn keys_stand_in_their_order() {
        let text = serde_json::to_string(&told(&verdict("jane", Vec::new()))).unwrap();
        assert_eq!(
            text,
            r#"{"state":"undeliverable","outcome":"error","address":null,"is_alias":false,"alias":null,"is_catchall":false,"identity_providers":[],"mx_hosts":[],"request_id":"r"}"#
        );
    }
}
