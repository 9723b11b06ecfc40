//! A request that has come: what the front knows of it, and what is learned of it on its way to an endpoint. One for all who
//! handle it.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::extract::{MatchedPath, Request};

use super::{peer::Peer, rate::Numbers, request_id::RequestId, shape::Shape};

/// See the module.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// When it came.
    pub(crate) at: Instant,
    /// From where.
    pub(super) from: Peer,
    /// Its name.
    pub(crate) id: RequestId,
    /// In whose words it is answered.
    pub(super) shape: Shape,
    /// As a label.
    pub(super) method: &'static str,
    /// The pattern of its path, once an endpoint is reached.
    route: OnceLock<MatchedPath>,
    /// The rate of whose key it shows.
    numbers: OnceLock<Numbers>,
}

/// As requests carry it.
pub(crate) type Arrived = Arc<Arrival>;

impl Arrival {
    /// One that has just come.
    pub(super) fn new(from: Peer, id: RequestId, shape: Shape, method: &'static str) -> Arrived {
        let (route, numbers) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { at: Instant::now(), from, id, shape, method, route, numbers })
    }

    /// Notes that a request has reached an endpoint; none: it did not come by the front.
    pub(super) fn reach(request: &Request) -> Option<&Arrived> {
        let arrived: &Arrived = request.extensions().get()?;
        if let Some(route) = request.extensions().get::<MatchedPath>() {
            // It reaches no second one.
            let _ = arrived.route.set(route.clone());
        }
        Some(arrived)
    }

    /// Notes how many requests of the caller may still come.
    pub(super) fn count(&self, numbers: Numbers) {
        // They are counted once.
        let _ = self.numbers.set(numbers);
    }

    /// The pattern of its path, as a label.
    pub(super) fn route(&self) -> &str {
        self.route.get().map_or("none", MatchedPath::as_str)
    }

    /// The rate of the caller, where he has shown whose key he has.
    pub(super) fn numbers(&self) -> Option<&Numbers> {
        self.numbers.get()
    }
}
