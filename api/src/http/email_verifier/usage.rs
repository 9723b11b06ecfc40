//! `GET /api/v1/usage`: what the client has used in a month.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use jiff::civil::Date;

use super::ApiError;
use crate::{
    billing::Usage,
    http::{App, Caller, Query, Refusal, answer},
    store::billing,
};

/// What was used in a month (UTC).
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    tag = "Usage",
    params(("period" = Option<String>, Query, pattern = r"^\d{4}-(0[1-9]|1[0-2])$", description = "`YYYY-MM`; this month where nothing is said")),
    responses(
        (status = 200, body = Usage, description = "The month"),
    ),
)]
pub(super) async fn usage(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&uri);
    let period = query.text("period").map(month);
    if period == Some(None) {
        query.fault(
            "period",
            "string_pattern_mismatch",
            "String should match pattern '^\\d{4}-(0[1-9]|1[0-2])$'",
        );
    }
    query.finish()?;
    let row = billing::usage(&app.store.request().await?, access.client, period.flatten()).await?;
    // A client with a key is not deleted.
    let row = row.ok_or(Refusal::Internal)?;
    Ok(answer(StatusCode::OK, &Usage::from(&row)))
}

/// The first day of a month that is written `YYYY-MM`.
fn month(text: &str) -> Option<Date> {
    let (year, month) = text.split_once('-')?;
    let is_number =
        |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(year, 4) || !is_number(month, 2) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_four_digits_and_two() {
        assert_eq!(month("2026-06"), Some(jiff::civil::date(2026, 6, 1)));
        for bad in ["2026-13", "2026-00", "2026-6", "26-06", "2026/06", "2026-06-01", "+026-06", "", "-"] {
            assert_eq!(month(bad), None, "{bad}");
        }
    }
}
