//! `mailsonde work`: works at submitted jobs. The first signal to end is heeded in good order, the second at once.

use std::{future::pending, net::SocketAddr, path::Path, sync::Arc};

use anyhow::Result;
use tokio::task::JoinSet;

use super::{args::WorkArgs, process::Process, serve::say, service::Service, signals::Signals};
use crate::{
    http::{Failed, Front, HttpConfig, Server},
    jobs::work::work,
    metrics::Metrics,
};

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
    let metrics = Arc::new(Metrics::new()?);
    let process = Process::new(&service.settings, &service.store, &metrics)?;
    let mut watched = JoinSet::new();
    if let Some(address) = args.listen {
        watched.spawn(watch(service, &metrics, address).await?);
    }
    let queue = process.queue();
    let signals = Signals::new()?;
    let goodbye = async {
        tokio::select! {
            () = signals.next() => {}
            () = queue.is_idle(), if args.until_idle => {}
        }
    };
    let worked = work(process.desk.clone(), queue.clone(), goodbye, signals.next()).await;
    // Who watches sees the work to its end.
    watched.shutdown().await;
    process.leave().await;
    worked
}

/// Answers whoever watches, for as long as it is polled.
async fn watch(
    service: &Service,
    metrics: &Arc<Metrics>,
    address: SocketAddr,
) -> Result<impl Future<Output = ()> + use<>> {
    let http = HttpConfig { listen: address, ..HttpConfig::load(&service.settings)? };
    let front = Front::new(Arc::new(Failed::new(&http)), metrics.clone(), &http);
    front.know(&service.store);
    let server = Server::bind(&http, front).await?;
    say(&format!("mailsonde can be watched at http://{}", server.address()?))?;
    Ok(server.run(pending(), pending()))
}
