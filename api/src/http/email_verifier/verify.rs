//! `POST /api/v1/verify`: one address, answered at once.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use mailsonde_engine::{Batch, Category, Clock, Subject, SystemClock, Verdict};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    ApiError,
    openapi::{QuotaBody, VerifyRequest},
    options::Options,
    verification::VerificationObject,
};
use crate::{
    billing::BillingError,
    http::{App, Arrived, Caller, Fields, Received, Refusal, SOON, Ticket, answer},
    store::idempotency::{self, Answer},
    verification::{Moment, Shape, Verification},
};

/// What is not known so long after the request came is `unknown`: with what it takes to write down credits from a database
/// that is slow, within the 20 s that clients are promised.
const VERIFY_MAX: Duration = Duration::from_secs(17);

/// Verifies one address.
#[utoipa::path(
    post,
    path = "/api/v1/verify",
    tag = "Verification",
    request_body = VerifyRequest,
    responses(
        (status = 200, body = VerificationObject, description = "What is known"),
        (status = 402, body = QuotaBody, description = "`QUOTA_EXCEEDED`"),
    ),
)]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Extension(arrived): Extension<Arrived>,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let Asked { email, options } = Asked::read(&body.json().await?)?;
    let pipeline = app.verify.of(options.choice)?;
    let hold = app.ledger.hold(&access, 1).await?;
    let began = Instant::now();
    let time = VERIFY_MAX.saturating_sub(arrived.at.elapsed());
    let context = access.context(time);
    let mut batch = Batch::new(vec![Subject::new(email)]);
    pipeline.run(&context, &mut batch).await;
    let subject = batch.into_subjects().pop().ok_or(Refusal::Internal)?;
    let verdict = Verdict::of(subject, app.policy);
    let verified_at = Timestamp::try_from(SystemClock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let moment = Moment { verified_at, took: began.elapsed() };
    let shape = Shape { include_email: options.include_email, explain: false };
    let verification = Verification::of(&verdict, moment, shape);
    let kept = ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::OK, &verification));
    let kept = kept.transpose()?;
    // Before it is paid for: killed in between, we are not paid, and nobody pays twice.
    let paid = async {
        if let Some(kept) = &kept {
            idempotency::keep(&app.store.request().await?, kept).await?;
        }
        app.ledger.settle(&access, units(&verdict), hold).await
    };
    if let Err(error) = paid.await {
        if let Some(kept) = &kept {
            withdraw(&app, kept).await;
        }
        return Err(error.into());
    }
    Ok(answer(StatusCode::OK, &verification))
}

/// What is asked for. The body is not kept while others are asked.
struct Asked {
    email: String,
    options: Options,
}

impl Asked {
    fn read(body: &Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of_body(body)?;
        let email = fields.text("email").unwrap_or_default().trim().to_owned();
        let options = Options::read(&mut fields);
        fields.finish()?;
        Ok(Self { email, options })
    }
}

/// What is not paid for is not given to whoever asks again.
async fn withdraw(app: &App, kept: &Answer) {
    let withdrawn = async { idempotency::withdraw(&app.store.request().await?, kept).await };
    if let Err(error) = withdrawn.await {
        tracing::warn!("an answer that is not paid for may be given to whoever asks again: {error}");
    }
}

/// Credits: none where nobody knows, and none for nothing.
fn units(verdict: &Verdict) -> u32 {
    let is_free = verdict.judgement.category == Category::Unknown || verdict.input.trim().is_empty();
    u32::from(!is_free)
}

impl From<BillingError> for ApiError {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Overdrawn(overdrawn) => Self::overdrawn(&overdrawn),
            BillingError::Lapsed => Refusal::Unavailable(SOON).into(),
            BillingError::Store(error) => error.into(),
        }
    }
}
