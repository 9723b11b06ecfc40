//! `mailsonde work`: works at submitted jobs. The first signal to end is heeded in good order, the second at once.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use mailsonde_net::Commons;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Mutex,
};
use uuid::Uuid;

use super::{args::WorkArgs, service::Service};
use crate::{
    assembly::Parts,
    jobs::{
        queue::Queue,
        work::{Desk, work},
    },
    reload::keep_plugins_fresh,
    store::{history::StoredHistory, leases::StoredRation},
};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &WorkArgs) -> Result<()> {
    let service = Service::open_patiently(config)?;
    let done = works(&service, args);
    service.close()?;
    done
}

/// Brings the schema up to date: opening the store does it.
pub(super) fn migrate(config: Option<&Path>) -> Result<()> {
    Service::open(config)?.close()
}

fn works(service: &Service, args: &WorkArgs) -> Result<()> {
    let Service { settings, runtime, store } = service;
    let _within = runtime.enter();
    let history = StoredHistory::new(store.workers().clone(), store.keys().clone());
    let id = Uuid::now_v7();
    let ration = Arc::new(StoredRation::new(store.workers().clone(), store.keys().clone(), id));
    let commons = Commons { ration: Some(ration.clone()) };
    let parts = Parts::new(settings)?.with_history(Arc::new(history)).with_commons(commons);
    let desk = Arc::new(Desk::new(settings, &parts, store.clone())?);
    let plugins = parts.plugins();
    if !plugins.is_empty() {
        tokio::spawn(keep_plugins_fresh(plugins));
    }
    let queue = Queue::new(store.clone(), id, desk.terms());
    let signals = Mutex::new(Signals::new()?);
    let worked = runtime.block_on(work(
        desk,
        queue.clone(),
        async {
            let mut signals = signals.lock().await;
            tokio::select! {
                () = signals.next() => {}
                () = queue.is_idle(), if args.until_idle => {}
            }
        },
        async { signals.lock().await.next().await },
    ));
    if let Some(prober) = parts.smtp() {
        runtime.block_on(prober.close());
    }
    // Who does not give up what he has is known to be gone a little later.
    let _ = runtime.block_on(ration.leave());
    worked
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
