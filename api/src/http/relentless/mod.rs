//! The Relentless Identity facade: `/client/*` with `Authorization: Bearer relid_pat_…`.

mod capacity;
mod config;
mod error;
mod history;
mod openapi;
mod paging;
mod probe;
mod request;
mod token;

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
        .route("/client/history", get(for_account(history::history)))
        .route("/client/probe", post(for_identity(probe::probe)))
        .route("/client/probe/batch", post(for_identity(probe::probe_batch)))
}

fn for_any<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Identity, Scope::Jobs, Scope::Account], endpoint)
}

fn for_account<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Account], endpoint)
}

fn for_identity<E>(endpoint: E) -> Guarded<E> {
    guarded(Facade::Relentless, &[Scope::Identity], endpoint)
}
