//! Reads a typed struct from a merged value.
//!
//! figment's own deserializer takes a number for the variant of an enum that stands at that index, so that
//! `on_fault = 1` would mean `stop` today and something else tomorrow; and it takes a list for a table, by the
//! order of the struct's fields. This one does neither.

use std::{collections::btree_map, iter, slice};

use figment::{
    Error,
    error::{Kind, OneOf},
    value::Value,
};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

/// Reads `T`. The path of an error is relative to `value`; that of an unknown key ends with the key.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Box<Error>> {
    T::deserialize(Reader(value)).map_err(Box::new)
}

struct Reader<'v>(&'v Value);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Dict(_, table) => visitor.visit_map(Entries { rest: table.iter(), entry: None }),
            Value::Array(_, items) => visitor.visit_seq(Items(items.iter().enumerate())),
            leaf => leaf.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Dict(..) => self.deserialize_any(visitor),
            other => Err(Kind::InvalidType(other.to_actual(), "a map".to_owned()).into()),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(..) | Value::Dict(..) => self.0.deserialize_enum(name, variants, visitor),
            other => Err(Kind::InvalidType(other.to_actual(), OneOf(variants).to_string()).into()),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

/// The entries of a table.
struct Entries<'v> {
    rest: btree_map::Iter<'v, String, Value>,
    entry: Option<(&'v String, &'v Value)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.entry = self.rest.next();
        let Some((key, _)) = self.entry else { return Ok(None) };
        seed.deserialize(key.as_str().into_deserializer()).map(Some).map_err(|error| below(key, error))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, value)) = self.entry.take() else {
            return Err("a value was read before its key".into());
        };
        seed.deserialize(Reader(value)).map_err(|error| below(key, error))
    }
}

/// The elements of a list.
struct Items<'v>(iter::Enumerate<slice::Iter<'v, Value>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|error| below(&index.to_string(), error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The error, seen from one level further up.
fn below(key: &str, mut error: Error) -> Error {
    error.path.insert(0, key.to_owned());
    error
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        Plain,
        Counted(u8),
    }

    fn value(toml: &str) -> Value {
        Value::serialize(toml::from_str::<toml::Table>(toml).unwrap()).unwrap()
    }

    #[test]
    fn reads_what_serde_can_ask_for() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct All {
            choice: Choice,
            other: Choice,
            some: Option<u16>,
            none: Option<u16>,
            pair: (i8, f64),
            names: BTreeMap<String, Vec<String>>,
        }
        let toml = "choice = 'plain'\nother.counted = 3\nsome = 7\npair = [-1, 2]\nnames.a = ['x', 'y']";
        let expected = All {
            choice: Choice::Plain,
            other: Choice::Counted(3),
            some: Some(7),
            none: None,
            pair: (-1, 2.0),
            names: BTreeMap::from([("a".into(), vec!["x".into(), "y".into()])]),
        };
        assert_eq!(read::<All>(&value(toml)).unwrap(), expected);
    }

    #[test]
    fn a_number_is_no_variant() {
        for toml in ["a = 0", "a = 1", "a = true", "a = []"] {
            assert!(read::<BTreeMap<String, Choice>>(&value(toml)).is_err(), "{toml}");
        }
    }

    #[test]
    fn a_list_is_no_struct() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Port {
            port: u16,
        }
        assert!(read::<BTreeMap<String, Port>>(&value("a = [25]")).is_err());
    }

    #[test]
    fn errors_know_their_path() {
        type Lists = BTreeMap<String, Vec<BTreeMap<String, u8>>>;
        let error = read::<Lists>(&value("a = [{}, { b = 'x' }]")).unwrap_err();
        assert_eq!(error.path, ["a", "1", "b"]);
    }
}
