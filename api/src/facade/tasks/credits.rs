//! Credits as this product tells them: a balance, and transactions that lead to it. Only months and jobs are kept, so
//! transactions are made of these: at the beginning of each month its quota is granted; each task deducts what it cost, when
//! it has ended; and what else the month cost is one deduction, at its last moment so far. What of a month is not used by
//! then is gone.

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};
use mailsonde_engine::Category;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::moment;
use crate::store::task_lists::{Cost, Month};

/// The credits of a month of who has as many as he likes: clients stop at none.
pub(crate) const UNLIMITED: i64 = 1_000_000_000;

/// Something that changed the balance.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Transaction {
    id: Uuid,
    user_id: Uuid,
    /// `grant` or `deduction`.
    r#type: &'static str,
    #[schema(minimum = 0)]
    amount: i64,
    balance_after: i64,
    reason: &'static str,
    metadata: Value,
    created_at: String,
    #[serde(skip)]
    at: Timestamp,
}

/// What is left of a month's quota.
pub(crate) fn balance(quota: Option<i64>, used: i64) -> i64 {
    quota.unwrap_or(UNLIMITED).saturating_sub(used).max(0)
}

/// All transactions of a client, the newest first. `quota`: the present one, since others are not kept. `months` and
/// `costs` in their order.
pub(crate) fn transactions(
    client: Uuid,
    quota: Option<i64>,
    months: &[Month],
    costs: &[Cost],
    now: Timestamp,
) -> Vec<Transaction> {
    let mut all = Vec::with_capacity(months.len() * 2 + costs.len());
    for month in months {
        let mut of_month = Ledger { client, balance: quota.unwrap_or(UNLIMITED), all: &mut all };
        let begins = beginning(month.month);
        if let Some(quota) = quota {
            let reason = "Monthly credits";
            of_month.grant(id_of(client, month.month, "grant"), quota, reason, month_of(month), begins);
        }
        let mut rest = month.settled;
        let of_tasks = costs.iter().filter(|cost| first_of_month(cost.created_at) == month.month);
        for cost in of_tasks {
            let amount = cost_of(&cost.counts).min(rest);
            rest -= amount;
            if amount > 0 {
                let metadata = json!({ "task_id": cost.job, "email_count": cost.items });
                of_month.deduct(cost.job, amount, "Email verification task", metadata, cost.ended_at);
            }
        }
        if rest > 0 {
            let ends = end(month.month).min(now);
            let id = id_of(client, month.month, "other");
            of_month.deduct(id, rest, "Other verifications", month_of(month), ends);
        }
    }
    all.reverse();
    // Tasks that end in the next month stand in the one to which they are counted.
    all.sort_by_key(|transaction| std::cmp::Reverse(transaction.at));
    all
}

/// Nobody pays for what is unknown, as full mailboxes are, which alone are risky; nor twice for the same address. Whatever
/// word is told of it: in that of 2026 an address may be disposable, and its mailbox unknown.
pub(crate) fn is_free(category: Category) -> bool {
    matches!(category, Category::Unknown | Category::Risky | Category::Duplicate)
}

/// What verdicts cost together, by category.
pub(crate) fn cost_of(counts: &[i32]) -> i64 {
    let paid = Category::ALL.into_iter().zip(counts).filter(|(category, _)| !is_free(*category));
    paid.map(|(_, count)| i64::from(*count)).sum()
}

/// A month in the making.
struct Ledger<'a> {
    client: Uuid,
    balance: i64,
    all: &'a mut Vec<Transaction>,
}

impl Ledger<'_> {
    fn grant(&mut self, id: Uuid, amount: i64, reason: &'static str, metadata: Value, at: Timestamp) {
        self.push(id, "grant", amount, reason, metadata, at);
    }

    fn deduct(&mut self, id: Uuid, amount: i64, reason: &'static str, metadata: Value, at: Timestamp) {
        self.balance = (self.balance - amount).max(0);
        self.push(id, "deduction", amount, reason, metadata, at);
    }

    fn push(
        &mut self,
        id: Uuid,
        kind: &'static str,
        amount: i64,
        reason: &'static str,
        metadata: Value,
        at: Timestamp,
    ) {
        self.all.push(Transaction {
            id,
            user_id: self.client,
            r#type: kind,
            amount,
            balance_after: self.balance,
            reason,
            metadata,
            created_at: moment(at),
            at,
        });
    }
}

