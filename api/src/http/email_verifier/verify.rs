//! `POST /api/v1/verify`: one address, answered at once.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use mailsonde_engine::{Batch, Category, Clock, Context, Subject, SystemClock, Verdict};
use tokio::time::Instant;

use super::{
    ApiError,
    openapi::{ErrorBody, VerificationObject, VerifyRequest},
    options::Options,
};
use crate::{
    billing::BillingError,
    http::{App, Caller, Fields, Received, Refusal, SOON, answer},
    verification::{Moment, Shape, Verification},
};

/// What is not known by then is `unknown`: with the little that comes before and after, within the 20 s that clients are
/// promised.
const VERIFY_MAX: Duration = Duration::from_secs(19);

/// Verifies one address.
#[utoipa::path(
    post,
    path = "/api/v1/verify",
    tag = "Verification",
    request_body = VerifyRequest,
    responses(
        (status = 200, body = VerificationObject, description = "What is known"),
        (status = 402, body = ErrorBody, description = "`QUOTA_EXCEEDED`, with `used`, `monthly_quota`, `remaining`"),
    ),
)]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    body: Received,
) -> Result<Response, ApiError> {
    let body = body.json().await?;
    let mut fields = Fields::of_body(&body)?;
    let email = fields.text("email").unwrap_or_default();
    let options = Options::read(&mut fields);
    fields.finish()?;
    let pipeline = app.verify.of(options.choice)?;
    let hold = app.ledger.hold(&access, 1).await?;
    let began = Instant::now();
    let context = Context { client: Some(access.client.to_string().into()), ..Context::within(VERIFY_MAX) };
    let mut batch = Batch::new(vec![Subject::new(email)]);
    let reports = pipeline.run(&context, &mut batch).await;
    app.metrics.passed(app.verify.name(), &reports);
    let subject = batch.into_subjects().pop().ok_or(Refusal::Internal)?;
    let verdict = Verdict::of(subject, app.policy);
    let verified_at = Timestamp::try_from(SystemClock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let moment = Moment { verified_at, took: began.elapsed() };
    app.ledger.settle(&access, units(&verdict), hold).await?;
    let shape = Shape { include_email: options.include_email, explain: false };
    Ok(answer(StatusCode::OK, &Verification::of(&verdict, moment, shape)))
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
