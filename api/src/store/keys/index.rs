//! Blind indexes: addresses are found again by a keyed hash, where their texts are sealed.
//!
//! A token says nothing without the key. Those of one client are no other client's, so that nobody learns from a
//! shared table whom another one asks about; what the installation remembers for all has an index of its own.

use hmac::{Hmac, KeyInit, Mac};
use mailsonde_engine::Address;
use sha2::Sha256;
use uuid::Uuid;

use super::{KEY_OCTETS, Key, KeyId, Keyring};

/// Octets of the hash in a [`Token`]: far more than it takes to tell all addresses apart.
const TOKEN_OCTETS: usize = 16;

/// Where an address is looked up: the id of a key (4 octets) and a keyed hash (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token([u8; 4 + TOKEN_OCTETS]);

impl Token {
    /// The one of these octets; none of as many as no token has.
    pub(crate) fn of(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }

    /// The octets, as the store has them.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// Eight octets of the hash alone. They lead to where an address may stand, and who opens the text sees whether it does.
pub(crate) type ShortToken = [u8; 8];

/// Whose index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A client's own.
    Client(Uuid),
    /// What is remembered for all of them.
    Installation,
}

impl Keyring {
    /// The token of an address, by the current key: what is written.
    pub(crate) fn index(&self, scope: Scope, address: &Address) -> Token {
        self.current().token(scope, &normal(address))
    }

    /// The tokens of an address by every key, the current one's last: what is looked for.
    pub(crate) fn indexes(&self, scope: Scope, address: &Address) -> Vec<Token> {
        let name = normal(address);
        self.0.iter().map(|key| key.token(scope, &name)).collect()
    }

    /// The short token of an address, by the current key.
    pub(crate) fn short_index(&self, scope: Scope, address: &Address) -> ShortToken {
        self.current().index.short(scope, &normal(address))
    }

    /// The short token of an input that is no address: whoever wrote it may still want to be forgotten.
    pub(crate) fn short_index_of_input(&self, scope: Scope, input: &str) -> ShortToken {
        self.current().index.short(scope, &normal_input(input))
    }

    /// The short tokens of an input that is no address, by every key, the current one's last.
    pub(crate) fn short_indexes_of_input(&self, scope: Scope, input: &str) -> Vec<ShortToken> {
        let name = normal_input(input);
        self.0.iter().map(|key| key.index.short(scope, &name)).collect()
    }

    /// The short tokens of an address by every key, the current one's last.
    pub(crate) fn short_indexes(&self, scope: Scope, address: &Address) -> Vec<ShortToken> {
        let name = normal(address);
        self.0.iter().map(|key| key.index.short(scope, &name)).collect()
    }

    /// Where something is looked up that has a name and is no address, among all of one sort, by the current key: in
    /// hexadecimal digits. The sort is a word of ours.
    pub(crate) fn index_of_name(&self, sort: &str, name: &str) -> String {
        self.current().token_of_name(sort, name)
    }

    /// The same by the oldest key that is held. All processes hold that one, also those that have not heard of a new one.
    pub(crate) fn lasting_index_of_name(&self, sort: &str, name: &str) -> String {
        // `from_text` makes no keyring without a key.
        self.0[0].token_of_name(sort, name)
    }
}

impl Key {
    fn token(&self, scope: Scope, name: &str) -> Token {
        let mut token = [0; 4 + TOKEN_OCTETS];
        let KeyId(id) = self.id;
        token[..4].copy_from_slice(&id);
        token[4..].copy_from_slice(&self.index.hash(scope, name)[..TOKEN_OCTETS]);
        Token(token)
    }

    /// No address holds a NUL, so none has the same token.
    fn token_of_name(&self, sort: &str, name: &str) -> String {
        let Token(token) = self.token(Scope::Installation, &format!("{sort}\0{name}"));
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        token.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
    }
}

/// The address as it is looked up. The domain is in lower case already. The local part's case is a server's to heed,
/// and one that tells mailboxes apart by case alone is not to be found; a person who wants to be forgotten means the
/// mailbox, however somebody wrote it.
fn normal(address: &Address) -> String {
    address.as_str().to_lowercase()
}

fn normal_input(input: &str) -> String {
    input.trim().to_lowercase()
}

/// A sub-key, made ready to hash.
pub(super) type Keyed = Hmac<Sha256>;

/// The sub-keys by which one key hashes, made ready.
pub(super) struct Indexer {
    clients: Keyed,
    installation: Keyed,
}

impl Indexer {
    pub(super) fn new(clients: [u8; KEY_OCTETS], installation: [u8; KEY_OCTETS]) -> Self {
        Self { clients: keyed(&clients), installation: keyed(&installation) }
    }

