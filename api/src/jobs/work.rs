//! A process that works: takes tasks until it is told to end, and then ends in good order.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use apalis::prelude::{WorkerBuilder, WorkerBuilderExt as _};
use mailsonde_config::Settings;
use mailsonde_engine::{Pipeline, Policy};
use mailsonde_net::SmtpProber;
use tokio::{
    select, spawn,
    sync::watch,
    task::{JoinError, JoinHandle},
    time::{sleep, timeout},
};

use super::{
    capacity::Site,
    chunk,
    config::JobsConfig,
    ending,
    lessons::Tie,
    observer::Observer,
    opening::Openings,
    queue::{Done, Leased, Queue, QueueTerms, TURNS_PER_LEASE, TaskError, TaskQueue, keep, listen, sweep},
    retention,
};
use crate::{
    access::Facade,
    assembly::{self, Parts, SMTP_PROBE},
    metrics::Metrics,
    store::{
        Shared, StoreError,
        formats::StoredFormats,
        jobs::End,
        tasks::{self, Kind},
    },
    webhooks::{Courier, deliver},
};

/// What a handler gets over `task_max`, within which it ends by itself, to write down what it has.
const TASK_MARGIN: Duration = Duration::from_mins(5);

/// How long handlers that are stopped may take to write down what they have: they try for 5 s, and settle their tasks then.
const STOP_MAX: Duration = Duration::from_secs(15);

/// How long the end of the process waits for the store to hear what hosts bear, and that it ends.
const LAST_WORD_MAX: Duration = Duration::from_secs(5);

/// What handlers need.
pub(crate) struct Desk {
    pub(super) store: Shared,
    pub(super) config: JobsConfig,
    /// What is known of how domains make addresses.
    pub(super) formats: Arc<StoredFormats>,
    policy: Policy,
    pipelines: BTreeMap<String, Pipeline>,
    prober: Option<SmtpProber>,
    openings: Openings,
    site: Site,
    metrics: Option<Arc<Metrics>>,
    courier: Courier,
}

impl Desk {
    /// Builds every pipeline of the configuration: any job may name it.
    pub(crate) fn new(
        settings: &Settings,
        parts: &Parts<'_>,
        store: Shared,
        formats: Arc<StoredFormats>,
    ) -> Result<Self> {
        let mut pipelines = BTreeMap::new();
        for name in settings.pipelines()?.into_keys() {
            let pipeline = assembly::pipeline(settings, parts, &name, &[])?;
            pipelines.insert(name, pipeline);
        }
        let config: JobsConfig = settings.section("jobs")?;
        Ok(Self {
            store,
            site: Site::new(settings, &config)?,
            config,
            formats,
            policy: assembly::policy(settings)?,
            pipelines,
            prober: parts.smtp().cloned(),
            courier: Courier::new(settings.section("webhooks")?, parts.resolver()?)?,
            openings: Openings::default(),
            metrics: None,
        })
    }

    /// The same, that counts what its pipelines do.
    #[must_use]
    pub(crate) fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// How findings are judged for this product, or the command line.
    pub(super) fn policy(&self, facade: &str) -> Policy {
        let is_of_mailboxes = Facade::of(facade).is_some_and(Facade::is_of_mailboxes);
        if is_of_mailboxes { self.policy.of_mailbox() } else { self.policy }
    }

    /// What is counted, if anybody counts.
    pub(super) fn metrics(&self) -> Option<Arc<Metrics>> {
        self.metrics.clone()
    }

    /// Every pipeline of the configuration, by its name.
    pub(crate) fn pipelines(&self) -> &BTreeMap<String, Pipeline> {
        &self.pipelines
    }

    /// How the queue is worked at.
    pub(crate) fn terms(&self) -> QueueTerms {
        self.config.terms()
    }

    /// The pipeline that a job wants.
    pub(super) fn pipeline(&self, name: &str, skips: &[String]) -> Result<Pipeline, TaskError> {
        let skips: Vec<&str> = skips.iter().map(String::as_str).collect();
        let pipeline = self.pipelines.get(name).map(|pipeline| pipeline.without(&skips));
        pipeline.ok_or_else(|| TaskError::Fault(format!("there is no pipeline `{name}` here").into()))
    }

    /// Whether mail servers of this operator may be asked now.
    ///
    /// # Errors
    /// How long to wait, if not.
    pub(super) async fn may_begin(&self, pipeline: &Pipeline, operator: &str) -> Result<(), Duration> {
        match &self.prober {
            Some(prober) if pipeline.has(SMTP_PROBE) => {
                self.openings.may_begin(operator, prober.may_begin(operator)).await
            }
            _ => Ok(()),
        }
    }
}

