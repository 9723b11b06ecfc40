//! The Email Verifier facade: `/api/v1/*` with the header `Api-Key`.

mod about;
mod batch;
mod error;
mod jobs;
mod openapi;
mod options;
mod stats;
mod usage;
mod verification;
mod verify;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use super::{App, guarded};
use crate::access::{Facade, Scope};

pub(crate) use error::ApiError;
pub(super) use error::{Detail, Failure};
pub(crate) use openapi::document;
pub(crate) use stats::Stats;

/// Its paths.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let keyed = |methods| guarded(app, Facade::EmailVerifier, &[Scope::Verify], methods);
    let told = |methods| guarded(app, Facade::EmailVerifier, &[Scope::Stats], methods);
    Router::new()
        .route("/api/v1/verify", keyed(post(verify::verify)))
        .route("/api/v1/verify/batch", keyed(post(batch::verify_batch)))
        .route("/api/v1/jobs", keyed(get(jobs::list)))
        .route("/api/v1/jobs/{job_id}", keyed(get(jobs::status)))
        .route("/api/v1/jobs/{job_id}/results", keyed(get(jobs::results)))
        .route("/api/v1/usage", keyed(get(usage::usage)))
        .route("/api/v1/stats/disposable", told(get(stats::disposable)))
        .route("/api/v1/stats/free-providers", told(get(stats::free_providers)))
        .route("/api/v1/stats/internal-cache", told(get(stats::internal_cache)))
        .route("/api/v1/stats/verification-history", told(get(stats::verification_history)))
        .route("/api/v1/health", get(about::health))
        .route("/api/v1/", get(about::root))
}
