//! The merged configuration: its layers, its sections, and the place of each setting.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use figment::{
    Figment, Profile, Provider,
    value::{Dict, Value},
};
use serde::de::DeserializeOwned;

use crate::{
    ConfigError, Place, did_you_mean,
    environment::{self, FILE_VARIABLE, Variable},
    file::{self, ConfigFile},
    layer::Layer,
    path::{KeyPath, quoted},
    read::read,
};

/// The built-in configuration, every key with its reason. It is the truth of the defaults.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

/// The configuration of a process: defaults, file and environment in one.
pub struct Settings {
    defaults: Layer,
    file: Option<(PathBuf, Layer)>,
    variables: Vec<Layer>,
    merged: Value,
}

impl Settings {
    /// Loads the configuration of this process: the defaults, one file, the environment.
    ///
    /// The file is `file`, else the one that `MAILSONDE_CONFIG` names; these must exist. Else it is the first
    /// that exists of `./mailsonde.toml`, `$XDG_CONFIG_HOME/mailsonde/config.toml` (`~/.config` if unset)
    /// and `/etc/mailsonde/config.toml`. It may be none at all.
    ///
    /// # Errors
    /// A file that is missing, unreadable or no TOML, and a variable that misspells a setting. What is
    /// wrong inside a table is found when the table is read.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let named = env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty());
        let file = match (file, named) {
            (Some(path), _) => Some(file::read(path, "")?),
            (None, Some(path)) => Some(file::read(path.as_ref(), " (named by MAILSONDE_CONFIG)")?),
            (None, None) => {
                file::first_of(&file::usual_places(env::var_os("XDG_CONFIG_HOME"), env::var_os("HOME")))?
            }
        };
        Self::assemble(file, &environment::of_process()?)
    }

    /// The configuration of a file with this text and of these environment variables (names and values)
    /// alone, whatever the process has: for tests. Errors call the file `mailsonde.toml`.
    pub fn from_parts(toml: &str, variables: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let file = ConfigFile { path: "mailsonde.toml".into(), text: toml.to_owned() };
        let variable =
            |(name, value): &(&str, &str)| Variable { name: (*name).into(), value: (*value).into() };
        Self::assemble(Some(file), &variables.iter().map(variable).collect::<Vec<_>>())
    }

    fn assemble(file: Option<ConfigFile>, variables: &[Variable]) -> Result<Self, ConfigError> {
        let defaults = Layer::from_toml(None, DEFAULT_TOML)?;
        let file = match file {
            Some(ConfigFile { path, text }) => {
                let layer = Layer::from_toml(Some(&path), &text)?;
                Some((path, layer))
            }
            None => None,
        };
        let known = merge([&defaults].into_iter().chain(file.as_ref().map(|(_, layer)| layer)));
        let variables = environment::layers(variables, &known)?;
        let mut settings = Self { defaults, file, variables, merged: known };
        settings.merged = merge(settings.layers());
        Ok(settings)
    }

    /// The configuration file, if there is one. Relative paths in settings are relative to its folder.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// Refuses whatever stands at the top and is none of the `known` tables.
    pub fn sections(&self, known: &[&str]) -> Result<(), ConfigError> {
        let top = self.merged.as_dict().into_iter().flatten();
        let Some((name, value)) = top.into_iter().find(|(name, _)| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let place = self.place(&KeyPath::root().child(name));
        if value.as_dict().is_some() {
            let hint = did_you_mean(name, known.iter().copied());
            return Err(ConfigError::UnknownTable { place, table: quoted(name), hint });
        }
        let has_key = |table: &&&str| KeyPath::root().child(**table).child(name).find(&self.merged).is_some();
        let hint = match known.iter().find(has_key) {
            Some(table) => format!("; did you mean the one in [{table}]?"),
            None => did_you_mean(name, known.iter().copied()),
        };
        Err(ConfigError::UnknownKey { place, key: name.clone(), table: String::new(), hint })
    }

    /// Reads the table at `path`, such as `dns`; an empty one if it is nowhere.
    pub fn section<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConfigError> {
        self.read(&KeyPath::parse(path))
    }

    /// The error of a setting that has the right type and cannot be meant: an impossible value, a stage
    /// that nobody knows. `path` is dotted as in TOML (`stage."a.b".policy`), with list elements by their
    /// index (`pipeline.verify.stages.0`). [`did_you_mean`] makes the end of the message.
    pub fn invalid(&self, path: &str, message: impl Into<String>) -> ConfigError {
        self.invalid_at(&KeyPath::parse(path), message)
    }

    pub(crate) fn invalid_at(&self, path: &KeyPath, message: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { place: self.place(path), path: path.to_string(), message: message.into() }
    }

    /// Reads the value at `path`, which may be absent, but not below something that is no table.
    pub(crate) fn read<T: DeserializeOwned>(&self, path: &KeyPath) -> Result<T, ConfigError> {
        let empty = Value::from(Dict::new());
        let value = path.find(&self.merged);
        if let (None, Some(table)) = (value, path.parent()) {
            self.read::<Dict>(&table)?;
        }
        read(value.unwrap_or(&empty)).map_err(|error| self.explain(path, *error, &[]))
    }

    pub(crate) fn merged(&self) -> &Value {
        &self.merged
    }

    /// Where the default of the setting at `path` stands, if it has one.
    pub(crate) fn default_place(&self, path: &KeyPath) -> Option<&Place> {
        self.defaults.place(path)
    }

    /// Where the setting at `path` gets its value; if it has none, where the nearest table around it stands.
    ///
    /// Of a table, the place in the file is the one to point at: a variable may give but one of its keys.
    pub(crate) fn place(&self, path: &KeyPath) -> Place {
        let file = self.file.as_ref().map(|(_, layer)| layer);
        let is_table = path.find(&self.merged).is_some_and(|value| value.as_dict().is_some());
        let mut layers = file.filter(|_| is_table).into_iter().chain(self.variables.iter().rev());
        let strongest = layers.find_map(|layer| layer.place(path));
        let place = strongest.or_else(|| file?.place(path)).or_else(|| self.defaults.place(path));
        match (place, path.parent()) {
            (Some(place), _) => place.clone(),
            (None, Some(parent)) => self.place(&parent),
            (None, None) => Place::Default { line: 1 },
        }
    }

    /// The layers, each stronger than the one before.
    fn layers(&self) -> impl Iterator<Item = &Layer> {
        let file = self.file.as_ref().map(|(_, layer)| layer);
        [&self.defaults].into_iter().chain(file).chain(&self.variables)
    }
}

