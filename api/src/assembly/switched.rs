//! What is missing when stages are switched off: a stage that reads what only those would have written has no meaning
//! and is left out with them. A fact that nobody would have written is another matter: a wrong order.

use std::{borrow::Cow, fmt};

use anyhow::Result;
use mailsonde_engine::{Facts, PipelineError};

use super::{Parts, plugins};

/// A stage that cannot run because another one was switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bereft {
    /// The stage.
    pub stage: String,
    /// What it reads.
    pub fact: String,
    /// The stage that would have written it.
    pub writer: String,
}

impl fmt::Display for Bereft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, fact, writer } = self;
        write!(f, "`{stage}` is switched off too: it reads `{fact}`, which `{writer}` would have found")
    }
}

/// What the stages so far write, and what they would write were they not switched off.
#[derive(Default)]
pub(super) struct Written {
    facts: Vec<Cow<'static, str>>,
    skipped: Vec<Skipped>,
}

struct Skipped {
    stage: String,
    /// None: a plugin's, which only the plugin itself knows.
    writes: Option<Vec<Cow<'static, str>>>,
}

impl Written {
    /// A stage with these facts runs.
    pub(super) fn by(&mut self, facts: Facts) {
        self.facts.extend(facts.writes);
    }

    /// A stage is switched off. What it would write is known of built-in ones.
    pub(super) fn skipped(&mut self, stage: &str, writes: Option<&[&'static str]>) {
        let writes = writes.map(|keys| keys.iter().map(|key| Cow::Borrowed(*key)).collect());
        self.skipped.push(Skipped { stage: stage.to_owned(), writes });
    }

    /// A stage with these facts cannot run.
    pub(super) fn lost(&mut self, stage: &str, facts: Facts) {
        self.skipped.push(Skipped { stage: stage.to_owned(), writes: Some(facts.writes) });
    }

    /// Whether a stage gets what it reads. What nobody would have written counts more than what is switched off: that
    /// order is wrong in any case.
    pub(super) fn supply(&mut self, stage: &str, facts: &Facts, parts: &Parts<'_>) -> Result<Supply> {
        let mut supply = Supply::Whole;
        for fact in &facts.reads {
            if self.facts.contains(fact) {
                continue;
            }
            let (stage, fact) = (stage.to_owned(), fact.to_string());
            match self.would_write(&fact, parts)? {
                Some(writer) => supply = Supply::SwitchedOff(Bereft { stage, fact, writer }),
                None => return Ok(Supply::Never(PipelineError::MissingFact { stage, fact })),
            }
        }
        Ok(supply)
    }

    /// The stage that would have written a fact.
    fn would_write(&mut self, fact: &str, parts: &Parts<'_>) -> Result<Option<String>> {
        for skipped in &mut self.skipped {
            if skipped.would_write(fact, parts)? {
                return Ok(Some(skipped.stage.clone()));
            }
        }
        Ok(None)
    }
}

/// Whether a stage gets what it reads.
pub(super) enum Supply {
    /// All of it.
    Whole,
    /// Not what a stage writes that is switched off.
    SwitchedOff(Bereft),
    /// Not what no earlier stage writes, switched off or not.
    Never(PipelineError),
}

impl Skipped {
    fn would_write(&mut self, fact: &str, parts: &Parts<'_>) -> Result<bool> {
        let writes = match &mut self.writes {
            Some(writes) => writes,
            unknown => unknown.insert(plugin_writes(&self.stage, parts)?),
        };
        Ok(writes.iter().any(|written| written == fact))
    }
}

/// What a plugin that is not loaded would write. It is asked what it is, and nothing else.
fn plugin_writes(stage: &str, parts: &Parts<'_>) -> Result<Vec<Cow<'static, str>>> {
    let section = parts.settings.stage(stage)?;
    let config = plugins::config(parts.settings, stage, &section)?;
    let inspection = parts.host()?.inspect(&config.wasm).map_err(|error| plugins::placed(&section, error))?;
    Ok(inspection.description.facts().writes)
}
