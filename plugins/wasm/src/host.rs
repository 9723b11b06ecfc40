//! The host: one runtime for all plugins of a process, with the guests' clock and the compiled code.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

use mailsonde_engine::Resolver;
use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, component::Component};

use crate::{
    Inspection, PluginConfig, PluginError, WasmStage,
    compiled::{self, Compiled},
    limits::{CALL_STACK_OCTETS, STACK_OCTETS_MAX},
    room::{self, Room},
    source::{Source, hex},
    ticker::Ticker,
};

/// The runtime of all plugins of a process.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) room: Arc<Room>,
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
        let engine = room::engine(&mut config).map_err(|error| PluginError::Runtime(format!("{error:#}")))?;
        let ticker = Ticker::start(engine.weak()).map_err(|error| PluginError::Runtime(error.to_string()))?;
        Ok(Self(Arc::new(Shared {
            engine,
            ticker,
            room: Room::new(),
            compiled: compiled.map(Compiled::new),
        })))
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
    /// The compiled component of a file.
    pub(crate) fn compiled(&self, source: &Source) -> Result<Component, PluginError> {
        let component = source.component()?;
        let Some(compiled) = &self.compiled else { return compiled::compile(&self.engine, &component) };
        let digest = match &component {
            Cow::Borrowed(_) => Cow::Borrowed(&*source.digest),
            Cow::Owned(made) => Cow::Owned(hex(&Sha256::digest(made))),
        };
        compiled.load_or_compile(&self.engine, &component, &digest)
    }
}
