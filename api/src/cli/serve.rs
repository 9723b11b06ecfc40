//! `mailsonde serve`: the API, and unless told otherwise workers, in one process. It listens before the database is there,
//! and says so until then. The first signal to end is heeded in good order, the second at once.

use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use mailsonde_config::Settings;
use tokio::{
    spawn,
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{args::ServeArgs, first, process::Process, service, signals::Signals};
use crate::{
    access::Directory,
    assembly::{self, Variants},
    billing::{self, Ledger},
    http::{
        App, FIND_PIPELINE, Failed, Front, HttpConfig, Limiter, PIPELINE, Pages, Relentless,
        RelentlessConfig, Server, Stats, Tasks, Uploads,
    },
    jobs::{
        capacity::Site,
        config::JobsConfig,
        download::Places,
        estimate::Estimate,
        work::{Ties, work},
    },
    metrics::Metrics,
    store::Shared,
    webhooks::Guard,
};

/// How often is looked for what nobody needs any more, and for what dead processes left.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &ServeArgs) -> Result<()> {
    let settings = Settings::load(config)?;
    assembly::check_sections(&settings)?;
    let http = HttpConfig::load(&settings)?;
    RelentlessConfig::load(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(Arc::new(settings), http, args))
}

/// What ends the process, one after the other.
#[derive(Clone)]
struct Ends {
    leave: watch::Sender<bool>,
    hasten: watch::Sender<bool>,
}

impl Ends {
    /// Heeds signals from here on.
    fn new() -> Result<Self> {
        let signals = Signals::new()?;
        let ends = Self { leave: watch::Sender::new(false), hasten: watch::Sender::new(false) };
        let told = ends.clone();
        spawn(async move {
            for end in [told.leave, told.hasten] {
                signals.next().await;
                end.send_replace(true);
            }
        });
        Ok(ends)
    }

    async fn goodbye(&self) {
        is_told(&self.leave).await;
    }

    async fn hurry(&self) {
        is_told(&self.hasten).await;
    }
}

/// Ends when it is told so. We have a sender ourselves, so it is not closed before.
async fn is_told(word: &watch::Sender<bool>) {
    let _ = word.subscribe().wait_for(|is_so| *is_so).await;
}

async fn serve(settings: Arc<Settings>, http: HttpConfig, args: &ServeArgs) -> Result<()> {
    let ends = Ends::new()?;
    let metrics = Arc::new(Metrics::new()?);
    let failed = Arc::new(Failed::new(&http));
    let front = Front::new(failed.clone(), metrics.clone(), &http);
    let server = Server::bind(&http, front.clone()).await?;
    let address = server.address()?;
    say(&format!("mailsonde listens on http://{address}"))?;
    let own_ends = ends.clone();
    let serving = spawn(async move { server.run(own_ends.goodbye(), own_ends.hurry()).await });
    let data_folder = assembly::data_folder(&settings)?;
    let store: Shared = tokio::select! {
        opened = service::wait_for_store(&settings, &data_folder) => Arc::new(opened?),
        // There is nothing to finish.
        () = ends.goodbye() => return Ok(()),
    };
    let process = Process::new(&settings, &store, &metrics)?;
    let jobs: JobsConfig = settings.section("jobs")?;
    let variants = |name: &str| {
        let pipeline = process.desk.pipelines().get(name);
        let pipeline = pipeline.with_context(|| format!("there is no pipeline `{name}`"))?;
        anyhow::Ok(Variants::new(pipeline.clone(), settings.clone(), metrics.clone()))
    };
    let app = Arc::new(App {
        directory: Directory::new(store.clone()),
        ledger: Ledger::new(store.clone()),
        verify: variants(PIPELINE)?,
        find: variants(FIND_PIPELINE)?,
        formats: process.formats.clone(),
        tasks: Tasks::new(&settings, process.desk.pipelines(), metrics.clone())?,
        site: Site::new(&settings, &jobs)?,
        estimate: Estimate::new(),
        jobs,
        guard: Guard::new(settings.section("webhooks")?, process.parts.resolver()?),
        policy: assembly::policy(&settings)?,
        limiter: Limiter::new(&http),
        downloads: Places::new(metrics.downloads.clone()),
        pages: Pages::new(&metrics),
        uploads: Uploads::new(metrics.uploads.clone()),
        relentless: Relentless::new(RelentlessConfig::load(&settings)?, &metrics),
        store: store.clone(),
        metrics,
        failed,
        ongoing: front.ongoing().clone(),
        stats: Stats::new(process.parts.lists(), process.history.clone()),
    });
    front.open(&app);
    if args.first_run {
        first::tell(&store, address).await?;
    }
    let sweeper = spawn(sweep(app.clone()));
    let worked = attend(&process, &ends, args).await;
    // Where workers have failed, nobody has told the server yet.
    ends.leave.send_replace(true);
    // Answers may still be under way.
    let ended = serving.await;
    sweeper.abort();
    process.leave().await;
    app.ledger.close().await;
    app.directory.close().await;
    drop((app, front));
    if let Some(store) = Arc::into_inner(store) {
        store.close().await?;
    }
    worked?;
    Ok(ended?)
}

/// Works until the end, or only hears and tells what hosts bear.
async fn attend(process: &Process<'_>, ends: &Ends, args: &ServeArgs) -> Result<()> {
    if args.no_work {
        let ties = Ties::new(&process.desk).await;
        ends.goodbye().await;
        if let Some(ties) = ties {
            ties.close().await;
        }
        return Ok(());
    }
    let queue = process.queue();
    work(process.desk.clone(), queue, ends.goodbye(), ends.hurry()).await
}

async fn sweep(app: Arc<App>) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        app.limiter.sweep();
        if let Err(error) = app.estimate.refresh(&app.store).await {
            tracing::warn!("how fast jobs are done is not known: {error}");
        }
        // Workers do it too; there may be none.
        if let Err(error) = billing::sweep(&app.store).await {
            tracing::warn!("credits that dead processes held are not given back: {error}");
        }
    }
}

/// A line for whoever started us, at once. One that nobody reads is no reason to end.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
