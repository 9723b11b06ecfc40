//! Pipelines and the tables of their stages, as far as they are the same for every stage.

use std::{collections::BTreeMap, fmt, time::Duration};

use figment::value::{Dict, Value};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{ConfigError, Settings, path::KeyPath, read::read};

/// A table `[pipeline.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineConfig {
    /// Names of stages, in the order in which they run.
    pub stages: Vec<String>,
}

/// The keys that every table `[stage.NAME]` may have: how the pipeline treats the stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlotConfig {
    /// Time for one batch, more than zero; none: the stage may take as long as the request may.
    #[serde(with = "humantime_serde::option")]
    pub deadline: Option<Duration>,
    /// What a fault of the stage means for the addresses it left open.
    pub on_fault: OnFault,
    /// Findings of earlier stages with which an address enters neither this stage nor a later one.
    pub stop_on: Vec<String>,
}

/// Names of the fields of [`SlotConfig`].
const SLOT_KEYS: [&str; 3] = ["deadline", "on_fault", "stop_on"];

/// What a fault of a stage means for the addresses it left open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// The next stage takes them.
    #[default]
    Continue,
    /// They go no further and are judged by what is there.
    Stop,
}

/// A table `[stage.NAME]`: the slot's keys, and the stage's own.
pub struct StageSection<'s> {
    /// The keys that every stage has.
    pub slot: SlotConfig,
    settings: &'s Settings,
    path: KeyPath,
    own: Value,
}

impl fmt::Debug for StageSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The stage's own keys may be secret.
        f.debug_struct("StageSection")
            .field("path", &self.path)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

impl StageSection<'_> {
    /// Reads the stage's own keys, those that [`SlotConfig`] does not have. A stage without any is read
    /// into an empty struct, so that misspelt keys are refused there too.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        read(&self.own).map_err(|error| self.settings.explain(&self.path, *error, &SLOT_KEYS))
    }

    /// Whether the table has this key among the stage's own.
    pub fn has(&self, key: &str) -> bool {
        self.own.as_dict().is_some_and(|own| own.contains_key(key))
    }

    /// The error of a value in this table that has the right type and cannot be meant, as [`Settings::invalid`] has
    /// it. `key` is dotted; empty for the table as a whole. The name of the stage may hold anything.
    pub fn invalid(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.settings.invalid_at(&self.path.join(KeyPath::parse(key).keys()), message)
    }
}

impl Settings {
    /// All pipelines by name.
    pub fn pipelines(&self) -> Result<BTreeMap<String, PipelineConfig>, ConfigError> {
        self.section("pipeline")
    }

    /// The names of all tables `[stage.NAME]`, whether a pipeline uses them or not.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        let table = KeyPath::parse("stage").find(self.merged()).and_then(Value::as_dict);
        table.into_iter().flat_map(Dict::keys).map(String::as_str)
    }

    /// The table of one stage; all defaults where it has none.
    pub fn stage(&self, name: &str) -> Result<StageSection<'_>, ConfigError> {
        let path = KeyPath::root().child("stage").child(name);
        let (slot, own): (Dict, Dict) =
            self.read::<Dict>(&path)?.into_iter().partition(|(key, _)| SLOT_KEYS.contains(&key.as_str()));
        let slot: SlotConfig = read(&Value::from(slot)).map_err(|error| self.explain(&path, *error, &[]))?;
        if slot.deadline == Some(Duration::ZERO) {
            let message = "a stage cannot run in no time";
            return Err(self.invalid_at(&path.child("deadline"), message));
        }
        Ok(StageSection { slot, settings: self, path, own: Value::from(own) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoOptions {}

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Syntax {
        policy: String,
    }

    fn settings(toml: &str) -> Settings {
        toml.parse().unwrap()
    }

    #[test]
    fn a_stage_has_the_keys_of_its_slot_and_its_own() {
        let settings = settings(
            "[stage.syntax]\npolicy = 'rfc5321'\ndeadline = '50ms'\non_fault = 'stop'\nstop_on = ['role']",
        );
        let syntax = settings.stage("syntax").unwrap();
        let slot = SlotConfig {
            deadline: Some(Duration::from_millis(50)),
            on_fault: OnFault::Stop,
            stop_on: vec!["role".to_owned()],
        };
        assert_eq!(syntax.slot, slot);
        assert_eq!(syntax.options::<Syntax>().unwrap().policy, "rfc5321");
    }

    #[test]
    fn a_stage_without_a_table_has_the_defaults() {
        let settings = settings("");
        let stage = settings.stage("no-such").unwrap();
        assert_eq!(stage.slot, SlotConfig::default());
        stage.options::<NoOptions>().unwrap();
    }

    #[test]
    fn slot_keys_are_the_fields_of_the_slot() {
        let every_key = "deadline = '1s'\non_fault = 'stop'\nstop_on = []\nother = 1";
        let table = Value::serialize(toml::from_str::<toml::Table>(every_key).unwrap()).unwrap();
        let error = read::<SlotConfig>(&table).unwrap_err();
        assert_eq!(error.kind, figment::error::Kind::UnknownField("other".into(), &SLOT_KEYS));
    }

    #[test]
    fn stages_and_pipelines_are_listed() {
        let settings =
            settings("[stage.acme-blocklist]\nwasm = 'a.wasm'\n[pipeline.quick]\nstages = ['syntax']");
        assert!(settings.stages().any(|name| name == "acme-blocklist"));
        assert!(settings.stages().any(|name| name == "smtp-probe"));
        assert_eq!(settings.pipelines().unwrap()["quick"].stages, ["syntax"]);
        assert!(settings.pipelines().unwrap().contains_key("verify"));
    }

    #[test]
    fn errors_of_a_table_have_its_place_whatever_its_name() {
        let settings = settings("[stage.\"a.b c\"]\nwasm = 'a.wasm'\nstop_on = [\n'x']");
        let section = settings.stage("a.b c").unwrap();
        assert!(section.has("wasm") && !section.has("stop_on") && !section.has("config"));
        let said = |key| section.invalid(key, "no").to_string();
        assert_eq!(said("wasm"), "mailsonde.toml:2: stage.\"a.b c\".wasm: no");
        assert_eq!(said("stop_on.0"), "mailsonde.toml:4: stage.\"a.b c\".stop_on.0: no");
        assert_eq!(said("grants"), "mailsonde.toml:1: stage.\"a.b c\".grants: no");
        assert_eq!(said(""), "mailsonde.toml:1: stage.\"a.b c\": no");
    }

    #[test]
    fn debug_output_has_no_secrets() {
        let settings = settings("[stage.acme]\nconfig = { password = 'hush' }");
        assert!(!format!("{:?}", settings.stage("acme").unwrap()).contains("hush"));
    }
}
