//! The Email Verifier facade: `/api/v1/*` with the header `Api-Key`.

mod about;
mod batch;
mod csv;
mod download;
mod error;
mod jobs;
mod openapi;
mod options;
mod results;
mod stats;
mod usage;
mod verification;
mod verify;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use super::{App, Guarded, endpoint::open, guarded};
use crate::access::{Facade, Scope};

pub(crate) use error::ApiError;
pub(super) use error::{Detail, Failure};
pub(super) use openapi::document;
pub(crate) use results::Pages;
pub(super) use results::SMALL_ROWS;
pub(crate) use stats::Stats;

/// Its paths.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/verify", post(keyed(verify::verify)))
        .route("/api/v1/verify/batch", post(keyed(batch::verify_batch)))
        .route("/api/v1/verify/csv", post(keyed(csv::verify_csv)))
        .route("/api/v1/jobs", get(keyed(jobs::list)))
        .route("/api/v1/jobs/{job_id}", get(keyed(jobs::status)))
        .route("/api/v1/jobs/{job_id}/results", get(keyed(results::results)))
        .route("/api/v1/jobs/{job_id}/download", get(keyed(download::download)))
        .route("/api/v1/usage", get(keyed(usage::usage)))
        .route("/api/v1/stats/disposable", get(told(stats::disposable)))
        .route("/api/v1/stats/free-providers", get(told(stats::free_providers)))
        .route("/api/v1/stats/internal-cache", get(told(stats::internal_cache)))
        .route("/api/v1/stats/verification-history", get(told(stats::verification_history)))
        .route("/api/v1/health", get(open(about::health)))
        .route("/api/v1/", get(open(about::root)))
}

fn keyed<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::EmailVerifier, &[Scope::Verify], endpoint)
}

fn told<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::EmailVerifier, &[Scope::Stats], endpoint)
}
