//! What requests cost, written down for many of them at once.
//!
//! A group is one statement, and so one commit. It has a number, and takes effect only if its ledger has not written that
//! number yet: so whoever did not hear how it ended writes it again, and then it is there once, also where the first try
//! comes to its end later than the second.

use std::collections::{BTreeMap, HashMap, HashSet};

use deadpool_postgres::Client;
use jiff::civil::Date;
use uuid::Uuid;

use super::Overdrawn;
use crate::store::{StoreError, tasks::Parameter};

/// How long credits of a request are held. The longest request takes a minute.
const HOLD_SECONDS: f64 = 150.0;

/// First what ends and what is simply counted, then what is wanted: of those with a hard cap the small ones first, so that
/// nobody is refused who would have fitted. Clients that have no line in this month are left out, as are holds that are
/// over, and the ledger says whom that concerned.
pub(in crate::store) const WRITE: &str = "
with mark as (
    select id, billing_month() as month from ledger where id = $1 and written < $2 for update
),
ended as (
    delete from reservation using mark, unnest($3::uuid[], $4::bigint[]) as told (id, units)
    where reservation.id = told.id
    returning reservation.id, client, reservation.month, reservation.units as freed,
        least(told.units, reservation.units) as settled
),
wanted as (
    select told.id, client, month, units, place
    from mark cross join unnest($5::uuid[], $6::uuid[], $7::bigint[]) with ordinality as told (id, client, units, place)
),
change as (
    select client, month, sum(settled)::bigint as settled, sum(freed)::bigint as freed
    from (
        select client, month, settled, freed from ended
        union all
        select client, coalesce(told.month, mark.month), units, 0
        from mark cross join unnest($8::uuid[], $9::date[], $10::bigint[]) as told (client, month, units)
        union all
        select client, month, 0, 0 from wanted
    ) as changes
    group by client, month
),
line as (
    select usage.client, usage.month, change.settled, change.freed, monthly_quota,
        usage.settled + usage.reserved + change.settled - change.freed as used,
        hard_cap and monthly_quota is not null as is_capped
    from change join usage on usage.client = change.client and usage.month = change.month
        join client as owner on owner.id = usage.client
    order by usage.client, usage.month for update of usage
),
ranked as (
    select id, client, month, units, not is_capped
        or used + sum(units) over (partition by client order by units, place) <= monthly_quota as is_granted
    from wanted join line using (client, month)
),
noted as (
    insert into reservation (id, client, month, units, until)
    select id, client, month, units, now() + $11 * interval '1 second' from ranked where is_granted
),
granted as (
    select client, month, sum(units)::bigint as units from ranked where is_granted group by client, month
),
written as (
    update usage set settled = usage.settled + line.settled,
        reserved = usage.reserved - line.freed + coalesce(granted.units, 0)
    from line left join granted on granted.client = line.client and granted.month = line.month
    where usage.client = line.client and usage.month = line.month
    returning usage.client, usage.month, usage.settled + usage.reserved as used, line.monthly_quota
),
current as (select written.* from written join mark using (month)),
marked as (
    update ledger set written = $2, month = mark.month, seen_at = now(), left_out = array(
        (select unnest($3) except select id from ended)
        union all
        (select client from unnest($8, $9) as told (client, month) where month is null
            except select client from current)
    )
    from mark where ledger.id = mark.id
)
select (select month from mark) as month, array(select id from ranked where is_granted) as granted,
    array(select id from ended) as ended, array(select client from current order by client) as clients,
    array(select used from current order by client) as used,
    array(select monthly_quota from current order by client) as quotas";

/// The same for a group that has nothing but credits to count for the present month, as most have: a fifth of the plan, of
/// which the beginning and the end alone cost more than the rows. It does nothing where a client has no line yet.
pub(in crate::store) const COUNT: &str = "
with mark as (
    select id, billing_month() as month from ledger where id = $1 and written < $2 for update
),
line as (
    select usage.client, usage.month, told.units
    from mark cross join unnest($3::uuid[], $4::bigint[]) as told (client, units)
        join usage on usage.client = told.client and usage.month = mark.month
    order by usage.client for update of usage
),
marked as (
    update ledger set written = $2, month = mark.month, seen_at = now(), left_out = '{}'
    from mark where ledger.id = mark.id and (select count(*) from line) = cardinality($3::uuid[])
    returning ledger.month
),
counted as (
    update usage set settled = settled + line.units from line cross join marked
    where usage.client = line.client and usage.month = line.month
)
select month from marked";

