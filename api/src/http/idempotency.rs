//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): whoever sends a request again, with the same key and
//! the same body, gets the answer of the first time and nothing is done twice.
//!
//! Answers of success are kept for a day. What failed has done nothing: with the same key it is tried anew. A request with
//! a key goes on when its client goes away, since that one will come back for the answer.
//!
//! What is known of a key comes before what is wrong with the body, whose size and media type are looked at by the endpoint.
//!
//! A key is claimed before its request is read, and of the body a digest is taken while the endpoint reads it. Whether
//! another body is the same is known when the first is answered: until then, any other request with the key has to wait.
//! Forms are the same whose parts are, octet by octet and in their order: what separates them is drawn anew each time.

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
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    App, body,
    digested::{Digest, Digested, Whole},
    guard::Caller,
    invalid::Invalid,
    refusal::Refusal,
    shape::Shape,
};
use crate::{
    jobs::person,
    store::{
        Store, StoreError,
        idempotency::{self, Answer, Claim, Claimed},
        keys::{Keyring, Row},
    },
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Characters of a key.
const KEY_MAX: usize = 255;

/// How long one request may be read and worked at: twice as long as any that is answered at once. One that was cut off by
/// the end of its process can be repeated after that.
const WORK_MAX: Duration = Duration::from_mins(2);

/// The pause before the second try to keep an answer, or to give up a key: a connection that has just broken may be the
/// next one that is taken.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// How long an answer is given again.
const KEPT: Duration = Duration::from_hours(24);

/// A key that this request has, for endpoints that keep their answer with what they do.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    claim: Claim,
    body: Whole,
    /// The answer went to where it is kept with what is done.
    is_given: Arc<AtomicBool>,
}

impl Ticket {
    /// The answer of a success, to be kept in the transaction of what is done: both are, or none. The endpoint has read its
    /// request, and sends this.
    ///
    /// # Errors
    /// A fault of the endpoint: it has not read all of it.
    pub(crate) fn answer(
        &self,
        keys: &Keyring,
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Answer, StoreError> {
        let body = serde_json::to_vec(body).map_err(|error| StoreError::Refused(error.to_string().into()))?;
        let answer = self.sealed(keys, status, &body)?;
        self.is_given.store(true, Relaxed);
        Ok(answer)
    }

    fn sealed(&self, keys: &Keyring, status: StatusCode, body: &[u8]) -> Result<Answer, StoreError> {
        let unread = || StoreError::Refused("a request was answered before it was read".into());
        let request = index_of_body(keys, &self.body.digest().ok_or_else(unread)?);
        let Claim { client, key, .. } = &self.claim;
        Ok(Answer {
            request,
            status: status.as_u16(),
            sealed: keys.seal(Row::Answer { client: *client, key }, body),
            tokens: tokens(keys, *client, body),
            time: KEPT,
            claim: self.claim.clone(),
        })
    }
}

/// By which people are found in an answer who want to be forgotten: every text of it that may be an address.
fn tokens(keys: &Keyring, client: Uuid, body: &[u8]) -> Vec<u8> {
    fn gather<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
        match value {
            Value::String(text) if text.contains('@') => texts.push(text),
            Value::Array(list) => list.iter().for_each(|value| gather(value, texts)),
            Value::Object(fields) => fields.values().for_each(|value| gather(value, texts)),
            _ => {}
        }
    }
    let (value, mut texts) = (serde_json::from_slice(body).unwrap_or_default(), Vec::new());
    gather(&value, &mut texts);
    person::tokens(keys, client, texts.into_iter())
}

