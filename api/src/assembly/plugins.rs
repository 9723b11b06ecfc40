//! Tables `[stage.NAME]` with the key `wasm`: plugins, and where in the table the cause of an error stands.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use mailsonde_config::{ConfigError, Settings, SlotConfig, StageSection};
use mailsonde_engine::{Always, Lookup, LookupFailure, Resolver, STOP_WORDS};
use mailsonde_wasm::{Grant, PluginConfig, PluginError, SLOT_DEADLINE};

use super::{OFFLINE_SKIPS, Parts, STAGES};

/// The key that makes a table a plugin's.
pub(super) const KEY: &str = "wasm";

/// Of a SHA-256 in hexadecimal.
const DIGEST_DIGITS: usize = 64;

/// The names of all plugins that the configuration has, used or not.
pub(super) fn names(settings: &Settings) -> impl Iterator<Item = &str> {
    settings.stages().filter(|name| is_plugin(settings, name))
}

/// Whether a stage is a plugin.
pub(super) fn is_plugin(settings: &Settings, name: &str) -> bool {
    settings.stage(name).is_ok_and(|section| section.has(KEY))
}

/// The stages that need a network: [`OFFLINE_SKIPS`] and the plugins that ask DNS.
///
/// # Errors
/// The table of a plugin that is wrong.
pub fn offline_skips(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let mut skips: Vec<String> = OFFLINE_SKIPS.iter().map(|name| (*name).to_owned()).collect();
    for name in names(settings) {
        if config(settings, name, &settings.stage(name)?)?.grants.contains(&Grant::Dns) {
            skips.push(name.to_owned());
        }
    }
    Ok(skips)
}

/// Reads a plugin's table. A relative path of its file begins at the configuration file.
pub(crate) fn config(
    settings: &Settings,
    name: &str,
    section: &StageSection<'_>,
) -> Result<PluginConfig, ConfigError> {
    if STAGES.iter().any(|kind| kind.name == name) {
        let message = format!("`{name}` is a built-in stage; give the plugin a name of its own");
        return Err(section.invalid(KEY, message));
    }
    if STOP_WORDS.contains(&name) {
        let message = format!("in `stop_on`, `{name}` is a finding; give the plugin another name");
        return Err(section.invalid(KEY, message));
    }
    let mut config: PluginConfig = section.options()?;
    if config.cpu_max.is_zero() {
        return Err(section.invalid("cpu_max", "a plugin cannot run in no time"));
    }
    if config.instances_max == 0 {
        return Err(section.invalid("instances_max", "a plugin cannot work without an instance"));
    }
    let is_digest =
        |pin: &String| pin.len() == DIGEST_DIGITS && pin.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !config.sha256.as_ref().is_none_or(is_digest) {
        let message = format!("no SHA-256, which is {DIGEST_DIGITS} hexadecimal digits");
        return Err(section.invalid("sha256", message));
    }
    if let Some(folder) = settings.file().and_then(|file| file.parent()) {
        config.wasm = folder.join(config.wasm);
    }
    Ok(config)
}

/// Time for a batch in a plugin's slot: one that nobody limits might wait for ever.
pub(super) fn deadline(limits: &SlotConfig) -> Option<Duration> {
    limits.deadline.or(Some(SLOT_DEADLINE))
}

/// Whom a plugin asks. One that may not ask needs no name servers.
pub(super) fn resolver(parts: &Parts<'_>, config: &PluginConfig) -> Result<Arc<dyn Resolver>> {
    if config.grants.contains(&Grant::Dns) {
        return parts.resolver();
    }
    Ok(Arc::new(Always(Lookup::Failed(LookupFailure::Refused))))
}

/// An error at the key of the table that is its cause. That the machine runs no plugins is nobody's mistake.
pub(super) fn placed(section: &StageSection<'_>, error: PluginError) -> anyhow::Error {
    let key = match &error {
        PluginError::Runtime(_) => return error.into(),
        PluginError::Digest { .. } => "sha256",
        PluginError::NotGranted { .. } => "grants",
        PluginError::Refused(_) => "config",
        PluginError::NoRoom { .. } => "instances_max",
        _ => KEY,
    };
    section.invalid(key, error.to_string()).into()
}
