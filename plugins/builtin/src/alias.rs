//! `alias`: addresses that stand for another one: a relay's, one with a tag, one with dots that do not count, one below
//! the owner's subdomain.
//!
//! First match wins, in that order of the contract. An ordinary dot (`jane.doe@gmail.com`) is no alias. Whether two
//! addresses are the same for counting duplicates is [`canonical`]'s, and that knows nothing of tags and dots.

use std::sync::Arc;

use mailsonde_engine::{Address, AliasType, Check, Facts, Finding, Outcome, Subject};
use serde::{Deserialize, Serialize};

use crate::lists::{DomainList, ListName, Lists, ListsError, configured};

/// Dots from which on they are a disguise, if no more than [`SEGMENT_LETTERS_MAX`] letters stand between them.
const DISGUISE_DOTS_MIN: usize = 3;
const SEGMENT_LETTERS_MAX: usize = 2;

/// Tags of the list of operators: `-` begins a tag; mailboxes own subdomains; dots do not count.
const HYPHEN_TAGS: u64 = 1;
const SUBDOMAINS: u64 = 2;
const DOTS_IGNORED: u64 = 3;

/// Configuration of the stage.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Further domains that forward to hidden mailboxes.
    pub relays: Vec<String>,
}

/// The stage.
#[derive(Debug, Clone)]
pub struct Alias {
    lists: Arc<Lists>,
    relays: DomainList,
}

impl Alias {
    /// The stage over these lists. Fails for a configured name that is no domain.
    pub fn new(config: &Config, lists: Arc<Lists>) -> Result<Self, ListsError> {
        Ok(Self { lists, relays: configured(&config.relays)? })
    }

    /// In which way the address is an alias.
    pub fn alias_type(&self, address: &Address) -> Option<AliasType> {
        let domain = address.domain();
        if self.lists.is_alias_relay(domain) || self.relays.find_parent(domain).is_some() {
            return Some(AliasType::ProviderAlias);
        }
        let operator = self.lists.get(ListName::AliasOperators).find_parent(domain);
        let rule = operator.filter(|(_, listed)| listed.len() == domain.len()).map(|(rule, _)| rule);
        if operator.is_some_and(|(rule, listed)| rule == SUBDOMAINS && is_child(domain, listed)) {
            Some(AliasType::Subdomain)
        } else if without_tag(address, '+').is_some()
            || rule == Some(HYPHEN_TAGS) && without_tag(address, '-').is_some()
        {
            Some(AliasType::PlusTag)
        } else if rule == Some(DOTS_IGNORED) && has_disguising_dots(address.local()) {
            Some(AliasType::DotVariant)
        } else {
            None
        }
    }
}

impl Check for Alias {
    fn name(&self) -> &'static str {
        "alias"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["alias.type"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        if let Some(kind) = subject.address().and_then(|address| self.alias_type(address)) {
            outcome.found(Finding::Alias(kind));
        }
    }
}

/// The address without its tag, or without its dots; `None` where the mailbox behind an alias cannot be told. `kind` is
/// what [`Alias::alias_type`] said of the address.
pub fn resolved(address: &Address, kind: AliasType) -> Option<String> {
    let domain = address.domain();
    match kind {
        // A tag without "+" can only have been one with "-".
        AliasType::PlusTag => {
            let base = without_tag(address, '+').or_else(|| without_tag(address, '-'))?;
            Some(format!("{base}@{domain}"))
        }
        AliasType::DotVariant => Some(format!("{}@{domain}", address.local().replace('.', ""))),
        AliasType::Subdomain | AliasType::ProviderAlias => None,
    }
}

/// What two addresses that count as duplicates have in common: the domain as it is, the local part with its ASCII
/// letters lowered, and nothing more.
pub fn canonical(address: &Address) -> String {
    address.as_str().to_ascii_lowercase()
}

/// The local part before a tag, if there is text on both sides of the separator. What stands in quotes is not taken
/// apart.
fn without_tag(address: &Address, separator: char) -> Option<&str> {
    let (base, tag) = address.local().split_once(separator)?;
    (!base.is_empty() && !tag.is_empty() && !base.starts_with('"')).then_some(base)
}

/// Whether `domain` is one label below `parent`, which ends it.
fn is_child(domain: &str, parent: &str) -> bool {
    domain.split_once('.').is_some_and(|(_owner, rest)| rest.len() == parent.len())
}

