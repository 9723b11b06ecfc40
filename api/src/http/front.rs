//! What happens to every request, whatever it is for: it gets a name, the router of its facade, the headers that every
//! answer has, and is counted. Until the database is there, only what is ours is answered.

use std::{
    borrow::Cow,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::Response,
    routing::get,
};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use tower::Service as _;

use super::{
    App, HttpConfig,
    arrival::{Arrival, Arrived},
    document::{document, document_for, path_of},
    email_verifier,
    endpoint::open,
    failed::Failed,
    head,
    health::{Health, alive},
    hosts::Hosts,
    manual,
    ongoing::Ongoing,
    peer::Proxies,
    reference,
    refusal::{Refusal, SOON},
    relentless,
    request_id::{RequestId, X_REQUEST_ID},
    routes::shape_of,
    shape::Shape,
    tasks,
};
use crate::{
    access::Facade,
    metrics::{Limit, Metrics},
    store::Shared,
};

/// As what a request is counted whose client did not wait for the answer: what proxies call it too.
const CLIENT_GONE: u16 = 499;

/// What Prometheus asks for.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where requests come in.
pub(crate) struct Front {
    /// Ours, and the facades once there is something to answer with.
    own: OnceLock<Router>,
    facades: OnceLock<Facades>,
    store: OnceLock<Shared>,
    failed: Arc<Failed>,
    metrics: Arc<Metrics>,
    proxies: Proxies,
    hosts: Hosts,
    health: Health,
    ongoing: Ongoing,
    is_draining: AtomicBool,
}

/// A router for each.
struct Facades {
    email_verifier: Router,
    relentless: Router,
    tasks: Router,
}

/// A request that is being answered. One that is dropped has a client who is gone.
struct UnderWay<'f> {
    front: &'f Front,
    arrived: Arrived,
    is_answered: bool,
}

impl<'f> UnderWay<'f> {
    fn new(front: &'f Front, arrived: Arrived) -> Self {
        front.metrics.in_flight.inc();
        Self { front, arrived, is_answered: false }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.front.metrics.in_flight.dec();
        if !self.is_answered {
            self.front.count(&self.arrived, CLIENT_GONE);
        }
    }
}

impl Front {
    /// One that answers only what is ours. `failed`: the one of the [`App`] to come.
    pub(crate) fn new(failed: Arc<Failed>, metrics: Arc<Metrics>, config: &HttpConfig) -> Arc<Self> {
        let front = Arc::new(Self {
            own: OnceLock::new(),
            facades: OnceLock::new(),
            store: OnceLock::new(),
            failed,
            metrics,
            proxies: Proxies::new(&config.trusted_proxies),
            hosts: Hosts::new(&config.hosts),
            health: Health::default(),
            ongoing: Ongoing::default(),
            is_draining: AtomicBool::new(false),
        });
        let own = whole(own(), Shape::Ours).with_state(Arc::downgrade(&front));
        // Nobody else sets it.
        let _ = front.own.set(own);
        front
    }

    /// From now on, who watches hears how the store is. Where that is all, the facades stay closed.
    pub(crate) fn know(&self, store: &Shared) {
        // A second time would change nothing.
        let _ = self.store.set(store.clone());
    }

    /// From now on, everything is answered.
    pub(crate) fn open(&self, app: &Arc<App>) {
        let facade = |router: Router<Arc<App>>, shape| whole(router, shape).with_state(app.clone());
        let facades = Facades {
            email_verifier: facade(email_verifier::router(), Shape::EmailVerifier),
            relentless: facade(relentless::router(), Shape::Relentless),
            tasks: facade(tasks::router(), Shape::Tasks),
        };
        // A second time would change nothing.
        let _ = self.facades.set(facades);
        // Only now: whoever hears that we are ready is answered.
        self.know(&app.store);
    }

