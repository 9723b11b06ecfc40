//! What processes that stay have in common, `work` and `serve`: what jobs are worked at with, shared with other processes
//! through the store, and how it is left.

use std::sync::Arc;

use anyhow::Result;
use mailsonde_config::Settings;
use mailsonde_net::Commons;
use uuid::Uuid;

use crate::{
    assembly::Parts,
    jobs::{queue::Queue, work::Desk},
    metrics::{Metrics, Sources},
    reload::keep_plugins_fresh,
    store::{Shared, formats::StoredFormats, history::StoredHistory, leases::StoredRation},
};

/// One such process.
pub(super) struct Process<'s> {
    /// What stages are made of.
    pub(super) parts: Parts<'s>,
    /// What jobs are worked at with.
    pub(super) desk: Arc<Desk>,
    /// What the installation remembers of mailboxes.
    pub(super) history: Arc<StoredHistory>,
    /// What it knows of how domains make addresses.
    pub(super) formats: Arc<StoredFormats>,
    id: Uuid,
    store: Shared,
    ration: Arc<StoredRation>,
}

impl<'s> Process<'s> {
    /// Builds every pipeline, which loads plugins: blocks. Within a runtime.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub(super) fn new(settings: &'s Settings, store: &Shared, metrics: &Arc<Metrics>) -> Result<Self> {
        let history = Arc::new(StoredHistory::new(store.workers().clone(), store.keys().clone()));
        let formats = Arc::new(StoredFormats::new(store.workers().clone(), store.keys().clone()));
        let id = Uuid::now_v7();
        let ration = Arc::new(StoredRation::new(store.workers().clone(), store.keys().clone(), id));
        let commons = Commons { ration: Some(ration.clone()) };
        let parts = Parts::new(settings)?
            .with_history(history.clone())
            .with_formats(formats.clone())
            .with_commons(commons);
        let desk = Desk::new(settings, &parts, store.clone(), formats.clone())?.counting(metrics.clone());
        let plugins = parts.plugins();
        metrics.watch(Sources { prober: parts.smtp().cloned(), plugins: plugins.clone() });
        if !plugins.is_empty() {
            tokio::spawn(keep_plugins_fresh(plugins));
        }
        Ok(Self { parts, desk: Arc::new(desk), history, formats, id, store: store.clone(), ration })
    }

    /// The process's end of the queue.
    pub(super) fn queue(&self) -> Arc<Queue> {
        Queue::new(self.store.clone(), self.id, self.desk.terms())
    }

    /// Takes leave of mail servers, and gives up what was leased for them. Nothing is at work any more.
    pub(super) async fn leave(self) {
        if let Some(prober) = self.parts.smtp() {
            prober.close().await;
        }
        // Who does not give up what he has is known to be gone a little later.
        let _ = self.ration.leave().await;
    }
}
