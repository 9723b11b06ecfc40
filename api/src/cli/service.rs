//! What commands share that need the store.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use mailsonde_config::Settings;
use tokio::{runtime::Runtime, time::sleep};

use crate::{
    assembly,
    store::{NotLetIn, Shared, Store, StoreError},
};

/// The pause before another attempt to reach the database.
const PAUSE: Duration = Duration::from_secs(1);

/// The configuration, a runtime, and the store that it names.
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) runtime: Runtime,
    pub(super) store: Shared,
}

impl Service {
    /// For a command that somebody waits for.
    ///
    /// # Errors
    /// A configuration that is wrong, or a store that cannot be used now.
    pub(super) fn open(config: Option<&Path>) -> Result<Self> {
        Self::open_with(config, async |settings, data_folder| Store::open(settings, data_folder).await)
    }

    /// For a process that stays: a database that is away is waited for.
    ///
    /// # Errors
    /// A configuration that is wrong, or a store that cannot be used at all.
    pub(super) fn open_patiently(config: Option<&Path>) -> Result<Self> {
        Self::open_with(config, async |settings, data_folder| wait_for_store(settings, data_folder).await)
    }

    fn open_with(
        config: Option<&Path>,
        open: impl AsyncFnOnce(&Settings, &Path) -> Result<Store>,
    ) -> Result<Self> {
        let settings = Settings::load(config)?;
        assembly::check_sections(&settings)?;
        let data_folder = assembly::data_folder(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let store = Arc::new(runtime.block_on(open(&settings, &data_folder))?);
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

/// Opens the store for a process that stays: a database that is away is waited for.
///
/// # Errors
/// A store that cannot be used at all.
pub(super) async fn wait_for_store(settings: &Settings, data_folder: &Path) -> Result<Store> {
    let mut was_told = false;
    loop {
        match Store::open(settings, data_folder).await {
            Err(error) if is_away(&error) => {
                if !was_told {
                    tracing::warn!("{error:#}; it is waited for");
                    was_told = true;
                }
                sleep(PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// Another moment may be better.
fn is_away(error: &anyhow::Error) -> bool {
    error.downcast_ref::<NotLetIn>().is_some_and(NotLetIn::is_transient)
        || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_transient)
}
