//! `POST /api/v1/verify` with a key of this product: one address, answered at once.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use mailsonde_engine::{Batch, Clock, MailboxState, Subject, SystemClock, Verdict};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::error::ApiError;
use crate::{
    assembly::Choice,
    facade::tasks::{credits, email::Email},
    http::{App, Arrived, Caller, Fields, Received, Refusal, Ticket, answer},
    store::idempotency::{self, Answer},
};

/// What is not known so long after the request came is unknown: with what it takes to write down credits from a database
/// that is slow, within the 20 s that clients are promised.
const VERIFY_MAX: Duration = Duration::from_secs(17);

/// What is heard so shortly before is heard because time is up.
const TIME_IS_UP: Duration = Duration::from_secs(1);

/// Verifies one address. What is unknown costs nothing.
#[utoipa::path(
    post,
    path = "/api/v1/verify",
    tag = "Verification",
    request_body = super::openapi::TaskVerifyRequest,
    responses(
        (status = 200, body = Email, description = "What is known"),
        (status = 402, body = super::openapi::TasksErrorBody, description = "`INSUFFICIENT_CREDITS`"),
        (status = 408, body = Email, description = "What was known when time was up"),
    ),
)]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Extension(arrived): Extension<Arrived>,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let email = asked(&body.json().await?)?;
    let pipeline = app.tasks.pipeline.of(Choice::default())?;
    let hold = app.ledger.hold(&access, 1).await?;
    let began = Instant::now();
    let time = VERIFY_MAX.saturating_sub(arrived.at.elapsed());
    let context = access.context(time);
    let mut batch = Batch::new(vec![Subject::new(email)]);
    pipeline.run(&context, &mut batch).await;
    let subject = batch.into_subjects().pop().ok_or(Refusal::Internal)?;
    let verdict = Verdict::of(subject, app.policy.of_mailbox());
    let verified_at = Timestamp::try_from(SystemClock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let told = Email::of(Uuid::now_v7(), &verdict, verified_at, app.tasks.config.vocabulary);
    if verdict.judgement.mailbox == MailboxState::Unanswered && began.elapsed() + TIME_IS_UP >= time {
        // It costs nothing, and whoever asks again is not given it again.
        return Ok(answer(StatusCode::REQUEST_TIMEOUT, &told));
    }
    let kept = ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::OK, &told)).transpose()?;
    // Before it is paid for: killed in between, we are not paid, and nobody pays twice.
    let paid = async {
        if let Some(kept) = &kept {
            idempotency::keep(&app.store.request().await?, kept).await?;
        }
        let is_free = credits::is_free(verdict.judgement.category);
        app.ledger.settle(&access, u32::from(!is_free), hold).await
    };
    if let Err(error) = paid.await {
        if let Some(kept) = &kept {
            withdraw(&app, kept).await;
        }
        return Err(error.into());
    }
    Ok(answer(StatusCode::OK, &told))
}

/// The address that is asked about. The body is not kept while others are asked.
fn asked(body: &Value) -> Result<String, ApiError> {
    let mut fields = Fields::of_body(body)?;
    let email = fields.text("email").map(|email| email.trim().to_owned());
    if email.as_deref() == Some("") {
        fields.fault("email", "string_too_short", "String should have at least 1 character");
    }
    fields.finish()?;
    Ok(email.unwrap_or_default())
}

/// What is not paid for is not given to whoever asks again.
async fn withdraw(app: &App, kept: &Answer) {
    let withdrawn = async { idempotency::withdraw(&app.store.request().await?, kept).await };
    if let Err(error) = withdrawn.await {
        tracing::warn!("an answer that is not paid for may be given to whoever asks again: {error}");
    }
}
