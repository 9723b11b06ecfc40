//! Settings from environment variables: `MAILSONDE_SMTP__PORT=2525` is `port` in `[smtp]`.
//!
//! Two underscores stand between levels, and case counts for nothing. Values are read as figment reads
//! them: numbers, `true`, `["a", "b"]`, `{a = 1}`, everything else is text, and `"12"` in quotes is text too.
//! Shells cannot export names with dashes, so a key that nothing has as it stands means the known key with
//! `-` in the place of `_`: `MAILSONDE_STAGE__SMTP_PROBE__DEADLINE` is `deadline` in `[stage.smtp-probe]`.

use std::env;

use figment::value::{Dict, Value};

use crate::{ConfigError, Place, layer::Layer, nearest::fold, path::KeyPath};

/// Begins the name of every variable that is ours.
const PREFIX: &str = "MAILSONDE_";

/// Names the configuration file, where the command line names none. It is no setting itself.
pub(crate) const FILE_VARIABLE: &str = "MAILSONDE_CONFIG";

/// Tables whose entries are named by people, with dashes: there `_` means `-` even in an unknown name.
const NAMED: [&str; 2] = ["stage", "pipeline"];

/// A variable of ours.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    /// As the environment has it.
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The variables of this process that begin with our prefix, by name.
pub(crate) fn of_process() -> Result<Vec<Variable>, ConfigError> {
    let mut ours = Vec::new();
    for (name, value) in env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if without_prefix(&name).is_none() {
            continue;
        }
        match value.into_string() {
            Ok(value) => ours.push(Variable { name, value }),
            Err(_) => return Err(wrong(&name, "its value is not UTF-8 text".to_owned())),
        }
    }
    ours.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ours)
}

/// One layer for each variable that is a setting. `known` is the configuration below them.
pub(crate) fn layers(variables: &[Variable], known: &Value) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    for variable in variables.iter().filter(|variable| !variable.name.eq_ignore_ascii_case(FILE_VARIABLE)) {
        if let Some(path) = setting(variable, known)? {
            let value = match variable.value.parse() {
                Ok(value) => value,
                Err(never) => match never {},
            };
            layers.push(Layer::from_variable(&variable.name, &path, value));
        }
    }
    Ok(layers)
}

/// The path of the setting that a variable gives; `None` if it is not meant for us.
///
/// Every setting stands in a table, so a name without two underscores is either a whole known table
/// (`MAILSONDE_DNS={…}`), or a setting misspelt, or nothing of ours.
fn setting(variable: &Variable, known: &Value) -> Result<Option<KeyPath>, ConfigError> {
    let Some(words) = without_prefix(&variable.name).map(str::to_ascii_lowercase) else { return Ok(None) };
    let is_table = known.as_dict().is_some_and(|top| known_key(&words, top).is_some());
    if words.contains("__") || is_table {
        return Ok(Some(path_of(&words, known)));
    }
    match known.as_dict().and_then(|top| respelt(&words, top)) {
        Some(meant) if !is_service_link(&words, &variable.value) => {
            let meant = format!("{PREFIX}{}", meant.to_ascii_uppercase());
            Err(wrong(&variable.name, format!("two underscores stand between levels; did you mean {meant}?")))
        }
        _ => Ok(None),
    }
}

/// The path that `words`, in lower case and with `__` between levels, name.
fn path_of(words: &str, known: &Value) -> KeyPath {
    words.split("__").fold(KeyPath::root(), |path, word| {
        let table = path.find(known).and_then(Value::as_dict);
        let key = match table.and_then(|table| known_key(word, table)) {
            Some(key) => key.clone(),
            None if matches!(path.keys(), [top] if NAMED.contains(&top.as_str())) => word.replace('_', "-"),
            None => word.to_owned(),
        };
        path.child(key)
    })
}

/// The key of `table` that `word` names: as it stands, else but for case and dashes.
fn known_key<'t>(word: &str, table: &'t Dict) -> Option<&'t String> {
    let exact = table.get_key_value(word).map(|(key, _)| key);
    exact.or_else(|| table.keys().find(|key| fold(key) == fold(word)))
}

/// The words with two underscores after each known table, if they begin with one: `smtp_port` is `smtp__port`.
fn respelt(words: &str, table: &Dict) -> Option<String> {
    let tables = table.iter().filter_map(|(key, value)| Some((fold(key), value.as_dict()?)));
    let split = tables.filter_map(|(key, table)| {
        let rest = words.strip_prefix(&key)?.strip_prefix('_')?;
        Some((key, table, rest))
    });
    let (key, table, rest) = split.max_by_key(|(key, ..)| key.len())?;
    let rest = respelt(rest, table).unwrap_or_else(|| rest.to_owned());
    Some(format!("{key}__{rest}"))
}

