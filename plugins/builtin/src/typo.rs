//! The stage `typo`: which mail domain the writer meant, when the one that stands there looks like a slip.
//!
//! It weighs two stories about the domain as typed. Either somebody meant a popular provider and slipped: the
//! provider's share of all addresses times the likelihood of that slip (module `slip`). Or the domain is a genuine one
//! that we have never heard of, which is likelier the shorter its name is: every three-letter `.com` belongs to
//! somebody (module `odds`). A domain is suggested only where the first story is clearly the better one. So
//! `outlokc.com` is taken for Outlook, and `hp.com` for itself.
//!
//! It never corrects the local part, never asks DNS, and never decides: the judge drops the suggestion when DNS shows
//! that the domain takes mail and it is no known trap. A trap is a look-alike domain that somebody registered to
//! collect mistyped mail.

mod odds;
mod providers;
mod slip;
mod typed;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mailsonde_engine::{Address, Check, Facts, Finding, Outcome, Subject};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::lists::{Names, normalise};
use odds::{Rival, Search};
use providers::{Kind, Provider, Providers};
use slip::{Decibans, TYPED_MAX};
use typed::Typed;

/// Popular domains, their share of all addresses, and what kind of name each has.
const POPULAR: &str = include_str!("../data/typo/popular.tsv");
/// Genuine domains that look like a slip of a popular one.
const GENUINE: &str = include_str!("../data/typo/genuine.tsv");
/// Registered look-alikes that take mail for any mailbox.
const TRAPS: &str = include_str!("../data/typo/traps.tsv");
/// Ordinary words and names one slip away from a popular name.
const WORDS: &str = include_str!("../data/typo/words.tsv");

/// Share given to the operator's own domains: one address in twenty.
const OPERATOR_PER_MILLION: u32 = 50_000;

/// A name alone is evidence enough for a provider of one address in a thousand.
const BY_NAME_SHARE_MIN: Decibans = -30;

/// Hosts in many an office: without a dot they mean no provider.
const OFFICE_HOSTS: [&[u8]; 9] =
    [b"email", b"home", b"inbox", b"mail", b"mailbox", b"online", b"planet", b"post", b"web"];

/// Configuration of the stage.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Further domains that many of your addresses have, your own for instance; slips of them are found too.
    #[serde(deserialize_with = "domains")]
    pub domains: Vec<String>,
    /// Domains for which nothing is ever suggested.
    #[serde(deserialize_with = "domains")]
    pub genuine: Vec<String>,
}

/// Domains as operators write them, in normal form.
fn domains<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    let normal = |name: &String| match normalise(name, Names::Domains) {
        Ok(domain) if domain.len() <= TYPED_MAX => Ok(domain.into_owned()),
        Ok(_) => Err(D::Error::custom(format!("`{name}`: longer than {TYPED_MAX} octets"))),
        Err(reason) => Err(D::Error::custom(format!("`{name}`: {reason}"))),
    };
    names.iter().map(normal).collect()
}

/// Tells whether a domain (lower case) is known to be genuine, by a list of free providers for instance.
pub type IsKnown = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The stage: its tables, indexed.
pub struct Typo {
    providers: Providers,
    standings: HashMap<Box<[u8]>, Standing>,
    words: HashSet<Box<[u8]>>,
    is_known: IsKnown,
}

/// What the tables say of a domain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Index of the provider.
    Popular(usize),
    Genuine,
    Trap,
}

impl Typo {
    /// The stage with its built-in tables and the operator's own domains. Takes less than a millisecond.
    pub fn new(config: &Config, is_known: IsKnown) -> Self {
        let own = config.domains.iter().filter(|domain| domain.len() <= TYPED_MAX);
        let own = own.map(|domain| Provider::new(domain, OPERATOR_PER_MILLION, Kind::Own));
        let providers = Providers::new(lines(POPULAR).filter_map(Provider::parse).chain(own).collect());

        let mut standings = HashMap::new();
        let mut know = |domain: &str, standing| {
            standings.insert(domain.to_ascii_lowercase().into_bytes().into(), standing);
        };
        lines(GENUINE).for_each(|domain| know(domain, Standing::Genuine));
        lines(TRAPS).for_each(|domain| know(domain, Standing::Trap));
        config.genuine.iter().for_each(|domain| know(domain, Standing::Genuine));
        for (index, provider) in providers.iter().enumerate() {
            know(&provider.domain, Standing::Popular(index));
        }
        Self {
            providers,
            standings,
            words: lines(WORDS).map(|word| word.as_bytes().into()).collect(),
            is_known,
        }
    }

