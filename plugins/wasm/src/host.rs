//! The host: one runtime for all plugins of a process, with the guests' clock and the compiled code.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use mailsonde_engine::Resolver;
use wasmtime::{Config, Engine, component::Component};

use crate::{
    Inspection, PluginConfig, PluginError, WasmStage,
    compiled::{self, Compiled},
    limits::{CALL_STACK_OCTETS, STACK_OCTETS_MAX},
    ticker::Ticker,
};

/// The runtime of all plugins of a process.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    compiled: Option<Compiled>,
}

impl Host {
    /// A runtime that keeps compiled code in this folder, or nowhere. The folder is made when it is needed.
    ///
    /// # Errors
    /// [`PluginError::Runtime`] where the machine cannot run plugins.
    pub fn new(compiled: Option<PathBuf>) -> Result<Self, PluginError> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            // The interface has no asynchronous functions; without them a call costs half.
            .concurrency_support(false)
            .max_wasm_stack(STACK_OCTETS_MAX)
            .async_stack_size(CALL_STACK_OCTETS);
        let engine = Engine::new(&config).map_err(|error| PluginError::Runtime(format!("{error:#}")))?;
        let ticker = Ticker::start(engine.weak()).map_err(|error| PluginError::Runtime(error.to_string()))?;
        Ok(Self(Arc::new(Shared { engine, ticker, compiled: compiled.map(Compiled::new) })))
    }

    /// Loads a plugin as the stage `name`. Takes as long as compiling and a sample call take, and blocks meanwhile:
    /// not for a thread that serves others.
    ///
    /// # Errors
    /// Whatever is wrong with the file, what it imports, or what it says of its configuration.
    pub fn load(
        &self,
        name: &str,
        config: PluginConfig,
        resolver: Arc<dyn Resolver>,
    ) -> Result<WasmStage, PluginError> {
        WasmStage::load(self.0.clone(), name, config, resolver)
    }

    /// Looks at a plugin without a configuration: what it is, and what it needs. Blocks like [`Host::load`].
    ///
    /// # Errors
    /// Whatever is wrong with the file, but not that something must be granted.
    pub fn inspect(&self, path: &Path) -> Result<Inspection, PluginError> {
        Inspection::of(&self.0, path)
    }
}

impl Shared {
    /// The compiled component.
    pub(crate) fn compiled(&self, component: &[u8]) -> Result<Component, PluginError> {
        match &self.compiled {
            Some(compiled) => compiled.load_or_compile(&self.engine, component),
            None => compiled::compile(&self.engine, component),
        }
    }
}
