//! `mailsonde work`: works at submitted jobs. The first signal to end is heeded in good order, the second at once.

use std::{path::Path, sync::Arc};

use anyhow::Result;

use super::{args::WorkArgs, process::Process, service::Service, signals::Signals};
use crate::{jobs::work::work, metrics::Metrics};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &WorkArgs) -> Result<()> {
    let service = Service::open_patiently(config)?;
    let done = service.runtime.block_on(works(&service, args));
    service.close()?;
    done
}

/// Brings the schema up to date: opening the store does it.
pub(super) fn migrate(config: Option<&Path>) -> Result<()> {
    Service::open(config)?.close()
}

async fn works(service: &Service, args: &WorkArgs) -> Result<()> {
    let process = Process::new(&service.settings, &service.store, &Arc::new(Metrics::new()?))?;
    let queue = process.queue();
    let signals = Signals::new()?;
    let goodbye = async {
        tokio::select! {
            () = signals.next() => {}
            () = queue.is_idle(), if args.until_idle => {}
        }
    };
    let worked = work(process.desk.clone(), queue.clone(), goodbye, signals.next()).await;
    process.leave().await;
    worked
}
