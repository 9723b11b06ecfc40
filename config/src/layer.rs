//! One layer of the configuration: its values for figment, and the place of every key and list element.

use std::{collections::BTreeMap, path::Path};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{ConfigError, Place, path::KeyPath};

/// The default.toml, the configuration file, or one environment variable.
#[derive(Clone)]
pub(crate) struct Layer {
    name: String,
    values: Dict,
    places: BTreeMap<KeyPath, Place>,
}

impl Layer {
    /// Parses `text`, which stands in `file`; without a file it is the built-in default.toml.
    pub(crate) fn from_toml(file: Option<&Path>, text: &str) -> Result<Self, ConfigError> {
        let newlines = text.match_indices('\n').map(|(at, _)| at).collect();
        let source = Source { file, text, newlines };
        let (document, errors) = DeTable::parse_recoverable(text);
        // What was wrong first is what the others follow from.
        if let Some(error) = errors.iter().min_by_key(|error| error.span().map(|span| span.start)) {
            return Err(source.syntax_error(error.span().map_or(0, |span| span.start), error.message()));
        }
        let root = KeyPath::root();
        let mut places = BTreeMap::from([(root.clone(), source.place(0))]);
        let values = source.table(&root, document.get_ref(), &mut places)?;
        Ok(Self { name: source.place(0).to_string(), values, places })
    }

    /// The layer of the one setting at `path` that the environment variable `name` gives.
    pub(crate) fn from_variable(name: &str, path: &KeyPath, value: Value) -> Self {
        let nest = |inner, key: &String| Value::from(Dict::from([(key.clone(), inner)]));
        let top = path.keys().iter().rev().fold(value, nest);
        let place = Place::Variable { name: name.into(), path: path.to_string().into() };
        let mut places = BTreeMap::new();
        spread(&place, &KeyPath::root(), &top, &mut places);
        Self { name: place.to_string(), values: top.into_dict().unwrap_or_default(), places }
    }

