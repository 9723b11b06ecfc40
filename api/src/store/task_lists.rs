//! Jobs as the tasks product lists and sums them up: a page of a client's tasks, how far some have come, and what was
//! verified on which day.

use deadpool_postgres::GenericClient;
use jiff::{Timestamp, civil::Date};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{StoreError, jobs::JobRow, tasks::Parameter};

/// A line without a job, where the page has none: how many there are is told all the same.
pub(super) const PAGE: &str = "
with wanted as (
    select id, created_at from job where client = $1 and facade = 'tasks'
        and ($2::bool is null or $2 = (source <> 'batch'))
        and ($3::timestamptz is null or created_at >= $3)
        and ($4::timestamptz is null or created_at <= $4)
), page as (
    select id from wanted order by created_at desc, id desc limit $5 offset $6
)
select total, job.id, client, facade, source, filename, callback, state, pipeline, items, created_at, deadline_at,
    started_at, ended_at, left_over, counts, expires_at, pruned_at, ended_at is not null and expires_at <= now() as is_expired,
    false as is_told, coalesce((select sum(final) from part where part.job = job.id), 0)::int as done
from (select count(*) as total from wanted) as whole
    left join page on true
    left join job on job.id = page.id
order by created_at desc, job.id desc";

pub(super) const PROGRESS: &str =
    "select job, counts, role_based, disposable, told_at from progress where job = any ($1)";

/// Days are those of UTC.
pub(super) const DAYS_OF_JOB: &str = "
select (written_at at time zone 'UTC')::date as day, sum_of_places(counts) as counts, sum(role_based)::int as role_based,
    sum_of_places(disposable) as disposable, max(written_at) as told_at
from part where job = $1 group by day order by day";

/// Of those that were submitted on a day.
pub(super) const DAYS_OF_CLIENT: &str = "
select (created_at at time zone 'UTC')::date as day, count(*) as tasks, sum(items)::bigint as items,
    coalesce(sum(items) filter (where started_at is null and ended_at is null), 0)::bigint as pending,
    sum_of_places(progress.counts) as counts, sum(progress.role_based)::int as role_based,
    sum_of_places(progress.disposable) as disposable, max(created_at) as asked_at, max(told_at) as told_at
from job join progress on progress.job = job.id
where client = $1 and facade = 'tasks'
    and ($2::timestamptz is null or created_at >= $2)
    and ($3::timestamptz is null or created_at <= $3)
group by day order by day";

/// All months in which something was used, the earliest first.
pub(super) const MONTHS: &str = "select month, settled from usage where client = $1 order by month";

/// Tasks that have ended, in the order in which they did: so many of the last.
pub(super) const COSTS: &str = "
select id, items, counts, created_at, ended_at from (
    select id, items, counts, created_at, ended_at from job
    where client = $1 and facade = 'tasks' and ended_at is not null and counts is not null
    order by ended_at desc, id desc limit $2
) as last
order by ended_at, id";

/// Tasks of which it is told what each has cost: a few megabytes. What earlier ones did is told with the rest of their month.
const COSTS_MAX: i64 = 10_000;

/// Which tasks are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) client: Uuid,
    /// Made from a file, or from a list.
    pub(crate) is_of_file: Option<bool>,
    /// That moment, or later.
    pub(crate) created_after: Option<Timestamp>,
    /// That moment, or earlier.
    pub(crate) created_before: Option<Timestamp>,
}

/// What is known of verdicts together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    /// By category, in the order of all.
    pub(crate) counts: Vec<i32>,
    pub(crate) role_based: i32,
    /// By category too, disposable addresses alone.
    pub(crate) disposable: Vec<i32>,
    /// When the last of them was written down.
    pub(crate) told_at: Option<Timestamp>,
}

/// Tasks that were submitted on a day.
#[derive(Debug, Clone)]
pub(crate) struct DayOfClient {
    pub(crate) day: Date,
    pub(crate) tasks: i64,
    pub(crate) items: i64,
    /// Items of those at which nobody works yet.
    pub(crate) pending: i64,
    pub(crate) sums: Sums,
    /// When the last of them was submitted.
    pub(crate) asked_at: Timestamp,
}

impl Sums {
    /// Both together.
    #[must_use]
    pub(crate) fn more(&self, other: &Self) -> Self {
        Self {
            counts: by_place(&self.counts, &other.counts, i32::saturating_add),
            role_based: self.role_based + other.role_based,
            disposable: by_place(&self.disposable, &other.disposable, i32::saturating_add),
            told_at: self.told_at.max(other.told_at),
        }
    }

