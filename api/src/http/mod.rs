//! The service over HTTP: one listener, a router for each facade, and what they share. Endpoints stand in a folder for
//! each facade; here is what happens before and after them.
//!
//! ```text
//! connection ─▶ server: how many, how slow, how it ends
//!     └─▶ front: request id, whose shape, what is counted, headers that every answer has
//!           └─▶ a facade's router: no such path, no such method
//!                 └─▶ guard: failures of the address, key, client, scope, rate
//!                       └─▶ idempotency ─▶ the endpoint: media type, size, fields (body, fields)
//! ```
//!
//! An endpoint is a line in its facade's router:
//!
//! ```text
//! .route("/api/v1/verify", guarded(&app, Facade::EmailVerifier, &[Scope::Verify], post(verify)))
//!
//! async fn verify(State(app): State<Arc<App>>, Caller(access): Caller, body: Received) -> Result<Response, ApiError> {
//!     let value = body.json().await?;
//! ```

mod app;
mod body;
mod config;
mod digested;
mod document;
mod email_verifier;
mod failed;
mod fields;
mod front;
mod guard;
mod head;
mod health;
mod idempotency;
mod invalid;
mod ongoing;
mod paced;
mod peer;
mod rate;
mod refusal;
mod request_id;
mod routes;
mod server;
mod shape;

pub(crate) use self::{
    app::{App, PIPELINE},
    body::Received,
    config::HttpConfig,
    email_verifier::{Stats, document},
    failed::Failed,
    fields::{Fields, Query},
    front::{Began, Front, REFERENCE},
    guard::{Caller, guarded},
    idempotency::Ticket,
    rate::Limiter,
    refusal::{Refusal, SOON},
    server::Server,
    shape::answer,
};
