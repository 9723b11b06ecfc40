//! Peppers: how keys of clients are kept. The store has a digest that nobody can make without a key of ours, so who reads
//! the store alone cannot even try out whether a text is one.
//!
//! They are random and long, so one round of HMAC will do, and is done at every request.

use super::{Keyring, index};

/// Octets of the hash in an [`AccessDigest`].
const HASH_OCTETS: usize = 32;

/// What is kept of a client's key: the id of a pepper (4 octets) and an HMAC-SHA-256 (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AccessDigest([u8; 4 + HASH_OCTETS]);

impl AccessDigest {
    /// The octets, as the store has them.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// What the store has; none where that is something else.
    pub(crate) fn from_stored(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }
}

impl Keyring {
    /// The digest of a client's key, by the current pepper: what is written.
    pub(crate) fn access_digest(&self, key: &str) -> AccessDigest {
        self.current().access_digest(key)
    }

    /// The digests of a client's key by every pepper, the current one's first: what is looked for.
    pub(crate) fn access_digests<'a>(&'a self, key: &'a str) -> impl Iterator<Item = AccessDigest> + 'a {
        self.0.iter().rev().map(move |held| held.access_digest(key))
    }
}

impl super::Key {
    fn access_digest(&self, key: &str) -> AccessDigest {
        let mut digest = [0; 4 + HASH_OCTETS];
        digest[..4].copy_from_slice(self.id.as_slice());
        digest[4..].copy_from_slice(&self.pepper.hash(key.as_bytes()));
        AccessDigest(digest)
    }
}

/// The sub-key by which one key hashes those of clients, made ready.
pub(super) struct Pepper(index::Keyed);

impl Pepper {
    pub(super) fn new(sub_key: [u8; super::KEY_OCTETS]) -> Self {
        Self(index::keyed(&sub_key))
    }

    fn hash(&self, text: &[u8]) -> [u8; HASH_OCTETS] {
        index::hashed(&self.0, text)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::keyring, *};

    #[test]
    fn after_a_rotation_older_keys_of_clients_are_still_found() {
        let before = keyring(&[("00000001", 1)]);
        let after = keyring(&[("00000001", 1), ("00000002", 2)]);
        let (old, new) = (before.access_digest("ev_live_1"), after.access_digest("ev_live_1"));
        assert_eq!(after.access_digests("ev_live_1").collect::<Vec<_>>(), [new, old]);
        assert_eq!((&old.as_slice()[..4], &new.as_slice()[..4]), (&[0, 0, 0, 1][..], &[0, 0, 0, 2][..]));
        assert_ne!(old.as_slice()[4..], new.as_slice()[4..]);
        assert_ne!(before.access_digest("ev_live_2"), old);
    }

    #[test]
    fn another_secret_makes_another_digest() {
        let [one, two] = [1, 2].map(|octet| keyring(&[("00000001", octet)]).access_digest("ev_live_1"));
        assert_ne!(one, two);
    }

    #[test]
    fn what_was_stored_is_read_again() {
        let digest = keyring(&[("00000001", 1)]).access_digest("ev_live_1");
        assert_eq!(AccessDigest::from_stored(digest.as_slice()), Some(digest));
        assert_eq!(AccessDigest::from_stored(&digest.as_slice()[1..]), None);
    }
}
