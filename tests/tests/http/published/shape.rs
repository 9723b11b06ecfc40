//! JSON as it stands in a text, field after field, and what it should be like: names, their order, and types.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// A value. Unlike that of `serde_json`, it keeps the order of fields.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    Flag,
    Whole,
    Fraction,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// What a value should be.
#[derive(Debug)]
pub(crate) enum Shape {
    Flag,
    /// A number that is written without a point.
    Whole,
    /// Any number.
    Number,
    /// Any text.
    Text,
    /// Any value.
    Anything,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// `f47ac10b-58cc-4372-a567-0e02b2c3d479`.
    Uuid,
    /// `2026-06-10T09:10:00Z`.
    Moment,
    /// `2026-06`.
    Month,
    /// What is below, or null.
    OrNull(&'static Shape),
    List(&'static Shape),
    /// Fields of any names.
    Named(&'static Shape),
    /// These fields, in this order, and no others.
    Object(&'static [(&'static str, Shape)]),
}

impl Json {
    /// The fields of an object, in their order.
    pub(crate) fn fields(&self) -> &[(String, Self)] {
        if let Self::Object(fields) = self { fields } else { panic!("no object: {self:?}") }
    }

    /// What stands below these names.
    pub(crate) fn below(&self, names: &[&str]) -> &Self {
        names.iter().fold(self, |json, wanted| {
            let field = json.fields().iter().find(|(name, _)| name == wanted);
            &field.unwrap_or_else(|| panic!("no {wanted}: {json:?}")).1
        })
    }
}

impl Shape {
    /// Whether an object has just these fields, in this order.
    pub(crate) fn names_are<'a>(&self, told: impl Iterator<Item = &'a str>) -> bool {
        if let Self::Object(shapes) = self { told.eq(shapes.iter().map(|(name, _)| *name)) } else { false }
    }

    /// Fails where an answer is not like this.
    pub(crate) fn fits(&self, text: &str) {
        let json: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let mut misfits = Vec::new();
        self.compare(&json, "", &mut misfits);
        assert!(misfits.is_empty(), "{misfits:#?} in {text}");
    }

    fn compare(&self, json: &Json, place: &str, misfits: &mut Vec<String>) {
        let fits = match (self, json) {
            (Self::Anything, _)
            | (Self::Flag, Json::Flag)
            | (Self::Whole | Self::Number, Json::Whole)
            | (Self::Number, Json::Fraction)
            | (Self::Text, Json::Text(_))
            | (Self::OrNull(_), Json::Null) => true,
            (Self::OneOf(texts), Json::Text(text)) => texts.contains(&&**text),
            (Self::Uuid, Json::Text(text)) => is_like(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
            (Self::Moment, Json::Text(text)) => is_like(text, "0000-00-00T00:00:00Z"),
            (Self::Month, Json::Text(text)) => is_like(text, "0000-00"),
            (Self::OrNull(shape), json) => return shape.compare(json, place, misfits),
            (Self::List(shape), Json::List(list)) => {
                for (index, json) in list.iter().enumerate() {
                    shape.compare(json, &format!("{place}[{index}]"), misfits);
                }
                return;
            }
            (Self::Named(shape), Json::Object(fields)) => {
                for (name, json) in fields {
                    shape.compare(json, &format!("{place}.{name}"), misfits);
                }
                return;
            }
            (Self::Object(shapes), Json::Object(fields)) => {
                for ((name, shape), (_, json)) in shapes.iter().zip(fields) {
                    shape.compare(json, &format!("{place}.{name}"), misfits);
                }
                self.names_are(fields.iter().map(|(name, _)| &**name))
            }
            _ => false,
        };
        if !fits {
            misfits.push(format!("{place} is {json:?}, not {self:?}"));
        }
    }
}

/// Whether a text has the signs of a pattern, where `0` stands for any digit and `x` for one of sixteen.
fn is_like(text: &str, pattern: &str) -> bool {
    let is_sign = |(octet, wanted): (u8, u8)| match wanted {
        b'0' => octet.is_ascii_digit(),
        b'x' => octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet),
        _ => octet == wanted,
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(is_sign)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Flag)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Whole)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Whole)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Fraction)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

#[test]
fn a_shape_sees_names_their_order_and_types() {
    const SHAPE: Shape = Shape::Object(&[("a", Shape::Whole), ("b", Shape::OrNull(&Shape::Moment))]);
    let misfits = |text: &str| {
        let mut misfits = Vec::new();
        SHAPE.compare(&serde_json::from_str(text).unwrap(), "", &mut misfits);
        misfits.len()
    };
    for fits in [r#"{"a":1,"b":null}"#, r#"{"a":-1,"b":"2026-06-10T09:10:00Z"}"#] {
        assert_eq!(misfits(fits), 0, "{fits}");
    }
    for wrong in [
        r#"{"b":null,"a":1}"#,
        r#"{"a":1}"#,
        r#"{"a":1,"b":null,"c":1}"#,
        r#"{"a":1,"c":null}"#,
        r#"{"a":1.0,"b":null}"#,
        r#"{"a":1,"b":"2026-06-10T09:10:00.5Z"}"#,
        "[]",
    ] {
        assert_ne!(misfits(wrong), 0, "{wrong}");
    }
}
