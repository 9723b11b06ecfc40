//! Endpoints as routers hold them: each notes that a request has reached it, for the front. That is all that an open one
//! does; others are [`guarded`](super::guarded). A wrapped handler, and no layer: a layer costs each request two boxed
//! futures and the copy of a router.

use std::pin::Pin;

use axum::{extract::Request, handler::Handler, response::Response};

use super::arrival::Arrival;

/// The answer of an endpoint, when it is there.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// An endpoint for everybody.
#[derive(Clone)]
pub(super) struct Open<E>(E);

/// Opens an endpoint to everybody.
pub(super) fn open<E>(endpoint: E) -> Open<E> {
    Open(endpoint)
}

impl<E: Handler<T, S>, T, S: Send + 'static> Handler<T, S> for Open<E> {
    type Future = Answering;

    fn call(self, request: Request, state: S) -> Answering {
        Arrival::reach(&request);
        Box::pin(self.0.call(request, state))
    }
}
