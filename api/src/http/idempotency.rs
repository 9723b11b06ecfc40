//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): whoever sends a request again, with the same key and
//! the same body, gets the answer of the first time and nothing is done twice.
//!
//! Answers of success are kept for a day. What failed has done nothing: with the same key it is tried anew. A request with
//! a key goes on when its client goes away, since that one will come back for the answer.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{OptionalFromRequestParts, Request},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE, request::Parts},
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

use super::{App, body, guard::Caller, invalid::Invalid, refusal::Refusal, shape::Shape};
use crate::store::{
    GenericClient, Store, StoreError,
    idempotency::{self, Claim, Claimed},
    keys::Row,
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Characters of a key.
const KEY_MAX: usize = 255;

/// How long one request may be worked at: longer than any that is answered at once. One that was cut off by the end of
/// its process can be repeated after that.
const WORK_MAX: Duration = Duration::from_secs(90);

/// How long an answer is given again.
const KEPT: Duration = Duration::from_hours(24);

/// A key that this request has, for endpoints that keep their answer with what they do.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    claim: Claim,
    is_kept: Arc<AtomicBool>,
}

impl Ticket {
    /// Keeps the answer in the transaction of what is done: both, or none. The body is the one that is sent.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: it took so long that the request was repeated, and the other one does it.
    pub(crate) async fn keep(
        &self,
        store: &Store,
        transaction: &impl GenericClient,
        status: StatusCode,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let sealed = store.keys().seal(row(&self.claim), body);
        idempotency::keep(transaction, &self.claim, status.as_u16(), &sealed, KEPT).await?;
        self.is_kept.store(true, Relaxed);
        Ok(())
    }
}

/// `Option<Ticket>` in an endpoint: none where the client sent no key.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Ticket {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Answers a request, or gives the answer of the last time.
pub(super) async fn answer(app: &Arc<App>, shape: Shape, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(&KEY) else { return next.run(request).await };
    let answered = match named(key) {
        Ok(key) => answer_once(app, shape, key, request, next).await,
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|refusal| shape.refuse(&refusal))
}

/// The text of a key.
fn named(key: &HeaderValue) -> Result<String, Refusal> {
    let text = key.to_str().ok().map(str::trim);
    let text = text.filter(|text| (1..=KEY_MAX).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| {
        let msg = format!("A key has 1 to {KEY_MAX} visible ASCII characters");
        Refusal::of(Invalid::new(["header", "Idempotency-Key"], "idempotency_key_invalid", msg))
    })
}

async fn answer_once(
    app: &Arc<App>,
    shape: Shape,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let client = match request.extensions().get::<Caller>() {
        Some(Caller(access)) => access.client,
        None => return Err(Refusal::Internal),
    };
    let (parts, body) = request.into_parts();
    let octets = body::read(&parts.headers, body).await?;
    let (key, digest) = digests(app, &parts, &key, &octets);
    let connection = app.store.request().await?;
    let claimed = idempotency::claim(&connection, client, &key, &digest, WORK_MAX).await?;
    // Others may need it while this request is worked at.
    drop(connection);
    match claimed {
        Claimed::Ours(claim) => {
            let ticket = Ticket { claim, is_kept: Arc::default() };
            Ok(work(app, shape, ticket, Request::from_parts(parts, Body::from(octets)), next).await)
        }
        Claimed::Running { request } | Claimed::Answered { request, .. } if request != digest => {
            Err(other_body())
        }
        Claimed::Running { .. } => Err(Refusal::InProgress),
        Claimed::Answered { status, sealed, .. } => {
            let claim = Row::Answer { client, key: &key };
            let body = app.store.keys().open(claim, &sealed).map_err(StoreError::from)?;
            Ok(replay(status, body))
        }
    }
}

/// Does what is asked for, to the end.
async fn work(app: &Arc<App>, shape: Shape, ticket: Ticket, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(ticket.clone());
    let (store, is_kept) = (app.store.clone(), ticket.is_kept.clone());
    let worked = tokio::spawn(async move {
        // A panic is told where it happens; what was claimed is given up here.
        let response = match tokio::spawn(next.run(request)).await {
            Ok(response) => response,
            Err(_) => shape.refuse(&Refusal::Internal),
        };
        if is_kept.load(Relaxed) {
            return response;
        }
        settle(&store, &ticket, response).await
    });
    worked.await.unwrap_or_else(|_| shape.refuse(&Refusal::Internal))
}

/// Keeps the answer of a success, and gives up the key otherwise. The client gets its answer in any case.
async fn settle(store: &Store, ticket: &Ticket, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::error!("an answer could not be read: {error}");
            Bytes::new()
        }
    };
    let settled = async {
        let client = store.request().await?;
        if parts.status.is_success() {
            ticket.keep(store, &client, parts.status, &body).await
        } else {
            idempotency::let_go(&client, &ticket.claim).await
        }
    };
    if let Err(error) = settled.await {
        tracing::warn!("an answer is not kept for whoever asks again: {error}");
    }
    Response::from_parts(parts, Body::from(body))
}

/// Blind indexes of what names the request and of its body: neither is kept.
fn digests(app: &App, parts: &Parts, key: &str, body: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let keys = app.store.keys();
    let named = format!("{} {}\n{key}", parts.method, parts.uri);
    let body = BASE64.encode(Sha256::digest(body));
    let index = |sort, text: &str| keys.lasting_index_of_name(sort, text).into_bytes();
    (index("idempotency key", &named), index("idempotent body", &body))
}

fn row(claim: &Claim) -> Row<'_> {
    Row::Answer { client: claim.client, key: &claim.key }
}

fn other_body() -> Refusal {
    let msg = "This key was used with another request body";
    Refusal::of(Invalid::new(["header", "Idempotency-Key"], "idempotency_key_reused", msg))
}

fn replay(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
