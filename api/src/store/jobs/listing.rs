//! A client's jobs of one product, a page at a time.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use uuid::Uuid;

use super::JobRow;
use crate::store::{StoreError, tasks::Parameter};

/// Paused jobs are being processed. A line without a job, where the page has none: how many there are is told all the same.
pub(in crate::store) const PAGE: &str = "
with wanted as (
    select id, created_at from job where client = $1 and facade = $2 and ($8::text is null or source = $8)
        and ($3::text is null or $3 = case
            when state in ('canceled', 'completed') then state
            when started_at is null then 'pending'
            else 'processing' end)
        and ($4::timestamptz is null or created_at >= $4)
        and ($5::timestamptz is null or created_at <= $5)
), page as (
    select id from wanted order by created_at desc, id desc limit $6 offset $7
)
select total, job.id, client, facade, source, filename, callback, state, pipeline, items, created_at, deadline_at,
    started_at, ended_at, left_over, counts, expires_at, pruned_at, ended_at is not null and expires_at <= now() as is_expired,
    exists (select from webhook where webhook.job = job.id and webhook.state = 'delivered') as is_told,
    coalesce((select sum(final) from part where part.job = job.id), 0)::int as done
from (select count(*) as total from wanted) as whole
    left join page on true
    left join job on job.id = page.id
order by created_at desc, job.id desc";

/// Which jobs are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) client: Uuid,
    /// The product by which they came.
    pub(crate) facade: &'a str,
    /// What they were made from, by the product's word.
    pub(crate) source: Option<&'a str>,
    /// `pending`, `processing`, `completed` or `canceled`.
    pub(crate) state: Option<&'a str>,
    /// That moment, or later.
    pub(crate) created_after: Option<Timestamp>,
    /// That moment, or earlier.
    pub(crate) created_before: Option<Timestamp>,
}

/// A page of them, the newest first, and how many there are in all.
pub(crate) async fn page(
    client: &impl GenericClient,
    wanted: Wanted<'_>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<JobRow>, i64), StoreError> {
    let page = client.prepare_cached(PAGE).await?;
    let Wanted { client: of, facade, source, state, created_after, created_before } = &wanted;
    let page_of: [Parameter<'_>; 8] =
        [of, facade, state, created_after, created_before, &limit, &offset, source];
    let rows = client.query(&page, &page_of).await?;
    let total = rows.first().map_or(0, |row| row.get("total"));
    let jobs = rows.iter().filter(|row| row.get::<_, Option<Uuid>>("id").is_some());
    Ok((jobs.map(JobRow::from).collect(), total))
}
