//! Which facade a request is for. Three products are served on one listener, and two of them have the same paths. Of the
//! one path that both have, it is the tasks' where a key of theirs is shown as they show it: whoever shows another key so,
//! means the Email Verifier and is told by what header to show it. At a name that is one product's own, all is for that
//! product but what is ours.

use axum::http::{HeaderMap, Method, Uri};

use super::{
    guard::{API_KEY, X_API_KEY, bearer, shown},
    hosts::Hosts,
    shape::Shape,
};
use crate::access::Facade;

/// What tasks' own paths begin with.
const OF_TASKS: [&str; 5] =
    ["/api/v1/tasks", "/api/v1/credits", "/api/v1/metrics", "/api/v1/api-keys", "/api/v1/verify/stream"];

/// The path that both have.
const VERIFY: &str = "/api/v1/verify";

/// What is ours at every name; below these, too.
const OURS: [&str; 9] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/openapi",
    "/api/reference",
    "/docs",
    "/llms.txt",
    "/llms-full.txt",
];

/// Whose a request is.
pub(super) fn shape_of(hosts: &Hosts, method: &Method, uri: &Uri, headers: &HeaderMap) -> Shape {
    let path = uri.path();
    if let Some(facade) = hosts.facade(uri, headers) {
        let is_ours = OURS.iter().any(|ours| is_within(path, ours));
        return if is_ours { Shape::Ours } else { Shape::of(facade) };
    }
    if is_within(path, "/client") {
        Shape::Relentless
    } else if !is_within(path, "/api/v1") {
        Shape::Ours
    } else if OF_TASKS.iter().any(|of_tasks| is_within(path, of_tasks))
        || (path == VERIFY && method == Method::POST && shows_tasks_key(headers))
    {
        Shape::Tasks
    } else {
        Shape::EmailVerifier
    }
}

/// The path, or below it.
fn is_within(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A key of tasks where they show it, and none of Email Verifier.
fn shows_tasks_key(headers: &HeaderMap) -> bool {
    let is_theirs = |key: Option<&str>| key.is_some_and(|key| key.starts_with(Facade::Tasks.prefix()));
    !headers.contains_key(API_KEY) && (is_theirs(bearer(headers)) || is_theirs(shown(headers, &X_API_KEY)))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn of(request: &str, headers: &[(&'static str, &'static str)]) -> Shape {
        at(&Hosts::default(), request, headers)
    }

    fn at(hosts: &Hosts, request: &str, headers: &[(&'static str, &'static str)]) -> Shape {
        let (method, path) = request.split_once(' ').unwrap();
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers = headers.iter().map(header).collect();
        shape_of(hosts, &method.parse().unwrap(), &path.parse().unwrap(), &headers)
    }

    #[test]
    fn each_path_has_one_facade() {
        for (request, shape) in [
            ("GET /client/token", Shape::Relentless),
            ("GET /clients", Shape::Ours),
            ("GET /api/v1/tasks/7/jobs?limit=1", Shape::Tasks),
            ("GET /api/v1/tasksx", Shape::EmailVerifier),
            ("GET /api/v1/verify/stream/sse", Shape::Tasks),
            ("POST /api/v1/verify", Shape::EmailVerifier),
            ("POST /api/v1/verify/batch", Shape::EmailVerifier),
            ("GET /api/v1/", Shape::EmailVerifier),
            ("GET /api/v1", Shape::EmailVerifier),
            ("GET /api/v2/verify", Shape::Ours),
            ("GET /healthz", Shape::Ours),
            ("GET /", Shape::Ours),
        ] {
            assert_eq!(of(request, &[]), shape, "{request}");
        }
    }

    #[test]
    fn of_the_path_that_two_have_the_key_decides() {
        let post = "POST /api/v1/verify";
        for (headers, shape) in [
            (&[("authorization", "Bearer sk_live_x")][..], Shape::Tasks),
            (&[("authorization", "bearer  sk_live_x")], Shape::Tasks),
            (&[("x-api-key", "sk_live_x")], Shape::Tasks),
            (&[("authorization", "Bearer ev_live_x")], Shape::EmailVerifier),
            (&[("authorization", "Bearer relid_pat_x")], Shape::EmailVerifier),
            (&[("authorization", "sk_live_x")], Shape::EmailVerifier),
            (&[("api-key", "ev_live_x"), ("authorization", "Bearer sk_live_x")], Shape::EmailVerifier),
        ] {
            assert_eq!(of(post, headers), shape, "{headers:?}");
        }
        let bearer = [("authorization", "Bearer sk_live_x")];
        assert_eq!(of("POST /api/v1/verify/batch", &bearer), Shape::EmailVerifier);
    }

    #[test]
    fn at_a_name_of_its_own_everything_is_a_products_but_what_is_ours() {
        let config = toml::from_str("tasks = 'tasks.example.org'\nrelentless = 'api.example.org'").unwrap();
        let hosts = Hosts::new(&config);
        for (request, host, shape) in [
            ("POST /api/v1/verify", "tasks.example.org", Shape::Tasks),
            ("GET /client/token", "tasks.example.org:80", Shape::Tasks),
            ("GET /", "tasks.example.org", Shape::Tasks),
            ("GET /client/token", "api.example.org", Shape::Relentless),
            ("POST /api/v1/verify", "api.example.org", Shape::Relentless),
            ("POST /api/v1/verify", "example.org", Shape::EmailVerifier),
            ("GET /client/token", "example.org", Shape::Relentless),
        ] {
            assert_eq!(at(&hosts, request, &[("host", host)]), shape, "{request} at {host}");
        }
        for ours in OURS {
            assert_eq!(at(&hosts, &format!("GET {ours}"), &[("host", "api.example.org")]), Shape::Ours);
        }
        assert_eq!(at(&hosts, "GET /docs/jobs.md", &[("host", "api.example.org")]), Shape::Ours);
    }
}
