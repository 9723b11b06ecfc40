//! `disposable`: domains of throw-away mailboxes, by lists of two tiers.
//!
//! A name below a listed domain is disposable too; one below a public suffix is not, whoever else has a name there. What
//! the tiers mean for the verdict is the judge's. Mail hosts of disposable fleets are the `dns` stage's.

use std::sync::Arc;

use mailsonde_engine::{Check, Facts, Finding, Outcome, Subject, Tier};
use serde::{Deserialize, Serialize};

use crate::lists::{DomainList, Lists, ListsError, configured};

/// Configuration of the stage.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Further disposable domains, as sure as the curated list.
    pub extra: Vec<String>,
    /// Domains that are not disposable here, whatever the lists and `extra` say.
    pub allow: Vec<String>,
}

/// The stage.
#[derive(Debug, Clone)]
pub struct Disposable {
    lists: Arc<Lists>,
    extra: DomainList,
    allow: DomainList,
}

impl Disposable {
    /// The stage over these lists. Fails for a configured name that is no domain.
    pub fn new(config: &Config, lists: Arc<Lists>) -> Result<Self, ListsError> {
        Ok(Self { lists, extra: configured(&config.extra)?, allow: configured(&config.allow)? })
    }

    /// Whether, and how surely, the domain is disposable.
    pub fn tier(&self, domain: &str) -> Option<Tier> {
        let tier = match self.extra.find_parent(domain) {
            Some(_) => Tier::Curated,
            None => self.lists.disposable_tier(domain)?,
        };
        self.allow.find_parent(domain).is_none().then_some(tier)
    }
}

impl Check for Disposable {
    fn name(&self) -> &'static str {
        "disposable"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["disposable.tier"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        if let Some(tier) = subject.address().and_then(|address| self.tier(address.domain())) {
            outcome.found(Finding::Disposable(tier));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(extra: &[&str], allow: &[&str]) -> Result<Disposable, ListsError> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let config = Config { extra: owned(extra), allow: owned(allow) };
        Disposable::new(&config, Arc::new(Lists::embedded()))
    }

    #[test]
    fn well_known_services_are_curated_and_so_are_names_below_them() {
        let stage = stage(&[], &[]).unwrap();
        for domain in
            ["mailinator.com", "yopmail.com", "guerrillamail.com", "jane.mailinator.com", "a.b.yopmail.com"]
        {
            assert_eq!(stage.tier(domain), Some(Tier::Curated), "{domain}");
        }
    }

    #[test]
    fn what_only_the_broad_list_has_is_broad() {
        assert_eq!(stage(&[], &[]).unwrap().tier("tempm.com"), Some(Tier::Broad));
    }

    #[test]
    fn providers_relays_and_everyone_else_are_not_disposable() {
        let stage = stage(&[], &[]).unwrap();
        let domains = [
            "gmail.com",
            "outlook.com",
            "qq.com",
            "mail.ru",
            "web.de",
            "proton.me",
            "tuta.com",
            "duck.com",
            "privaterelay.appleid.com",
            "mozmail.com",
            "simplelogin.com",
            "passmail.net",
            "jane.anonaddy.com",
            "example.com",
            "mailinator.com.example",
            "xmailinator-of-our-own.com",
            "com",
            "co.uk",
            "duckdns.org",
            "[192.0.2.1]",
        ];
        for domain in domains {
            assert_eq!(stage.tier(domain), None, "{domain}");
        }
    }

    #[test]
    fn operators_add_and_take_away() {
        let stage =
            stage(&["Throw-Away.example", "müll.example"], &["yopmail.com", "kept.throw-away.example"])
                .unwrap();
        assert_eq!(stage.tier("x.throw-away.example"), Some(Tier::Curated));
        assert_eq!(stage.tier("xn--mll-hoa.example"), Some(Tier::Curated));
        assert_eq!(stage.tier("kept.throw-away.example"), None);
        assert_eq!(stage.tier("x.yopmail.com"), None);
    }

    #[test]
    fn a_configured_name_that_is_no_domain_is_named() {
        let error = stage(&["throw away"], &[]).unwrap_err();
        assert!(error.to_string().contains("`throw away`"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"extras": []}"#).is_err());
    }
}