fn has_disguising_dots(local: &str) -> bool {
    local.bytes().filter(|octet| *octet == b'.').count() >= DISGUISE_DOTS_MIN
        && local.split('.').all(|segment| segment.chars().count() <= SEGMENT_LETTERS_MAX)
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::AliasType::{DotVariant, PlusTag, ProviderAlias, Subdomain};
    use proptest::prelude::*;

    use super::*;

    fn stage() -> Alias {
        Alias::new(&Config { relays: vec!["Relay.example".to_owned()] }, Arc::new(Lists::embedded())).unwrap()
    }

    fn address(text: &str) -> Address {
        let (local, domain) = text.rsplit_once('@').unwrap();
        Address::new(local, domain)
    }

    #[test]
    fn the_first_match_in_order_wins() {
        let stage = stage();
        for (text, kind) in [
            ("jane+x@duck.com", Some(ProviderAlias)),
            ("abc@privaterelay.appleid.com", Some(ProviderAlias)),
            ("shop@jane.anonaddy.com", Some(ProviderAlias)),
            ("x@relay.example", Some(ProviderAlias)),
            ("x@appleid.com", None),
            ("shop@jane.fastmail.com", Some(Subdomain)),
            ("shop+x@jane.fastmail.com", Some(Subdomain)),
            ("jane@fastmail.com", None),
            ("x@a.b.fastmail.com", None),
            ("jane+news@example.com", Some(PlusTag)),
            ("j.a.n.e+news@gmail.com", Some(PlusTag)),
            ("j.a.n.e@gmail.com", Some(DotVariant)),
            ("ja.ne.do.e@googlemail.com", Some(DotVariant)),
        ] {
            assert_eq!(stage.alias_type(&address(text)), kind, "{text}");
        }
    }

    #[test]
    fn a_tag_has_text_on_both_sides() {
        let stage = stage();
        for text in ["+news@example.com", "jane+@example.com", "+@example.com", "\"a+b\"@example.com"] {
            assert_eq!(stage.alias_type(&address(text)), None, "{text}");
        }
    }

    #[test]
    fn hyphens_are_tags_only_where_the_operator_says_so() {
        let stage = stage();
        assert_eq!(stage.alias_type(&address("base-shop@yahoo.co.uk")), Some(PlusTag));
        for text in [
            "anne-marie@example.com",
            "anne-marie@gmail.com",
            "anne-marie@yahoo.co.jp",
            "-x@yahoo.com",
            "x-@yahoo.com",
        ] {
            assert_eq!(stage.alias_type(&address(text)), None, "{text}");
        }
    }

    #[test]
    fn ordinary_dots_are_no_disguise() {
        let stage = stage();
        for text in
            ["jane.doe@gmail.com", "j.a.ne@gmail.com", "j.r.r.tolkien@gmail.com", "j.a.n.e@example.com"]
        {
            assert_eq!(stage.alias_type(&address(text)), None, "{text}");
        }
    }

    #[test]
    fn what_can_be_resolved_is() {
        for (text, kind, behind) in [
            ("Jane+news+x@Example.com", PlusTag, Some("Jane@example.com")),
            ("base-shop@yahoo.com", PlusTag, Some("base@yahoo.com")),
            ("j.a.n.e@gmail.com", DotVariant, Some("jane@gmail.com")),
            ("x@jane.fastmail.com", Subdomain, None),
            ("x@duck.com", ProviderAlias, None),
        ] {
            assert_eq!(resolved(&address(text), kind).as_deref(), behind, "{text}");
        }
    }

    #[test]
    fn duplicates_differ_in_ascii_case_alone() {
        assert_eq!(canonical(&address("Jane.Doe+X@EXAMPLE.com")), "jane.doe+x@example.com");
        assert_eq!(canonical(&address("JÖRG@example.com")), "jÖrg@example.com");
        assert_ne!(canonical(&address("j.ane@gmail.com")), canonical(&address("jane@gmail.com")));
    }

    proptest! {
        #[test]
        fn a_resolved_address_is_no_tag_or_dot_variant(local in "[a-z+.-]{1,12}", domain in "gmail\\.com|yahoo\\.de|example\\.com") {
            let stage = stage();
            let address = Address::new(&local, &domain);
            if let Some(behind) = stage.alias_type(&address).and_then(|kind| resolved(&address, kind)) {
                prop_assert!(behind.len() < address.as_str().len());
            }
            prop_assert_eq!(canonical(&address), canonical(&Address::new(&local.to_ascii_uppercase(), &domain)));
        }
    }
}
