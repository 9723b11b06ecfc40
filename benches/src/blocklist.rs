//! The example guest `blocklist` as a built-in stage: its own matching, compiled for this machine.

use mailsonde_engine::{Authority, Category, Check, Facts, Finding, Opinion, Outcome, PluginFact, Subject};

#[path = "../../plugins/guests/blocklist/src/list.rs"]
#[allow(missing_docs, unreachable_pub, clippy::pedantic)] // the guest's, as its author wrote it
mod list;
#[path = "../../plugins/guests/blocklist/src/pattern.rs"]
#[allow(missing_docs, unreachable_pub, dead_code, clippy::pedantic)] // the guest's, as its author wrote it
mod pattern;

use list::List;
use pattern::Pattern;

/// The stage.
pub struct Blocklist {
    name: Box<str>,
    list: List,
}

impl Blocklist {
    /// Blocks what these patterns match; those that are none are left out.
    pub fn new(name: &str, patterns: &[String]) -> Self {
        let patterns = patterns.iter().filter_map(|text| Pattern::parse(text.clone()).ok()).collect();
        Self { name: name.into(), list: List::new(patterns) }
    }
}

impl Check for Blocklist {
    fn name(&self) -> &str {
        &self.name
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["blocklist.rule", "opinion"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let Some(address) = subject.address() else { return };
        let local = address.local().to_ascii_lowercase();
        let Some(pattern) = self.list.find(&local, address.domain()) else { return };
        let value = serde_json::Value::from(&*pattern.text);
        outcome.found(Finding::Plugin(PluginFact { key: "blocklist.rule".into(), value }));
        let reason = if pattern.local.is_some() { "blocked_address" } else { "blocked_domain" };
        let opinion = Opinion {
            category: Category::HighRisk,
            reason: reason.into(),
            score: 0.95,
            authority: Authority::Advise,
        };
        outcome.found(Finding::Opinion(opinion));
    }
}
