//! Stages as WASM components against a built-in stage of the same logic, the example guest `blocklist`:
//! `plugins time|run|load|memory|reload COMPONENT …` prints one JSON object.
//!
//! `time` tells nanoseconds per address of each kind of instance; `run KIND STAGES BATCHES` only works, for counting
//! instructions from outside; `load` is what beginning costs; `memory` what a warm instance holds; `reload` changes the
//! file under load and counts what is lost.

#![allow(clippy::print_stdout)] // figures are the output
#![allow(clippy::cast_precision_loss)] // counts far below 2^53

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use mailsonde_benches::blocklist::Blocklist;
use mailsonde_builtin::syntax::{self, Syntax};
use mailsonde_engine::{
    Always, Authority, Batch, Context, Finding, Lookup, LookupFailure, Pipeline, Pure, Resolver, Slot, Stage,
    Subject,
};
use mailsonde_wasm::{Host, InstanceKind, PluginConfig, WasmStage};
use serde_json::{Value, json};

/// Runs of a measurement; the median counts.
const RUNS: usize = 2_001;

/// The patterns with wildcards.
const WILDCARDS: [&str; 4] = ["*.example.net", "spam*@example.org", "*@sales.example", "north*7.co.uk"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mode, component, rest @ ..] = args.as_slice() else {
        bail!("usage: plugins time|run|load|memory|reload COMPONENT …")
    };
    let bench = Bench::new(component)?;
    let figures = match (mode.as_str(), rest) {
        ("time", []) => bench.time()?,
        ("run", [kind, stages, batches]) => bench.run(kind, stages.parse()?, batches.parse()?)?,
        ("load", []) => bench.load()?,
        ("memory", [instances]) => bench.memory(instances.parse()?)?,
        ("reload", [count]) => bench.reload(count.parse()?)?,
        _ => bail!("there is no such mode: {mode} {rest:?}"),
    };
    println!("{figures}");
    Ok(())
}

struct Bench {
    component: PathBuf,
    host: Host,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(component: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { component: component.into(), host: Host::new(None)?, runtime })
    }

    fn stage(&self, name: &str, kind: &str) -> Result<Arc<dyn Stage>> {
        let instance = match kind {
            "builtin" => return Ok(Arc::new(Pure(Blocklist::new(name, &blocked())))),
            "warm" => InstanceKind::Warm,
            "fresh" => InstanceKind::Fresh,
            _ => bail!("there is no kind `{kind}`"),
        };
        Ok(Arc::new(Self::plugin(&self.host, name, instance, &self.component, blocked())?))
    }

    fn plugin(
        host: &Host,
        name: &str,
        instance: InstanceKind,
        path: &Path,
        patterns: Vec<String>,
    ) -> Result<WasmStage> {
        let mut config = PluginConfig { instance, authority: Authority::Advise, ..PluginConfig::new(path) };
        config.config.insert("blocked".into(), patterns.into());
        Ok(host.load(name, config, nobody())?)
    }

    /// Nanoseconds per address: batches of 100 and of one, by kind.
    fn time(&self) -> Result<Value> {
        let mut figures = serde_json::Map::new();
        for kind in ["builtin", "warm", "fresh"] {
            let pipeline = pipeline(vec![self.stage("blocklist", kind)?])?;
            for size in [1, 100] {
                let nanos = self.median(&pipeline, size);
                figures.insert(format!("{kind}_{size}"), json!(nanos / size as f64));
            }
        }
        Ok(figures.into())
    }

    fn median(&self, pipeline: &Pipeline, size: usize) -> f64 {
        let mut batches = batches(RUNS * size, size);
        let cx = Context::within(Duration::from_mins(10));
        let mut nanos: Vec<u128> = batches
            .iter_mut()
            .map(|batch| self.runtime.block_on(pipeline.run(&cx, batch))[1].elapsed.as_nanos())
            .collect();
        nanos.sort_unstable();
        nanos[nanos.len() / 2] as f64
    }

    /// Nothing but work: so many stages of a kind, so many batches of 100.
    fn run(&self, kind: &str, stages: usize, count: usize) -> Result<Value> {
        let stages =
            (0..stages).map(|n| self.stage(&format!("blocklist-{n}"), kind)).collect::<Result<_>>()?;
        let pipeline = pipeline(stages)?;
        let cx = Context::within(Duration::from_mins(10));
        for batch in &mut batches(count * 100, 100) {
            self.runtime.block_on(pipeline.run(&cx, batch));
        }
        Ok(json!({ "batches": count }))
    }

    /// Milliseconds of loading: compiling, and with compiled code on disk; microseconds of a fresh instance that reads a few
    /// patterns, and of reading all of them.
    fn load(&self) -> Result<Value> {
        let folder = tempfile::tempdir()?;
        let host = Host::new(Some(folder.path().join("compiled")))?;
        let load = || -> Result<f64> {
            let began = Instant::now();
            Self::plugin(&host, "blocklist", InstanceKind::Fresh, &self.component, blocked())?;
            Ok(began.elapsed().as_secs_f64() * 1e3)
        };
        let compiled = load()?;
        let mut cached = (0..101).map(|_| load()).collect::<Result<Vec<_>>>()?;
        cached.sort_by(f64::total_cmp);
        let of = |instance, patterns| -> Result<f64> {
            let stage = Self::plugin(&self.host, "blocklist", instance, &self.component, patterns)?;
            Ok(self.median(&pipeline(vec![Arc::new(stage)])?, 1) / 1e3)
        };
        // A list is the plugin's own to read: the instance is told apart from it.
        let (short, long) = (WILDCARDS.map(String::from).to_vec(), blocked());
        let fresh = of(InstanceKind::Fresh, short.clone())?;
        Ok(json!({
            "compile_ms": compiled,
            "cached_ms": cached[50],
            "fresh_instance_us": fresh - of(InstanceKind::Warm, short)?,
            "list_us": of(InstanceKind::Fresh, long)? - fresh,
        }))
    }

    /// KiB that each of many warm instances holds, each for a client of its own.
    fn memory(&self, instances: usize) -> Result<Value> {
        let mut config = PluginConfig { instance: InstanceKind::Warm, ..PluginConfig::new(&self.component) };
        (config.instances_max, config.config) =
            (instances, serde_json::Map::from_iter([("blocked".into(), blocked().into())]));
        let stage = Arc::new(self.host.load("blocklist", config, nobody())?);
        let pipeline = pipeline(vec![stage.clone()])?;
        let mut batches = batches(instances * 100, 100);
        let before = resident_kib()?;
        for (client, batch) in batches.iter_mut().enumerate() {
            let cx = Context {
                client: Some(client.to_string().into()),
                ..Context::within(Duration::from_mins(10))
            };
            self.runtime.block_on(pipeline.run(&cx, batch));
        }
        ensure!(stage.stats().warm == instances, "{} instances wait", stage.stats().warm);
        Ok(json!({ "kib_per_instance": (resident_kib()? - before) / instances as f64 }))
    }

    /// The file changes under load, between two versions, as fast as they load. Counts addresses without an answer.
    fn reload(&self, count: usize) -> Result<Value> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("blocklist.wasm");
        fs::copy(&self.component, &path)?;
        let host = Host::new(Some(folder.path().join("compiled")))?;
        let stage = Arc::new(Self::plugin(&host, "blocklist", InstanceKind::Warm, &path, blocked())?);
        let pipeline = pipeline(vec![stage.clone()])?;
        let (done, failed) = (AtomicBool::new(false), AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let began = Instant::now();
        let verified = std::thread::scope(|scope| -> Result<u64> {
            let reloader = scope.spawn(|| -> Result<()> {
                for version in 0.. {
                    if done.load(Relaxed) {
                        break;
                    }
                    fs::write(&path, version_of(&fs::read(&self.component)?, version % 2))?;
                    stage.reload()?;
                }
                Ok(())
            });
            let verified = runtime.block_on(under_load(&pipeline, count, &failed));
            done.store(true, Relaxed);
            reloader.join().map_err(|_| anyhow::anyhow!("the reloader panicked"))??;
            Ok(verified)
        })?;
        let stats = stage.stats();
        ensure!(verified == count as u64, "{verified} addresses came out");
        Ok(json!({
            "addresses": verified,
            "failed": failed.load(Relaxed),
            "lost": count as u64 - stats.settled,
            "reloads": stats.reloads,
            "seconds": began.elapsed().as_secs_f64(),
        }))
    }
}

