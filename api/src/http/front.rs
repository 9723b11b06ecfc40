//! What happens to every request, whatever it is for: it gets a name, the router of its facade, the headers that every
//! answer has, and is counted. Until the database is there, only what is ours is answered.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use tower::Service as _;

use super::{
    App, email_verifier,
    failed::Failed,
    guard::Peer,
    health::{Health, alive},
    rate::Numbers,
    refusal::{Refusal, SOON},
    request_id::{RequestId, X_REQUEST_ID},
    routes::shape_of,
    shape::{Shape, answer},
};
use crate::metrics::{Limit, Metrics};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What Prometheus asks for.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where requests come in.
pub(crate) struct Front {
    /// Ours, and the facades once there is something to answer with.
    own: OnceLock<Router>,
    facades: OnceLock<Facades>,
    failed: Arc<Failed>,
    metrics: Arc<Metrics>,
    trusted_proxies: Vec<IpAddr>,
    health: Health,
    is_draining: AtomicBool,
}

/// A router for each.
struct Facades {
    app: Arc<App>,
    email_verifier: Router,
    relentless: Router,
    tasks: Router,
}

/// What stands of a request when its answer is there.
struct Told {
    began: Instant,
    shape: Shape,
    id: RequestId,
    method: Method,
    peer: IpAddr,
}

/// The pattern of the path, told from the router to the front.
#[derive(Clone)]
struct Route(MatchedPath);

impl Front {
    /// One that answers only what is ours. `failed`: the one of the [`App`] to come.
    pub(crate) fn new(failed: Arc<Failed>, metrics: Arc<Metrics>, trusted_proxies: Vec<IpAddr>) -> Arc<Self> {
        let front = Arc::new(Self {
            own: OnceLock::new(),
            facades: OnceLock::new(),
            failed,
            metrics,
            trusted_proxies,
            health: Health::default(),
            is_draining: AtomicBool::new(false),
        });
        let own = whole(own(), Shape::Ours).with_state(Arc::downgrade(&front));
        // Nobody else sets it.
        let _ = front.own.set(own);
        front
    }

    /// From now on, everything is answered.
    pub(crate) fn open(&self, app: &Arc<App>) {
        let facade = |router: Router<Arc<App>>, shape| whole(router, shape).with_state(app.clone());
        let facades = Facades {
            app: app.clone(),
            email_verifier: facade(email_verifier::router(app), Shape::EmailVerifier),
            relentless: facade(Router::new(), Shape::Relentless),
            tasks: facade(Router::new(), Shape::Tasks),
        };
        // A second time would change nothing.
        let _ = self.facades.set(facades);
    }

    /// From now on, whoever asks hears that others should be sent requests.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Relaxed);
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers a request that came from there. Never fails, and a panic of an endpoint costs that request alone.
    pub(crate) async fn answer(&self, mut request: Request, from: IpAddr) -> Response {
        let shape = shape_of(request.method(), request.uri(), request.headers());
        let told = Told {
            began: Instant::now(),
            shape,
            id: RequestId::of(request.headers()),
            method: request.method().clone(),
            peer: self.peer(from, request.headers()),
        };
        request.extensions_mut().insert(Peer(told.peer));
        request.extensions_mut().insert(told.id.clone());
        self.metrics.in_flight.inc();
        let answered = AssertUnwindSafe(self.route(shape, request)).catch_unwind().await;
        self.metrics.in_flight.dec();
        // Where it was is told by the hook of panics.
        let response = answered.unwrap_or_else(|_| shape.refuse(&Refusal::Internal));
        self.finish(&told, response)
    }

    async fn route(&self, shape: Shape, request: Request) -> Response {
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
    fn finish(&self, told: &Told, mut response: Response) -> Response {
        let numbers = response.extensions_mut().remove::<Numbers>();
        let numbers = numbers.unwrap_or_else(|| self.failed.numbers(told.peer));
        let route = response.extensions_mut().remove::<Route>();
        let route = route.as_ref().map_or("none", |Route(path)| path.as_str());
        let headers = response.headers_mut();
        numbers.write(headers, Timestamp::now());
        headers.insert(X_REQUEST_ID, told.id.header());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        let (took, status) = (told.began.elapsed(), response.status());
        let method = known(&told.method);
        self.metrics.answered(told.shape.word(), route, method, status.as_u16(), took);
        if let Some(limit) = limit_met(&response, numbers.is_of_address()) {
            self.metrics.met(limit);
        }
        tracing::info!(
            "{method} {route} ({}) {} in {:.1} ms, request {}",
            told.shape.word(),
            status.as_u16(),
            took.as_secs_f64() * 1000.0,
            told.id.as_str(),
        );
        response
    }

    /// Who asks: where the connection comes from a proxy of ours, whom the last of them names.
    fn peer(&self, from: IpAddr, headers: &HeaderMap) -> IpAddr {
        let from = from.to_canonical();
        if !self.trusted_proxies.contains(&from) {
            return from;
        }
        let mut named = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|name| name.trim().parse::<IpAddr>().map(|address| address.to_canonical()))
            .collect::<Vec<_>>();
        // What stands before a name that is none was written by nobody that we trust.
        while let Some(Ok(address)) = named.pop() {
            if !self.trusted_proxies.contains(&address) {
                return address;
            }
        }
        from
    }
}

/// A router that answers every path and method in the words of its facade.
fn whole<S: Clone + Send + Sync + 'static>(router: Router<S>, shape: Shape) -> Router<S> {
    router
        .layer(from_fn(tell_route))
        .fallback(async move || shape.refuse(&Refusal::NoRoute))
        .method_not_allowed_fallback(async move || shape.refuse(&Refusal::Method))
}

async fn tell_route(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(Route(path));
    }
    response
}

/// What is ours, whether there is a database or not.
fn own() -> Router<std::sync::Weak<Front>> {
    Router::new()
        .route("/openapi.json", get(async || answer(StatusCode::OK, &email_verifier::document())))
        .route("/healthz", get(async || alive()))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn ready(State(front): State<std::sync::Weak<Front>>) -> Response {
    let Some(front) = front.upgrade() else { return Shape::Ours.refuse(&Refusal::Unavailable(SOON)) };
    let store = front.facades.get().map(|facades| &facades.app.store);
    front.health.ready(store, front.is_draining.load(Relaxed)).await
}

async fn metrics(State(front): State<std::sync::Weak<Front>>) -> Response {
    let Some(front) = front.upgrade() else { return Shape::Ours.refuse(&Refusal::Unavailable(SOON)) };
    let store = front.facades.get().map(|facades| &facades.app.store);
    let mut response = Response::new(Body::from(front.metrics.text(store).await));
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

/// Which limit an answer tells of.
fn limit_met(response: &Response, is_of_address: bool) -> Option<Limit> {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS if is_of_address => Some(Limit::AddressRate),
        StatusCode::TOO_MANY_REQUESTS => Some(Limit::KeyRate),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Limit::BodySize),
        StatusCode::REQUEST_TIMEOUT => Some(Limit::BodyTime),
        _ => None,
    }
}