    /// The domain that was meant by `raw_domain`, the text after the last `@` however broken it is; `None` when it
    /// is fine as it stands, or nothing is certain enough.
    pub fn suggest(&self, raw_domain: &str) -> Option<&str> {
        let typed = Typed::read(raw_domain)?;
        let meant = match self.standings.get(typed.octets()) {
            Some(&Standing::Popular(index)) => typed.is_mended().then(|| self.providers.get(index))?,
            Some(Standing::Genuine) => return None,
            Some(Standing::Trap) => self.nearest(&typed, true)?,
            None => self.nearest(&typed, false).filter(|_| !(self.is_known)(typed.as_str()))?,
        };
        Some(&meant.domain)
    }

    /// Whether `domain` (lower case) is a registered look-alike that collects mistyped mail.
    pub fn is_trap(&self, domain: &str) -> bool {
        self.standings.get(domain.as_bytes()) == Some(&Standing::Trap)
    }

    fn nearest(&self, typed: &Typed, is_trap: bool) -> Option<&Provider> {
        let read_as = |text: &Typed, cost| self.likeliest(typed, is_trap, text, cost);
        if !typed.has_dot() {
            if OFFICE_HOSTS.contains(&typed.octets()) {
                return None;
            }
            // `orange`, `yahoocom`, `orangefr`, `hotmailcouk`, `hotmial`.
            return self
                .by_name(typed)
                .or_else(|| {
                    [3, 2, 4].into_iter().find_map(|len| read_as(&typed.with_dot(len)?, slip::NO_DOT))
                })
                .or_else(|| read_as(&typed.with_suffix(".com")?, slip::NO_SUFFIX));
        }
        read_as(typed, 0)
            .or_else(|| self.by_name(typed))
            .or_else(|| read_as(&typed.without_repeat()?, slip::TWICE))
    }

    /// The provider that was most likely meant by `text`, which is `typed` after a slip of this cost was put right.
    fn likeliest(&self, typed: &Typed, is_trap: bool, text: &Typed, cost: Decibans) -> Option<&Provider> {
        let rival = || {
            let is_real = !is_trap && typed.has_real_suffix();
            Rival::new(typed.name(), is_real, self.words.contains(typed.name()))
        };
        let mut search = Search::new(text, cost, rival);
        self.providers.for_each_near(text.name(), |provider| search.weigh(provider));
        search.best()
    }

    /// The provider whose name it is, without a suffix or under one that is not the provider's.
    fn by_name(&self, typed: &Typed) -> Option<&Provider> {
        let provider = self.providers.of_name(typed.name())?;
        let is_meant = match provider.kind {
            Kind::Own => !typed.is_subdomain(),
            Kind::Coined | Kind::Ordinary => !typed.has_dot(),
        };
        (is_meant && provider.share >= BY_NAME_SHARE_MIN).then_some(provider)
    }
}

/// The entries of a table.
fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

impl Check for Typo {
    fn name(&self) -> &'static str {
        "typo"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["typo.suggestion", "typo.trap"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let domain = written_domain(subject.input(), subject.address());
        if let Some(meant) = self.suggest(domain) {
            outcome.found(Finding::TypoSuggestion(meant.into()));
            if self.is_trap(domain) {
                outcome.found(Finding::TypoTrap);
            }
        }
    }
}