pub(in crate::store) const ADD_LEDGER: &str = "insert into ledger (id) values ($1) on conflict do nothing";

pub(in crate::store) const LEDGER: &str = "select written, month, left_out from ledger where id = $1";

pub(in crate::store) const HELD: &str = "select id from reservation where id = any ($1)";

/// What many requests cost.
#[derive(Debug, Default)]
pub(crate) struct Group {
    ends: Vec<(Uuid, i64)>,
    holds: Vec<(Uuid, Uuid, i64)>,
    /// By client and month; without one it is the present month. In their order, so the same group is always the same.
    counts: BTreeMap<(Uuid, Option<Date>), i64>,
}

impl Group {
    /// Credits are to be held under this id.
    pub(crate) fn hold(&mut self, id: Uuid, client: Uuid, units: i64) {
        self.holds.push((id, client, units));
    }

    /// Of what is held, so much is used; the rest is free again.
    pub(crate) fn end(&mut self, id: Uuid, units: i64) {
        self.ends.push((id, units));
    }

    /// Credits are used, or, where it is less than nought, were not.
    pub(crate) fn count(&mut self, client: Uuid, month: Option<Date>, units: i64) {
        *self.counts.entry((client, month)).or_default() += units;
    }

    /// Whether there is nothing but credits of the present month.
    fn only_counts(&self) -> bool {
        self.ends.is_empty() && self.holds.is_empty() && self.counts.keys().all(|(_, month)| month.is_none())
    }
}

/// What came of a group.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The month to which it was counted.
    pub(crate) month: Date,
    granted: HashSet<Uuid>,
    told: Told,
}

/// What the statement said.
#[derive(Debug)]
enum Told {
    /// All of it was counted, and there was nothing else.
    Counted,
    /// Holds that were still there, and of each client that has a line what is used, and the quota.
    Now { ended: HashSet<Uuid>, lines: HashMap<Uuid, (i64, Option<i64>)> },
    /// It was written by a try whose answer was lost, but for these clients and holds.
    Before { left_out: HashSet<Uuid> },
}

/// What came of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Granted,
    Refused(Overdrawn),
    /// The client has no line yet.
    NoLine,
}

impl Answer {
    /// Whether credits are held under this id.
    pub(crate) fn held(&self, id: Uuid, client: Uuid) -> Held {
        if self.granted.contains(&id) {
            return Held::Granted;
        }
        match &self.told {
            Told::Now { lines, .. } => match lines.get(&client) {
                Some((used, Some(quota))) => Held::Refused(Overdrawn::new(*used, *quota)),
                _ => Held::NoLine,
            },
            // It was not granted, and nobody knows why any more: so it is asked for again.
            Told::Counted | Told::Before { .. } => Held::NoLine,
        }
    }

    /// Whether there was something held under this id.
    pub(crate) fn ended(&self, id: Uuid) -> bool {
        match &self.told {
            Told::Counted => false,
            Told::Now { ended, .. } => ended.contains(&id),
            Told::Before { left_out } => !left_out.contains(&id),
        }
    }

    /// Whether the client has a line, and so its credits were counted.
    pub(crate) fn counted(&self, client: Uuid) -> bool {
        match &self.told {
            Told::Counted => true,
            Told::Now { lines, .. } => lines.contains_key(&client),
            Told::Before { left_out } => !left_out.contains(&client),
        }
    }
}

/// A group was not written, as far as we know.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: StoreError,
    /// It may have been written, now or by an earlier try.
    pub(crate) is_unclear: bool,
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        Self { error, is_unclear: false }
    }
}

/// Writes a group, unless its number was written before. The numbers of a ledger count up, and one is written at a time.
pub(crate) async fn write(
    client: &Client,
    ledger: Uuid,
    number: i64,
    group: &Group,
) -> Result<Answer, Unwritten> {
    if let Some(answer) = try_write(client, ledger, number, group).await? {
        return Ok(answer);
    }
    // Nothing was done: it is there already, or there is no line of this ledger.
    let unclear = |error| Unwritten { error, is_unclear: true };
    if let Some(answer) = written_before(client, ledger, number, group).await.map_err(unclear)? {
        return Ok(answer);
    }
    let add = client.prepare_cached(ADD_LEDGER).await.map_err(StoreError::from)?;
    client.execute(&add, &[&ledger]).await.map_err(StoreError::from)?;
    let again = try_write(client, ledger, number, group).await?;
    again.ok_or_else(|| unclear(StoreError::Away("a group of credits was written by another try".into())))
}

