//! What commands share that need the store.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use mailsonde_config::Settings;
use tokio::runtime::Runtime;

use crate::{
    assembly,
    store::{Shared, Store},
};

/// The configuration, a runtime, and the store that it names.
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) runtime: Runtime,
    pub(super) store: Shared,
}

impl Service {
    pub(super) fn open(config: Option<&Path>) -> Result<Self> {
        let settings = Settings::load(config)?;
        assembly::check_sections(&settings)?;
        let data_folder = assembly::data_folder(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let store = Arc::new(runtime.block_on(Store::open(&settings, &data_folder))?);
        Ok(Self { settings, runtime, store })
    }

    /// Leaves the store.
    pub(super) fn close(self) -> Result<()> {
        match Arc::into_inner(self.store) {
            Some(store) => self.runtime.block_on(store.close()),
            // Somebody is still at work; leaving closes it too.
            None => Ok(()),
        }
    }
}
