//! Syntax: does the input spell a mailbox at all, and which one?
//!
//! The only stage that reads raw input, by a `grammar`. What it accepts becomes an address; what it refuses is told why, and
//! nothing later runs. White space around an address is for the caller to trim.

use mailsonde_engine::{Check, Facts, Finding, Outcome, Subject, SyntaxReason};
use serde::{Deserialize, Serialize};

pub use crate::grammar::{Policy, UnknownPolicy, parse};

/// Options of the stage.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which grammar an address has to follow.
    pub policy: Policy,
}

/// The stage.
#[derive(Debug, Clone, Copy)]
pub struct Syntax {
    policy: Policy,
}

impl Syntax {
    /// The stage under the configured policy.
    pub fn new(config: Config) -> Self {
        Self { policy: config.policy }
    }
}

impl Check for Syntax {
    fn name(&self) -> &'static str {
        "syntax"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["syntax.error"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        match parse(subject.input(), self.policy) {
            Ok(address) => outcome.resolved(address),
            Err(error) => {
                // A broken domain may be a slip that a later stage can mend; nothing else has meaning without an
                // address.
                if error.reason != SyntaxReason::BadDomain {
                    outcome.stop();
                }
                outcome.found(Finding::SyntaxError(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::{Address, Flow};

    use super::*;

    #[test]
    fn the_stage_resolves_or_stops() {
        let stage = Syntax::new(Config::default());
        let mut outcome = Outcome::default();
        stage.check(&Subject::new("ada@lovelace.example"), &mut outcome);
        assert_eq!(outcome.address().map(Address::as_str), Some("ada@lovelace.example"));
        assert_eq!(outcome.flow(), &Flow::Continue);

        let mut outcome = Outcome::default();
        stage.check(&Subject::new("ada"), &mut outcome);
        assert!(
            matches!(outcome.findings(), [Finding::SyntaxError(error)] if error.reason == SyntaxReason::NoAt)
        );
        assert!(outcome.address().is_none() && outcome.flow() == &Flow::Stop);
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"policy": "rfc5322"}"#).is_ok());
        assert!(serde_json::from_str::<Config>(r#"{"polcy": "strict"}"#).is_err());
    }
}
