//! The tasks facade: `/api/v1/tasks*` and its kin, with `Authorization: Bearer` or `X-API-Key`; and `POST /api/v1/verify`
//! with a key of its own. A task is a job, and a task's job is one of its rows.

mod create;
mod credits;
mod download;
mod error;
mod jobs;
mod list;
mod moments;
mod openapi;
mod series;
mod upload;
mod verify;

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use axum::{
    Router,
    routing::{get, post},
};
use mailsonde_config::Settings;
use mailsonde_engine::Pipeline;

use super::{App, Guarded, guarded};
use crate::{
    access::{Facade, Scope},
    assembly::Variants,
    facade::tasks::TasksConfig,
    metrics::Metrics,
};

pub(super) use error::{Error, Failure, Wrong};
pub(super) use openapi::document;

/// The pipeline of its addresses.
const PIPELINE: &str = "tasks";

/// What this product has besides what all have.
pub(crate) struct Tasks {
    /// The pipeline of its addresses.
    pipeline: Variants,
    config: TasksConfig,
}

impl Tasks {
    /// # Errors
    /// There is no such pipeline, or the table `[tasks]` is wrong.
    pub(crate) fn new(
        settings: &Arc<Settings>,
        pipelines: &BTreeMap<String, Pipeline>,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let pipeline = pipelines.get(PIPELINE);
        let pipeline =
            pipeline.ok_or_else(|| settings.invalid("pipeline", "there is no pipeline `tasks`"))?;
        let pipeline = Variants::new(pipeline.clone(), settings.clone(), metrics);
        Ok(Self { pipeline, config: settings.section("tasks")? })
    }
}

/// Its paths.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/tasks", get(keyed(list::list)).post(keyed(create::create)))
        .route("/api/v1/tasks/batch/upload", post(keyed(upload::upload)))
        .route("/api/v1/tasks/batch/uploads/{upload_id}", get(keyed(upload::uploaded)))
        .route("/api/v1/tasks/{id}", get(keyed(list::task)))
        .route("/api/v1/tasks/{id}/jobs", get(keyed(jobs::jobs)))
        .route("/api/v1/tasks/{id}/download", get(keyed(download::download)))
        .route("/api/v1/tasks/{id}/series", get(keyed(series::series)))
        .route("/api/v1/metrics/verifications", get(keyed(series::verifications)))
        .route("/api/v1/credits/balance", get(keyed(credits::balance)))
        .route("/api/v1/credits/transactions", get(keyed(credits::transactions)))
        .route("/api/v1/verify", post(keyed(verify::verify)))
}

fn keyed<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Tasks, &[Scope::Verify, Scope::Admin], endpoint)
}