    /// A client's id has always 16 octets, so what is hashed has one reading.
    fn hash(&self, scope: Scope, name: &str) -> [u8; KEY_OCTETS] {
        match scope {
            Scope::Client(client) => {
                hashed(&self.clients.clone().chain_update(client.as_bytes()), name.as_bytes())
            }
            Scope::Installation => hashed(&self.installation, name.as_bytes()),
        }
    }

    fn short(&self, scope: Scope, name: &str) -> ShortToken {
        let hash = self.hash(scope, name);
        std::array::from_fn(|at| hash[at])
    }
}

pub(super) fn keyed(key: &[u8; KEY_OCTETS]) -> Keyed {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// The hash of a text behind what was hashed already.
pub(super) fn hashed(begun: &Keyed, text: &[u8]) -> [u8; KEY_OCTETS] {
    begun.clone().chain_update(text).finalize().into_bytes().into()
}

/// A sub-key for a use: HKDF-Expand of RFC 5869 §2.3, of which one block is enough.
pub(super) fn expand(key: &[u8; KEY_OCTETS], label: &str) -> [u8; KEY_OCTETS] {
    keyed(key).chain_update(label.as_bytes()).chain_update([1]).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::keyring, *};

    const CLIENT: Scope = Scope::Client(Uuid::from_u128(1));

    fn jane() -> Address {
        Address::new("jane", "example.com")
    }

    #[test]
    fn an_address_has_one_token_in_each_index() {
        let keys = keyring(&[("00000001", 1)]);
        let scopes = [CLIENT, Scope::Client(Uuid::from_u128(2)), Scope::Installation];
        for (at, scope) in scopes.into_iter().enumerate() {
            assert_eq!(keys.index(scope, &jane()), keys.index(scope, &jane()));
            assert_ne!(keys.index(scope, &jane()), keys.index(scope, &Address::new("jan", "example.com")));
            let elsewhere = scopes[(at + 1) % scopes.len()];
            assert_ne!(keys.index(scope, &jane()), keys.index(elsewhere, &jane()));
        }
    }

    #[test]
    fn case_makes_no_other_person() {
        let keys = keyring(&[("00000001", 1)]);
        for (written, meant) in [("JANE", "jane"), ("Jürgen", "jürgen"), ("ÖMER", "ömer")] {
            let [written, meant] = [written, meant].map(|local| Address::new(local, "Example.com"));
            assert_eq!(keys.index(CLIENT, &written), keys.index(CLIENT, &meant));
            assert_eq!(keys.short_index(CLIENT, &written), keys.short_index(CLIENT, &meant));
        }
    }

    #[test]
    fn after_a_rotation_what_was_indexed_before_is_still_found() {
        let before = keyring(&[("00000001", 1)]);
        let after = keyring(&[("00000001", 1), ("00000002", 2)]);
        let (old, new) = (before.index(CLIENT, &jane()), after.index(CLIENT, &jane()));
        assert_eq!(after.indexes(CLIENT, &jane()), [old, new]);
        assert_eq!((&old.as_slice()[..4], &new.as_slice()[..4]), (&[0, 0, 0, 1][..], &[0, 0, 0, 2][..]));
        assert_ne!(old.as_slice()[4..], new.as_slice()[4..]);
        let shorts = [before.short_index(CLIENT, &jane()), after.short_index(CLIENT, &jane())];
        assert_eq!(after.short_indexes(CLIENT, &jane()), shorts);
        assert!(old.as_slice()[4..].starts_with(&shorts[0]));
    }

    #[test]
    fn names_are_found_among_their_sort() {
        let before = keyring(&[("00000001", 1)]);
        let after = keyring(&[("00000001", 1), ("00000002", 2)]);
        let index = before.index_of_name("lease", "mx.example.com");
        assert_eq!((index.len(), &index[..8]), (40, "00000001"));
        assert_ne!(before.index_of_name("rest", "mx.example.com"), index);
        assert_ne!(after.index_of_name("lease", "mx.example.com"), index);
        assert_eq!(after.lasting_index_of_name("lease", "mx.example.com"), index);
    }

    #[test]
    fn an_input_that_is_no_address_is_found_by_its_text() {
        let keys = keyring(&[("00000001", 1)]);
        let token = keys.short_index_of_input(CLIENT, " Jane@@Example.com");
        assert_eq!(keys.short_index_of_input(CLIENT, "jane@@example.com"), token);
        // What one grammar takes for an address and another does not is the same person's.
        assert_eq!(keys.short_index_of_input(CLIENT, "Jane@example.com"), keys.short_index(CLIENT, &jane()));
    }

    /// Test case 3 of RFC 5869, whose pseudorandom key is used as the key, with one block of output.
    #[test]
    fn sub_keys_are_expanded_as_the_standard_has_it() {
        let hex = |text: &str| -> [u8; KEY_OCTETS] {
            std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        };
        let key = hex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
        let expected = hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
        assert_eq!(expand(&key, ""), expected);
    }
}
