//! What a client has used in a month, as the Email Verifier tells it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::billing::UsageRow;

/// What `GET /api/v1/usage` answers, and webhooks of thresholds say. What is held for work under way is not in it: it may
/// yet cost nothing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
pub(crate) struct Usage {
    pub(crate) client_id: Uuid,
    /// `YYYY-MM`, in UTC.
    pub(crate) period_month: String,
    /// Credits for what was done.
    pub(crate) billable_units: i64,
    /// None: as many as they like.
    pub(crate) monthly_quota: Option<i64>,
    /// To four decimals. None without a quota, or with one of nought.
    pub(crate) usage_ratio: Option<f64>,
    /// More is used than the quota.
    pub(crate) over_quota: bool,
    pub(crate) hard_cap: bool,
    pub(crate) billing_note: &'static str,
}

impl From<&UsageRow> for Usage {
    fn from(row: &UsageRow) -> Self {
        Self {
            client_id: row.client,
            period_month: row.month.strftime("%Y-%m").to_string(),
            billable_units: row.settled,
            monthly_quota: row.monthly_quota,
            usage_ratio: row.monthly_quota.and_then(|quota| ratio(row.settled, quota)),
            over_quota: row.monthly_quota.is_some_and(|quota| row.settled > quota),
            hard_cap: row.hard_cap,
            billing_note: if row.hard_cap {
                "manual_postpaid: hard cap, blocks at quota"
            } else {
                "manual_postpaid: soft cap, never blocks"
            },
        }
    }
}

/// To four decimals, halves up; in whole numbers, so that it is exact.
fn ratio(used: i64, quota: i64) -> Option<f64> {
    let (used, quota) = (i128::from(used), i128::from(quota));
    if quota == 0 {
        return None;
    }
    let shares = (used * 20_000 + quota).div_euclid(quota * 2);
    i64::try_from(shares).ok().map(precise)
}

/// Ten-thousandths as a number: shares of a quota are far from where that is not exact.
#[expect(clippy::cast_precision_loss, reason = "up to 2^53 nothing is lost")]
fn precise(shares: i64) -> f64 {
    shares as f64 / 10_000.0
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn row(settled: i64, monthly_quota: Option<i64>) -> UsageRow {
        let client = Uuid::from_u128(7);
        UsageRow { client, month: date(2026, 6, 1), settled, reserved: 9, monthly_quota, hard_cap: false }
    }

    #[test]
    fn usage_is_told_as_the_contract_has_it() {
        let told = serde_json::to_string(&Usage::from(&row(1_234, Some(50_000)))).unwrap();
        assert_eq!(
            told,
            r#"{"client_id":"00000000-0000-0000-0000-000000000007","period_month":"2026-06","billable_units":1234,"monthly_quota":50000,"usage_ratio":0.0247,"over_quota":false,"hard_cap":false,"billing_note":"manual_postpaid: soft cap, never blocks"}"#
        );
        let capped = Usage::from(&UsageRow { hard_cap: true, ..row(0, None) });
        assert_eq!(capped.billing_note, "manual_postpaid: hard cap, blocks at quota");
        assert_eq!((capped.usage_ratio, capped.over_quota), (None, false));
    }

    #[test]
    fn a_ratio_has_four_decimals() {
        for (used, quota, expected) in
            [(0, 3, 0.0), (1, 3, 0.3333), (2, 3, 0.6667), (1, 20_000, 0.0001), (1, 20_001, 0.0), (7, 5, 1.4)]
        {
            assert_eq!(ratio(used, quota), Some(expected), "{used} of {quota}");
        }
        assert_eq!(ratio(5, 0), None);
    }

    #[test]
    fn over_the_quota_is_more_than_all_of_it() {
        let is_over = |used| Usage::from(&row(used, Some(10))).over_quota;
        assert!(!is_over(10) && is_over(11));
    }
}
