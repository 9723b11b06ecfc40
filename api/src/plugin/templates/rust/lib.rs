//! A mailsonde plugin that flags addresses at domains of a list.

use std::{cell::RefCell, panic};

use exports::mailsonde::stage::plugin::{Category, Description, Fact, Guest, Opinion, Outcome, Subject};
@if cache
use mailsonde::stage::{cache, clock};
@end
@if dns
use mailsonde::stage::dns;
@end
use mailsonde::stage::{config, log};

wit_bindgen::generate!({ path: "wit", world: "@WORLD@" });
@if cache

/// How long a domain is remembered, in seconds: a week, the longest that the cache keeps anything.
const REMEMBERED_S: u32 = 7 * 24 * 60 * 60;
@end

/// What the operator wrote into the configuration.
struct Settings {
    /// Flagged together with their subdomains.
    domains: Vec<String>,
@if dns
    /// A domain that one of them serves is flagged.
    name_servers: Vec<String>,
@end
}

thread_local! {
    /// What `configure` read.
    static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
}

struct Plugin;

impl Guest for Plugin {
    fn describe() -> Description {
        Description {
            id: "@NAME@".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            reads: vec![],
            may_read: vec![],
            writes: vec![
                "@NAME@.domain".into(),
@if dns
                "@NAME@.name-server".into(),
@end
@if cache
                "@NAME@.first-seen".into(),
@end
            ],
            batch_hint: 0,
        }
    }

    fn configure() -> Result<(), String> {
        // A trap says where it happened; only this says why.
        panic::set_hook(Box::new(|panicked| log::write(log::Level::Error, &panicked.to_string())));
        let domains = domains_of("domains")?;
        if domains.is_empty() {
            return Err("domains: a list is missing, such as domains = [\"bad.example\"]".into());
        }
@if dns
        let name_servers = domains_of("name_servers")?;
        SETTINGS.set(Some(Settings { domains, name_servers }));
@else
        SETTINGS.set(Some(Settings { domains }));
@end
        Ok(())
    }

    fn check_many(subjects: Vec<Subject>) -> Vec<Outcome> {
        SETTINGS.with_borrow(|settings| {
            let settings = settings.as_ref().expect("configure comes before check-many");
            check(settings, &subjects)
        })
    }
}

/// A list of domains in the configuration.
fn domains_of(key: &str) -> Result<Vec<String>, String> {
    let is_domain = |text: &str| {
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !text.is_empty() && text.chars().all(is_of_names)
    };
    let checked = |text: String| {
        if is_domain(&text) { Ok(text.to_ascii_lowercase()) } else { Err(format!("{key}: {text} is no domain")) }
    };
    config::get_list(key).into_iter().map(checked).collect()
}

fn check(settings: &Settings, subjects: &[Subject]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(subjects.len());
@if grants
    // The subjects that the list says nothing about, as their places, and their domains.
    let mut others: Vec<(usize, &str)> = vec![];
@end
    for subject in subjects {
        let mut outcome = Outcome { facts: vec![], opinion: None };
        // An input that is no address is for other stages to judge.
        if let Some(address) = &subject.address {
            if let Some(listed) = settings.domains.iter().find(|listed| is_within(&address.domain, listed)) {
                outcome.facts.push(fact("domain", &format!("\"{listed}\"")));
                outcome.opinion = Some(high_risk("listed_domain", 0.9));
@if grants
            } else {
                others.push((outcomes.len(), &address.domain));
@end
            }
        }
        outcomes.push(outcome);
    }
@if dns
    ask_name_servers(settings, &others, &mut outcomes);
@end
@if cache
    remember(&others, &mut outcomes);
@end
    outcomes
}

/// Whether `domain` is `listed` or below it.
fn is_within(domain: &str, listed: &str) -> bool {
    domain.strip_suffix(listed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
@if dns

/// Asks for the name servers of all domains in one call: they are looked up at the same time.
fn ask_name_servers(settings: &Settings, others: &[(usize, &str)], outcomes: &mut [Outcome]) {
    if settings.name_servers.is_empty() || others.is_empty() {
        return;
    }
    let query = |&(_, domain): &(usize, &str)| dns::Query { name: domain.into(), kind: dns::Kind::Ns };
    let queries: Vec<_> = others.iter().map(query).collect();
    for (&(place, _), answer) in others.iter().zip(dns::lookup_many(&queries)) {
        // No answer is no reason to flag anybody.
        let dns::Answer::Found(servers) = answer else { continue };
        let is_listed = |listed: &&String| servers.iter().any(|server| server.eq_ignore_ascii_case(listed));
        if let Some(listed) = settings.name_servers.iter().find(is_listed) {
            outcomes[place].facts.push(fact("name-server", &format!("\"{listed}\"")));
            outcomes[place].opinion = Some(high_risk("listed_name_server", 0.7));
        }
    }
}
@end
@if cache

/// Looks up when each domain was first seen: now, where the cache does not know better.
fn remember(others: &[(usize, &str)], outcomes: &mut [Outcome]) {
    if others.is_empty() {
        return;
    }
    // Whole seconds; the clock stands long after 1970.
    let now = (clock::now() as u64).to_string();
    let keys: Vec<String> = others.iter().map(|(_, domain)| (*domain).into()).collect();
    let mut unseen = vec![];
    for ((&(place, _), key), known) in others.iter().zip(&keys).zip(cache::get_many(&keys)) {
        if known.is_none() {
            unseen.push(cache::Entry { key: key.clone(), value: now.clone(), ttl: REMEMBERED_S });
        }
        outcomes[place].facts.push(fact("first-seen", known.as_ref().unwrap_or(&now)));
    }
    cache::set_many(&unseen);
}
@end

/// A fact of ours; the value is JSON.
fn fact(key: &str, value: &str) -> Fact {
    Fact { key: format!("@NAME@.{key}"), value: value.into() }
}

fn high_risk(reason: &str, score: f64) -> Opinion {
    Opinion { category: Category::HighRisk, reason: reason.into(), score }
}

export!(Plugin);
