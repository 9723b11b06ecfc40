//! What is wrong with a request's fields, in the list form that clients of two of the products read: a place, a sentence
//! and a word for each.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// One field that is wrong. What the client sent is not repeated: it may be an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Invalid {
    /// Where it stands: `["body", "emails", 3]`.
    pub(crate) loc: Vec<Step>,
    /// For people.
    pub(crate) msg: String,
    /// For programs.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// What there is to say besides, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctx: Option<Value>,
}

/// A part of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Step {
    /// A key.
    Key(String),
    /// An element, from 0.
    Index(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Invalid {
    /// `kind`: a word such as `missing`; `msg`: a sentence.
    pub(crate) fn new<S: Into<Step>>(
        loc: impl IntoIterator<Item = S>,
        kind: &'static str,
        msg: impl Into<String>,
    ) -> Self {
        Self { loc: loc.into_iter().map(Into::into).collect(), msg: msg.into(), kind, ctx: None }
    }
}
