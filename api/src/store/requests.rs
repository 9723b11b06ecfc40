//! Requests that were answered at once, for whoever wants to see later what was asked. Who was asked about and what was
//! answered is sealed; what came of it is counted.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    StoreError,
    idempotency::{self, Answer},
    keys::ShortToken,
    tasks::Parameter,
};

/// A line for each, as many as a batch has.
pub(super) const ADD: &str = "
insert into request (id, client, kind, state, outcome, duration_ms, charge_micros, sealed, tokens, expires_at)
select id, $1, kind, state, outcome, $2, charge_micros, sealed, tokens, now() + $3 * interval '1 second'
from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::int[], $9::bytea[], $10::bytea[])
    as new (id, kind, state, outcome, charge_micros, sealed, tokens)";

/// A line without a request, where the page has none: how many there are is told all the same.
pub(super) const PAGE: &str = "
with wanted as (
    select id, created_at from request where client = $1 and sealed is not null
        and ($2::text is null or kind = $2) and ($3::text is null or state = $3)
), page as (
    select id from wanted order by created_at desc, id desc limit $4 offset $5
)
select total, request.id, kind, state, outcome, request.created_at, duration_ms, sealed
from (select count(*) as total from wanted) as whole
    left join page on true
    left join request on request.id = page.id
order by request.created_at desc, request.id desc";

/// A page is counted as a whole: whoever has asked that much waits no longer for it, and the connection is free again.
const PAGE_PATIENCE: &str = "set transaction read only; set local statement_timeout = '2s'";

/// Some of those in which one of the tokens may stand.
pub(super) const HOLDERS: &str = "
select id, sealed from request
where client = $1 and id > $3 and sealed is not null and exists (
    select from unnest($2::bytea[]) as wanted (token) where position(token in tokens) > 0
)
order by id limit 1000";

/// What was counted stays.
pub(super) const FORGET: &str =
    "update request set sealed = null, tokens = '' where id = any($1) and sealed is not null";

pub(super) const FORGET_OLD: &str = "
delete from request where id in (select id from request where expires_at < now() limit $1)";

/// A request on its way in.
pub(crate) struct NewRequest {
    pub(crate) id: Uuid,
    /// The product's words.
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) charge_micros: i32,
    pub(crate) sealed: Vec<u8>,
    pub(crate) tokens: Vec<u8>,
}

/// Requests that came as one: of whom, and how long they took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Together {
    pub(crate) client: Uuid,
    pub(crate) took: Duration,
    /// How long they are kept.
    pub(crate) kept: Duration,
}

/// A request as it is kept.
#[derive(Debug)]
pub(crate) struct RequestRow {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) outcome: String,
    pub(crate) created_at: Timestamp,
    pub(crate) duration_ms: i32,
    pub(crate) sealed: Vec<u8>,
}

/// Which requests are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) client: Uuid,
    pub(crate) kind: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
}

/// Adds requests, with the answer that is kept for whoever sends them again: both are, or none.
pub(crate) async fn add(
    client: &mut Client,
    together: Together,
    new: &[NewRequest],
    answer: Option<&Answer>,
) -> Result<(), StoreError> {
    let Some(answer) = answer else { return insert(client, together, new).await };
    let tx = client.transaction().await?;
    insert(&tx, together, new).await?;
    idempotency::keep(&tx, answer).await?;
    tx.commit().await?;
    Ok(())
}

async fn insert(
    client: &impl GenericClient,
    together: Together,
    new: &[NewRequest],
) -> Result<(), StoreError> {
    let add = client.prepare_cached(ADD).await?;
    let took = i32::try_from(together.took.as_millis()).unwrap_or(i32::MAX);
    let kept = together.kept.as_secs_f64();
    let ids: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    let words = |of: fn(&NewRequest) -> &'static str| new.iter().map(of).collect::<Vec<_>>();
    let (kinds, states, outcomes) = (words(|new| new.kind), words(|new| new.state), words(|new| new.outcome));
    let charges: Vec<i32> = new.iter().map(|new| new.charge_micros).collect();
    let sealed: Vec<&[u8]> = new.iter().map(|new| &*new.sealed).collect();
    let tokens: Vec<&[u8]> = new.iter().map(|new| &*new.tokens).collect();
    let parameters: [Parameter<'_>; 10] =
        [&together.client, &took, &kept, &ids, &kinds, &states, &outcomes, &charges, &sealed, &tokens];
    client.execute(&add, &parameters).await?;
    Ok(())
}

/// A page of requests, the newest first, and how many there are in all.
pub(crate) async fn page(
    client: &mut Client,
    wanted: Wanted<'_>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<RequestRow>, i64), StoreError> {
    let tx = client.transaction().await?;
    tx.batch_execute(PAGE_PATIENCE).await?;
    let page = tx.prepare_cached(PAGE).await?;
    let parameters: [Parameter<'_>; 5] = [&wanted.client, &wanted.kind, &wanted.state, &limit, &offset];
    let rows = tx.query(&page, &parameters).await?;
    tx.commit().await?;
    let total = rows.first().map_or(0, |row| row.get("total"));
    let known = rows.iter().filter(|row| row.get::<_, Option<Uuid>>("id").is_some());
    Ok((known.map(RequestRow::from).collect(), total))
}

impl From<&Row> for RequestRow {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            kind: row.get("kind"),
            state: row.get("state"),
            outcome: row.get("outcome"),
            created_at: row.get("created_at"),
            duration_ms: row.get("duration_ms"),
            sealed: row.get("sealed"),
        }
    }
}

/// The next requests of a client in which one of the tokens may stand, by their ids: what is sealed of each. None when there
/// are no more.
pub(crate) async fn holders(
    client: &mut Client,
    of: Uuid,
    tokens: &[ShortToken],
    after: Uuid,
) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
    let tx = client.transaction().await?;
    // All requests of the client are looked at.
    tx.batch_execute("set local statement_timeout = 0").await?;
    let tokens: Vec<&[u8]> = tokens.iter().map(<[u8; 8]>::as_slice).collect();
    let holders = tx.prepare_cached(HOLDERS).await?;
    let rows = tx.query(&holders, &[&of, &tokens, &after]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("sealed"))).collect())
}

/// Removes what is sealed of requests. Returns of how many there was something.
pub(crate) async fn forget(client: &impl GenericClient, ids: &[Uuid]) -> Result<u64, StoreError> {
    let forget = client.prepare_cached(FORGET).await?;
    Ok(client.execute(&forget, &[&ids]).await?)
}
