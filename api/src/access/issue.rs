//! Making keys: drawn, shown once, kept as digests.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Facade, Scope,
    token::{self, Token},
};
use crate::store::{
    Store, StoreError,
    access::{self, KeyExpiry, NewKey},
    clients::{self, NewClient},
};

/// Makes a key for a client.
///
/// # Errors
/// The store does not take it; there is no such client.
pub(crate) async fn issue(
    store: &Store,
    client: Uuid,
    facade: Facade,
    scopes: &[Scope],
    expiry: KeyExpiry,
) -> Result<Token, StoreError> {
    let token = Token::draw(facade);
    let new = kept(store, &token, expiry);
    access::add(&store.request().await?, client, facade.word(), &words(scopes), &new).await?;
    Ok(token)
}

/// Makes a client and a key of it, or neither. `None`: the name is taken.
///
/// # Errors
/// The store does not take it.
pub(crate) async fn issue_with_client(
    store: &Store,
    client: &NewClient<'_>,
    facade: Facade,
    scopes: &[Scope],
) -> Result<Option<Token>, StoreError> {
    let token = Token::draw(facade);
    let new = kept(store, &token, KeyExpiry::default());
    let mut connection = store.request().await?;
    let tx = connection.transaction().await?;
    if !clients::add(&tx, client).await? {
        return Ok(None);
    }
    access::add(&tx, client.id, facade.word(), &words(scopes), &new).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// Makes a key in the place of another one of this facade, which ends after the grace, and may have expired. It is good for
/// the same, and for as long from now on, unless its expiry is given. `None`: there is no such key, or it was revoked.
///
/// # Errors
/// The store does not take it; then the old one is as it was.
pub(crate) async fn rotate(
    store: &Store,
    key: Uuid,
    facade: Facade,
    grace: Duration,
    expiry: KeyExpiry,
) -> Result<Option<Token>, StoreError> {
    let token = Token::draw(facade);
    let new = kept(store, &token, expiry);
    let is_done = access::rotate(&mut store.request().await?, key, grace, &new).await?;
    Ok(is_done.then_some(token))
}

/// The id of a key that somebody holds in his hands.
///
/// # Errors
/// The store cannot be asked.
pub(crate) async fn id_of(store: &Store, presented: &str) -> Result<Option<Uuid>, StoreError> {
    if token::facade_of(presented).is_none() {
        return Ok(None);
    }
    let digests: Vec<_> = store.keys().access_digests(presented).collect();
    let found = access::look_up(&store.request().await?, &digests).await?;
    Ok(found.first().map(|key| key.id))
}

fn words(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.word()).collect()
}

fn kept<'a>(store: &Store, token: &'a Token, expiry: KeyExpiry) -> NewKey<'a> {
    let digest = store.keys().access_digest(token.expose());
    NewKey { id: Uuid::now_v7(), hint: token.hint(), digest, expiry }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    const FACADE: Facade = Facade::EmailVerifier;

    fn first() -> NewClient<'static> {
        let id = Uuid::now_v7();
        NewClient {
            id,
            name: "first",
            monthly_quota: None,
            hard_cap: false,
            alert_url: None,
            running_max: None,
        }
    }

    async fn made(store: &Store) -> Result<Option<Token>, StoreError> {
        issue_with_client(store, &first(), FACADE, FACADE.default_scopes()).await
    }

    async fn run(store: &Store, statement: &str) {
        store.worker().await.unwrap().batch_execute(statement).await.unwrap();
    }

    async fn ask(store: &Store, query: &str) -> i64 {
        store.worker().await.unwrap().query_one(query, &[]).await.unwrap().get(0)
    }

    const CLIENTS: &str = "select count(*) from client where name = 'first'";
    const KEYS: &str = "select count(*) from api_key";

    #[tokio::test]
    async fn of_two_who_make_the_first_client_one_does() {
        let store = testing::store().await;
        let mut other = store.worker().await.unwrap();
        let tx = other.transaction().await.unwrap();
        assert!(clients::add(&tx, &first()).await.unwrap());
        let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        let meanwhile = async {
            while ask(&store, waits).await == 0 {}
            tx.commit().await.unwrap();
        };
        let (second, ()) = tokio::join!(made(&store), meanwhile);
        assert_eq!(second.unwrap(), None);
        assert_eq!((ask(&store, CLIENTS).await, ask(&store, KEYS).await), (1, 0));
    }

    #[tokio::test]
    async fn a_client_without_its_key_is_not_made() {
        let store = testing::store().await;
        run(&store, "alter table api_key add constraint never check (hint is null)").await;
        assert!(made(&store).await.is_err());
        assert_eq!(ask(&store, CLIENTS).await, 0);
        run(&store, "alter table api_key drop constraint never").await;
        assert!(made(&store).await.unwrap().is_some());
        assert_eq!((ask(&store, CLIENTS).await, ask(&store, KEYS).await), (1, 1));
    }

    #[tokio::test]
    async fn a_key_that_has_expired_can_be_rotated_and_one_that_was_revoked_cannot() {
        let store = testing::store().await;
        let client = first();
        assert!(clients::add(&store.request().await.unwrap(), &client).await.unwrap());
        let week = KeyExpiry { at: None, after: Some(Duration::from_hours(7 * 24)) };
        let old = issue(&store, client.id, FACADE, FACADE.default_scopes(), week).await.unwrap();
        let id = id_of(&store, old.expose()).await.unwrap().unwrap();
        let ago = "created_at = created_at - interval '9 days', expires_at = expires_at - interval '9 days'";
        run(&store, &format!("update api_key set {ago}")).await;
        let hour = Duration::from_hours(1);
        assert!(rotate(&store, id, FACADE, hour, KeyExpiry::default()).await.unwrap().is_some());
        let connection = store.request().await.unwrap();
        let [new, old] = &access::all(&connection, None).await.unwrap()[..] else { panic!("two keys") };
        let life = new.expires_at.unwrap().duration_since(new.created_at);
        assert_eq!(life, jiff::SignedDuration::from_hours(7 * 24));
        assert!(!new.is_expired && old.is_expired, "a grace makes nothing good again");
        for _ in 0..2 {
            let is_done = access::revoke(&mut store.request().await.unwrap(), old.id, Duration::ZERO).await;
            let again = rotate(&store, old.id, FACADE, hour, KeyExpiry::default()).await.unwrap();
            assert!(is_done.is_ok() && again.is_none());
        }
    }
}
