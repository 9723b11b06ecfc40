//! `free-provider`: domains where anyone can open a mailbox.
//!
//! Only the very domain counts: names below a provider's domain are often its own staff or servers.

use std::sync::Arc;

use mailsonde_engine::{Check, Facts, Finding, Outcome, Subject};
use serde::{Deserialize, Serialize};

use crate::lists::{DomainList, Lists, ListsError, configured};

/// Configuration of the stage.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Further providers.
    pub extra: Vec<String>,
    /// Domains that are no free providers here, whatever the list says.
    pub except: Vec<String>,
}

/// The stage.
#[derive(Debug, Clone)]
pub struct FreeProvider {
    lists: Arc<Lists>,
    extra: DomainList,
    except: DomainList,
}

impl FreeProvider {
    /// The stage over these lists. Fails for a configured name that is no domain.
    pub fn new(config: &Config, lists: Arc<Lists>) -> Result<Self, ListsError> {
        Ok(Self { lists, extra: configured(&config.extra)?, except: configured(&config.except)? })
    }

    /// Whether anyone can open a mailbox at the domain.
    pub fn is_free(&self, domain: &str) -> bool {
        let is_listed = self.lists.is_free_provider(domain) || self.extra.contains(domain);
        is_listed && !self.except.contains(domain)
    }
}

impl Check for FreeProvider {
    fn name(&self) -> &'static str {
        "free-provider"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["free_provider"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        if subject.address().is_some_and(|address| self.is_free(address.domain())) {
            outcome.found(Finding::FreeProvider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(extra: &[&str], except: &[&str]) -> FreeProvider {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        FreeProvider::new(&Config { extra: owned(extra), except: owned(except) }, Arc::new(Lists::embedded()))
            .unwrap()
    }

    #[test]
    fn mainstream_providers_are_free() {
        let stage = stage(&[], &[]);
        for domain in [
            "gmail.com",
            "yahoo.co.uk",
            "hotmail.fr",
            "gmx.de",
            "libero.it",
            "orange.fr",
            "sfr.fr",
            "wp.pl",
            "mail.ru",
            "qq.com",
            "naver.com",
            "proton.me",
            "hey.com",
            "tuta.com",
            "tutanota.com",
            "mailbox.org",
            "icloud.com",
        ] {
            assert!(stage.is_free(domain), "{domain}");
        }
    }

    #[test]
    fn companies_throw_away_boxes_and_look_alikes_are_not() {
        let stage = stage(&[], &[]);
        for domain in [
            "example.com",
            "google.com",
            "facebook.com",
            "mailinator.com",
            "yaho.com",
            "mail.gmail.com",
            "com",
            "[192.0.2.1]",
        ] {
            assert!(!stage.is_free(domain), "{domain}");
        }
    }

    #[test]
    fn operators_add_and_take_away() {
        let stage = stage(&["free.example"], &["gmx.de"]);
        assert!(stage.is_free("free.example"));
        assert!(!stage.is_free("gmx.de"));
        assert!(stage.is_free("gmx.net"));
    }
}
