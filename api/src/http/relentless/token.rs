//! `GET /client/token`: whose key it is, and what it is good for.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{config::WHOLE_MAX, error::ApiError};
use crate::{
    access::Scope,
    facade::relentless::moment,
    http::{App, Caller, Refusal, answer},
    store::access,
};

/// A key that is good.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientTokenStatusResponse)]
pub(super) struct TokenStatus {
    valid: bool,
    /// The client's id.
    user_id: Uuid,
    /// `pat`: a key by `mailsonde key create`.
    #[schema(pattern = "^(pat|oauth)$")]
    token_type: &'static str,
    scopes: Vec<&'static str>,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(minimum = 0)]
    expires_in_seconds: Option<i64>,
}

/// Whose key it is, and what it is good for.
#[utoipa::path(
    get,
    path = "/client/token",
    tag = "Account",
    responses((status = 200, body = TokenStatus, description = "The key")),
)]
pub(super) async fn token(State(app): State<Arc<App>>, Caller(caller): Caller) -> Result<Response, ApiError> {
    let key = access::find(&app.store.request().await?, caller.key).await?;
    // Keys are ended and not deleted.
    let key = key.ok_or(Refusal::Internal)?;
    let left = |at: Timestamp| at.duration_since(Timestamp::now()).as_secs().clamp(0, WHOLE_MAX);
    let status = TokenStatus {
        valid: true,
        user_id: caller.client,
        token_type: "pat",
        scopes: caller.scopes.iter().map(|scope: &Scope| scope.word()).collect(),
        expires_at: key.expires_at.map(moment),
        expires_in_seconds: key.expires_at.map(left),
    };
    Ok(answer(StatusCode::OK, &status))
}
