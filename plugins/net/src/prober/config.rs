//! Configuration of the probe: the table `[smtp]`.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use mailsonde_engine::Operator;
use serde::{Deserialize, Serialize};

use crate::{
    budget::{Limits, OperatorLimits},
    destination::Destinations,
    egress::EgressConfig,
    session::StartTls,
    tls::Certificates,
};

/// How probes are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Port of the mail hosts.
    pub port: u16,
    /// The name in EHLO: a domain that resolves to this machine, or an address literal. Empty: this host's name.
    pub hello_name: String,
    /// A real address of yours. Empty: the null sender, with which only one recipient is asked per transaction.
    pub mail_from: String,
    /// Domains that asked not to be probed; their subdomains are left alone too.
    pub never: Vec<String>,
    /// Where probes may go.
    pub destinations: Destinations,
    /// Recipients asked about in one session.
    pub recipients_per_session_max: usize,
    /// Time for a connection to come about.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time for one whole reply, the banner too.
    #[serde(with = "humantime_serde")]
    pub reply_timeout: Duration,
    /// When sessions take up TLS.
    pub starttls: StartTls,
    /// Whose certificates will do.
    pub certificates: Certificates,
    /// How long a session is kept for further recipients after the last one.
    #[serde(with = "humantime_serde")]
    pub keep_warm: Duration,
    /// How long a host is let alone that refused to speak with us.
    #[serde(with = "humantime_serde")]
    pub cool_down: Duration,
    /// Sessions open at once.
    pub sessions_max: usize,
    /// Sessions open at once towards the same mail hosts.
    pub sessions_per_mx_max: usize,
    /// Sessions open at once towards the same operator.
    pub sessions_per_operator_max: usize,
    /// Recipients asked about in a minute towards the same mail hosts or operator; 0 for as many as are borne.
    pub recipients_per_minute: usize,
    /// What differs for single operators, by id.
    pub operator: BTreeMap<String, OperatorConfig>,
    /// Identities under which probes leave, by name. None: the general one.
    pub egress: BTreeMap<String, EgressConfig>,
}

/// What differs for one operator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorConfig {
    /// Sessions open at once towards the operator's hosts.
    pub sessions_max: Option<usize>,
    /// Recipients asked about in a minute; 0 for as many as are borne.
    pub recipients_per_minute: Option<usize>,
}

/// A setting that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct ConfigError {
    /// Path of the setting inside the table `[smtp]`.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 25,
            hello_name: String::new(),
            mail_from: String::new(),
            never: Vec::new(),
            destinations: Destinations::Public,
            recipients_per_session_max: 100,
            connect_timeout: Duration::from_secs(5),
            reply_timeout: Duration::from_secs(10),
            starttls: StartTls::IfRequired,
            certificates: Certificates::Any,
            keep_warm: Duration::from_secs(2),
            cool_down: Duration::from_mins(15),
            sessions_max: 50,
            sessions_per_mx_max: 2,
            sessions_per_operator_max: 10,
            recipients_per_minute: 0,
            operator: BTreeMap::new(),
            egress: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Looks for settings that cannot be meant.
    ///
    /// # Errors
    /// The first one found.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = [
            ("port", usize::from(self.port)),
            ("recipients_per_session_max", self.recipients_per_session_max),
            ("sessions_max", self.sessions_max),
            ("sessions_per_mx_max", self.sessions_per_mx_max),
            ("sessions_per_operator_max", self.sessions_per_operator_max),
        ];
        for (key, value) in positive {
            ensure(value > 0, key, "must be at least 1")?;
            ensure(value <= tokio::sync::Semaphore::MAX_PERMITS, key, "is too large")?;
        }
        for (key, time) in [("connect_timeout", self.connect_timeout), ("reply_timeout", self.reply_timeout)]
        {
            ensure(!time.is_zero(), key, "must be longer than nothing")?;
        }
        check_hello("hello_name", &self.hello_name)?;
        check_sender("mail_from", &self.mail_from)?;
        for (position, domain) in self.never.iter().enumerate() {
            ensure(is_domain(domain), &format!("never.{position}"), "expected a domain")?;
        }
        self.operator.iter().try_for_each(|(id, operator)| check_operator(id, operator))?;
        self.egress.iter().try_for_each(|(name, egress)| check_egress(name, egress))
    }

    /// What the budget may give.
    pub(crate) fn limits(&self) -> Limits {
        let rate = |per_minute: usize| Some(per_minute).filter(|rate| *rate > 0);
        let own = |(id, operator): (&String, &OperatorConfig)| {
            let recipients_per_minute =
                operator.recipients_per_minute.map(|own| rate(own).unwrap_or(usize::MAX));
            (id.clone(), OperatorLimits { sessions: operator.sessions_max, recipients_per_minute })
        };
        Limits {
            sessions: self.sessions_max,
            sessions_per_mx: self.sessions_per_mx_max,
            sessions_per_operator: self.sessions_per_operator_max,
            recipients_per_minute: rate(self.recipients_per_minute),
            operators: self.operator.iter().map(own).collect(),
        }
    }

    /// Whether a domain (A-label, lower case) asked not to be probed.
    pub(crate) fn is_never(&self, domain: &str) -> bool {
        let is_below =
            |parent: &str| domain.strip_suffix(parent).is_some_and(|r| r.is_empty() || r.ends_with('.'));
        self.never.iter().any(|parent| is_below(&parent.to_ascii_lowercase()))
    }
}

