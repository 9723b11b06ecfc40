//! `GET /client/usage`: what a client has used and what is left, and the refusal of whoever has nothing left where the
//! operator bills. Counted are requests and items, be they of whatever outcome; nobody pays for an error.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    config::{RelentlessConfig, WHOLE_MAX},
    error::ApiError,
};
use crate::{
    access::Access,
    http::{App, Caller, answer},
    store::relentless::{self, UsageRow},
};

/// The limits of whoever is not billed: clients stop at a rest of 0, so there is always one.
const NO_LIMIT: i64 = 1_000_000_000;

/// What was used, and what is left.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ClientUsageResponse)]
#[expect(clippy::struct_field_names, reason = "the product's names")]
pub(super) struct Usage {
    plan_tier: &'static str,
    /// `none` where nobody is billed, else `metered`.
    billing_mode: &'static str,
    /// `active` or `exhausted`, where somebody is.
    billing_status: Option<&'static str>,
    free_window_limit: i64,
    free_window_hours: u32,
    free_weekly_limit: i64,
    window_requests_used: i64,
    weekly_requests_used: i64,
    window_requests_remaining: i64,
    weekly_requests_remaining: i64,
    /// Of a month (UTC), in millionths of the currency; none where there is no limit.
    billing_cycle_value_micros: Option<i64>,
    billing_extra_value_micros: i64,
    billing_value_micros_used: i64,
    /// Held for jobs.
    billing_value_micros_reserved: i64,
    billing_value_micros_remaining: Option<i64>,
    /// Of what is closest to its end.
    usage_percent_remaining: f64,
    current_plan_finder_deliverable_cost_micros: u32,
    current_plan_finder_undeliverable_cost_micros: u32,
    current_plan_probe_cost_micros: u32,
}

/// What the client has used, and what is left.
#[utoipa::path(
    get,
    path = "/client/usage",
    tag = "Account",
    responses((status = 200, body = Usage, description = "What was used, and what is left")),
)]
pub(super) async fn usage(State(app): State<Arc<App>>, Caller(access): Caller) -> Result<Response, ApiError> {
    let used = used(&app, &access).await?;
    Ok(answer(StatusCode::OK, &Usage::of(&app.relentless.config, used)))
}

async fn used(app: &App, access: &Access) -> Result<UsageRow, ApiError> {
    let hours = app.relentless.config.free_window_hours;
    Ok(relentless::usage(&mut app.store.request().await?, access.client, hours).await?)
}

/// Whether a client may have so many requests more that are answered at once, of which none costs more than this. Those that
/// come at the same moment do not see each other: together they may get a little more than there is. What jobs may is decided
/// when they are submitted, and one after the other.
pub(super) async fn admit(
    app: &App,
    access: &Access,
    requests: usize,
    price_micros: u32,
) -> Result<(), ApiError> {
    let Some(limits) = app.relentless.config.limits() else { return Ok(()) };
    let used = used(app, access).await?;
    let requests = i64::try_from(requests).unwrap_or(i64::MAX);
    let value = requests.saturating_mul(i64::from(price_micros));
    if limits.cover(used, requests, value) { Ok(()) } else { Err(ApiError::usage_exhausted()) }
}

