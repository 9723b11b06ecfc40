//! Keys of clients: written down, ended, and found by their digests. The keys themselves never come here.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient, Transaction};
use jiff::Timestamp;
use uuid::Uuid;

use super::{StoreError, keys::AccessDigest, tasks::Parameter};

/// The channel on which processes hear that what they know of a client's keys has changed: with the client's id.
pub(crate) const ACCESS_CHANNEL: &str = "mailsonde_access";

/// With a moment or a time to live, or neither.
pub(super) const ADD: &str = "
insert into api_key (id, client, facade, hint, digest, scopes, expires_at)
values ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, now() + $8::float8 * interval '1 second'))";

/// A key that was revoked already stays as it is. One that has expired is none of those.
pub(super) const END: &str = "
update api_key set revoked_at = least(revoked_at, now() + $2 * interval '1 second')
where id = $1 and coalesce(revoked_at > now(), true) returning client";

/// Like the one before it, and good for as long, where nothing else is said.
pub(super) const SUCCEED: &str = "
insert into api_key (id, client, facade, hint, digest, scopes, expires_at)
select $2, client, facade, $3, $4, scopes, coalesce(
    $5::timestamptz, now() + $6::float8 * interval '1 second', now() + (expires_at - created_at)
)
from api_key where id = $1";

pub(super) const NOTIFY: &str = "select pg_notify($1, $2)";

/// Times are told as what is left of them: the clock is the database's.
pub(super) const LOOK_UP: &str = "
select api_key.digest, api_key.id, api_key.client, api_key.facade, api_key.scopes,
    extract(epoch from api_key.expires_at - clock_timestamp())::float8 as expires_in,
    extract(epoch from api_key.revoked_at - clock_timestamp())::float8 as revoked_in,
    client.active, client.monthly_quota, client.hard_cap
from api_key join client on client.id = api_key.client
where api_key.digest = any($1)";

/// All, of one client, or one. The newest first.
pub(super) const KEYS: &str = "
select api_key.id, client.name as client, facade, hint, scopes, api_key.created_at, expires_at, revoked_at,
    coalesce(revoked_at <= now(), false) as is_revoked, coalesce(expires_at <= now(), false) as is_expired
from api_key join client on client.id = api_key.client
where ($1::uuid is null or client.id = $1) and ($2::uuid is null or api_key.id = $2)
order by api_key.created_at desc, api_key.id desc";

/// What is kept of a new key.
#[derive(Debug)]
pub(crate) struct NewKey<'a> {
    pub(crate) id: Uuid,
    pub(crate) hint: &'a str,
    pub(crate) digest: AccessDigest,
    pub(crate) expiry: KeyExpiry,
}

/// When a new key expires: at a moment, or after a time by the database's clock, or neither.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyExpiry {
    pub(crate) at: Option<Timestamp>,
    pub(crate) after: Option<Duration>,
}

/// A key as it was looked up. Seconds are from the moment of the question, and below zero where it is over.
#[derive(Debug)]
pub(crate) struct KeptKey {
    pub(crate) digest: AccessDigest,
    pub(crate) id: Uuid,
    pub(crate) client: Uuid,
    pub(crate) facade: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_in: Option<f64>,
    pub(crate) revoked_in: Option<f64>,
    /// The client is served.
    pub(crate) is_active: bool,
    pub(crate) monthly_quota: Option<i64>,
    pub(crate) hard_cap: bool,
}

/// A key as people see it.
#[derive(Debug)]
pub(crate) struct KeyRow {
    pub(crate) id: Uuid,
    /// The client's name.
    pub(crate) client: String,
    pub(crate) facade: String,
    pub(crate) hint: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    /// After a rotation it may lie in the future.
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) is_revoked: bool,
    pub(crate) is_expired: bool,
}