    /// Where this layer sets the key at `path`, or its table begins.
    pub(crate) fn place(&self, path: &KeyPath) -> Option<&Place> {
        self.places.get(path)
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Gives everything within `value` the same place.
fn spread(place: &Place, path: &KeyPath, value: &Value, places: &mut BTreeMap<KeyPath, Place>) {
    let within: Vec<(String, &Value)> = match value {
        Value::Dict(_, table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(_, items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in within {
        let path = path.child(key);
        spread(place, &path, value, places);
        places.insert(path, place.clone());
    }
}

/// A TOML text and where it comes from.
struct Source<'t> {
    file: Option<&'t Path>,
    text: &'t str,
    /// Offsets of the line ends.
    newlines: Vec<usize>,
}

impl Source<'_> {
    /// Converts a table, noting the place of each key.
    fn table(
        &self,
        path: &KeyPath,
        table: &DeTable<'_>,
        places: &mut BTreeMap<KeyPath, Place>,
    ) -> Result<Dict, ConfigError> {
        let mut values = Dict::new();
        for (key, value) in table {
            let path = path.child(key.get_ref().as_ref());
            places.insert(path.clone(), self.place(key.span().start));
            values.insert(key.get_ref().to_string(), self.value(&path, value, places)?);
        }
        Ok(values)
    }

    /// Converts a value; elements of lists have places of their own, for lists run over many lines.
    fn value(
        &self,
        path: &KeyPath,
        value: &Spanned<DeValue<'_>>,
        places: &mut BTreeMap<KeyPath, Place>,
    ) -> Result<Value, ConfigError> {
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Datetime(time) => Value::from(time.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::from(number),
                Err(_) => {
                    return Err(self.syntax_error(value.span().start, "integer out of the 64-bit range"));
                }
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) => Value::from(number),
                Err(error) => return Err(self.syntax_error(value.span().start, &error.to_string())),
            },
            DeValue::Table(table) => Value::from(self.table(path, table, places)?),
            DeValue::Array(items) => {
                let mut values = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let path = path.child(index.to_string());
                    places.insert(path.clone(), self.place(item.span().start));
                    values.push(self.value(&path, item, places)?);
                }
                Value::from(values)
            }
        })
    }

    fn place(&self, offset: usize) -> Place {
        let line = 1 + self.newlines.partition_point(|end| *end < offset);
        match self.file {
            Some(file) => Place::File { file: file.to_owned(), line },
            None => Place::Default { line },
        }
    }

    fn syntax_error(&self, offset: usize, message: &str) -> ConfigError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        ConfigError::Syntax {
            place: self.place(offset),
            column: 1 + line.chars().count(),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Layer {
        Layer::from_toml(Some(Path::new("f.toml")), text).unwrap()
    }

    fn line(layer: &Layer, path: &str) -> Option<usize> {
        match layer.place(&KeyPath::parse(path)) {
            Some(Place::File { line, .. }) => Some(*line),
            _ => None,
        }
    }

    #[test]
    fn every_way_to_write_a_key_has_its_line() {
        let layer = layer(concat!(
            "\u{feff}a.b.c = 1\r\n",
            "[t.\"x y\".z]\n",
            "q = { r.s = 1, u = [1,\n",
            "  2] }\n",
            "[[list]]\n",
            "k = 1\n",
            "[[list]]\n",
            "k = 2\n",
        ));
        for (path, at) in [
            ("a", 1),
            ("a.b.c", 1),
            ("t", 2),
            ("t.\"x y\".z", 2),
            ("t.\"x y\".z.q.r.s", 3),
            ("t.\"x y\".z.q.u.0", 3),
            ("t.\"x y\".z.q.u.1", 4),
            ("list.0.k", 6),
            ("list.1", 7),
            ("list.1.k", 8),
        ] {
            assert_eq!(line(&layer, path), Some(at), "{path}");
        }
        assert_eq!(line(&layer, "t.y"), None);
    }

    #[test]
    fn values_of_every_type() {
        let layer = layer("i = 0xff_ff\nn = -5\nf = 1.5\nb = true\nd = 1979-05-27\ns = 'x'\nl = [1, 'x']");
        let show: Vec<String> =
            layer.values.values().map(|value| format!("{:?}", value.to_actual())).collect();
        let expected = [
            "Bool(true)",
            "Str(\"1979-05-27\")",
            "Float(1.5)",
            "Signed(65535)",
            "Seq",
            "Signed(-5)",
            "Str(\"x\")",
        ];
        assert_eq!(show, expected);
    }

    #[test]
    fn syntax_errors_name_line_and_column() {
        let error = |text: &str| Layer::from_toml(Some(Path::new("f.toml")), text).err().unwrap().to_string();
        assert_eq!(
            error("[dns]\ntimeout = 10s"),
            "f.toml:2:11: string values must be quoted, expected literal string"
        );
        assert_eq!(
            error("[dns]\né = \"x\ny = 1"),
            "f.toml:2:1: invalid unquoted key, expected letters, numbers, `-`, `_`"
        );
        assert_eq!(error("a = \"x\ny = \"z"), "f.toml:1:7: invalid basic string, expected `\"`");
        assert_eq!(error("a = 1\na = 2"), "f.toml:2:1: duplicate key");
        assert_eq!(error("a = 99999999999999999999"), "f.toml:1:5: integer out of the 64-bit range");
        assert!(error(&format!("a = {}", "[".repeat(100_000))).starts_with("f.toml:1:"));
        assert!(error(&format!("a = {}1", "{b=".repeat(100_000))).starts_with("f.toml:1:"));
        assert!(error(&format!("a{} = 1", ".a".repeat(100_000))).starts_with("f.toml:1:"));
    }

    #[test]
    fn a_variable_is_the_place_of_all_that_it_gives() {
        let value = "{b = [1, 2]}".parse().unwrap();
        let layer = Layer::from_variable("MAILSONDE_T__A", &KeyPath::parse("t.a"), value);
        for path in ["t", "t.a", "t.a.b", "t.a.b.1"] {
            let place = layer.place(&KeyPath::parse(path)).unwrap();
            assert_eq!(place.to_string(), "environment variable MAILSONDE_T__A", "{path}");
        }
        assert!(layer.place(&KeyPath::root()).is_none());
    }
}
