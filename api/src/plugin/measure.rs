//! What a plugin costs: loading it, starting an instance, and each item of batches of several sizes. Whole runs of a
//! pipeline are measured, as in production, and the median of many counts: a machine has other things to do as well.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use mailsonde_engine::{Always, Batch, Context, Finding, Lookup, Pipeline, Slot, Stage, Subject};
use mailsonde_wasm::{Host, InstanceKind, PluginConfig};
use serde::Serialize;
use serde_json::{Map, Value};

use super::stand_ins::Given;

/// Sizes of the batches.
const BATCHES: [usize; 3] = [1, 100, 1_000];

/// Runs of a batch that are measured at least, and at most.
const RUNS: std::ops::RangeInclusive<usize> = 5..=2_000;

/// Time for measuring one size of batch.
const MEASURED_FOR: Duration = Duration::from_millis(500);

/// Processor time of a call: a slow plugin is to be measured, not stopped.
const CPU_MAX: Duration = Duration::from_secs(10);

/// Time for one batch.
const BATCH_MAX: Duration = Duration::from_mins(5);

/// Domains among which the addresses of a batch are spread.
const DOMAINS: usize = 50;

/// What a plugin costs, in microseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    /// Compiling and all else that happens when a plugin is loaded for the first time.
    pub(crate) first_load_us: f64,
    /// Loading it when compiled code is kept.
    pub(crate) load_us: f64,
    /// Starting an instance and letting it read its configuration: what a fresh instance costs each batch.
    pub(crate) fresh_instance_us: f64,
    /// For each size of batch.
    pub(crate) batches: Vec<BatchCost>,
}

/// What one size of batch costs.
#[derive(Debug, Serialize)]
pub(crate) struct BatchCost {
    /// Items of the batch.
    pub(crate) items: usize,
    /// Microseconds of an item where instances are kept.
    pub(crate) warm_us_per_item: f64,
    /// Microseconds of an item where each batch has an instance of its own.
    pub(crate) fresh_us_per_item: f64,
}

/// Measures a component with this configuration. It may ask DNS, which knows no names.
///
/// # Errors
/// A plugin that cannot be loaded, or fails at an ordinary address.
pub(crate) fn measure(path: &Path, config: &Map<String, Value>) -> Result<Cost> {
    let folder = Folder::new()?;
    let grants = Host::new(None)?.inspect(path)?.grants;
    let plugin = |instance| PluginConfig {
        grants: grants.clone(),
        instance,
        cpu_max: CPU_MAX,
        config: config.clone(),
        ..PluginConfig::new(path)
    };
    let host = Host::new(Some(folder.0.clone()))?;
    // What DNS costs is not the plugin's.
    let load = |instance| host.load("measured", plugin(instance), Arc::new(Always(Lookup::NoDomain)));
    let began = Instant::now();
    load(InstanceKind::Fresh)?;
    let first_load = began.elapsed();
    let began = Instant::now();
    let fresh = Arc::new(load(InstanceKind::Fresh)?);
    let again = began.elapsed();
    let warm = Arc::new(load(InstanceKind::Warm)?);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut batches = Vec::new();
    for items in BATCHES {
        let of = |stage: Arc<dyn Stage>| runtime.block_on(median(stage, items));
        let each = |took: Duration| micros(took) / f64::from(u32::try_from(items).unwrap_or(u32::MAX));
        batches.push(BatchCost {
            items,
            warm_us_per_item: each(of(warm.clone())?),
            fresh_us_per_item: each(of(fresh.clone())?),
        });
    }
    let fresh_instance_us = (batches[0].fresh_us_per_item - batches[0].warm_us_per_item).max(0.0);
    Ok(Cost { first_load_us: micros(first_load), load_us: micros(again), fresh_instance_us, batches })
}

/// The median time of one batch.
async fn median(stage: Arc<dyn Stage>, items: usize) -> Result<Duration> {
    let name = stage.name().to_owned();
    let given = Given { is_parsed: true, writes: stage.facts().reads };
    let pipeline = Pipeline::new("measured", vec![Slot::new(Arc::new(given)), Slot::new(stage)])?;
    let began = Instant::now();
    let mut took = Vec::new();
    // The first run begins with cold caches, and a warm instance with none.
    for run in 0..=*RUNS.end() {
        if run > *RUNS.start() && began.elapsed() > MEASURED_FOR {
            break;
        }
        let mut batch = Batch::new((0..items).map(subject).collect());
        let reports = pipeline.run(&Context::within(BATCH_MAX), &mut batch).await;
        let failed = batch.subjects().iter().flat_map(Subject::findings).find_map(|finding| match finding {
            Finding::Fault(fault) => Some(&fault.message),
            _ => None,
        });
        if let Some(message) = failed {
            bail!("it fails at an ordinary address: {message}");
        }
        if run > 0 {
            took.extend(reports.iter().find(|report| *report.stage == name).map(|report| report.elapsed));
        }
    }
    took.sort_unstable();
    Ok(took.get(took.len() / 2).copied().unwrap_or_default())
}

/// An ordinary address.
fn subject(number: usize) -> Subject {
    Subject::new(format!("jane.doe{number}@mail{}.example", number % DOMAINS))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A folder for compiled code, for as long as it is measured.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("mailsonde-bench-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the system's folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