impl Usage {
    fn of(config: &RelentlessConfig, used: UsageRow) -> Self {
        let told = |number: i64| number.clamp(0, WHOLE_MAX);
        let rest = |limit: i64, used: i64| told(limit - used);
        let limits = config.limits();
        let window = limits.map_or(NO_LIMIT, |limits| limits.in_window);
        let weekly = limits.map_or(NO_LIMIT, |limits| limits.in_week);
        let cycle = limits.and_then(|limits| limits.in_cycle);
        let held = used.used_micros.saturating_add(used.reserved_micros);
        let left = cycle.map(|cycle| rest(cycle, held));
        let rests = [(rest(window, used.in_window), window), (rest(weekly, used.in_week), weekly)];
        let rests = rests.into_iter().chain(left.zip(cycle));
        let has_rest = rests.clone().all(|(left, _)| left > 0);
        let percent = rests.map(|(left, of)| share(left, of)).fold(100.0, f64::min);
        let prices = config.price_micros;
        Self {
            plan_tier: "free",
            billing_mode: if config.billing { "metered" } else { "none" },
            billing_status: config.billing.then_some(if has_rest { "active" } else { "exhausted" }),
            free_window_limit: window,
            free_window_hours: config.free_window_hours,
            free_weekly_limit: weekly,
            window_requests_used: told(used.in_window),
            weekly_requests_used: told(used.in_week),
            window_requests_remaining: rest(window, used.in_window),
            weekly_requests_remaining: rest(weekly, used.in_week),
            billing_cycle_value_micros: cycle,
            billing_extra_value_micros: 0,
            billing_value_micros_used: told(used.used_micros),
            billing_value_micros_reserved: told(used.reserved_micros),
            billing_value_micros_remaining: left,
            usage_percent_remaining: percent,
            current_plan_finder_deliverable_cost_micros: prices.finder_deliverable,
            current_plan_finder_undeliverable_cost_micros: prices.finder_undeliverable,
            current_plan_probe_cost_micros: prices.probe,
        }
    }
}

/// In percent, to one decimal, rounded down: nothing is told to be left whole of which something is used.
#[expect(clippy::cast_precision_loss, reason = "numbers of 32 bits")]
fn share(left: i64, of: i64) -> f64 {
    if of <= 0 { 0.0 } else { (left as f64 / of as f64 * 1000.0).floor() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> RelentlessConfig {
        RelentlessConfig::load(&format!("[relentless]\n{text}").parse().unwrap()).unwrap()
    }

    fn usage(text: &str, used: UsageRow) -> Usage {
        Usage::of(&config(text), used)
    }

    #[test]
    fn whoever_is_not_billed_has_always_something_left() {
        let used = UsageRow { in_window: 7, in_week: 9, ..UsageRow::default() };
        assert!(config("").limits().is_none());
        let told = usage("", used);
        assert_eq!((told.free_window_limit, told.window_requests_remaining), (NO_LIMIT, NO_LIMIT - 7));
        assert_eq!((told.free_weekly_limit, told.weekly_requests_remaining), (NO_LIMIT, NO_LIMIT - 9));
        assert_eq!((told.billing_mode, told.billing_status), ("none", None));
        assert_eq!((told.billing_cycle_value_micros, told.billing_value_micros_remaining), (None, None));
    }

    #[test]
    fn each_limit_stops_whoever_is_billed() {
        let text = "billing = true\nfree_window_limit = 10\nfree_weekly_limit = 20\ncycle_value_micros = 100";
        let limits = config(text).limits().unwrap();
        let row = |in_window, in_week, used_micros, reserved_micros| UsageRow {
            in_window,
            in_week,
            used_micros,
            reserved_micros,
        };
        let covers = |used, requests, micros| limits.cover(used, requests, micros);
        assert!(covers(row(9, 9, 0, 0), 1, 100) && !covers(row(9, 9, 0, 0), 2, 0));
        assert!(covers(row(0, 19, 0, 0), 1, 0) && !covers(row(0, 20, 0, 0), 1, 0));
        assert!(covers(row(0, 0, 60, 30), 1, 10) && !covers(row(0, 0, 60, 30), 1, 11));
        assert!(covers(row(0, 0, 200, 0), 1, 0), "what costs nothing is free");
        let used = |in_window, in_week, used_micros, reserved_micros| {
            usage(text, row(in_window, in_week, used_micros, reserved_micros))
        };
        let spent = used(10, 10, 0, 0);
        assert_eq!((spent.billing_status, spent.usage_percent_remaining), (Some("exhausted"), 0.0));
        assert_eq!(used(5, 5, 0, 0).usage_percent_remaining, 50.0);
        let last = usage(
            "billing = true\nfree_window_limit = 10000",
            UsageRow { in_window: 9_999, ..UsageRow::default() },
        );
        assert_eq!((last.billing_status, last.usage_percent_remaining), (Some("active"), 0.0));
        assert_eq!(used(99, 99, 0, 0).window_requests_remaining, 0);
    }
}
