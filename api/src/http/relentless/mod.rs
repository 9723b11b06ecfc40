//! The Relentless Identity facade: `/client/*` with `Authorization: Bearer relid_pat_…`.

mod artifacts;
mod attempt;
mod capacity;
mod config;
mod error;
mod history;
mod jobs;
mod openapi;
mod paging;
mod probe;
mod request;
mod schedule;
mod token;
mod usage;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use self::capacity::Capacity;
pub(super) use self::{error::failure, openapi::document};
use super::{App, Guarded, guarded};
use crate::{
    access::{Facade, Scope},
    metrics::Metrics,
};

pub(crate) use config::RelentlessConfig;

/// What its endpoints have besides the [`App`].
pub(crate) struct Relentless {
    config: RelentlessConfig,
    capacity: Capacity,
}

impl Relentless {
    /// Nobody is asked about yet.
    pub(crate) fn new(config: RelentlessConfig, metrics: &Metrics) -> Self {
        let capacity = Capacity::new(config.sync_capacity.get(), metrics.sync_addresses.clone());
        Self { config, capacity }
    }
}

/// Its paths.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/client/token", get(for_any(token::token)))
        .route("/client/usage", get(for_account(usage::usage)))
        .route("/client/history", get(for_account(history::history)))
        .route("/client/attempt", post(for_identity(attempt::attempt)))
        .route("/client/probe", post(for_identity(probe::probe)))
        .route("/client/probe/batch", post(for_identity(probe::probe_batch)))
        .route("/client/jobs", get(for_jobs(jobs::list_jobs)))
        .route("/client/jobs/finder", post(for_jobs(attempt::schedule_finder_batch)))
        .route("/client/jobs/probe-batch", post(for_jobs(schedule::schedule_probe_batch)))
        .route("/client/jobs/{job_id}", get(for_jobs(jobs::get_job)))
        .route("/client/jobs/{job_id}/cancel", post(for_jobs(jobs::cancel_job)))
        .route("/client/jobs/{job_id}/inputs.txt", get(for_jobs(artifacts::inputs)))
        .route("/client/jobs/{job_id}/results.json", get(for_jobs(artifacts::results_json)))
        .route("/client/jobs/{job_id}/results.txt", get(for_jobs(artifacts::results_text)))
}

fn for_any<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Identity, Scope::Jobs, Scope::Account], endpoint)
}

fn for_account<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Account], endpoint)
}

fn for_jobs<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Jobs], endpoint)
}

fn for_identity<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Identity], endpoint)
}