    /// From now on, whoever asks hears that others should be sent requests.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Relaxed);
    }

    /// What goes on of requests when their clients have gone: for the [`App`] to come.
    pub(crate) fn ongoing(&self) -> &Ongoing {
        &self.ongoing
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers a request that came from there. Never fails, and a panic of an endpoint costs that request alone.
    pub(crate) async fn answer(&self, mut request: Request, from: IpAddr) -> Response {
        let shape = shape_of(&self.hosts, request.method(), request.uri(), request.headers());
        let from = self.proxies.peer(from, request.headers());
        let arrived = Arrival::new(from, RequestId::of(request.headers()), shape, known(request.method()));
        request.extensions_mut().insert(arrived.clone());
        let mut under_way = UnderWay::new(self, arrived);
        let answered = AssertUnwindSafe(self.route(shape, request)).catch_unwind().await;
        under_way.is_answered = true;
        // Where it was is told by the hook of panics.
        let response = answered.unwrap_or_else(|_| shape.refuse(&Refusal::Internal));
        self.finish(&under_way.arrived, response)
    }

    async fn route(&self, shape: Shape, request: Request) -> Response {
        if let Some(refusal) = head::refusal(&request) {
            return shape.refuse(&refusal);
        }
        let router = match shape {
            Shape::Ours => self.own.get(),
            _ => self.facades.get().map(|facades| match shape {
                Shape::Relentless => &facades.relentless,
                Shape::Tasks => &facades.tasks,
                Shape::EmailVerifier | Shape::Ours => &facades.email_verifier,
            }),
        };
        match router {
            Some(router) => router.clone().call(request).await.unwrap_or_else(|never| match never {}),
            None => shape.refuse(&Refusal::Unavailable(SOON)),
        }
    }

    /// Writes the headers that every answer has, and counts it.
    fn finish(&self, arrived: &Arrival, mut response: Response) -> Response {
        let of_address = || Cow::Owned(self.failed.numbers(arrived.from.0));
        let numbers = arrived.numbers().map_or_else(of_address, Cow::Borrowed);
        let headers = response.headers_mut();
        numbers.write(headers, Timestamp::now());
        headers.insert(X_REQUEST_ID, arrived.id.header());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if let Some(limit) = limit_met(&response, numbers.is_of_address()) {
            self.metrics.met(limit);
        }
        self.count(arrived, response.status().as_u16());
        response
    }

    fn count(&self, arrived: &Arrival, status: u16) {
        let (shape, route, method) = (arrived.shape.word(), arrived.route(), arrived.method);
        let took = arrived.at.elapsed();
        self.metrics.answered(shape, route, method, status, took);
        // Not made where nobody reads it.
        tracing::info!(
            "{method} {route} ({shape}) {status} in {:.1} ms, request {}",
            took.as_secs_f64() * 1000.0,
            arrived.id.for_log(),
        );
    }
}

/// A router that answers every path and method in the words of its facade.
fn whole<S: Clone + Send + Sync + 'static>(router: Router<S>, shape: Shape) -> Router<S> {
    router
        .fallback(async move || shape.refuse(&Refusal::NoRoute))
        .method_not_allowed_fallback(async move || shape.refuse(&Refusal::Method))
}

/// What is ours, whether there is a database or not.
fn own() -> Router<std::sync::Weak<Front>> {
    let mut own = Router::new();
    for facade in Facade::ALL {
        let of_facade = async move |headers: HeaderMap| document_for(facade, headers).await;
        own = own
            .route(&path_of(facade), get(open(of_facade)))
            .route(&reference::source_of(facade), get(open(of_facade)));
    }
    own.route("/openapi.json", get(open(document)))
        .route(reference::REFERENCE, get(open(reference::page)))
        .route(reference::SCALAR, get(open(reference::scalar)))
        .route(reference::START, get(open(reference::start)))
        .route(reference::DOCUMENT, get(open(document)))
        .route(manual::DOCS, get(open(manual::index)))
        .route(manual::FOLDER, get(open(manual::index)))
        .route(manual::PAGE, get(open(manual::page)))
        .route(manual::LLMS, get(open(manual::llms)))
        .route(manual::LLMS_FULL, get(open(manual::llms_full)))
        .route("/healthz", get(open(async || alive())))
        .route("/readyz", get(open(ready)))
        .route("/metrics", get(open(metrics)))
}

async fn ready(State(front): State<std::sync::Weak<Front>>) -> Response {
    let Some(front) = front.upgrade() else { return Shape::Ours.refuse(&Refusal::Unavailable(SOON)) };
    front.health.ready(front.store.get(), front.is_draining.load(Relaxed)).await
}

async fn metrics(State(front): State<std::sync::Weak<Front>>) -> Response {
    let Some(front) = front.upgrade() else { return Shape::Ours.refuse(&Refusal::Unavailable(SOON)) };
    let mut response = Response::new(Body::from(front.metrics.text(front.store.get()).await));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
    response
}

/// The method as a label: of those that nobody knows, there are as many as somebody likes.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Which limit an answer tells of: what its endpoint says, or else its status.
fn limit_met(response: &Response, is_of_address: bool) -> Option<Limit> {
    if let Some(limit) = response.extensions().get() {
        return Some(*limit);
    }
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS if is_of_address => Some(Limit::AddressRate),
        StatusCode::TOO_MANY_REQUESTS => Some(Limit::KeyRate),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Limit::BodySize),
        StatusCode::REQUEST_TIMEOUT => Some(Limit::BodyTime),
        _ => None,
    }
}