fn month_of(month: &Month) -> Value {
    json!({ "month": month.month.strftime("%Y-%m").to_string() })
}

/// The same each time it is told.
fn id_of(client: Uuid, month: Date, kind: &str) -> Uuid {
    let digest = Sha256::digest(format!("{client} {month} {kind}"));
    let mut octets = [0; 16];
    octets.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}

fn first_of_month(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date().first_of_month()
}

fn beginning(day: Date) -> Timestamp {
    let begins = day.to_zoned(TimeZone::UTC).as_ref().map(Zoned::timestamp).ok();
    begins.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The last second of a month.
fn end(month: Date) -> Timestamp {
    let last = month.last_of_month().at(23, 59, 59, 0).to_zoned(TimeZone::UTC);
    last.map_or(Timestamp::UNIX_EPOCH, |last| last.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn cost(number: u128, created_at: &str, ended_at: &str, deliverable: i32, unknown: i32) -> Cost {
        let count = |category: &Category| match category {
            Category::Deliverable => deliverable,
            Category::Unknown => unknown,
            _ => 0,
        };
        Cost {
            job: Uuid::from_u128(number),
            items: deliverable + unknown,
            counts: Category::ALL.iter().map(count).collect(),
            created_at: at(created_at),
            ended_at: at(ended_at),
        }
    }

    #[test]
    fn transactions_lead_from_the_quota_to_the_balance() {
        let client = Uuid::from_u128(7);
        let months =
            [Month { month: date(2026, 5, 1), settled: 30 }, Month { month: date(2026, 6, 1), settled: 12 }];
        let costs = [
            cost(1, "2026-05-31T23:00:00Z", "2026-06-01T01:00:00Z", 20, 5),
            cost(2, "2026-06-02T00:00:00Z", "2026-06-02T01:00:00Z", 9, 1),
        ];
        let now = at("2026-06-10T12:00:00Z");
        let all = transactions(client, Some(100), &months, &costs, now);
        let told: Vec<_> = all
            .iter()
            .map(|told| (told.r#type, told.amount, told.balance_after, told.created_at.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("deduction", 3, 88, "2026-06-10T12:00:00Z"),
                ("deduction", 9, 91, "2026-06-02T01:00:00Z"),
                ("deduction", 20, 80, "2026-06-01T01:00:00Z"),
                ("grant", 100, 100, "2026-06-01T00:00:00Z"),
                ("deduction", 10, 70, "2026-05-31T23:59:59Z"),
                ("grant", 100, 100, "2026-05-01T00:00:00Z"),
            ]
        );
        assert_eq!(all, transactions(client, Some(100), &months, &costs, now), "with the same ids");
        assert_eq!(balance(Some(100), 12), all[0].balance_after);
    }

    #[test]
    fn what_is_not_known_costs_nothing() {
        let one_of_each = [1; Category::ALL.len()];
        assert_eq!(cost_of(&one_of_each), 7);
        assert!([Category::Unknown, Category::Risky, Category::Duplicate].into_iter().all(is_free));
        assert_eq!(cost_of(&[]), 0);
    }

    #[test]
    fn who_has_no_quota_is_granted_nothing_and_stops_at_nothing() {
        let months = [Month { month: date(2026, 6, 1), settled: 1 }];
        let all = transactions(Uuid::nil(), None, &months, &[], at("2026-06-10T12:00:00Z"));
        assert_eq!((all.len(), all[0].r#type, all[0].balance_after), (1, "deduction", UNLIMITED - 1));
        assert_eq!((balance(None, 5), balance(Some(3), 5)), (UNLIMITED - 5, 0));
    }
}
