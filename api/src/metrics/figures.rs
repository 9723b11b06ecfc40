//! What the database knows: the same for all processes, so each tells it. It is asked once in a while, however often
//! somebody scrapes; while it is away, nothing is told of it.

use std::time::Duration;

use prometheus::proto::MetricFamily;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::family::{Family, count};
use crate::store::{
    Shared, StoreError,
    figures::{self, Snapshot},
};

/// How often it is asked at most. Who scrapes does so every 15 s or less often.
const EVERY: Duration = Duration::from_secs(5);

/// How long a scrape waits for it: a little longer than one of its statements may take.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// The last answer, and when it was asked for.
#[derive(Default)]
pub(super) struct Figures(Mutex<Option<(Instant, Option<Snapshot>)>>);

impl Figures {
    pub(super) async fn families(&self, store: &Shared) -> Vec<MetricFamily> {
        // One asks; others wait for the answer.
        let mut last = self.0.lock().await;
        let is_fresh = last.as_ref().is_some_and(|(asked, _)| asked.elapsed() < EVERY);
        if !is_fresh {
            let read = timeout(WAIT_MAX, read(store)).await;
            let snapshot = match read {
                Ok(Ok(snapshot)) => Some(snapshot),
                Ok(Err(error)) => {
                    tracing::warn!("figures of the queue are not known: {error}");
                    None
                }
                Err(_) => {
                    tracing::warn!("figures of the queue are not known: the database takes too long");
                    None
                }
            };
            *last = Some((Instant::now(), snapshot));
        }
        let mut families =
            last.as_ref().and_then(|(_, snapshot)| snapshot.as_ref()).map(told).unwrap_or_default();
        let is_up = matches!(&*last, Some((_, Some(_))));
        let help = "1 while the database answers";
        families.extend(super::family::gauge("mailsonde_database_up", help, f64::from(u8::from(is_up))));
        families
    }
}

async fn read(store: &Shared) -> Result<Snapshot, StoreError> {
    figures::read(&mut store.worker().await?).await
}

fn told(snapshot: &Snapshot) -> Vec<MetricFamily> {
    let mut tasks = Family::new("mailsonde_queue_tasks", "Tasks of the queue", &["kind", "state"]);
    let mut oldest = Family::new(
        "mailsonde_queue_oldest_seconds",
        "How long the task that has waited longest could have been begun",
        &["kind"],
    );
    for row in &snapshot.tasks {
        tasks.add([&*row.kind, &*row.state], count(row.count));
        if row.state == "ready" {
            oldest.add([&*row.kind], row.oldest_seconds.unwrap_or(0.0).max(0.0));
        }
    }
    let mut slack = Family::new(
        "mailsonde_deadline_slack_seconds",
        "Time until the earliest deadline of what waits; negative where it has passed",
        &["of"],
    );
    for (of, seconds) in [("chunk", snapshot.chunk_slack_seconds), ("job", snapshot.job_slack_seconds)] {
        if let Some(seconds) = seconds {
            slack.add([of], seconds);
        }
    }
    let mut jobs = Family::new("mailsonde_jobs", "Jobs that are known", &["state"]);
    for (state, jobs_of) in &snapshot.jobs {
        jobs.add([&**state], count(*jobs_of));
    }
    let mut workers = Family::new("mailsonde_workers", "Processes that work and were heard of lately", &[]);
    workers.add(std::iter::empty::<String>(), count(snapshot.workers));
    let mut webhooks = Family::new("mailsonde_webhooks", "Webhooks that are known", &["state"]);
    for (state, webhooks_of) in &snapshot.webhooks {
        webhooks.add([&**state], count(*webhooks_of));
    }
    let mut quota = Family::new(
        "mailsonde_client_quota_ratio",
        "Part of this month's quota that a client has used or reserved",
        &["client"],
    );
    for (client, ratio) in &snapshot.quotas {
        quota.add([client.to_string()], *ratio);
    }
    [tasks, oldest, slack, jobs, workers, webhooks, quota].into_iter().flat_map(Family::gauges).collect()
}
