//! A plugin's table in the configuration: which file, what it may do, and what it gets.

use std::{fmt, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use mailsonde_engine::Authority;
use serde::{Deserialize, Serialize};

/// The keys of a table `[stage.NAME]` that has the key `wasm`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// The component, or a core module, as binary or as text.
    pub wasm: PathBuf,
    /// SHA-256 of the file, in hexadecimal: no other file is loaded.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What the plugin may import beyond `log`, `config` and `clock`.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// How long an instance lives.
    #[serde(default)]
    pub instance: InstanceKind,
    /// Whether the plugin's opinions take part in the verdict.
    #[serde(default)]
    pub authority: Authority,
    /// Memory of one instance.
    #[serde(default = "memory_max")]
    pub memory_max: ByteSize,
    /// Processor time of one call.
    #[serde(default = "cpu_max", with = "humantime_serde")]
    pub cpu_max: Duration,
    /// Batches that the plugin works at at the same time. More of them wait.
    #[serde(default = "instances_max")]
    pub instances_max: usize,
    /// What the plugin gets to read.
    #[serde(default = "empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// What a plugin may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// Look-ups through our resolver.
    Dns,
    /// Values that outlive a call.
    Cache,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "dns",
            Self::Cache => "cache",
        })
    }
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceKind {
    /// For one batch: nothing can be carried from one to the next.
    #[default]
    Fresh,
    /// For many batches of one client: for a plugin whose author says that it keeps no state.
    Warm,
}

impl PluginConfig {
    /// The table of this file, all else as default.
    pub fn new(wasm: impl Into<PathBuf>) -> Self {
        Self {
            wasm: wasm.into(),
            sha256: None,
            grants: Vec::new(),
            instance: InstanceKind::default(),
            authority: Authority::default(),
            memory_max: memory_max(),
            cpu_max: cpu_max(),
            instances_max: instances_max(),
            config: empty(),
        }
    }
}

/// JavaScript and Python need some 20 MB to begin with; what is smaller never touches the rest.
fn memory_max() -> ByteSize {
    ByteSize::mib(64)
}

/// For a call of 250 addresses: 200 µs each.
fn cpu_max() -> Duration {
    Duration::from_millis(50)
}

/// A batch that waits for DNS holds its instance; so many may wait without holding up the others.
fn instances_max() -> usize {
    16
}

fn empty() -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::new()
}