/// The domain to look at: of the address where the input parsed, else as it was written. Letters outside ASCII can be
/// judged only as they were written, too.
fn written_domain<'a>(input: &'a str, address: Option<&'a Address>) -> &'a str {
    match address {
        Some(address) if address.is_literal() => "",
        Some(address) if !address.domain().contains("xn--") => address.domain(),
        _ => input.rsplit_once('@').map_or("", |(_, domain)| domain),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage() -> Typo {
        Typo::new(&Config::default(), Arc::new(|domain| matches!(domain, "outlock.com" | "freenet.de")))
    }

    #[test]
    fn slips_are_put_right() {
        let stage = stage();
        for (typed, meant) in [
            // Keys and letters
            ("outlokc.com", "outlook.com"),
            ("outlool.com", "outlook.com"),
            ("iclould.com", "icloud.com"),
            ("icluod.com", "icloud.com"),
            ("gnail.com", "gmail.com"),
            ("outlookk.com", "outlook.com"),
            ("hotnail.fr", "hotmail.fr"),
            ("zahoo.de", "yahoo.de"),
            ("comcsat.net", "comcast.net"),
            ("sbcgolbal.net", "sbcglobal.net"),
            ("ornage.fr", "orange.fr"),
            ("t-onlien.de", "t-online.de"),
            ("protonmial.com", "protonmail.com"),
            ("btinternt.com", "btinternet.com"),
            ("yandxe.ru", "yandex.ru"),
            ("gmalil.com", "gmail.com"),
            ("otulokk.com", "outlook.com"),
            // Suffixes
            ("outlook.con", "outlook.com"),
            ("icloud.cmo", "icloud.com"),
            ("aol.co", "aol.com"),
            ("web.ded", "web.de"),
            ("comcast.ne", "comcast.net"),
            ("orange.rf", "orange.fr"),
            ("yahoo.co.ik", "yahoo.co.uk"),
            ("libero.ut", "libero.it"),
            ("icloud.org", "icloud.com"),
            ("gmail.co.uk", "gmail.com"),
            ("outlook.c", "outlook.com"),
            ("live.om", "live.com"),
            // Dots and pieces
            ("outlookcom", "outlook.com"),
            ("orangefr", "orange.fr"),
            ("outlook", "outlook.com"),
            ("outlok", "outlook.com"),
            ("aol.com.com", "aol.com"),
            ("wanadoo.fr.fr", "wanadoo.fr"),
            ("outlookoutlook.com", "outlook.com"),
            // What stands around it
            ("outlook.com'", "outlook.com"),
            ("outlook.com?subject=hello", "outlook.com"),
            ("web,de", "web.de"),
            ("icloud .com", "icloud.com"),
            ("www.gmx.net", "gmx.net"),
            ("outlook.com.", "outlook.com"),
            // Keyboards of other countries
            ("hotmaıl.com.tr", "hotmail.com.tr"),
            ("icłoud.com", "icloud.com"),
        ] {
            assert_eq!(stage.suggest(typed), Some(meant), "{typed}");
        }
    }

    #[test]
    fn what_may_be_genuine_is_left_alone() {
        let stage = stage();
        for domain in [
            "",
            ".",
            "@",
            "com",
            "localhost",
            "mail",
            "example.com",
            "GMAIL.COM",
            "mail.gmail.com",
            "gmail.acme.com",
            // Short names
            "ge.com",
            "hbo.com",
            "aon.com",
            "ally.com",
            "ford.com",
            "nike.com",
            "max.com",
            "msi.com",
            "gm.com",
            // Words near a provider's name
            "cloud.com",
            "grail.com",
            "never.com",
            "charger.net",
            "range.fr",
            "libro.it",
            "outback.com",
            "olive.com",
            // Names of other companies, and of providers elsewhere
            "orange.com",
            "comcast.com",
            "verizon.com",
            "web.com",
            "free.com",
            "outlook.sk",
            "yahoo.hu",
            "aol.it",
            // Other webmail
            "kmail.com",
            "winmail.com",
            "usermail.com",
            "mailo.com",
            "freemail.hu",
            "inmail.sk",
            // Known to the installation
            "outlock.com",
            "ライブlive.com",
        ] {
            assert_eq!(stage.suggest(domain), None, "{domain}");
        }
    }

    #[test]
    fn a_trap_is_told_and_its_target_suggested() {
        let stage = stage();
        for trap in lines(TRAPS) {
            assert!(stage.is_trap(trap) && stage.suggest(trap).is_some(), "{trap}");
        }
        assert_eq!(stage.suggest("gmial.com"), Some("gmail.com"));
        assert!(!stage.is_trap("gmail.com") && !stage.is_trap("outlokc.com"));

        let genuine = Config { genuine: vec!["gmial.com".to_owned()], ..Config::default() };
        let stage = Typo::new(&genuine, Arc::new(|_| false));
        assert!(!stage.is_trap("gmial.com") && stage.suggest("gmial.com").is_none());
    }

    #[test]
    fn operators_add_their_own_domains() {
        let config: Config = serde_json::from_str(r#"{"domains": ["Acme-Tools.example"]}"#).unwrap();
        let stage = Typo::new(&config, Arc::new(|_| false));
        assert_eq!(stage.suggest("acme-tolos.example"), Some("acme-tools.example"));
        assert_eq!(stage.suggest("acmetools.example"), Some("acme-tools.example"));
        assert_eq!(stage.suggest("acme-tools.example"), None);
        for wrong in [r#"{"domains": ["acme"]}"#, r#"{"genuine": ["a b.example"]}"#, r#"{"domain": []}"#] {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_domain_is_read_from_what_there_is() {
        let of = |input, domain: Option<&str>| {
            written_domain(input, domain.map(|domain| Address::new("jane", domain)).as_ref()).to_owned()
        };
        assert_eq!(of("jane@Gmial.com", Some("gmial.com")), "gmial.com");
        assert_eq!(of("\"a@b\"@gmialcom", None), "gmialcom");
        assert_eq!(of("jane@gmaıl.com", Some("xn--gmal-nza.com")), "gmaıl.com");
        assert_eq!(of("jane@[192.0.2.1]", Some("[192.0.2.1]")), "");
        assert_eq!(of("jane", None), "");

        let mut outcome = Outcome::default();
        stage().check(&Subject::new("jane@yahoocom"), &mut outcome);
        assert_eq!(outcome.findings(), [Finding::TypoSuggestion("yahoo.com".into())]);
    }

    #[test]
    fn the_tables_hold_domains_and_no_domain_twice() {
        let stage = stage();
        let mut seen = HashSet::new();
        let popular = lines(POPULAR).map(|line| line.split('\t').next().unwrap());
        for domain in popular.chain(lines(GENUINE)).chain(lines(TRAPS)) {
            assert_eq!(normalise(domain, Names::Domains).as_deref(), Ok(domain));
            assert!(seen.insert(domain), "{domain} stands twice");
        }
        assert_eq!(stage.providers.iter().count(), lines(POPULAR).count(), "every line of the table parses");
    }

    proptest! {
        #[test]
        fn a_suggestion_is_another_domain_of_the_table(raw in any_domain()) {
            let stage = stage();
            if let Some(meant) = stage.suggest(&raw) {
                prop_assert!(stage.providers.iter().any(|provider| &*provider.domain == meant));
                prop_assert!(!raw.eq_ignore_ascii_case(meant));
                prop_assert_eq!(stage.suggest(meant), None);
            }
            let knows_it = Typo::new(&Config::default(), Arc::new(|_| true));
            let is_domain = normalise(&raw, Names::Domains).is_ok_and(|domain| domain == raw.as_str());
            prop_assert!(!is_domain || knows_it.is_trap(&raw) || knows_it.suggest(&raw).is_none());
        }
    }

    /// Slips of popular domains, and anything else.
    fn any_domain() -> impl Strategy<Value = String> {
        let popular: Vec<_> = stage().providers.iter().map(|provider| provider.domain.to_string()).collect();
        let slip = (prop::sample::select(popular), any::<prop::sample::Index>(), "[a-z.,]{0,2}", 0..3_usize);
        let slip = slip.prop_map(|(mut domain, at, typed, left_out)| {
            let start = at.index(domain.len());
            domain.replace_range(start..domain.len().min(start + left_out), &typed);
            domain
        });
        prop_oneof![slip, "[a-z0-9-]{1,12}\\.(com|net|de|fr|co\\.uk)", "\\PC{0,80}"]
    }
}