/// Adds a key.
pub(crate) async fn add(
    client: &impl GenericClient,
    of: Uuid,
    facade: &str,
    scopes: &[&str],
    new: &NewKey<'_>,
) -> Result<(), StoreError> {
    let add = client.prepare_cached(ADD).await?;
    let (digest, after) = (new.digest.as_slice(), new.expiry.after.map(|after| after.as_secs_f64()));
    let parameters: [Parameter<'_>; 8] =
        [&new.id, &of, &facade, &new.hint, &digest, &scopes, &new.expiry.at, &after];
    client.execute(&add, &parameters).await?;
    Ok(())
}

/// Ends a key after some time; all processes hear of it. False: there is none, or it was revoked already.
pub(crate) async fn revoke(client: &mut Client, key: Uuid, after: Duration) -> Result<bool, StoreError> {
    let tx = client.transaction().await?;
    let is_done = end(&tx, key, after).await?;
    tx.commit().await?;
    Ok(is_done)
}

/// Puts a new key in the place of another one, which ends after the grace. That may have expired: the new one has as long
/// again. False: there is none, or it was revoked already.
pub(crate) async fn rotate(
    client: &mut Client,
    key: Uuid,
    grace: Duration,
    new: &NewKey<'_>,
) -> Result<bool, StoreError> {
    let tx = client.transaction().await?;
    if !end(&tx, key, grace).await? {
        return Ok(false);
    }
    let succeed = tx.prepare_cached(SUCCEED).await?;
    let (digest, after) = (new.digest.as_slice(), new.expiry.after.map(|after| after.as_secs_f64()));
    let parameters: [Parameter<'_>; 6] = [&key, &new.id, &new.hint, &digest, &new.expiry.at, &after];
    tx.execute(&succeed, &parameters).await?;
    tx.commit().await?;
    Ok(true)
}

async fn end(tx: &Transaction<'_>, key: Uuid, after: Duration) -> Result<bool, StoreError> {
    let end = tx.prepare_cached(END).await?;
    let ended = tx.query_opt(&end, &[&key, &after.as_secs_f64()]).await?;
    if let Some(row) = &ended {
        notify(tx, row.get(0)).await?;
    }
    Ok(ended.is_some())
}

/// Tells all processes, when the transaction is done, to look again at a client's keys.
pub(super) async fn notify(tx: &Transaction<'_>, client: Uuid) -> Result<(), StoreError> {
    let notify = tx.prepare_cached(NOTIFY).await?;
    tx.execute(&notify, &[&ACCESS_CHANNEL, &client.to_string()]).await?;
    Ok(())
}

/// The keys of these digests. Of those that are missing there is none.
pub(crate) async fn look_up(
    client: &impl GenericClient,
    digests: &[AccessDigest],
) -> Result<Vec<KeptKey>, StoreError> {
    let look_up = client.prepare_cached(LOOK_UP).await?;
    let digests: Vec<&[u8]> = digests.iter().map(AccessDigest::as_slice).collect();
    let rows = client.query(&look_up, &[&digests]).await?;
    Ok(rows.iter().filter_map(kept).collect())
}

fn kept(row: &tokio_postgres::Row) -> Option<KeptKey> {
    Some(KeptKey {
        digest: AccessDigest::from_stored(row.get("digest"))?,
        id: row.get("id"),
        client: row.get("client"),
        facade: row.get("facade"),
        scopes: row.get("scopes"),
        expires_in: row.get("expires_in"),
        revoked_in: row.get("revoked_in"),
        is_active: row.get("active"),
        monthly_quota: row.get("monthly_quota"),
        hard_cap: row.get("hard_cap"),
    })
}

/// Keys, the newest first: all of them, or those of a client.
pub(crate) async fn all(client: &impl GenericClient, of: Option<Uuid>) -> Result<Vec<KeyRow>, StoreError> {
    read(client, of, None).await
}

/// One key.
pub(crate) async fn find(client: &impl GenericClient, key: Uuid) -> Result<Option<KeyRow>, StoreError> {
    Ok(read(client, None, Some(key)).await?.into_iter().next())
}

async fn read(
    client: &impl GenericClient,
    of: Option<Uuid>,
    key: Option<Uuid>,
) -> Result<Vec<KeyRow>, StoreError> {
    let keys = client.prepare_cached(KEYS).await?;
    let rows = client.query(&keys, &[&of, &key]).await?;
    let key = |row: &tokio_postgres::Row| KeyRow {
        id: row.get("id"),
        client: row.get("client"),
        facade: row.get("facade"),
        hint: row.get("hint"),
        scopes: row.get("scopes"),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
        revoked_at: row.get("revoked_at"),
        is_revoked: row.get("is_revoked"),
        is_expired: row.get("is_expired"),
    };
    Ok(rows.iter().map(key).collect())
}
