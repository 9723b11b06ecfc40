//! Whose patience we use up: what sessions, pace and manners are kept by.

use mailsonde_engine::{MailHost, MxSet, Operator};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::egress::stable_hash;

/// A longer text is shortened to a number: stores want short keys, and ten host names are long.
const TEXT_MAX: usize = 190;

/// Whose patience we use up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "Written")]
pub enum BudgetKey {
    /// An operator, whose hosts know of each other.
    Operator(&'static str),
    /// The mail hosts of nobody known.
    Hosts(MxSet),
}

/// A key as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Operator(String),
    Hosts(Vec<MailHost>),
}

impl BudgetKey {
    /// The key for a set of mail hosts; the first one names the operator.
    pub fn of(mx: &MxSet) -> Self {
        let operator = mx.first().and_then(|host| Operator::of_host(&host.name));
        operator.map_or_else(|| Self::Hosts(mx.clone()), |operator| Self::Operator(operator.id()))
    }

    /// In one line of ASCII, the same in every process and release; at most 200 octets.
    pub fn text(&self) -> String {
        match self {
            Self::Operator(id) => format!("operator:{id}"),
            Self::Hosts(mx) => {
                let hosts: Vec<String> =
                    mx.iter().map(|host| format!("{} {}", host.preference, host.name)).collect();
                let text = format!("mx:{}", hosts.join(","));
                if text.is_ascii() && text.len() <= TEXT_MAX {
                    return text;
                }
                let half = |salt: u8| stable_hash((salt, &text));
                format!("mx#{:016x}{:016x}", half(0), half(1))
            }
        }
    }
}

impl From<BudgetKey> for Written {
    fn from(key: BudgetKey) -> Self {
        match key {
            BudgetKey::Operator(id) => Self::Operator(id.to_owned()),
            BudgetKey::Hosts(mx) => Self::Hosts(mx.to_vec()),
        }
    }
}

impl<'de> Deserialize<'de> for BudgetKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Operator(id) => {
                let unknown = || D::Error::custom(format!("unknown operator `{id}`"));
                Ok(Self::Operator(Operator::by_id(&id).ok_or_else(unknown)?.id()))
            }
            Written::Hosts(mx) => Ok(Self::Hosts(mx.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(host: &str) -> BudgetKey {
        BudgetKey::of(&Arc::from([MailHost { preference: 10, name: host.into() }]))
    }

    #[test]
    fn operators_share_a_key_and_strangers_do_not() {
        assert_eq!(key("a.mail.protection.outlook.com"), key("b.mail.protection.outlook.com"));
        assert_ne!(key("mx.example.org"), key("mx.example.net"));
    }

    #[test]
    fn a_text_is_short_and_stays_what_it_is() {
        assert_eq!(key("aspmx.l.google.com").text(), "operator:google");
        assert_eq!(key("mx.example.org").text(), "mx:10 mx.example.org");
        let long = |end: &str| key(&format!("{}.{end}", "x".repeat(200))).text();
        assert_eq!(long("test"), "mx#23a0c74ac7fcbdf2c7fda4f747dd56a3");
        assert_ne!(long("test"), long("example"));
    }
}
