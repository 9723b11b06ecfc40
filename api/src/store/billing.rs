//! Credits: what clients have used and what is held for them, by month. Jobs reserve and settle in transactions of their
//! own ([`reserve`], [`settle`]); what requests cost is written by [`groups`]. docs/billing.md says what costs how much.
//!
//! Whoever changes `usage` holds the rows for as short as can be, since all of a client's requests wait for them: it comes
//! last in a transaction, and several rows are locked in their order.

pub(crate) mod groups;

use deadpool_postgres::{Client, GenericClient, Transaction};
use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use super::StoreError;

/// Reservations that are freed in one statement: so that nobody is held up for long.
const FREED_MAX: i64 = 1_000;

/// Clients who are told in one round.
const DUE_MAX: i64 = 100;

/// A client's line of this month. Who is at work at the same moment makes the same one.
pub(super) const ADD_USAGE: &str = "
insert into usage (client, month) select id, billing_month() from client where id = any ($1) order by id
on conflict do nothing";

/// Nothing is reserved where a client has a hard cap and too little is left.
pub(super) const RESERVE: &str = "
with line as (
    select usage.client, month, settled + reserved as used, monthly_quota,
        not hard_cap or monthly_quota is null or settled + reserved + $3::bigint <= monthly_quota as is_granted
    from usage join client on client.id = usage.client
    where usage.client = $2 and month = billing_month() for update of usage
),
noted as (
    insert into reservation (id, client, month, units, blank)
    select $1, client, month, $3, $4 from line where is_granted
),
written as (
    update usage set reserved = reserved + $3 from line
    where is_granted and usage.client = line.client and usage.month = line.month
)
select used, monthly_quota, is_granted from line";

/// `$2`: verdicts that cost something, if they are not of blank items; `$3`: those among which the blank ones are. Never
/// more than was reserved, in the month in which it was, and only once: the reservation is gone with it.
pub(super) const SETTLE: &str = "
with done as (delete from reservation where id = $1 returning client, month, units, blank)
update usage set reserved = reserved - units,
    settled = settled + greatest(0, least(units, $2::bigint - least(blank, $3::bigint)))
from done where usage.client = done.client and usage.month = done.month";

/// Of requests whose process died before it settled them.
pub(super) const FREE: &str = "
with dead as (
    delete from reservation where id in (
        select id from reservation where until < now() order by until limit $1 for update skip locked
    )
    returning client, month, units
),
change as (select client, month, sum(units)::bigint as units from dead group by client, month),
line as (
    select client, month, units from usage join change using (client, month)
    order by client, month for update of usage
),
written as (
    update usage set reserved = reserved - units from line
    where usage.client = line.client and usage.month = line.month
)
select count(*) from dead";

pub(super) const USAGE: &str = "
select client.id as client, coalesce($2::date, billing_month()) as month, coalesce(settled, 0) as settled,
    coalesce(reserved, 0) as reserved, monthly_quota, hard_cap
from client left join usage on usage.client = client.id and usage.month = coalesce($2::date, billing_month())
where client.id = $1";

pub(super) const QUOTAS: &str = "
select client.id as client, billing_month() as month, coalesce(settled, 0) as settled,
    coalesce(reserved, 0) as reserved, monthly_quota, hard_cap
from client left join usage on usage.client = client.id and usage.month = billing_month()
where monthly_quota is not null
order by coalesce(usage.settled + usage.reserved, 0)::float8 / nullif(monthly_quota, 0) desc nulls last, client.id
limit $1";

/// Who has come to a threshold that nobody was told of. A month is looked at for another day after its end.
pub(super) const DUE: &str = "
select usage.client, month from client join usage on usage.client = client.id
where monthly_quota is not null and month >= date_trunc('month', (now() - interval '1 day') at time zone 'UTC')::date
    and exists (select from reached(settled, monthly_quota) as percent where percent > told)
order by usage.client, month limit $1";

/// The thresholds that nobody was told of yet, the lowest first.
pub(super) const REACHED: &str = "
select usage.client, month, settled, reserved, monthly_quota, hard_cap, alert_url, told,
    array(select percent from reached(settled, monthly_quota) as percent where percent > told order by percent) as reached,
    clock_timestamp() as now
from usage join client on client.id = usage.client
where usage.client = $1 and month = $2";

/// Notes that it is told. Of two who tell at the same time, one finds that it was told.
pub(super) const TOLD: &str = "update usage set told = $4 where client = $1 and month = $2 and told = $3";

/// Ledgers that were not heard of for a day: their processes are gone.
pub(super) const DROP_LEDGERS: &str = "delete from ledger where seen_at < now() - interval '1 day'";

/// What a client has used in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsageRow {
    pub(crate) client: Uuid,
    /// Its first day.
    pub(crate) month: Date,
    /// Credits for what was done.
    pub(crate) settled: i64,
    /// Credits that are held for what is under way.
    pub(crate) reserved: i64,
    /// None: as many as they like.
    pub(crate) monthly_quota: Option<i64>,
    pub(crate) hard_cap: bool,
}

impl From<&Row> for UsageRow {
    fn from(row: &Row) -> Self {
        Self {
            client: row.get("client"),
            month: row.get("month"),
            settled: row.get("settled"),
            reserved: row.get("reserved"),
            monthly_quota: row.get("monthly_quota"),
            hard_cap: row.get("hard_cap"),
        }
    }
}

/// A client with a hard cap has too little left for this. Nothing was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the monthly quota of {monthly_quota} is used up: {used} are used or held, {remaining} remain")]
pub(crate) struct Overdrawn {
    /// Credits that are used or held.
    pub(crate) used: i64,
    pub(crate) monthly_quota: i64,
    /// Credits that are left; never below nought.
    pub(crate) remaining: i64,
}

