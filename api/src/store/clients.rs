//! Clients: who is served, and on which terms. What they have used is in `billing`.

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use uuid::Uuid;

use super::{OWN_CLIENT, StoreError, access, tasks::Parameter};

/// A name that is taken stays whose it is.
pub(super) const ADD: &str = "
insert into client (id, name, monthly_quota, hard_cap, alert_url, running_max)
values ($1, $2, $3, $4, $5, coalesce($6, 16)) on conflict (name) do nothing";

/// All, or the one of this id or name. An id that is somebody's name is the name's.
pub(super) const CLIENTS: &str = "
select id, name, active, monthly_quota, hard_cap, alert_url, running_max, created_at,
    (select count(*) from api_key where api_key.client = client.id
        and coalesce(revoked_at > now(), true) and coalesce(expires_at > now(), true)) as keys
from client
where id <> $1 and ($2::text is null or name = $2 or id::text = lower($2))
order by name is distinct from $2, name";

pub(super) const TERMS: &str = "
select active, monthly_quota, hard_cap, alert_url, running_max from client where id = $1 for update";

pub(super) const CHANGE: &str = "
update client set active = $2, monthly_quota = $3, hard_cap = $4, alert_url = $5, running_max = $6 where id = $1";

/// On which terms a client is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Whether it is served at all.
    pub(crate) active: bool,
    /// Credits of a month (UTC); none: as many as they like.
    pub(crate) monthly_quota: Option<i64>,
    /// At the quota nothing more is done.
    pub(crate) hard_cap: bool,
    /// Where it is told of its usage, sealed.
    pub(crate) alert_url: Option<Vec<u8>>,
    /// Tasks of it that may be at work at the same time.
    pub(crate) running_max: i32,
}

/// A client on its way in.
pub(crate) struct NewClient<'a> {
    pub(crate) id: Uuid,
    pub(crate) name: &'a str,
    pub(crate) monthly_quota: Option<i64>,
    pub(crate) hard_cap: bool,
    /// Sealed.
    pub(crate) alert_url: Option<Vec<u8>>,
    /// None: as many as usual.
    pub(crate) running_max: Option<i32>,
}

/// A client.
#[derive(Debug, Clone)]
pub(crate) struct ClientRow {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) terms: Terms,
    pub(crate) created_at: Timestamp,
    /// Keys of it that are good now.
    pub(crate) keys: i64,
}

/// Adds a client. False: the name is taken.
pub(crate) async fn add(client: &impl GenericClient, new: &NewClient<'_>) -> Result<bool, StoreError> {
    let add = client.prepare_cached(ADD).await?;
    let parameters: [Parameter<'_>; 6] =
        [&new.id, &new.name, &new.monthly_quota, &new.hard_cap, &new.alert_url, &new.running_max];
    Ok(client.execute(&add, &parameters).await? == 1)
}

/// All clients but the one of tasks that nobody submitted, by name.
pub(crate) async fn all(client: &impl GenericClient) -> Result<Vec<ClientRow>, StoreError> {
    read(client, None).await
}

/// The client of this name or id.
pub(crate) async fn find(client: &impl GenericClient, named: &str) -> Result<Option<ClientRow>, StoreError> {
    Ok(read(client, Some(named)).await?.into_iter().next())
}

async fn read(client: &impl GenericClient, named: Option<&str>) -> Result<Vec<ClientRow>, StoreError> {
    let clients = client.prepare_cached(CLIENTS).await?;
    let rows = client.query(&clients, &[&OWN_CLIENT, &named]).await?;
    let client = |row: &tokio_postgres::Row| ClientRow {
        id: row.get("id"),
        name: row.get("name"),
        terms: terms(row),
        created_at: row.get("created_at"),
        keys: row.get("keys"),
    };
    Ok(rows.iter().map(client).collect())
}

/// Changes the terms of a client; all processes hear of it. False: there is no such client.
pub(crate) async fn change(
    client: &mut Client,
    id: Uuid,
    change: impl FnOnce(&mut Terms),
) -> Result<bool, StoreError> {
    let tx = client.transaction().await?;
    let held = tx.prepare_cached(TERMS).await?;
    let Some(row) = tx.query_opt(&held, &[&id]).await? else { return Ok(false) };
    let mut terms = terms(&row);
    change(&mut terms);
    let write = tx.prepare_cached(CHANGE).await?;
    let Terms { active, monthly_quota, hard_cap, alert_url, running_max } = &terms;
    let parameters: [Parameter<'_>; 6] = [&id, active, monthly_quota, hard_cap, alert_url, running_max];
    tx.execute(&write, &parameters).await?;
    access::notify(&tx, id).await?;
    tx.commit().await?;
    Ok(true)
}

fn terms(row: &tokio_postgres::Row) -> Terms {
    Terms {
        active: row.get("active"),
        monthly_quota: row.get("monthly_quota"),
        hard_cap: row.get("hard_cap"),
        alert_url: row.get("alert_url"),
        running_max: row.get("running_max"),
    }
}
