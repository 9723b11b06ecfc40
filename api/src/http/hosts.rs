//! Names of the service at which one product alone is served: there, the name says whose a request is, and not its path.
//! What is ours – health, metrics, documents – is answered by every name, since who watches a process asks it by its
//! address, and who reads about a product looks where it is.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Uri, header::HOST};
use mailsonde_config::{ConfigError, Settings};
use serde::Deserialize;

use crate::access::Facade;

/// `[http] hosts`: a name for each product that has one of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct HostsConfig {
    // Variables of the environment have no `-`.
    #[serde(alias = "email_verifier")]
    email_verifier: Option<String>,
    relentless: Option<String>,
    tasks: Option<String>,
}

/// The most octets of a name (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 253;

impl HostsConfig {
    fn of(&self, facade: Facade) -> Option<&str> {
        match facade {
            Facade::EmailVerifier => self.email_verifier.as_deref(),
            Facade::Relentless => self.relentless.as_deref(),
            Facade::Tasks => self.tasks.as_deref(),
        }
    }

    /// Refuses what is no name, or the name of two products.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        let mut names = BTreeMap::new();
        for facade in Facade::ALL {
            let Some(name) = self.of(facade) else { continue };
            let path = format!("http.hosts.{}", facade.word());
            if !is_name(name) {
                return Err(settings.invalid(&path, "a host name, without a port: \"api.example.org\""));
            }
            if let Some(other) = names.insert(name.to_ascii_lowercase(), facade) {
                let message = format!("it is the name of `{}` already", Facade::word(other));
                return Err(settings.invalid(&path, message));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    name.len() <= NAME_MAX && name.split('.').all(is_label)
}

/// Whose a name is.
#[derive(Debug, Default)]
pub(super) struct Hosts(Vec<(Box<str>, Facade)>);

impl Hosts {
    pub(super) fn new(config: &HostsConfig) -> Self {
        let named = |facade| Some((config.of(facade)?.into(), facade));
        Self(Facade::ALL.into_iter().filter_map(named).collect())
    }

    /// The product at the name by which a request came. None: the name is no product's own.
    pub(super) fn facade(&self, uri: &Uri, headers: &HeaderMap) -> Option<Facade> {
        if self.0.is_empty() {
            return None;
        }
        // A request to a whole address counts by that (RFC 9112, section 3.2.2).
        let name = uri.host().or_else(|| without_port(headers.get(HOST)?.to_str().ok()?))?;
        let name = name.strip_suffix('.').unwrap_or(name);
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, facade)| *facade)
    }
}

fn without_port(host: &str) -> Option<&str> {
    host.trim().split(':').next()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn load(text: &str) -> Result<HostsConfig, String> {
        let settings = text.parse::<Settings>().unwrap();
        let config: HostsConfig = settings.section("http.hosts").map_err(|error| error.to_string())?;
        config.check(&settings).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn a_name_belongs_to_its_product_however_it_is_written() {
        let text =
            "[http]\nhosts = { relentless = 'API.example.org', email-verifier = 'verify.example.org' }";
        let hosts = Hosts::new(&load(text).unwrap());
        let of = |uri: &'static str, host: &'static str| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            hosts.facade(&Uri::from_static(uri), &headers)
        };
        for host in ["api.example.org", "Api.Example.Org:8080", "api.example.org."] {
            assert_eq!(of("/", host), Some(Facade::Relentless), "{host}");
        }
        assert_eq!(of("/", "verify.example.org"), Some(Facade::EmailVerifier));
        assert_eq!(of("http://verify.example.org/", "api.example.org"), Some(Facade::EmailVerifier));
        for host in ["", "example.org", "api.example.org.evil.test", "[::1]:8080", "127.0.0.1:80"] {
            assert_eq!(of("/", host), None, "{host}");
        }
        assert_eq!(hosts.facade(&Uri::from_static("/"), &HeaderMap::new()), None);
    }

    #[test]
    fn what_cannot_be_meant_is_said_with_its_place() {
        for (hosts, why) in [
            ("tasks = 'tasks.example.org:8080'", "http.hosts.tasks"),
            ("tasks = 'https://tasks.example.org'", "http.hosts.tasks"),
            ("tasks = ''", "http.hosts.tasks"),
            (
                "tasks = 'a.example.org', relentless = 'A.example.org'",
                "it is the name of `relentless` already",
            ),
            ("task = 'a.example.org'", "task"),
        ] {
            let refused = load(&format!("[http]\nhosts = {{ {hosts} }}")).unwrap_err();
            assert!(refused.contains(why), "{hosts}: {refused}");
        }
    }
}
