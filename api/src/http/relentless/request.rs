//! What is asked and answered at once: how it is run, and how it is kept for whoever wants to see later what was asked.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use mailsonde_engine::{Batch, Subject, Verdict};
use serde::Serialize;
use uuid::Uuid;

use super::error::ApiError;
use crate::{
    access::Access,
    assembly::{Choice, Variants},
    facade::relentless::{kept::Kept, words::RequestType},
    http::{App, Arrived, Refusal, Ticket},
    store::{
        keys::{Keyring, Row},
        requests::{self, NewRequest, Together},
    },
};

/// What is not known so long after a request came is an error: with what it takes to write it down to a database that is
/// slow, within the 20 s that clients are promised.
pub(super) const ONE_MAX: Duration = Duration::from_secs(17);

/// The same of a batch, which has 60 s.
pub(super) const BATCH_MAX: Duration = Duration::from_secs(55);

/// What the product asks about an address: neither what was meant by it, nor what it looks like, but whether it is there,
/// and whether it stands for another one.
pub(super) const CHOICE: Choice = Choice {
    ask_anybody: true,
    check_smtp: true,
    suggest_typo: false,
    check_random: false,
    check_domain_trust: false,
};

/// Runs inputs through a pipeline, each of them once, until so long after their request came. Returns their verdicts in
/// their order.
pub(super) async fn run(
    app: &App,
    variants: &Variants,
    access: &Access,
    inputs: &[&str],
    until: Instant,
) -> Result<Vec<Verdict>, ApiError> {
    let pipeline = variants.of(CHOICE)?;
    let time = until.saturating_duration_since(Instant::now());
    let context = access.context(time);
    let mut batch = Batch::new(inputs.iter().map(|&input| Subject::new(input)).collect());
    pipeline.run(&context, &mut batch).await;
    let policy = app.policy.of_mailbox();
    let verdicts: Vec<Verdict> =
        batch.into_subjects().into_iter().map(|subject| Verdict::of(subject, policy)).collect();
    app.formats.learn(&verdicts);
    Ok(verdicts)
}

/// When what is open of a request is given up.
pub(super) fn until(arrived: &Arrived, time: Duration) -> Instant {
    arrived.at + time
}

/// A request that was answered, and how.
pub(super) struct Answered<'a, B> {
    pub(super) access: &'a Access,
    pub(super) arrived: Arrived,
    pub(super) asked: RequestType,
    pub(super) kept: Vec<Kept>,
    /// Of whoever sends it again.
    pub(super) ticket: Option<Ticket>,
    /// What is answered.
    pub(super) body: &'a B,
}

/// Writes down a request before it is answered.
pub(super) async fn keep<B: Serialize>(app: &App, answered: Answered<'_, B>) -> Result<(), ApiError> {
    let Answered { access, arrived, asked, kept, ticket, body } = answered;
    let keys = app.store.keys();
    let answer = ticket.map(|ticket| ticket.answer(keys, StatusCode::OK, body)).transpose()?;
    let prices = app.relentless.config.price_micros;
    let charge = |kept: &Kept| i32::try_from(prices.of(asked, kept.result.outcome)).unwrap_or(i32::MAX);
    let new = |kept: &Kept| written(keys, access.client, asked, charge(kept), kept);
    let new: Vec<NewRequest> = kept.iter().map(new).collect::<Result<_, _>>()?;
    let kept = app.relentless.config.history();
    let together = Together { client: access.client, took: arrived.at.elapsed(), kept };
    requests::add(&mut app.store.request().await?, together, &new, answer.as_ref()).await?;
    Ok(())
}

/// A request as it goes to the store. Of addresses that are not asked about again, no time differs: ids keep their order.
fn written(
    keys: &Keyring,
    client: Uuid,
    asked: RequestType,
    charge_micros: i32,
    kept: &Kept,
) -> Result<NewRequest, Refusal> {
    let id = Uuid::now_v7();
    let text = serde_json::to_vec(kept).map_err(|_| Refusal::Internal)?;
    Ok(NewRequest {
        id,
        kind: asked.word(),
        state: kept.result.state.word(),
        outcome: kept.result.outcome.word(),
        charge_micros,
        sealed: keys.seal(Row::Request { id }, &text),
        tokens: kept.tokens(keys, client),
    })
}
