//! A plugin as a stage: just another one for the pipeline. It keeps what outlives a version: the configuration, the
//! cache, the figures. How a batch is worked at is in `run`.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use mailsonde_engine::{Batch, BoxFuture, Context, Facts, Resolver, Stage, StageError, SubjectId};

use crate::{
    Description, Grant, PluginConfig, PluginError,
    grants::{Cache, DnsQueries},
    host,
    instance::Given,
    run::Run,
    source::Stamp,
    version::Version,
};

/// A plugin in its place in a pipeline.
pub struct WasmStage {
    name: Arc<str>,
    pub(crate) config: PluginConfig,
    facts: Facts,
    resolver: Arc<dyn Resolver>,
    cache: Cache,
    host: Arc<host::Shared>,
    current: RwLock<Arc<Version>>,
    /// Held while a new version is loaded: of two that are loaded at the same time, the older might take over last.
    reloading: Mutex<()>,
    /// The file that was looked at last.
    seen: RwLock<Stamp>,
    pub(crate) counters: Counters,
}

/// What the plugin has done, over all its versions.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) calls: AtomicU64,
    pub(crate) failed_calls: AtomicU64,
    pub(crate) settled: AtomicU64,
    pub(crate) left_open: AtomicU64,
    parked: AtomicU64,
    reloads: AtomicU64,
}

/// What a plugin has done since its stage was made, over all versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PluginStats {
    /// Calls of `check-many`.
    pub calls: u64,
    /// Those that failed.
    pub failed_calls: u64,
    /// Subjects that were settled.
    pub settled: u64,
    /// Subjects that were left open, by a failure or because time was up. Those that came while it was parked are not
    /// among them.
    pub left_open: u64,
    /// Batches that were turned away: the plugin was parked, or did not pass its trial.
    pub parked: u64,
    /// New versions that took over.
    pub reloads: u64,
    /// Warm instances that wait for work.
    pub warm: usize,
    /// Whether it is parked now.
    pub is_parked: bool,
}

impl WasmStage {
    pub(crate) fn load(
        host: Arc<host::Shared>,
        name: &str,
        config: PluginConfig,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, PluginError> {
        let name: Arc<str> = name.into();
        let (version, stamp) = Version::load(&host, &name, &config)?;
        Ok(Self {
            name,
            facts: version.description.facts(),
            config,
            resolver,
            cache: Cache::new(),
            host,
            current: RwLock::new(Arc::new(version)),
            reloading: Mutex::default(),
            seen: RwLock::new(stamp),
            counters: Counters::default(),
        })
    }

    /// What the plugin says of itself.
    pub fn description(&self) -> Description {
        self.current().description.clone()
    }

    /// SHA-256 of the file that is running, in hexadecimal.
    pub fn digest(&self) -> String {
        self.current().program.digest.clone()
    }

    /// What it keeps between calls.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What it has done so far.
    pub fn stats(&self) -> PluginStats {
        let Counters { calls, failed_calls, settled, left_open, parked, reloads } = &self.counters;
        let current = self.current();
        PluginStats {
            calls: calls.load(Relaxed),
            failed_calls: failed_calls.load(Relaxed),
            settled: settled.load(Relaxed),
            left_open: left_open.load(Relaxed),
            parked: parked.load(Relaxed),
            reloads: reloads.load(Relaxed),
            warm: current.pool.waiting(),
            is_parked: current.breaker.parked().is_some(),
        }
    }

    /// Loads the file anew, whether it has changed or not. What runs goes on with the old version until it is done;
    /// if the new one is wrong, so does everything. Blocks like [`Host::load`](crate::Host::load).
    ///
    /// # Errors
    /// What is wrong with the new version.
    pub fn reload(&self) -> Result<(), PluginError> {
        let _reloading = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        // Before anything can be wrong with it: a bad file is looked at once, not again and again.
        let before = self.saw(Stamp::of(&self.config.wasm)?);
        let loaded = Version::load(&self.host, &self.name, &self.config);
        if let Err(PluginError::NoRoom { .. }) = loaded {
            // That passes: an older version may still be at work.
            self.saw(before);
        }
        let (version, stamp) = loaded?;
        if !version.description.has_facts_of(&self.current().description) {
            return Err(PluginError::OtherFacts);
        }
        self.saw(stamp);
        let new = Arc::new(version);
        let old = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), new);
        // Not while batches wait for the lock: its idle instances go with it.
        drop(old);
        self.counters.reloads.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Remembers how the file looks. Returns how it looked before.
    fn saw(&self, stamp: Stamp) -> Stamp {
        std::mem::replace(&mut *self.seen.write().unwrap_or_else(PoisonError::into_inner), stamp)
    }

    /// Whether the file is another one than the one looked at last.
    pub fn has_changed(&self) -> bool {
        Stamp::of(&self.config.wasm)
            .is_ok_and(|stamp| stamp != *self.seen.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.config.wasm
    }

    /// Drops warm instances that have had no work for a while.
    pub fn sweep(&self) {
        self.current().pool.sweep();
    }

    fn current(&self) -> Arc<Version> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a call about so many subjects gets besides them.
    pub(crate) fn given(&self, cx: &Context, subjects: usize) -> Given {
        let is_granted = |grant| self.config.grants.contains(&grant);
        Given {
            dns: is_granted(Grant::Dns).then(|| DnsQueries::new(self.resolver.clone(), subjects)),
            cache: is_granted(Grant::Cache).then(|| self.cache.view(cx.client.clone())),
            clock: cx.clock.clone(),
        }
    }
}

impl Stage for WasmStage {
    fn name(&self) -> &str {
        &self.name
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn run<'a>(&'a self, cx: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let ids: Vec<SubjectId> = batch.open().map(|(id, _)| id).collect();
            if ids.is_empty() {
                return Ok(());
            }
            let version = self.current();
            let _place = match version.admit(&cx.clock).await {
                Ok(place) => place,
                Err(error) => {
                    self.counters.parked.fetch_add(1, Relaxed);
                    return Err(error);
                }
            };
            let mut run = Run::new(self, &version, cx, ids.len());
            for call in ids.chunks(version.description.call_subjects) {
                run.settle(batch, call).await;
            }
            run.end()
        })
    }
}
