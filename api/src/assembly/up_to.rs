//! The beginning of a pipeline, up to a plugin that is to be watched.

use std::sync::Arc;

use anyhow::Result;
use mailsonde_config::{Settings, SlotConfig, did_you_mean};
use mailsonde_engine::{Policy, Resolver, Slot, Stage};
use mailsonde_wasm::WasmStage;
use serde_json::{Map, Value};

use super::{Parts, assemble, limited, plugins, policy, slot, stages_of};

/// A pipeline up to a plugin of it.
pub(crate) struct UpTo {
    /// The stages before the plugin.
    pub(crate) before: Vec<Slot>,
    /// The plugin, which asks another resolver than the others.
    pub(crate) plugin: WasmStage,
    /// What it gets to read.
    pub(crate) config: Map<String, Value>,
    /// Its limits.
    pub(crate) limits: Limits,
}

/// The limits of a plugin's slot.
pub(crate) struct Limits {
    slot: SlotConfig,
    policy: Policy,
}

impl Limits {
    /// A slot for the plugin, or for a stage that stands for it.
    pub(crate) fn slot(&self, stage: Arc<dyn Stage>) -> Slot {
        limited(stage, &self.slot, plugins::deadline(&self.slot), self.policy)
    }
}

/// The pipeline `name` up to the plugin `stage`, which is no built-in stage.
///
/// # Errors
/// A configuration that is wrong, or a stage that is no plugin of the pipeline.
pub(crate) fn up_to(
    settings: &Settings,
    parts: &Parts<'_>,
    name: &str,
    stage: &str,
    resolver: Arc<dyn Resolver>,
) -> Result<UpTo> {
    let names = stages_of(settings, name)?;
    let Some(position) = names.iter().position(|other| other == stage) else {
        let hint = did_you_mean(stage, names.iter().map(String::as_str));
        let message = format!("there is no stage `{stage}`{hint}");
        return Err(settings.invalid(&format!("pipeline.{name}.stages"), message).into());
    };
    // The pipeline as a whole must be right: its order, and what comes after.
    assemble(settings, parts, name, &[])?;
    let build = |before: &String| Ok(slot(&settings.stage(before)?, parts, before)?.0);
    let before = names[..position].iter().map(build).collect::<Result<_>>()?;
    let section = settings.stage(stage)?;
    let mut config = plugins::config(settings, stage, &section)?;
    // It is loaded a second time, for one address at a time.
    config.instances_max = 1;
    let table = config.config.clone();
    let plugin = parts.load(stage, &section, config, resolver)?;
    Ok(UpTo {
        before,
        plugin,
        config: table,
        limits: Limits { slot: section.slot, policy: policy(settings)? },
    })
}