impl Overdrawn {
    fn new(used: i64, monthly_quota: i64) -> Self {
        Self { used, monthly_quota, remaining: monthly_quota.saturating_sub(used).max(0) }
    }
}

/// What a job may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Items that may cost a credit.
    pub(crate) units: i64,
    /// Items that hold nothing.
    pub(crate) blank: i64,
}

/// What became of a job, as far as it is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Verdicts that are neither `duplicate` nor `unknown`.
    pub(crate) billable: i64,
    /// Those that say that an input is no address: blank ones are among them, as far as anybody has come to them.
    pub(crate) invalid: i64,
}

/// Makes this month's lines of clients, where there are none.
pub(crate) async fn add_usage(client: &impl GenericClient, clients: &[Uuid]) -> Result<(), StoreError> {
    let add = client.prepare_cached(ADD_USAGE).await?;
    client.execute(&add, &[&clients]).await?;
    Ok(())
}

/// Holds credits for a job until it ends.
pub(crate) async fn reserve(
    tx: &Transaction<'_>,
    job: Uuid,
    client: Uuid,
    bill: &Bill,
) -> Result<Result<(), Overdrawn>, StoreError> {
    let reserve = tx.prepare_cached(RESERVE).await?;
    let mut line = tx.query_opt(&reserve, &[&job, &client, &bill.units, &bill.blank]).await?;
    if line.is_none() {
        add_usage(tx, &[client]).await?;
        line = tx.query_opt(&reserve, &[&job, &client, &bill.units, &bill.blank]).await?;
    }
    let line = line.ok_or_else(|| StoreError::Refused("a job is billed to nobody".into()))?;
    Ok(match line.get("monthly_quota") {
        Some(quota) if !line.get::<_, bool>("is_granted") => Err(Overdrawn::new(line.get("used"), quota)),
        _ => Ok(()),
    })
}

/// Bills a job that ends, unless nothing is held for it: then it was billed before, or is not to be.
pub(crate) async fn settle(tx: &Transaction<'_>, job: Uuid, outcome: &Outcome) -> Result<(), StoreError> {
    let settle = tx.prepare_cached(SETTLE).await?;
    tx.execute(&settle, &[&job, &outcome.billable, &outcome.invalid]).await?;
    Ok(())
}

/// Gives back what is held for requests of which nobody will hear again. Returns how many those were.
pub(crate) async fn free(client: &impl GenericClient) -> Result<i64, StoreError> {
    let free = client.prepare_cached(FREE).await?;
    Ok(client.query_one(&free, &[&FREED_MAX]).await?.get(0))
}

/// What a client has used in a month, of which any day is given, or in the present one. `None`: there is no such client.
pub(crate) async fn usage(
    client: &impl GenericClient,
    of: Uuid,
    month: Option<Date>,
) -> Result<Option<UsageRow>, StoreError> {
    let usage = client.prepare_cached(USAGE).await?;
    let month = month.map(Date::first_of_month);
    Ok(client.query_opt(&usage, &[&of, &month]).await?.as_ref().map(UsageRow::from))
}

/// What clients that have a quota have used in this month; `limit` of them.
pub(crate) async fn quotas(client: &impl GenericClient, limit: i64) -> Result<Vec<UsageRow>, StoreError> {
    let quotas = client.prepare_cached(QUOTAS).await?;
    Ok(client.query(&quotas, &[&limit]).await?.iter().map(UsageRow::from).collect())
}

/// Clients, with months, in which they have come to a threshold that nobody was told of.
pub(crate) async fn due(client: &impl GenericClient) -> Result<Vec<(Uuid, Date)>, StoreError> {
    let due = client.prepare_cached(DUE).await?;
    Ok(client.query(&due, &[&DUE_MAX]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Thresholds that a client has come to.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) usage: UsageRow,
    /// In percent of the quota, the lowest first: those that nobody was told of. Never none.
    pub(crate) thresholds: Vec<i16>,
    /// Where it is told, sealed.
    pub(crate) alert_url: Option<Vec<u8>>,
    /// When, by the database's clock.
    pub(crate) at: jiff::Timestamp,
}

/// A transaction in which somebody is told what was used.
pub(crate) struct Telling<'a> {
    pub(crate) tx: Transaction<'a>,
    pub(crate) reached: Reached,
    /// Up to which threshold was told before.
    before: i16,
}

impl<'a> Telling<'a> {
    /// `None`: it was told before.
    pub(crate) async fn begin(
        client: &'a mut Client,
        of: Uuid,
        month: Date,
    ) -> Result<Option<Self>, StoreError> {
        let tx = client.transaction().await?;
        let reached = tx.prepare_cached(REACHED).await?;
        let Some(row) = tx.query_opt(&reached, &[&of, &month]).await? else { return Ok(None) };
        let thresholds: Vec<i16> = row.get("reached");
        if thresholds.is_empty() {
            return Ok(None);
        }
        let (alert_url, at) = (row.get("alert_url"), row.get("now"));
        let reached = Reached { usage: UsageRow::from(&row), thresholds, alert_url, at };
        Ok(Some(Self { tx, reached, before: row.get("told") }))
    }

    /// It is told now, and never again. `None`: somebody else has told it meanwhile, and what stands in the transaction
    /// is not done.
    pub(crate) async fn end(self) -> Result<Option<Reached>, StoreError> {
        let Self { tx, reached, before } = self;
        let told = tx.prepare_cached(TOLD).await?;
        let UsageRow { client, month, .. } = reached.usage;
        let now = reached.thresholds.last().copied().unwrap_or(before);
        if tx.execute(&told, &[&client, &month, &before, &now]).await? == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(reached))
    }
}

#[cfg(test)]
mod tests;
