//! Who may pass, before an endpoint sees a request. In this order: the address's failures, the key, its client, its scope,
//! its rate, and then what was answered to the same request before. What is wrong with the request itself comes after
//! that, and is the endpoint's to say.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request},
    handler::Handler,
    http::{HeaderMap, HeaderName, Method, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};

use super::{
    App, arrival::Arrival, endpoint::Answering, idempotency, rate::Numbers, refusal::Refusal, shape::Shape,
};
use crate::access::{Access, Denied, Facade, Scope};

/// The header of Email Verifier keys.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// The other header of tasks keys.
pub(super) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Longer keys are nobody's.
const KEY_OCTETS_MAX: usize = 256;

/// An endpoint that is guarded.
#[derive(Clone)]
pub(crate) struct Guarded<E> {
    guard: Guard,
    endpoint: E,
}

/// What an endpoint asks of its callers.
#[derive(Clone, Copy)]
struct Guard {
    facade: Facade,
    scopes: &'static [Scope],
}

/// An endpoint for who has a key of this facade with one of these scopes.
pub(crate) fn guarded<E>(facade: Facade, scopes: &'static [Scope], endpoint: E) -> Guarded<E> {
    Guarded { guard: Guard { facade, scopes }, endpoint }
}

impl<E: Handler<T, Arc<App>>, T> Handler<T, Arc<App>> for Guarded<E> {
    type Future = Answering;

    fn call(self, request: Request, app: Arc<App>) -> Answering {
        let Self { guard, endpoint } = self;
        Box::pin(async move {
            let arrived = Arrival::reach(&request).cloned();
            let from = arrived.as_ref().map(|arrived| arrived.from.0);
            let (admitted, numbers) = guard.admit(&app, request.headers(), from).await;
            if let (Some(arrived), Some(numbers)) = (arrived, numbers) {
                arrived.count(numbers);
            }
            match admitted {
                Ok(access) => guard.pass(access, endpoint, request, app).await,
                Err(refusal) => Shape::of(guard.facade).refuse(&refusal),
            }
        })
    }
}

impl Guard {
    /// The answer to whoever is let in.
    async fn pass<E: Handler<T, Arc<App>>, T>(
        self,
        access: Arc<Access>,
        endpoint: E,
        mut request: Request,
        app: Arc<App>,
    ) -> Response {
        request.extensions_mut().insert(Caller(access));
        if request.method() == Method::POST {
            let next = |request| endpoint.call(request, app.clone());
            idempotency::answer(&app, Shape::of(self.facade), request, next).await
        } else {
            endpoint.call(request, app).await
        }
    }

    /// Whose request it is, and how many more may come.
    async fn admit(
        self,
        app: &App,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> (Result<Arc<Access>, Refusal>, Option<Numbers>) {
        if let Some(wait) = peer.and_then(|peer| app.failed.wait(peer)) {
            return (Err(Refusal::RateLimited(wait)), None);
        }
        let presented = presented(self.facade, headers);
        let access = self.identify(app, presented).await.inspect_err(|refusal| {
            if is_failure(refusal)
                && let Some(peer) = peer
            {
                app.failed.count(peer);
            }
        });
        let access = match access {
            Ok(access) => access,
            Err(refusal) => return (Err(refusal), None),
        };
        let taken = app.limiter.take(access.key);
        let admitted = if !self.scopes.iter().any(|scope| access.may(*scope)) {
            Err(Refusal::Scope(self.scopes.first().map_or("", |scope| scope.word())))
        } else if let Err((wait, _)) = taken {
            Err(Refusal::RateLimited(wait))
        } else {
            Ok(access)
        };
        let (Ok(numbers) | Err((_, numbers))) = taken;
        (admitted, Some(numbers))
    }

    async fn identify(self, app: &App, presented: Option<&str>) -> Result<Arc<Access>, Refusal> {
        let presented = presented.ok_or(Refusal::MissingKey)?;
        if presented.len() > KEY_OCTETS_MAX {
            return Err(Refusal::InvalidKey);
        }
        app.directory.admit(presented, self.facade).await.map_err(|denied| match denied {
            Denied::Invalid => Refusal::InvalidKey,
            Denied::Revoked => Refusal::RevokedKey,
            Denied::Expired => Refusal::ExpiredKey,
            Denied::ClientInactive => Refusal::ClientInactive,
            Denied::Store(error) => error.into(),
        })
    }
}

/// What the client shows, where its facade looks for it.
fn presented(facade: Facade, headers: &HeaderMap) -> Option<&str> {
    let presented = match facade {
        Facade::EmailVerifier => shown(headers, &API_KEY),
        Facade::Relentless => bearer(headers),
        Facade::Tasks => bearer(headers).or_else(|| shown(headers, &X_API_KEY)),
    };
    presented.filter(|key| !key.is_empty())
}

/// The key of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = shown(headers, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// What a header says. What is no text is nobody's.
pub(super) fn shown<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}").trim())
}

/// Whether somebody showed a key that lets nobody in, which is counted for where he is: else whoever goes on with an old
/// key would be limited by nothing. Who shows none guesses nothing.
fn is_failure(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::InvalidKey | Refusal::RevokedKey | Refusal::ExpiredKey | Refusal::ClientInactive
    )
}

/// Whose request it is: for endpoints that are guarded.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Arc<Access>);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Unguarded;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Unguarded> {
        parts.extensions.get::<Self>().cloned().ok_or(Unguarded)
    }
}

/// An endpoint that wants to know its caller, and is not guarded: a fault of ours.
#[derive(Debug)]
pub(crate) struct Unguarded;

impl IntoResponse for Unguarded {
    fn into_response(self) -> Response {
        tracing::error!("an endpoint asks for its caller and is not guarded");
        Shape::Ours.refuse(&Refusal::Internal)
    }
}