/// `Option<Ticket>` in an endpoint: none where the client sent no key.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Ticket {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Answers a request by what comes next, or gives the answer of the last time.
pub(super) async fn answer<F: Future<Output = Response> + Send + 'static>(
    app: &Arc<App>,
    shape: Shape,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let Some(key) = request.headers().get(&KEY) else { return next(request).await };
    let answered = match named(key) {
        // Apart from the others, whose futures would all have the room of this one.
        Ok(key) => Box::pin(answer_once(app, shape, key, request, next)).await,
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

async fn answer_once<F: Future<Output = Response> + Send + 'static>(
    app: &Arc<App>,
    shape: Shape,
    key: String,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Result<Response, Refusal> {
    let client = match request.extensions().get::<Caller>() {
        Some(Caller(access)) => access.client,
        None => return Err(Refusal::Internal),
    };
    let (parts, mut body) = request.into_parts();
    let key = index_of_key(app.store.keys(), &parts, &key);
    let connection = app.store.request().await?;
    let claimed = idempotency::claim(&connection, client, &key, WORK_MAX).await?;
    // Others may need it while this request is worked at.
    drop(connection);
    match claimed {
        Claimed::Ours(claim) => {
            let (body, whole) = Digested::of(&parts.headers, body);
            let ticket = Ticket { claim, body: whole, is_given: Arc::default() };
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(ticket.clone());
            Ok(work(app, shape, ticket, next(request)).await)
        }
        Claimed::Running => {
            body::read_rest(&mut body).await;
            Err(Refusal::InProgress)
        }
        Claimed::Answered { request, status, sealed } => {
            let digest = body::digest(&parts.headers, body).await?;
            if index_of_body(app.store.keys(), &digest) != request {
                return Err(other_body());
            }
            let answered = app.store.keys().open(Row::Answer { client, key: &key }, &sealed);
            Ok(replay(status, answered.map_err(StoreError::from)?))
        }
    }
}

/// Does what is asked for, to the end.
async fn work(
    app: &Arc<App>,
    shape: Shape,
    ticket: Ticket,
    answering: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let (store, begun) = (app.store.clone(), app.ongoing.begin());
    let worked = tokio::spawn(async move {
        let _begun = begun;
        // A panic is told where it happens; what was claimed is given up here.
        let response = match tokio::spawn(answering).await {
            Ok(response) => response,
            Err(_) => shape.refuse(&Refusal::Internal),
        };
        if ticket.is_given.load(Relaxed) && response.status().is_success() {
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
    let mut settled = try_settle(store, ticket, parts.status, &body).await;
    // What broke under the request may not have been noticed yet.
    if let Err(StoreError::Away(_)) = settled {
        sleep(SETTLE_PAUSE).await;
        settled = try_settle(store, ticket, parts.status, &body).await;
    }
    if let Err(error) = settled {
        tracing::warn!("an answer is not kept for whoever asks again: {error}");
    }
    Response::from_parts(parts, Body::from(body))
}

async fn try_settle(
    store: &Store,
    ticket: &Ticket,
    status: StatusCode,
    body: &[u8],
) -> Result<(), StoreError> {
    let client = store.request().await?;
    if status.is_success() {
        idempotency::keep(&client, &ticket.sealed(store.keys(), status, body)?).await
    } else {
        idempotency::let_go(&client, &ticket.claim).await
    }
}

/// A blind index of what names a request: it is not kept itself.
fn index_of_key(keys: &Keyring, parts: &Parts, key: &str) -> Vec<u8> {
    let named = format!("{} {}\n{key}", parts.method, parts.uri);
    keys.lasting_index_of_name("idempotency key", &named).into_bytes()
}

/// The same of a body, so that nobody can try which one it was.
fn index_of_body(keys: &Keyring, digest: &Digest) -> Vec<u8> {
    keys.lasting_index_of_name("idempotent body", &BASE64.encode(digest)).into_bytes()
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

#[cfg(test)]
mod tests {
    use mailsonde_engine::Address;

    use super::*;
    use crate::store::testing::keys;

    const CLIENT: Uuid = Uuid::from_u128(1);

    #[test]
    fn people_are_found_wherever_they_stand_in_an_answer() {
        let body =
            br#"{"email":" Jane@EXAMPLE.com","results":[{"address":"\u006aoe@example.com"}],"id":"7"}"#;
        let found = tokens(&keys(), CLIENT, body);
        assert_eq!(found.len(), 16);
        for local in ["jane", "joe"] {
            let of = person::tokens_of(&keys(), CLIENT, &Address::new(local, "example.com"));
            assert!(found.chunks_exact(8).any(|token| token == of[0]), "{local}");
        }
        for nobody in [&br#"{"email":null,"job_id":"7"}"#[..], b"", b"no JSON"] {
            assert!(tokens(&keys(), CLIENT, nobody).is_empty());
        }
    }
}
