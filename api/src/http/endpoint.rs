//! Endpoints as routers hold them. With its answer, each tells the front by which route it was reached. That is all that
//! an open one does; others are [`guarded`](super::guarded). A wrapped handler, and no layer: a layer costs each request
//! two boxed futures and the copy of a router.

use std::pin::Pin;

use axum::{
    extract::{MatchedPath, Request},
    handler::Handler,
    response::Response,
};

use super::rate::Numbers;

/// The answer of an endpoint, when it is there.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What an endpoint tells the front of a request.
#[derive(Clone, Default)]
pub(super) struct Reached {
    /// The pattern of the path.
    pub(super) route: Option<MatchedPath>,
    /// The rate of the caller, where there is one.
    pub(super) numbers: Option<Numbers>,
}

impl Reached {
    /// What is known as soon as a request has come.
    pub(super) fn by(request: &Request) -> Self {
        Self { route: request.extensions().get().cloned(), numbers: None }
    }

    /// Tells it.
    pub(super) fn tell(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

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
        let reached = Reached::by(&request);
        let answering = self.0.call(request, state);
        Box::pin(async move { reached.tell(answering.await) })
    }
}
