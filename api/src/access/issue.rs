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
    let words: Vec<&str> = scopes.iter().map(|scope| scope.word()).collect();
    let new = kept(store, &token, expiry);
    access::add(&store.request().await?, client, facade.word(), &words, &new).await?;
    Ok(token)
}

/// Makes a key in the place of another one of this facade, which ends after the grace. It is good for the same, and for as
/// long, unless its expiry is given. `None`: there is no such key, or it has ended already.
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

fn kept<'a>(store: &Store, token: &'a Token, expiry: KeyExpiry) -> NewKey<'a> {
    let digest = store.keys().access_digest(token.expose());
    NewKey { id: Uuid::now_v7(), hint: token.hint(), digest, expiry }
}