/// Runs batches, several at once. Returns how many addresses came out; those with a fault are counted.
async fn under_load(pipeline: &Pipeline, count: usize, failed: &AtomicU64) -> u64 {
    let mut verified = 0;
    for chunk in 0..count.div_ceil(10_000) {
        let size = 10_000.min(count - chunk * 10_000);
        let work = batches(size, 100).into_iter().map(|mut batch| async move {
            pipeline.run(&Context::within(Duration::from_mins(10)), &mut batch).await;
            let is_failed = |subject: &&Subject| subject.findings().any(|f| matches!(f, Finding::Fault(_)));
            failed.fetch_add(batch.subjects().iter().filter(is_failed).count() as u64, Relaxed);
            batch.subjects().len() as u64
        });
        verified += futures_util::future::join_all(work).await.into_iter().sum::<u64>();
    }
    verified
}

/// The same component with a custom section that tells versions apart, as a build with another note in it.
fn version_of(component: &[u8], version: u8) -> Vec<u8> {
    let mut octets = component.to_vec();
    octets.extend([0, 3, 1, b'v', b'0' + version]);
    octets
}

fn pipeline(stages: Vec<Arc<dyn Stage>>) -> Result<Pipeline> {
    let syntax: Arc<dyn Stage> = Arc::new(Pure(Syntax::new(syntax::Config::default())));
    let slots = std::iter::once(syntax).chain(stages).map(Slot::new).collect();
    Ok(Pipeline::new("bench", slots)?)
}

/// Batches of well-formed addresses: all of them reach the stage.
fn batches(count: usize, size: usize) -> Vec<Batch> {
    // One in twenty of those that are made is malformed.
    let made = mailsonde_benches::addresses(count + count / 10 + 10);
    let is_address = |text: &String| syntax::parse(text, syntax::Policy::default()).is_ok();
    let addresses: Vec<String> = made.filter(is_address).take(count).collect();
    assert_eq!(addresses.len(), count, "too few addresses are well-formed");
    addresses
        .chunks(size)
        .map(|chunk| Batch::new(chunk.iter().map(|a| Subject::new(a.as_str())).collect()))
        .collect()
}

/// Memory of this process that is in use, in KiB.
fn resident_kib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.context("/proc/self/status has no VmRSS")
}

/// What is blocked: a few wildcards and many domains, of which the generated addresses hit some.
fn blocked() -> Vec<String> {
    let domains =
        mailsonde_benches::addresses(400).filter_map(|address| Some(address.split_once('@')?.1.to_owned()));
    let is_domain = |domain: &String| domain.contains('.') && !domain.contains('@');
    WILDCARDS.iter().map(ToString::to_string).chain(domains.filter(is_domain).take(200)).collect()
}

/// No plugin of these asks DNS.
fn nobody() -> Arc<dyn Resolver> {
    Arc::new(Always(Lookup::Failed(LookupFailure::Refused)))
}
