//! `GET /api/v1/health` and `GET /api/v1/`: what the service says of itself to anybody, without a key. Whether it can do its
//! work now, `/readyz` says.

use axum::{http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::TITLE;
use crate::http::{REFERENCE, answer};

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    status: &'static str,
    /// The program's.
    version: &'static str,
}

/// Which service this is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct About {
    name: &'static str,
    /// The program's.
    version: &'static str,
    /// Where its endpoints are described.
    docs: &'static str,
}

/// Says that the service is there.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "Service",
    responses((status = 200, body = Alive, description = "It is")),
)]
pub(super) async fn health() -> Response {
    answer(StatusCode::OK, &Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Says which service this is.
#[utoipa::path(
    get,
    path = "/api/v1/",
    tag = "Service",
    responses((status = 200, body = About, description = "This one")),
)]
pub(super) async fn root() -> Response {
    let about = About { name: TITLE, version: env!("CARGO_PKG_VERSION"), docs: REFERENCE };
    answer(StatusCode::OK, &about)
}
