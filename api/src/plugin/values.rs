//! Values of facts and configurations between TOML, in which people write them, and JSON, in which plugins read them.

use mailsonde_engine::Finding;
use serde_json::{Map, Value, json};

/// Scores are told with a handful of decimals; nothing closer together is different.
const SAME: f64 = 1e-9;

/// The value as a plugin's configuration would have it: times are text.
pub(crate) fn from_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(from_toml).collect(),
        toml::Value::Table(table) => table_from_toml(table).into(),
    }
}

/// A table, value by value.
pub(crate) fn table_from_toml(table: &toml::Table) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.clone(), from_toml(value))).collect()
}

/// The value as TOML writes it. TOML has no null: a key without a value is left out. None for what cannot be written.
pub(crate) fn to_toml(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_toml).collect::<Option<Vec<_>>>()?.into(),
        Value::Object(table) => {
            let entries = table.iter().filter(|(_, value)| !value.is_null());
            let entries = entries.map(|(key, value)| Some((key.clone(), to_toml(value)?)));
            entries.collect::<Option<toml::Table>>()?.into()
        }
    })
}

/// The fact under this key. A built-in key wants a value that fits; any other key is a plugin's.
///
/// # Errors
/// What does not fit.
pub(crate) fn finding(key: &str, value: &Value) -> Result<Finding, String> {
    let found = serde_json::from_value(json!({ "key": key, "value": value }));
    match found {
        // A finding that has no value but to be there reads as `true`, and is written without any.
        Err(_) if *value == Value::Bool(true) => serde_json::from_value(json!({ "key": key })),
        found => found,
    }
    .map_err(|_| format!("the value does not fit `{key}`"))
}

/// Whether two values say the same: `1` and `1.0` do, and so do a key without a value and no such key.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => is_same_number(one, other),
            _ => one == other,
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let holds = |table: &Map<String, Value>, of: &Map<String, Value>| {
                of.iter().all(|(key, value)| is_same(table.get(key).unwrap_or(&Value::Null), value))
            };
            holds(one, other) && holds(other, one)
        }
        _ => one == other,
    }
}

/// Whether two numbers are the same but for rounding.
pub(crate) fn is_same_number(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME * one.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_toml() {
        for value in [json!("x"), json!(-5), json!(0.25), json!([1, [2]]), json!({"a": {"b": true}})] {
            assert_eq!(from_toml(&to_toml(&value).unwrap()), value);
        }
        assert_eq!(from_toml(&to_toml(&json!({"a": null, "b": 1})).unwrap()), json!({"b": 1}));
        assert_eq!(to_toml(&json!([1, null])), None);
    }

    #[test]
    fn what_is_the_same() {
        for (one, other, is) in [
            (json!(1), json!(1.0), true),
            (json!(0.1), json!(0.100_001), false),
            (json!({"a": null}), json!({}), true),
            (json!({"a": 1}), json!({}), false),
            (json!([1, 2]), json!([2, 1]), false),
            (json!("1"), json!(1), false),
        ] {
            assert_eq!((is_same(&one, &other), is_same(&other, &one)), (is, is), "{one} {other}");
        }
    }
}
