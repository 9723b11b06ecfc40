//! Fields of an object, read one by one: what is wrong with any of them is gathered, so that a client hears of all at once.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{
    invalid::{Invalid, Step},
    refusal::Refusal,
};

/// Faults of a request that its answer names: what a person reads, and a body full of them costs little.
pub(super) const WRONG_MAX: usize = 100;

/// An object's fields, and what was wrong with those that were read.
pub(crate) struct Fields<'v> {
    map: &'v Map<String, Value>,
    place: Vec<Step>,
    wrong: Vec<Invalid>,
}

impl<'v> Fields<'v> {
    /// The fields of a body.
    ///
    /// # Errors
    /// It is no object.
    pub(crate) fn of_body(body: &'v Value) -> Result<Self, Refusal> {
        let object = body.as_object().ok_or_else(|| {
            Refusal::of(Invalid::new(["body"], "dict_type", "Input should be a valid object"))
        })?;
        Ok(Self::of(object, vec!["body".into()]))
    }

    /// The fields of an object that stands there.
    pub(crate) fn of(map: &'v Map<String, Value>, place: Vec<Step>) -> Self {
        Self { map, place, wrong: Vec::new() }
    }

    /// The value of a key, unless there is none or it is null.
    pub(crate) fn value(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A text that must be there.
    pub(crate) fn text(&mut self, key: &str) -> Option<&'v str> {
        let Some(value) = self.map.get(key) else {
            self.fault(key, "missing", "Field required");
            return None;
        };
        self.as_text(key, value)
    }

    /// A text that may be there.
    pub(crate) fn text_if_any(&mut self, key: &str) -> Option<&'v str> {
        let value = self.value(key)?;
        self.as_text(key, value)
    }

    /// A list of texts that must be there.
    pub(crate) fn texts(&mut self, key: &str) -> Option<Vec<&'v str>> {
        let Some(value) = self.map.get(key) else {
            self.fault(key, "missing", "Field required");
            return None;
        };
        let Some(list) = value.as_array() else {
            self.fault(key, "list_type", "Input should be a valid list");
            return None;
        };
        let mut texts = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            if let Some(text) = value.as_str() {
                texts.push(text);
            } else {
                self.fault_at(key, index, "string_type", "Input should be a valid string");
            }
        }
        Some(texts)
    }

    /// Whether a list has between one element and so many; what is no list is found out by whoever reads it.
    pub(crate) fn has_items(&mut self, key: &str, max: usize) -> bool {
        let count = self.map.get(key).and_then(Value::as_array).map(Vec::len);
        match count {
            Some(0) => {
                self.fault(key, "too_short", "List should have at least 1 item after validation, not 0");
                false
            }
            Some(count) if count > max => {
                let msg = format!("List should have at most {max} items after validation, not {count}");
                self.fault(key, "too_long", msg);
                false
            }
            _ => true,
        }
    }

    /// A list of objects that must be there, each with its fields. What was wrong within is added by the caller.
    pub(crate) fn objects(&mut self, key: &str) -> Option<Vec<Self>> {
        let Some(value) = self.map.get(key) else {
            self.fault(key, "missing", "Field required");
            return None;
        };
        let Some(list) = value.as_array() else {
            self.fault(key, "list_type", "Input should be a valid list");
            return None;
        };
        let mut objects = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            if let Some(object) = value.as_object() {
                let place = self.place.iter().cloned().chain([key.into(), index.into()]).collect();
                objects.push(Self::of(object, place));
            } else {
                self.fault_at(key, index, "dict_type", "Input should be a valid object");
            }
        }
        Some(objects)
    }

    /// A yes or no that may be there.
    pub(crate) fn switch(&mut self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let is_on = value.as_bool();
        if is_on.is_none() {
            self.fault(key, "bool_type", "Input should be a valid boolean");
        }
        is_on
    }

    /// A whole number that may be there; `7.0` is one too.
    pub(crate) fn integer(&mut self, key: &str) -> Option<i64> {
        let value = self.value(key)?;
        let number = value.as_i64().or_else(|| whole(value.as_f64()?));
        if number.is_none() {
            self.fault(key, "int_type", "Input should be a valid integer");
        }
        number
    }

    /// An object that may be there.
    pub(crate) fn object(&mut self, key: &str) -> Option<Fields<'v>> {
        let value = self.value(key)?;
        let Some(object) = value.as_object() else {
            self.fault(key, "dict_type", "Input should be a valid object");
            return None;
        };
        let place = self.place.iter().cloned().chain([key.into()]).collect();
        Some(Self::of(object, place))
    }

    /// What was wrong within is wrong here.
    pub(crate) fn add(&mut self, within: Fields<'_>) {
        let room = WRONG_MAX.saturating_sub(self.wrong.len());
        self.wrong.extend(within.wrong.into_iter().take(room));
    }

    /// Something is wrong with an element of this list.
    pub(crate) fn fault_at(&mut self, key: &str, index: usize, kind: &'static str, msg: impl Into<String>) {
        if self.wrong.len() < WRONG_MAX {
            let loc = self.place.iter().cloned().chain([key.into(), index.into()]);
            self.wrong.push(Invalid::new(loc, kind, msg));
        }
    }

    /// Something is wrong with this key.
    pub(crate) fn fault(&mut self, key: &str, kind: &'static str, msg: impl Into<String>) {
        let loc = self.place.iter().cloned().chain([key.into()]);
        self.wrong.push(Invalid::new(loc, kind, msg));
    }

    /// All fields are read.
    ///
    /// # Errors
    /// Something was wrong with some of them.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Refusal::Unprocessable(self.wrong)) }
    }

    fn as_text(&mut self, key: &str, value: &'v Value) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.fault(key, "string_type", "Input should be a valid string");
        }
        text
    }
}

