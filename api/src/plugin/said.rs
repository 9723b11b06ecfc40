//! What a plugin said of one subject, out of all that was found.

use std::collections::BTreeMap;

use mailsonde_engine::{Finding, Opinion, Recorded};
use serde_json::Value;

/// What a plugin said of one subject.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) opinion: Option<Opinion>,
    pub(crate) facts: BTreeMap<String, Value>,
}

impl Said {
    /// What this stage said of a subject; an error is why it said nothing.
    pub(crate) fn of(stage: &str, recorded: &[Recorded]) -> Result<Self, String> {
        let mut said = Self::default();
        for recorded in recorded.iter().filter(|recorded| &*recorded.stage == stage) {
            match &recorded.finding {
                Finding::Fault(fault) => return Err(fault.message.to_string()),
                Finding::Opinion(opinion) => said.opinion = Some(opinion.clone()),
                Finding::Plugin(fact) => {
                    said.facts.insert(fact.key.to_string(), fact.value.clone());
                }
                _ => {}
            }
        }
        Ok(said)
    }
}