/// Takes tasks until `goodbye` ends; then finishes what is at work, or stops it when `hurry` ends or `drain_max` is over.
pub(crate) async fn work(
    desk: Arc<Desk>,
    queue: Arc<Queue>,
    goodbye: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) -> Result<()> {
    let ties = Ties::new(&desk).await;
    let handlers = desk.clone();
    let worker = WorkerBuilder::new(queue.worker.to_string())
        .backend(TaskQueue::new(queue.clone()))
        .catch_panic()
        .concurrency(desk.config.tasks_at_once)
        .build(move |leased: Leased| handle(handlers.clone(), leased));
    let mut tasks = spawn(worker.run());
    let keeper = spawn(keep(queue.clone(), host_name()));
    let sweeper = spawn(sweep(queue.clone()));
    let bell = spawn(listen(queue.clone()));
    let ended = select! {
        ended = &mut tasks => Some(ended),
        () = goodbye => {
            queue.drain();
            drained(&queue, &mut tasks, desk.config.drain_max, hurry).await
        }
    };
    keeper.abort();
    sweeper.abort();
    bell.abort();
    if let Some(ties) = ties {
        ties.close().await;
    }
    // Who does not say goodbye is known to be gone a little later.
    let _ = timeout(LAST_WORD_MAX, say_goodbye(&desk, &queue)).await;
    match ended {
        Some(ended) => ended?.map_err(|error| anyhow!("the worker ended: {error}")),
        None => Ok(()),
    }
}

async fn say_goodbye(desk: &Desk, queue: &Queue) -> Result<(), StoreError> {
    tasks::worker_gone(&desk.store.worker().await?, queue.worker).await
}

/// What ties the prober to those of other processes and to the plan.
pub(crate) struct Ties {
    lessons: Tie,
    observer: JoinHandle<()>,
    end: watch::Sender<bool>,
}

impl Ties {
    /// None where there is no prober.
    pub(crate) async fn new(desk: &Desk) -> Option<Self> {
        let prober = desk.prober.clone()?;
        let (end, ended) = watch::channel(false);
        let observer = Observer::new(desk.store.clone(), desk.site.clone());
        let observer = spawn(observer.watch(prober.clone(), desk.config.lease / TURNS_PER_LEASE, ended));
        Some(Self { lessons: Tie::new(desk.store.clone(), prober).await, observer, end })
    }

    /// Tells what is not told yet, if that does not take long.
    pub(crate) async fn close(mut self) {
        self.end.send_replace(true);
        let ((), observed) = tokio::join!(self.lessons.close(), timeout(LAST_WORD_MAX, &mut self.observer));
        if observed.is_err() {
            self.observer.abort();
        }
    }
}

/// Waits for what is at work, for as long as there is patience; then it is stopped, keeps what it has and gives the rest
/// back. None where it does not come to that: the store is silent.
async fn drained<T>(
    queue: &Queue,
    tasks: &mut JoinHandle<T>,
    patience: Duration,
    hurry: impl Future<Output = ()>,
) -> Option<Result<T, JoinError>> {
    select! {
        ended = &mut *tasks => return Some(ended),
        () = sleep(patience) => {}
        () = hurry => {}
    }
    queue.stop();
    let ended = timeout(STOP_MAX, &mut *tasks).await.ok();
    if ended.is_none() {
        tracing::warn!("tasks could not be given back; others take them when their leases run out");
        tasks.abort();
    }
    ended
}

/// One task.
async fn handle(desk: Arc<Desk>, leased: Leased) -> Result<Done, TaskError> {
    let limit = desk.config.task_max + TASK_MARGIN;
    let work = async {
        match leased.task.kind {
            Kind::Chunk => chunk::run(desk, leased).await,
            Kind::Close => close(&desk, &leased).await,
            Kind::Retention => retention::run(&desk).await,
            Kind::Webhook => {
                let (lease, mut word) = (leased.task.lease, leased.word.clone());
                deliver(&desk.store, &desk.courier, lease, &mut word).await
            }
        }
    };
    timeout(limit, work).await.unwrap_or(Err(TaskError::TimedOut(limit)))
}

/// Ends a job at its deadline; the task goes with the job.
async fn close(desk: &Desk, leased: &Leased) -> Result<Done, TaskError> {
    if let Some(job) = leased.task.job {
        ending::end(&desk.store, job, End::DeadlinePassed).await?;
    }
    Ok(Done::Finished)
}

/// Under which the operator knows this host.
fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}
