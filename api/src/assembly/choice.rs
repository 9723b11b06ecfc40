//! What somebody who asks chooses of a pipeline: the options that all ways of asking have, and the stages that are left out
//! for them. How each of them is written, on a command line or in a request, is not known here.

use anyhow::Result;
use mailsonde_config::{ConfigError, Settings};

use super::{DOMAIN_TRUST, SMTP_PROBE, plugins};

/// The stages that options switch, besides those with a constant of their own.
const TYPO: &str = "typo";
const RANDOM_PATTERN: &str = "random-pattern";

/// What is to be done, of what the pipeline can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Choice {
    /// Somebody may be asked at all: name servers, or mail servers.
    pub(crate) ask_anybody: bool,
    /// Mail servers are asked.
    pub(crate) check_smtp: bool,
    /// A corrected domain is suggested.
    pub(crate) suggest_typo: bool,
    /// Random local parts are looked for.
    pub(crate) check_random: bool,
    /// The standing of each domain is looked up.
    pub(crate) check_domain_trust: bool,
}

/// Where nothing is said: all but the standing of domains, which costs a dozen questions for each.
impl Default for Choice {
    fn default() -> Self {
        Self {
            ask_anybody: true,
            check_smtp: true,
            suggest_typo: true,
            check_random: true,
            check_domain_trust: false,
        }
    }
}

impl Choice {
    /// The stages that are left out, whichever the pipeline.
    ///
    /// # Errors
    /// The table of a plugin that is wrong.
    pub(crate) fn skips(self, settings: &Settings) -> Result<Vec<String>, ConfigError> {
        let mut skips = if self.ask_anybody { Vec::new() } else { plugins::offline_skips(settings)? };
        let switched = [
            (self.check_smtp, SMTP_PROBE),
            (self.suggest_typo, TYPO),
            (self.check_random, RANDOM_PATTERN),
            (self.check_domain_trust, DOMAIN_TRUST),
        ];
        for (is_wanted, stage) in switched {
            if !is_wanted && !skips.iter().any(|skipped| skipped == stage) {
                skips.push(stage.to_owned());
            }
        }
        Ok(skips)
    }
}

/// Whether a pipeline of these stages, without some of them, asks mail servers.
pub(crate) fn asks_mail_servers(stages: &[String], skips: &[String]) -> bool {
    stages.iter().any(|stage| stage == SMTP_PROBE && !skips.contains(stage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assembly::STAGES;

    fn skips(choice: Choice) -> Vec<String> {
        choice.skips(&Settings::load(None).unwrap()).unwrap()
    }

    #[test]
    fn each_option_leaves_its_stage_out() {
        let all = Choice { check_domain_trust: true, ..Choice::default() };
        assert_eq!(skips(all), [""; 0]);
        assert_eq!(skips(Choice::default()), ["domain-trust"]);
        assert_eq!(skips(Choice { check_smtp: false, ..all }), ["smtp-probe"]);
        assert_eq!(skips(Choice { suggest_typo: false, ..all }), ["typo"]);
        assert_eq!(skips(Choice { check_random: false, ..all }), ["random-pattern"]);
        let offline = Choice { ask_anybody: false, check_smtp: false, ..Choice::default() };
        assert_eq!(skips(offline), ["dns", "domain-trust", "smtp-probe", "reverse-dns"], "each once");
        let nothing = Choice { suggest_typo: false, check_random: false, ..offline };
        for stage in skips(nothing) {
            assert!(STAGES.iter().any(|kind| kind.name == stage), "{stage}");
        }
    }

    #[test]
    fn mail_servers_are_asked_where_the_stage_is_and_stays() {
        let of = |stages: &[&str]| stages.iter().map(|stage| (*stage).to_owned()).collect::<Vec<_>>();
        assert!(asks_mail_servers(&of(&["dns", "smtp-probe"]), &of(&["typo"])));
        assert!(!asks_mail_servers(&of(&["dns", "smtp-probe"]), &of(&["smtp-probe"])));
        assert!(!asks_mail_servers(&of(&["syntax"]), &[]));
    }
}