/// Tables are merged key by key; of everything else, lists too, the strongest layer's value counts alone.
fn merge<'l>(layers: impl Iterator<Item = &'l Layer>) -> Value {
    let figment = layers.fold(Figment::new(), |figment, layer| figment.merge(layer));
    // Layers are parsed when they are made: none of them can fail here.
    let mut values = figment.data().unwrap_or_default();
    Value::from(values.remove(&Profile::Default).unwrap_or_default())
}

impl FromStr for Settings {
    type Err = ConfigError;

    /// The configuration of a file with this text and of no environment: for tests.
    fn from_str(toml: &str) -> Result<Self, ConfigError> {
        Self::from_parts(toml, &[])
    }
}

impl fmt::Debug for Settings {
    /// As [`Settings::show`] has it: without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{OnFault, nearest};

    type Table = BTreeMap<String, toml::Value>;

    /// The tables of default.toml.
    const SECTIONS: [&str; 13] = [
        "pipeline",
        "stage",
        "dns",
        "smtp",
        "judge",
        "data",
        "database",
        "encryption",
        "jobs",
        "webhooks",
        "http",
        "relentless",
        "tasks",
    ];

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Syntax {
        policy: String,
    }

    fn settings(toml: &str) -> Settings {
        toml.parse().unwrap()
    }