fn check_operator(id: &str, operator: &OperatorConfig) -> Result<(), ConfigError> {
    ensure(Operator::by_id(id).is_some(), &format!("operator.{id}"), "no operator has this id")?;
    let is_sensible =
        operator.sessions_max.is_none_or(|max| (1..=tokio::sync::Semaphore::MAX_PERMITS).contains(&max));
    ensure(is_sensible, &format!("operator.{id}.sessions_max"), "must be at least 1")
}

fn check_egress(name: &str, egress: &EgressConfig) -> Result<(), ConfigError> {
    check_hello(&format!("egress.{name}.hello_name"), &egress.hello_name)?;
    check_sender(&format!("egress.{name}.mail_from"), &egress.mail_from)
}

fn check_hello(key: &str, hello: &str) -> Result<(), ConfigError> {
    let names_a_host = hello.is_empty() || is_domain(hello) || is_literal(hello);
    ensure(names_a_host, key, "expected a domain (mail.example.com) or an address in brackets ([192.0.2.1])")
}

fn check_sender(key: &str, sender: &str) -> Result<(), ConfigError> {
    ensure(sender.is_empty() || is_sender(sender), key, "expected an address, or nothing")
}

fn ensure(holds: bool, key: &str, message: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { key: key.into(), message: message.into() }) }
}

/// Letters, digits and hyphens in labels of up to 63 octets (RFC 5321 §2.3.5).
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// RFC 5321 §4.1.3.
fn is_literal(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    match inner.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => inner.parse::<Ipv4Addr>().is_ok(),
    }
}

/// A plain address: a sender needs no quoting.
fn is_sender(address: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        (1..=64).contains(&local.len())
            && local.bytes().all(is_plain)
            && (is_domain(domain) || is_literal(domain))
    })
}

/// The name for EHLO when none is configured.
pub(crate) fn host_name() -> String {
    let name = gethostname::gethostname().into_string().unwrap_or_default();
    if is_domain(&name) { name } else { "localhost".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(toml: &str) -> String {
        toml::from_str::<Config>(toml)
            .unwrap()
            .check()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn defaults_hold() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        let text = toml::to_string(&Config::default()).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default());
    }

    #[test]
    fn says_which_setting_is_wrong() {
        for (toml, begins) in [
            ("port = 0", "port:"),
            ("hello_name = \"two words\"", "hello_name:"),
            ("hello_name = \"a\\r\\nMAIL FROM:<>\"", "hello_name:"),
            ("hello_name = \"[300.1.1.1]\"", "hello_name:"),
            ("mail_from = \"probe\"", "mail_from:"),
            ("mail_from = \"a@b.test>\\r\\nDATA\"", "mail_from:"),
            ("never = [\"a.test\", \"b test\"]", "never.1:"),
            ("reply_timeout = \"0s\"", "reply_timeout:"),
            ("sessions_max = 0", "sessions_max:"),
            ("[operator.googel]", "operator.googel:"),
            ("[operator.google]\nsessions_max = 0", "operator.google.sessions_max:"),
            ("[egress.a]\nhello_name = \"two words\"", "egress.a.hello_name:"),
            ("[egress.a]\nmail_from = \"probe\"", "egress.a.mail_from:"),
        ] {
            assert!(error_of(toml).starts_with(begins), "{toml}: {}", error_of(toml));
        }
        assert!(toml::from_str::<Config>("prot = 25").is_err());
    }

    #[test]
    fn takes_what_is_meant() {
        for toml in [
            "hello_name = \"probe.example.org\"",
            "hello_name = \"[192.0.2.1]\"",
            "hello_name = \"[IPv6:2001:db8::1]\"",
            "mail_from = \"probe+x@example.org\"",
            "destinations = \"any\"\nconnect_timeout = \"1s 500ms\"",
            "[operator.google]\nsessions_max = 4",
        ] {
            assert_eq!(error_of(toml), "", "{toml}");
        }
    }

    #[test]
    fn never_covers_subdomains() {
        let config = Config { never: vec!["Example.net".into()], ..Config::default() };
        assert!(config.is_never("example.net") && config.is_never("mail.example.net"));
        assert!(!config.is_never("notexample.net") && !config.is_never("net"));
    }

    #[test]
    fn this_host_has_a_name_that_can_be_said() {
        assert!(is_domain(&host_name()));
    }
}
