//! Secrets that sign a client's webhooks: 32 random octets, written `whsec_` and base64, as the Standard Webhooks
//! specification has them. A secret is shown once, when it is drawn; in the store it is sealed. A new one takes over at
//! once, and the old ones sign too, for as long as it takes receivers to learn the new one.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{OsRng, rand_core::RngCore as _};
use uuid::Uuid;

use crate::store::{
    Store, StoreError,
    keys::{Keyring, Row},
    webhooks::{self, StoredSecret},
};

/// What a written secret begins with.
const PREFIX: &str = "whsec_";

/// Octets of a secret. The specification wants 24 to 64.
const OCTETS: usize = 32;

/// Secrets of a client that are valid at the same time. Each adds 48 octets to the header.
const VALID_MAX: usize = 8;

/// A secret. It is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Box<[u8]>);

impl Secret {
    /// A new one.
    pub(crate) fn draw() -> Self {
        let mut octets = vec![0; OCTETS];
        OsRng.fill_bytes(&mut octets);
        Self(octets.into())
    }

    /// One that is written down.
    #[cfg(test)]
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(Self(STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?.into()))
    }

    /// As it is given to whoever checks signatures.
    pub(crate) fn written(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    fn seal(&self, keys: &Keyring, id: Uuid) -> Vec<u8> {
        keys.seal(Row::WebhookSecret { id }, &self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why there is no new secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// `create`, where one is there.
    #[error("there is a secret already: `rotate` replaces it")]
    Exists,
    /// `rotate`, where none is there.
    #[error("there is no secret yet: `create` makes one")]
    None,
    /// The header would grow too long.
    #[error(
        "{VALID_MAX} secrets are valid: wait until one expires, or let the old ones end sooner (--overlap)"
    )]
    TooMany,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Draws a client's first secret.
pub(crate) async fn create(store: &Store, client: Uuid) -> Result<Secret, SecretError> {
    add(store, client, None).await
}

/// Draws a new secret; those that were valid sign for `overlap` longer, at most.
pub(crate) async fn rotate(store: &Store, client: Uuid, overlap: Duration) -> Result<Secret, SecretError> {
    add(store, client, Some(overlap)).await
}

async fn add(store: &Store, client: Uuid, overlap: Option<Duration>) -> Result<Secret, SecretError> {
    let (id, secret) = (Uuid::now_v7(), Secret::draw());
    let sealed = secret.seal(store.keys(), id);
    let mut connection = store.request().await?;
    // Two at once must not both be the first.
    let change = webhooks::SecretsChange::begin(&mut connection, client).await?;
    let valid = change.valid().await?;
    match overlap {
        None if valid > 0 => return Err(SecretError::Exists),
        Some(_) if valid == 0 => return Err(SecretError::None),
        Some(overlap) => change.expire(overlap).await?,
        None => {}
    }
    if change.valid().await? >= VALID_MAX {
        return Err(SecretError::TooMany);
    }
    change.add(id, &sealed).await?;
    Ok(secret)
}

/// Opens those that sign now, the newest first.
pub(super) fn open(keys: &Keyring, stored: &[StoredSecret]) -> Result<Vec<Secret>, StoreError> {
    let open = |stored: &StoredSecret| {
        let octets = keys.open(Row::WebhookSecret { id: stored.id }, &stored.sealed)?;
        Ok(Secret(octets.into()))
    };
    stored.iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LOCAL_CLIENT, OWN_CLIENT, testing};

    async fn valid(store: &Store, client: Uuid) -> Vec<Secret> {
        let connection = store.worker().await.unwrap();
        let stored = webhooks::secrets(&connection, client).await.unwrap();
        open(store.keys(), &stored).unwrap()
    }

    #[test]
    fn a_secret_is_written_as_others_read_it_and_never_shown() {
        let secret = Secret::draw();
        assert_eq!(Secret::read(&secret.written()).as_ref(), Some(&secret));
        assert_eq!(secret.octets().len(), 32);
        assert_ne!(Secret::draw(), secret);
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[tokio::test]
    async fn both_sign_while_they_change_and_the_old_one_ends() {
        let store = testing::store().await;
        assert!(matches!(rotate(&store, LOCAL_CLIENT, Duration::ZERO).await, Err(SecretError::None)));
        let first = create(&store, LOCAL_CLIENT).await.unwrap();
        assert!(matches!(create(&store, LOCAL_CLIENT).await, Err(SecretError::Exists)));
        assert_eq!(valid(&store, LOCAL_CLIENT).await, std::slice::from_ref(&first));
        let second = rotate(&store, LOCAL_CLIENT, Duration::from_hours(1)).await.unwrap();
        assert_eq!(valid(&store, LOCAL_CLIENT).await, [second.clone(), first]);
        // What was to end in an hour ends now.
        let third = rotate(&store, LOCAL_CLIENT, Duration::ZERO).await.unwrap();
        assert_eq!(valid(&store, LOCAL_CLIENT).await, [third]);
        assert_eq!(valid(&store, OWN_CLIENT).await, []);
    }

    #[tokio::test]
    async fn one_of_two_who_create_at_once_is_refused() {
        let store = testing::store().await;
        let (one, other) = tokio::join!(create(&store, LOCAL_CLIENT), create(&store, LOCAL_CLIENT));
        assert_eq!([&one, &other].iter().filter(|made| made.is_ok()).count(), 1, "{one:?} {other:?}");
        assert_eq!(valid(&store, LOCAL_CLIENT).await.len(), 1);
    }

    #[tokio::test]
    async fn there_is_an_end_to_secrets_that_are_valid() {
        let store = testing::store().await;
        create(&store, LOCAL_CLIENT).await.unwrap();
        for _ in 1..VALID_MAX {
            rotate(&store, LOCAL_CLIENT, Duration::from_hours(1)).await.unwrap();
        }
        let late = rotate(&store, LOCAL_CLIENT, Duration::from_hours(1)).await;
        assert!(matches!(late, Err(SecretError::TooMany)));
        rotate(&store, LOCAL_CLIENT, Duration::ZERO).await.unwrap();
        assert_eq!(valid(&store, LOCAL_CLIENT).await.len(), 1);
    }
}
