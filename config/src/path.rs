//! The path of a setting: the keys from the top of the configuration down, as TOML writes them with dots.
//! Elements of a list are keys too: `pipeline.verify.stages.0` is the first stage.

use std::fmt;

use figment::value::Value;

use crate::secret::is_secret;

/// Keys from the top down; empty for the whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path of the whole configuration.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// Reads a path as TOML reads a dotted key: `stage."a.b".policy` has three keys.
    /// What is no TOML key is cut at its dots.
    pub(crate) fn parse(text: &str) -> Self {
        let Ok(line) = toml::from_str::<toml::Table>(&format!("{text} = 0")) else {
            return Self(text.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect());
        };
        let mut keys = Vec::new();
        let mut rest = line.into_iter().next();
        while let Some((key, value)) = rest {
            keys.push(key);
            rest = value.as_table().and_then(|table| table.clone().into_iter().next());
        }
        Self(keys)
    }

    /// The path of `key` in the table (or of an index in the list) at this path.
    pub(crate) fn child(&self, key: impl Into<String>) -> Self {
        Self(self.0.iter().cloned().chain([key.into()]).collect())
    }

    /// This path and `keys` below it.
    pub(crate) fn join(&self, keys: &[String]) -> Self {
        Self([self.0.as_slice(), keys].concat())
    }

    /// The path of the table (or list) that holds this setting; `None` at the top.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// The keys, from the top down.
    pub(crate) fn keys(&self) -> &[String] {
        &self.0
    }

    /// Whether the value at this path must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.0.iter().any(|key| is_secret(key))
    }

    /// The value at this path below `top`.
    pub(crate) fn find<'v>(&self, top: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(top, |value, key| match value {
            Value::Dict(_, table) => table.get(key),
            Value::Array(_, items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            write!(f, "{dot}{}", quoted(key))?;
        }
        Ok(())
    }
}

/// The key as TOML writes it: bare where its characters allow that, else as a string of one line.
pub(crate) fn quoted(key: &str) -> String {
    let line = toml::Table::from_iter([(key.to_owned(), toml::Value::from(0))]).to_string();
    line.strip_suffix(" = 0\n").unwrap_or(key).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_displayed_parses_to_the_same_path(keys in prop::collection::vec(any::<String>(), 1..4)) {
            let path = KeyPath(keys);
            let text = path.to_string();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(KeyPath::parse(&text), path);
        }
    }

    #[test]
    fn parses_what_it_displays() {
        for text in ["dns", "stage.smtp-probe.deadline", "stage.\"a.b\".c", "smtp.never.0", "a.\"\".b"] {
            assert_eq!(KeyPath::parse(text).to_string(), text);
        }
        assert_eq!(KeyPath::parse("stage.\"a.b\".c").keys(), ["stage", "a.b", "c"]);
    }

    #[test]
    fn what_is_no_toml_key_is_cut_at_its_dots() {
        assert_eq!(KeyPath::parse("stage.no such.x").keys(), ["stage", "no such", "x"]);
        assert_eq!(KeyPath::parse(""), KeyPath::root());
    }

    #[test]
    fn finds_values_in_tables_and_lists() {
        let top = Value::serialize(toml::toml! { a = { b = [10, 20] } }).unwrap();
        assert_eq!(KeyPath::parse("a.b.1").find(&top).and_then(Value::to_i128), Some(20));
        assert_eq!(KeyPath::parse("a.b.2").find(&top), None);
        assert_eq!(KeyPath::parse("a.b.1.c").find(&top), None);
    }
}