    #[test]
    fn the_defaults_are_right() {
        let settings = Settings::assemble(None, &[]).unwrap();
        settings.sections(&SECTIONS).unwrap();
        let pipelines = settings.pipelines().unwrap();
        let stages: Vec<String> = pipelines.into_values().flat_map(|pipeline| pipeline.stages).collect();
        for name in &stages {
            assert!(settings.stages().any(|known| known == name), "[stage.{name}] is missing");
        }
        for name in settings.stages() {
            assert_eq!(settings.stage(name).unwrap().slot.on_fault, OnFault::Continue);
            assert!(stages.iter().any(|stage| stage == name), "[stage.{name}] is in no pipeline");
        }
    }

    #[test]
    fn every_default_has_its_comment() {
        for table in DEFAULT_TOML.split("\n\n").filter(|table| !table.contains("[stage.")) {
            let lines: Vec<&str> = table.lines().collect();
            for pair in lines.windows(2) {
                let is_key = pair[1].starts_with(|c: char| c.is_ascii_lowercase());
                assert!(!is_key || pair[0].starts_with('#'), "no comment before `{}`", pair[1]);
            }
        }
    }

    #[test]
    fn file_over_defaults_and_environment_over_file() {
        let toml = "[smtp]\nport = 26\nnever = ['a.example', 'b.example']\n[new]\nkey = 1";
        let variables = [
            ("MAILSONDE_SMTP__PORT", "27"),
            ("MAILSONDE_SMTP__OPERATOR__GOOGLE__SESSIONS_MAX", "4"),
            ("MAILSONDE_DNS__SERVERS", "[\"192.0.2.53\", 192.0.2.54]"),
            ("MAILSONDE_STAGE__SMTP_PROBE__DEADLINE", "10s"),
            ("MAILSONDE_CONFIG", "elsewhere.toml"),
        ];
        let settings = Settings::from_parts(toml, &variables).unwrap();
        let smtp: Table = settings.section("smtp").unwrap();
        assert_eq!(smtp["port"].as_integer(), Some(27));
        assert_eq!(smtp["never"].as_array().map(Vec::len), Some(2));
        assert_eq!(smtp["sessions_max"].as_integer(), Some(50));
        assert_eq!(
            settings.section::<Table>("smtp.operator.google").unwrap()["sessions_max"].as_integer(),
            Some(4)
        );
        let servers = settings.section::<Table>("dns").unwrap().remove("servers").unwrap();
        assert_eq!(servers.to_string(), "[\"192.0.2.53\", \"192.0.2.54\"]");
        let deadline = settings.stage("smtp-probe").unwrap().slot.deadline;
        assert_eq!(deadline.map(|deadline| deadline.as_secs()), Some(10));
        assert!(settings.section::<Table>("no-such").unwrap().is_empty());
    }

    #[test]
    fn unknown_tables_name_the_nearest() {
        let error = |toml, variables: &[_]| {
            Settings::from_parts(toml, variables).unwrap().sections(&SECTIONS).unwrap_err().to_string()
        };
        assert_eq!(
            error("\n[smpt]\nport = 1", &[]),
            "mailsonde.toml:2: unknown table [smpt]; did you mean `smtp`?"
        );
        assert_eq!(
            error("port = 1", &[]),
            "mailsonde.toml:1: unknown key `port` outside any table; did you mean the one in [smtp]?"
        );
        assert_eq!(
            error("", &[("MAILSONDE_SMPT__PORT", "1")]),
            "environment variable MAILSONDE_SMPT__PORT: unknown table [smpt]; did you mean `smtp`?"
        );
    }