/// `None`: nothing was done.
async fn try_write(
    client: &Client,
    ledger: Uuid,
    number: i64,
    group: &Group,
) -> Result<Option<Answer>, Unwritten> {
    if group.only_counts()
        && let Some(month) = try_count(client, ledger, number, group).await?
    {
        return Ok(Some(Answer { month, granted: HashSet::new(), told: Told::Counted }));
    }
    let write = client.prepare_cached(WRITE).await.map_err(StoreError::from)?;
    let (ends, ended): (Vec<Uuid>, Vec<i64>) = group.ends.iter().copied().unzip();
    let holds: Vec<Uuid> = group.holds.iter().map(|(id, ..)| *id).collect();
    let holders: Vec<Uuid> = group.holds.iter().map(|(_, client, _)| *client).collect();
    let wanted: Vec<i64> = group.holds.iter().map(|(.., units)| *units).collect();
    let clients: Vec<Uuid> = group.counts.keys().map(|(client, _)| *client).collect();
    let months: Vec<Option<Date>> = group.counts.keys().map(|(_, month)| *month).collect();
    let units: Vec<i64> = group.counts.values().copied().collect();
    let parameters: [Parameter<'_>; 11] = [
        &ledger,
        &number,
        &ends,
        &ended,
        &holds,
        &holders,
        &wanted,
        &clients,
        &months,
        &units,
        &HOLD_SECONDS,
    ];
    let row = client.query_one(&write, &parameters).await.map_err(unwritten)?;
    let Some(month) = row.get("month") else { return Ok(None) };
    let used: Vec<i64> = row.get("used");
    let quotas: Vec<Option<i64>> = row.get("quotas");
    let lines = row.get::<_, Vec<Uuid>>("clients").into_iter().zip(used.into_iter().zip(quotas)).collect();
    let ended = row.get::<_, Vec<Uuid>>("ended").into_iter().collect();
    let granted = row.get::<_, Vec<Uuid>>("granted").into_iter().collect();
    Ok(Some(Answer { month, granted, told: Told::Now { ended, lines } }))
}

/// `None`: nothing was done, and [`WRITE`] finds out why.
async fn try_count(
    client: &Client,
    ledger: Uuid,
    number: i64,
    group: &Group,
) -> Result<Option<Date>, Unwritten> {
    let count = client.prepare_cached(COUNT).await.map_err(StoreError::from)?;
    let clients: Vec<Uuid> = group.counts.keys().map(|(client, _)| *client).collect();
    let units: Vec<i64> = group.counts.values().copied().collect();
    let row = client.query_opt(&count, &[&ledger, &number, &clients, &units]).await.map_err(unwritten)?;
    Ok(row.map(|row| row.get(0)))
}

/// The commit is part of each statement: where the connection breaks, nobody knows.
fn unwritten(error: tokio_postgres::Error) -> Unwritten {
    let error = StoreError::from(error);
    Unwritten { is_unclear: matches!(error, StoreError::Away(_)), error }
}

/// What came of the group, if it was written by a try of which nothing was heard.
async fn written_before(
    client: &Client,
    ledger: Uuid,
    number: i64,
    group: &Group,
) -> Result<Option<Answer>, StoreError> {
    let last = client.prepare_cached(LEDGER).await?;
    let Some(last) = client.query_opt(&last, &[&ledger]).await? else { return Ok(None) };
    let month: Option<Date> = last.get("month");
    let Some(month) = month.filter(|_| last.get::<_, i64>("written") >= number) else { return Ok(None) };
    let held = client.prepare_cached(HELD).await?;
    let holds: Vec<Uuid> = group.holds.iter().map(|(id, ..)| *id).collect();
    let granted = client.query(&held, &[&holds]).await?.iter().map(|row| row.get(0)).collect();
    let left_out = last.get::<_, Vec<Uuid>>("left_out").into_iter().collect();
    Ok(Some(Answer { month, granted, told: Told::Before { left_out } }))
}
