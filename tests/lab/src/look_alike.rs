//! Servers that speak like those of well-known operators and programs: `like = "google"`.
//!
//! Each is a file of options in `look_alikes/`, with the operator's own texts and limits; adding one is adding a file
//! and its line below. A host's own options go before those of its look-alike.

use anyhow::{Context as _, Result};
use serde::Deserialize as _;
use toml::{Table, Value};

use crate::host::Host;

const LOOK_ALIKES: &[(&str, &str)] = &[
    ("barracuda", include_str!("../look_alikes/barracuda.toml")),
    ("exim", include_str!("../look_alikes/exim.toml")),
    ("gmx", include_str!("../look_alikes/gmx.toml")),
    ("google", include_str!("../look_alikes/google.toml")),
    ("icloud", include_str!("../look_alikes/icloud.toml")),
    ("mailru", include_str!("../look_alikes/mailru.toml")),
    ("microsoft365", include_str!("../look_alikes/microsoft365.toml")),
    ("mimecast", include_str!("../look_alikes/mimecast.toml")),
    ("opensmtpd", include_str!("../look_alikes/opensmtpd.toml")),
    ("outlook", include_str!("../look_alikes/outlook.toml")),
    ("postfix", include_str!("../look_alikes/postfix.toml")),
    ("proofpoint", include_str!("../look_alikes/proofpoint.toml")),
    ("sendmail", include_str!("../look_alikes/sendmail.toml")),
    ("yahoo", include_str!("../look_alikes/yahoo.toml")),
    ("yandex", include_str!("../look_alikes/yandex.toml")),
];

impl Host {
    /// A server like those of an operator, to be completed with `accepts`.
    ///
    /// # Errors
    /// When nobody of that name is known.
    pub fn like(name: &str) -> Result<Self> {
        Self::from_table(Table::from_iter([("like".to_owned(), Value::String(name.to_owned()))]))
    }

    /// Reads options, those of `like` beneath them.
    pub(crate) fn from_table(mut own: Table) -> Result<Self> {
        let mut options = match own.remove("like") {
            Some(name) => look_alike(name.as_str().context("`like` is a name")?)?,
            None => Table::new(),
        };
        overlay(&mut options, own);
        Ok(Self::deserialize(Value::Table(options))?)
    }
}

fn look_alike(name: &str) -> Result<Table> {
    let names = || LOOK_ALIKES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (_, text) = LOOK_ALIKES
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| format!("nobody is known as {name}; known are {}", names()))?;
    toml::from_str(text).with_context(|| format!("look_alikes/{name}.toml"))
}

/// Lays `upper` over `lower`, table by table.
fn overlay(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                lower.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_alike_is_well_formed() {
        for (name, _) in LOOK_ALIKES {
            let host = Host::like(name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            assert_ne!(host, Host::default(), "{name}");
        }
    }

    #[test]
    fn own_options_go_first() {
        let own = toml::from_str("like = \"postfix\"\nlimits.hard_errors = 3").unwrap();
        let host = Host::from_table(own).unwrap();
        assert_eq!((host.limits.soft_errors, host.limits.hard_errors), (Some(10), Some(3)));
    }

    #[test]
    fn stranger_is_an_error_that_names_the_known() {
        let error = Host::like("gogle").unwrap_err().to_string();
        assert!(error.contains("gogle") && error.contains("google"), "{error}");
    }
}
