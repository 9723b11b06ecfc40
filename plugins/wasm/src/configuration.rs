//! The operator's configuration of a plugin, as the guest reads it through `config`.

use serde_json::{Map, Value};

/// A plugin's configuration.
#[derive(Debug)]
pub(crate) struct Configuration {
    text: String,
    table: Value,
}

impl Configuration {
    pub(crate) fn new(table: Map<String, Value>) -> Self {
        let table = Value::Object(table);
        Self { text: table.to_string(), table }
    }

    /// The whole of it as JSON.
    pub(crate) fn json(&self) -> &str {
        &self.text
    }

    /// The value at a dotted path: text as it is, all else as JSON.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        self.find(path).map(plain)
    }

    /// The elements of the list at a dotted path.
    pub(crate) fn get_list(&self, path: &str) -> Vec<String> {
        let elements = self.find(path).and_then(Value::as_array);
        elements.into_iter().flatten().map(plain).collect()
    }

    fn find(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.table, |value, key| value.get(key))
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let Value::Object(table) =
            serde_json::json!({"a": {"b": 0.5, "c": ["x", 1]}, "d": "text", "e": [{"f": null}]})
        else {
            panic!("a table");
        };
        let configuration = Configuration::new(table);
        assert_eq!(configuration.get("a.b").as_deref(), Some("0.5"));
        assert_eq!(configuration.get("d").as_deref(), Some("text"));
        assert_eq!(configuration.get("a.c").as_deref(), Some("[\"x\",1]"));
        assert_eq!(configuration.get_list("a.c"), ["x", "1"]);
        assert_eq!(configuration.get("a.x"), None);
        assert_eq!(configuration.get(""), None);
        assert!(configuration.get_list("d").is_empty());
        assert!(configuration.json().starts_with("{\"a\":"));
    }
}
