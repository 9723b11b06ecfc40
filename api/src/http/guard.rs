//! Who may pass, before an endpoint sees a request. In this order: the address's failures, the key, its client, its scope,
//! its rate, and then what was answered to the same request before. What is wrong with the request itself comes after
//! that, and is the endpoint's to say.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, Method, header::AUTHORIZATION, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use super::{App, idempotency, peer::Peer, rate::Numbers, refusal::Refusal, shape::Shape};
use crate::access::{Access, Denied, Facade, Scope};

/// The header of Email Verifier keys.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// The other header of tasks keys.
pub(super) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Longer keys are nobody's.
const KEY_OCTETS_MAX: usize = 256;

/// What an endpoint asks of its callers.
#[derive(Clone)]
struct Guard {
    app: Arc<App>,
    facade: Facade,
    scopes: &'static [Scope],
}

/// The methods of a path, for who has a key of this facade with one of these scopes. Other methods are refused before
/// anybody is asked for a key.
pub(crate) fn guarded(
    app: &Arc<App>,
    facade: Facade,
    scopes: &'static [Scope],
    methods: MethodRouter<Arc<App>>,
) -> MethodRouter<Arc<App>> {
    let guard = Guard { app: app.clone(), facade, scopes };
    methods.route_layer(from_fn_with_state(guard, pass))
}

async fn pass(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let shape = Shape::of(guard.facade);
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let (access, numbers) = match guard.admit(request.headers(), peer).await {
        Ok(admitted) => admitted,
        Err((refusal, numbers)) => {
            let mut response = shape.refuse(&refusal);
            if let Some(numbers) = numbers {
                response.extensions_mut().insert(numbers);
            }
            return response;
        }
    };
    request.extensions_mut().insert(Caller(access));
    let mut response = if request.method() == Method::POST {
        idempotency::answer(&guard.app, shape, request, next).await
    } else {
        next.run(request).await
    };
    response.extensions_mut().insert(numbers);
    response
}

impl Guard {
    /// Whose request it is, and how many more may come.
    async fn admit(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<(Arc<Access>, Numbers), (Refusal, Option<Numbers>)> {
        if let Some(wait) = peer.and_then(|peer| self.app.failed.wait(peer)) {
            return Err((Refusal::RateLimited(wait), None));
        }
        let presented = presented(self.facade, headers);
        let access = self.identify(presented).await.inspect_err(|refusal| {
            if is_failure(refusal)
                && let Some(peer) = peer
            {
                self.app.failed.count(peer);
            }
        });
        let access = access.map_err(|refusal| (refusal, None))?;
        if !self.scopes.iter().any(|scope| access.may(*scope)) {
            let needed = self.scopes.first().map_or("", |scope| scope.word());
            let (Ok(numbers) | Err((_, numbers))) = self.app.limiter.take(access.key);
            return Err((Refusal::Scope(needed), Some(numbers)));
        }
        match self.app.limiter.take(access.key) {
            Ok(numbers) => Ok((access, numbers)),
            Err((wait, numbers)) => Err((Refusal::RateLimited(wait), Some(numbers))),
        }
    }

    async fn identify(&self, presented: Option<&str>) -> Result<Arc<Access>, Refusal> {
        let presented = presented.ok_or(Refusal::MissingKey)?;
        if presented.len() > KEY_OCTETS_MAX {
            return Err(Refusal::InvalidKey);
        }
        self.app.directory.admit(presented, self.facade).await.map_err(|denied| match denied {
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