/// A number without a fraction, as far as every whole number is one exactly (2^53).
fn whole(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it was just looked at")]
    is_whole.then_some(number as i64)
}

/// The parameters behind the `?`, or the texts of a form, read one by one. Of those that stand twice, the last one counts.
pub(crate) struct Query {
    /// Where they stand.
    place: &'static str,
    pairs: Vec<(String, String)>,
    wrong: Vec<Invalid>,
}

impl Query {
    /// Those of a request.
    pub(crate) fn of(uri: &axum::http::Uri) -> Self {
        let pairs = axum::extract::Query::try_from_uri(uri).map(|query| query.0).unwrap_or_default();
        Self { place: "query", pairs, wrong: Vec::new() }
    }

    /// Those of a form, in which an empty text says nothing. `wrong`: what is wrong with it already.
    pub(crate) fn of_form(mut texts: Vec<(String, String)>, wrong: Vec<Invalid>) -> Self {
        texts.retain(|(_, text)| !text.is_empty());
        Self { place: "body", pairs: texts, wrong }
    }

    /// A parameter, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A whole number in a range, if it is there.
    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(name)?;
        let Ok(number) = text.trim().parse::<i64>() else {
            self.fault(
                name,
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
            );
            return None;
        };
        if number < *range.start() {
            let msg = format!("Input should be greater than or equal to {}", range.start());
            self.fault(name, "greater_than_equal", msg);
        } else if number > *range.end() {
            let msg = format!("Input should be less than or equal to {}", range.end());
            self.fault(name, "less_than_equal", msg);
        } else {
            return Some(number);
        }
        None
    }

    /// A yes or no, if it is there: `true`, `1`, `on`, `yes` and their opposites, in any case.
    pub(crate) fn switch(&mut self, name: &str) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Some(true),
            "false" | "0" | "off" | "no" => Some(false),
            _ => {
                self.fault(
                    name,
                    "bool_parsing",
                    "Input should be a valid boolean, unable to interpret input",
                );
                None
            }
        }
    }

    /// One of these words, if it is there.
    pub(crate) fn word(&mut self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(name)?;
        let word = words.iter().copied().find(|word| *word == text);
        if word.is_none() {
            let words = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>();
            let (last, others) = words.split_last()?;
            let msg = format!("Input should be {} or {last}", others.join(", "));
            self.fault(name, "literal_error", msg);
        }
        word
    }

    /// Something is wrong with this parameter.
    pub(crate) fn fault(&mut self, name: &str, kind: &'static str, msg: impl Into<String>) {
        self.wrong.push(Invalid::new([self.place, name], kind, msg));
    }

    /// All parameters are read.
    ///
    /// # Errors
    /// Something was wrong with some of them.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Refusal::Unprocessable(self.wrong)) }
    }
}