/// Whether Kubernetes or Docker made this variable, to tell where a service named `mailsonde…` listens
/// (`MAILSONDE_SMTP_SERVICE_HOST`, `MAILSONDE_SMTP_PORT=tcp://…`, `MAILSONDE_SMTP_PORT_25_TCP_ADDR`).
fn is_service_link(words: &str, value: &str) -> bool {
    let of_port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    words.ends_with("_service_host")
        || words.contains("_service_port")
        || (words.ends_with("_port") && value.contains("://"))
        || words.split("_port_").skip(1).any(of_port)
}

/// The name without the prefix, if it has it.
fn without_prefix(name: &str) -> Option<&str> {
    let (prefix, words) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(words)
}

/// An error of the variable itself.
fn wrong(name: &str, message: String) -> ConfigError {
    let place = Place::Variable { name: name.into(), path: Box::default() };
    ConfigError::Invalid { place, path: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Value {
        Value::serialize(toml::toml! {
            [smtp]
            port = 25
            [stage.smtp-probe]
            deadline = "30s"
            [stage.my_stage]
            [stage.smtp]
            [pipeline.verify]
            stages = []
            [data]
            dir = ""
        })
        .unwrap()
    }

    fn path(name: &str, value: &str) -> Result<Option<String>, String> {
        let variable = Variable { name: name.to_owned(), value: value.to_owned() };
        match setting(&variable, &known()) {
            Ok(path) => Ok(path.map(|path| path.to_string())),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn names_become_paths() {
        for (name, expected) in [
            ("MAILSONDE_SMTP__PORT", "smtp.port"),
            ("mailsonde_Smtp__port", "smtp.port"),
            ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "stage.smtp-probe.deadline"),
            ("MAILSONDE_STAGE__SMTP_PROBE__DEADLINE", "stage.smtp-probe.deadline"),
            ("MAILSONDE_STAGE__SMTP_PROBE__ON_FAULT", "stage.smtp-probe.on_fault"),
            ("MAILSONDE_STAGE__MY_STAGE__ON_FAULT", "stage.my_stage.on_fault"),
            ("MAILSONDE_STAGE__ACME_LIST__STOP_ON", "stage.acme-list.stop_on"),
            ("MAILSONDE_PIPELINE__QUICK_LOOK__STAGES", "pipeline.quick-look.stages"),
            ("MAILSONDE_SMTP__OPERATOR__YAHOO_JAPAN__SESSIONS_MAX", "smtp.operator.yahoo_japan.sessions_max"),
            ("MAILSONDE_NOPE__X", "nope.x"),
            ("MAILSONDE_SMTP__", "smtp.\"\""),
            ("MAILSONDE_SMTP", "smtp"),
        ] {
            assert_eq!(path(name, "1"), Ok(Some(expected.to_owned())), "{name}");
        }
    }

    #[test]
    fn one_underscore_too_few_is_told() {
        for (name, meant) in [
            ("MAILSONDE_SMTP_PORT", "MAILSONDE_SMTP__PORT"),
            ("MAILSONDE_SMTP_HELLO_NAME", "MAILSONDE_SMTP__HELLO_NAME"),
            // [stage.smtp] would fit too, but the longer name says more.
            ("MAILSONDE_STAGE_SMTP_PROBE_ON_FAULT", "MAILSONDE_STAGE__SMTP_PROBE__ON_FAULT"),
        ] {
            let message = format!(
                "environment variable {name}: two underscores stand between levels; did you mean {meant}?"
            );
            assert_eq!(path(name, "1"), Err(message));
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        for (name, value) in [
            ("MAILSONDE_PORT", "tcp://10.0.0.1:8080"),
            ("MAILSONDE_SERVICE_HOST", "10.0.0.1"),
            ("MAILSONDE_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("MAILSONDE_SMTP_SERVICE_PORT_SUBMISSION", "25"),
            ("MAILSONDE_SMTP_PORT", "tcp://10.0.0.1:25"),
            ("MAILSONDE_SMTP_PORT_25_TCP", "tcp://10.0.0.1:25"),
            ("MAILSONDE_VERSION", "3"),
            ("PATH", "/bin"),
        ] {
            assert_eq!(path(name, value), Ok(None), "{name}");
        }
    }
}