    #[test]
    fn mistakes_in_stages() {
        let error = |toml: &str| {
            let settings = settings(toml);
            let section = settings.stage("syntax");
            section.and_then(|section| section.options::<Syntax>()).unwrap_err().to_string()
        };
        for (toml, message) in [
            (
                "[stage.syntax]\npolcy = 'strict'",
                "2: unknown key `polcy` in [stage.syntax]; did you mean `policy`?",
            ),
            (
                "[stage.syntax]\nonfault = 'stop'",
                "2: unknown key `onfault` in [stage.syntax]; did you mean `on_fault`?",
            ),
            (
                "[stage]\nsyntax = { x = 1 }",
                "2: unknown key `x` in [stage.syntax]; known: deadline, on_fault, policy, stop_on",
            ),
            (
                "stage.syntax.deadline = 5",
                "1: stage.syntax.deadline: expected a duration such as \"10s\" or \"5m\", found 5",
            ),
            ("stage.syntax.deadline = '0s'", "1: stage.syntax.deadline: a stage cannot run in no time"),
            (
                "stage.syntax.on_fault = 'halt'",
                "1: stage.syntax.on_fault: expected \"continue\" or \"stop\", found \"halt\"",
            ),
            (
                "stage.syntax.stop_on = 'role'",
                "1: stage.syntax.stop_on: expected a list, found \"role\"; write [\"role\"]",
            ),
            ("stage.syntax = 5", "1: stage.syntax: expected a table, found 5"),
            ("stage = 5", "1: stage: expected a table, found 5"),
        ] {
            assert_eq!(error(toml), format!("mailsonde.toml:{message}"), "{toml}");
        }
    }

    #[test]
    fn mistakes_in_pipelines() {
        for (toml, message) in [
            ("[pipeline.quick]", "1: [pipeline.quick] needs the key `stages`"),
            ("pipeline.quick = ['syntax']", "1: pipeline.quick: expected a table, found a list"),
            (
                "[pipeline.verify]\nstage = []",
                "2: unknown key `stage` in [pipeline.verify]; did you mean `stages`?",
            ),
        ] {
            let error = settings(toml).pipelines().unwrap_err().to_string();
            assert_eq!(error, format!("mailsonde.toml:{message}"), "{toml}");
        }
    }

    #[test]
    fn impossible_values_are_reported_where_they_stand() {
        let toml = "[pipeline.quick]\nstages = [\n  'syntax',\n  'tpyo',\n]\n[stage.\"a.b\"]\nlimit = 0";
        let settings = Settings::from_parts(toml, &[("MAILSONDE_DNS__TTL_MIN", "2d")]).unwrap();
        let message = |path, message: &str| settings.invalid(path, message).to_string();
        let unknown = format!("unknown stage `tpyo`{}", did_you_mean("tpyo", settings.stages()));
        assert_eq!(
            message("pipeline.quick.stages.1", &unknown),
            "mailsonde.toml:4: pipeline.quick.stages.1: unknown stage `tpyo`; did you mean `typo`?"
        );
        assert_eq!(nearest("tpyo", settings.stages()), Some("typo"));
        assert_eq!(message("stage.\"a.b\".limit", "no"), "mailsonde.toml:7: stage.\"a.b\".limit: no");
        assert_eq!(message("stage.\"a.b\".absent", "no"), "mailsonde.toml:6: stage.\"a.b\".absent: no");
        assert_eq!(
            message("dns.ttl_min", "more than ttl_max"),
            "environment variable MAILSONDE_DNS__TTL_MIN: more than ttl_max"
        );
        // What only the defaults have is shown there; what is nowhere, at the nearest table around it.
        assert!(message("judge.role", "no").starts_with("default.toml:"));
        assert!(message("judge.nowhere", "no").starts_with("default.toml:"));
        assert!(message("nowhere.at.all", "no").starts_with("mailsonde.toml:1: nowhere.at.all: "));
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = Settings::load(Some(Path::new("/nonexistent/mailsonde.toml"))).unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent/mailsonde.toml: no such file");
    }
}
