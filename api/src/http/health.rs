//! `/healthz`: the process is alive. `/readyz`: it can do its work now; if not, what is in the way.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::shape::answer;
use crate::{
    store::{
        Shared, StoreError,
        condition::{self, Condition},
    },
    webhooks::CLOCK_MAX,
};

/// How long an answer is good for, so that nobody can keep the database busy with this question.
const FRESH: Duration = Duration::from_secs(1);

/// How long the database may take to say how it is.
const LOOK_MAX: Duration = Duration::from_millis(1500);

/// What is in the way: a word, and why.
type Obstacles = BTreeMap<&'static str, String>;

/// How the process is.
#[derive(Default)]
pub(super) struct Health {
    last: Mutex<Option<(Instant, Obstacles)>>,
}

/// The process is alive: it answers.
pub(super) fn alive() -> Response {
    answer(StatusCode::OK, &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

impl Health {
    /// Whether it can do its work. `store`: none until it was opened.
    pub(super) async fn ready(&self, store: Option<&Shared>, is_draining: bool) -> Response {
        let mut obstacles = match store {
            None => Obstacles::from([("database", "it is waited for".to_owned())]),
            Some(store) => self.obstacles(store).await,
        };
        if is_draining {
            obstacles.insert("process", "it is about to end".to_owned());
        }
        if obstacles.is_empty() {
            return answer(StatusCode::OK, &json!({ "status": "ready" }));
        }
        not_ready(&obstacles)
    }

    async fn obstacles(&self, store: &Shared) -> Obstacles {
        // One looks; others wait for what it sees.
        let mut last = self.last.lock().await;
        match &*last {
            Some((seen, obstacles)) if seen.elapsed() < FRESH => obstacles.clone(),
            _ => {
                let obstacles = match timeout(LOOK_MAX, look(store)).await {
                    Ok(seen) => weigh(seen, Timestamp::now()),
                    Err(_) => Obstacles::from([("database", "it does not answer in time".to_owned())]),
                };
                *last = Some((Instant::now(), obstacles.clone()));
                obstacles
            }
        }
    }
}

async fn look(store: &Shared) -> Result<Condition, StoreError> {
    condition::look(&store.request().await?).await
}

fn weigh(seen: Result<Condition, StoreError>, now: Timestamp) -> Obstacles {
    let mut obstacles = Obstacles::new();
    match seen {
        Err(error) => {
            // The text may tell where the database is; that is for the log.
            tracing::debug!("not ready: {error}");
            let why = if error.is_transient() { "it cannot be used now" } else { "it refuses" };
            obstacles.insert("database", why.to_owned());
        }
        Ok(condition) => {
            if !condition.is_of_this_program {
                obstacles.insert("schema", "it is another one than this program's".to_owned());
            }
            let off = now.duration_since(condition.now);
            if off.abs() > CLOCK_MAX {
                let side = if off.is_positive() { "before" } else { "behind" };
                let seconds = off.abs().as_secs();
                obstacles.insert("clock", format!("this host is {seconds} s {side} the database"));
            }
        }
    }
    obstacles
}

/// A problem (RFC 9457) with one more member.
fn not_ready(obstacles: &Obstacles) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": "The service is not ready.",
        "obstacles": obstacles,
    });
    let mut response = answer(status, &body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(axum::http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(now: Timestamp, is_of_this_program: bool) -> Vec<&'static str> {
        let condition = Condition { now: Timestamp::UNIX_EPOCH, is_of_this_program };
        weigh(Ok(condition), now).into_keys().collect()
    }

    #[test]
    fn clocks_may_differ_by_as_much_as_webhooks_leave_with() {
        let after = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        assert_eq!(seen(after(300), true), [""; 0]);
        assert_eq!(seen(after(-300), true), [""; 0]);
        assert_eq!(seen(after(301), true), ["clock"]);
        assert_eq!(seen(after(-301), false), ["clock", "schema"]);
        let text = weigh(Ok(Condition { now: after(700), is_of_this_program: true }), Timestamp::UNIX_EPOCH);
        assert_eq!(text["clock"], "this host is 700 s behind the database");
    }

    #[test]
    fn what_the_database_says_is_not_told_to_strangers() {
        let error = StoreError::Away("connection to 10.0.0.1 refused".into());
        assert_eq!(weigh(Err(error), Timestamp::UNIX_EPOCH)["database"], "it cannot be used now");
    }
}
