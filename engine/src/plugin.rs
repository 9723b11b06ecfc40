//! What plugins say: facts with keys of their own, and opinions about the category. The judge alone weighs opinions;
//! what the host of the plugins checks (who may write which key, what a reason may look like) is not repeated here.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Category, Finding};

/// A fact whose key and value are a plugin's own. The judge does not hear it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginFact {
    /// The dotted key, which begins with the plugin's id: `blocklist.rule`. Never one of [`Finding::KEYS`].
    #[serde(deserialize_with = "no_built_in_key")]
    pub key: Box<str>,
    /// Whatever the plugin has to tell.
    #[serde(default)]
    pub value: serde_json::Value,
}

/// What a plugin holds an address to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// The category; `duplicate` and `invalid_syntax` are nothing that a plugin could know.
    pub category: Category,
    /// Why, as one word: lower-case letters, digits and underscores, at most 64.
    pub reason: Arc<str>,
    /// The probability that the category is right, 0 to 1.
    pub score: f64,
    /// What the operator lets the opinion do.
    pub authority: Authority,
}

/// What the operator lets a plugin's opinions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authority {
    /// They stand in the evidence.
    #[default]
    Advise,
    /// They take part in the verdict, where nothing that was observed speaks against them.
    Decide,
}

/// A built-in key with a value that does not fit is a mistake, not a plugin's fact.
fn no_built_in_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
    let key = Box::<str>::deserialize(deserializer)?;
    if Finding::KEYS.contains(&&*key) {
        return Err(de::Error::custom(format_args!("the value does not fit `{key}`")));
    }
    Ok(key)
}