    /// What is left without these.
    #[must_use]
    pub(crate) fn less(self, other: &Self) -> Self {
        Self {
            counts: by_place(&self.counts, &other.counts, i32::saturating_sub),
            role_based: self.role_based - other.role_based,
            disposable: by_place(&self.disposable, &other.disposable, i32::saturating_sub),
            told_at: self.told_at,
        }
    }
}

/// Where one is shorter, nothing stands there.
fn by_place(one: &[i32], other: &[i32], of: fn(i32, i32) -> i32) -> Vec<i32> {
    let at = |list: &[i32], place: usize| list.get(place).copied().unwrap_or_default();
    (0..one.len().max(other.len())).map(|place| of(at(one, place), at(other, place))).collect()
}

impl From<&Row> for Sums {
    fn from(row: &Row) -> Self {
        Self {
            counts: row.get::<_, Option<_>>("counts").unwrap_or_default(),
            role_based: row.get("role_based"),
            disposable: row.get::<_, Option<_>>("disposable").unwrap_or_default(),
            told_at: row.get("told_at"),
        }
    }
}

/// What a client has used in a month, by whatever product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Month {
    /// Its first day.
    pub(crate) month: Date,
    pub(crate) settled: i64,
}

/// A task that has ended, as far as it is billed.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) job: Uuid,
    pub(crate) items: i32,
    /// Verdicts by category.
    pub(crate) counts: Vec<i32>,
    pub(crate) created_at: Timestamp,
    pub(crate) ended_at: Timestamp,
}

/// The months of a client, the earliest first.
pub(crate) async fn months(client: &impl GenericClient, of: Uuid) -> Result<Vec<Month>, StoreError> {
    let months = client.prepare_cached(MONTHS).await?;
    let rows = client.query(&months, &[&of]).await?;
    Ok(rows.iter().map(|row| Month { month: row.get("month"), settled: row.get("settled") }).collect())
}

/// The last tasks of a client that have ended, in the order in which they did, while they are known.
pub(crate) async fn costs(client: &impl GenericClient, of: Uuid) -> Result<Vec<Cost>, StoreError> {
    let costs = client.prepare_cached(COSTS).await?;
    let cost = |row: &Row| Cost {
        job: row.get("id"),
        items: row.get("items"),
        counts: row.get("counts"),
        created_at: row.get("created_at"),
        ended_at: row.get("ended_at"),
    };
    Ok(client.query(&costs, &[&of, &COSTS_MAX]).await?.iter().map(cost).collect())
}

/// A page of tasks, the newest first, and how many there are in all.
pub(crate) async fn page(
    client: &impl GenericClient,
    wanted: Wanted,
    limit: i64,
    offset: i64,
) -> Result<(Vec<JobRow>, i64), StoreError> {
    let page = client.prepare_cached(PAGE).await?;
    let Wanted { client: of, is_of_file, created_after, created_before } = &wanted;
    let page_of: [Parameter<'_>; 6] = [of, is_of_file, created_after, created_before, &limit, &offset];
    let rows = client.query(&page, &page_of).await?;
    let total = rows.first().map_or(0, |row| row.get("total"));
    let jobs = rows.iter().filter(|row| row.get::<_, Option<Uuid>>("id").is_some());
    Ok((jobs.map(JobRow::from).collect(), total))
}

/// How far jobs have come, in any order.
pub(crate) async fn progress(
    client: &impl GenericClient,
    jobs: &[Uuid],
) -> Result<Vec<(Uuid, Sums)>, StoreError> {
    let progress = client.prepare_cached(PROGRESS).await?;
    let rows = client.query(&progress, &[&jobs]).await?;
    Ok(rows.iter().map(|row| (row.get("job"), Sums::from(row))).collect())
}

/// What was written down of a job's verdicts on which day, while they are kept.
pub(crate) async fn days_of_job(
    client: &impl GenericClient,
    job: Uuid,
) -> Result<Vec<(Date, Sums)>, StoreError> {
    let days = client.prepare_cached(DAYS_OF_JOB).await?;
    let rows = client.query(&days, &[&job]).await?;
    Ok(rows.iter().map(|row| (row.get("day"), Sums::from(row))).collect())
}

/// The tasks of a client that were submitted in a time, by the day of that.
pub(crate) async fn days_of_client(
    client: &impl GenericClient,
    of: Uuid,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Vec<DayOfClient>, StoreError> {
    let days = client.prepare_cached(DAYS_OF_CLIENT).await?;
    let rows = client.query(&days, &[&of, &from, &to]).await?;
    let day = |row: &Row| DayOfClient {
        day: row.get("day"),
        tasks: row.get("tasks"),
        items: row.get("items"),
        pending: row.get("pending"),
        sums: Sums::from(row),
        asked_at: row.get("asked_at"),
    };
    Ok(rows.iter().map(day).collect())
}
