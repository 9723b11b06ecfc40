//! The service over HTTP: one listener, a router for each facade, and what they share. Endpoints stand in a folder for
//! each facade; here is what happens before and after them.
//!
//! ```text
//! connection ─▶ server: how many, how slow, how it ends
//!     └─▶ front: request id, whose shape, what is counted (arrival), headers that every answer has
//!           └─▶ a facade's router: no such path, no such method
//!                 └─▶ guard: failures of the address, key, client, scope, rate
//!                       └─▶ idempotency ─▶ the endpoint: media type, size, fields (body, form, fields)
//! ```
//!
//! An endpoint is a line in its facade's router:
//!
//! ```text
//! .route("/api/v1/verify", post(guarded(Facade::EmailVerifier, &[Scope::Verify], verify)))
//!
//! async fn verify(State(app): State<Arc<App>>, Caller(access): Caller, body: Received) -> Result<Response, ApiError> {
//!     let value = body.json().await?;
//! ```

mod api_error;
mod app;
mod arrival;
mod body;
mod config;
mod digested;
mod document;
mod email_verifier;
mod endpoint;
mod failed;
mod fields;
mod form;
mod front;
mod guard;
mod head;
mod health;
mod hosts;
mod idempotency;
mod invalid;
mod manual;
mod moments;
mod ongoing;
mod paced;
mod peer;
mod rate;
mod reference;
mod refusal;
mod relentless;
mod request_id;
mod routes;
mod server;
mod shape;
mod tagged;
mod tasks;
mod uploads;

pub(crate) use self::{
    app::{App, FIND_PIPELINE, PIPELINE},
    arrival::Arrived,
    body::Received,
    config::HttpConfig,
    document::{document_of, whole},
    email_verifier::{Pages, Stats},
    failed::Failed,
    fields::{Fields, Query},
    form::{Form, FormError},
    front::Front,
    guard::{Caller, Guarded, guarded},
    idempotency::Ticket,
    invalid::Invalid,
    moments::{moment_in_query, moment_of, moment_or_date_in_query},
    rate::Limiter,
    reference::REFERENCE,
    refusal::{Refusal, SOON},
    relentless::{Relentless, RelentlessConfig},
    server::Server,
    shape::{answer, answer_holding},
    tasks::Tasks,
    uploads::{Room, Uploads},
};
