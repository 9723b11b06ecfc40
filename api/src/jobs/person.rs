//! Who is meant by an input: what a person is found by who wants to be forgotten.

use mailsonde_engine::Address;
use uuid::Uuid;

use crate::store::keys::{Keyring, Scope, ShortToken};

/// The input as it is looked up, whatever any stage makes of it.
fn address(input: &str) -> Option<Address> {
    let (local, domain) = input.trim().rsplit_once('@')?;
    Some(Address::new(local, &domain.to_lowercase()))
}

/// The tokens of inputs, eight octets each, one after the other.
pub(crate) fn tokens<'a>(keys: &Keyring, client: Uuid, inputs: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let scope = Scope::Client(client);
    inputs.flat_map(|input| token(keys, scope, input)).collect()
}

fn token(keys: &Keyring, scope: Scope, input: &str) -> ShortToken {
    match address(input) {
        Some(address) => keys.short_index(scope, &address),
        None => keys.short_index_of_input(scope, input),
    }
}

/// The tokens by which an input may be found, by every key that is held.
pub(crate) fn tokens_of(keys: &Keyring, client: Uuid, input: &str) -> Vec<ShortToken> {
    let scope = Scope::Client(client);
    match address(input) {
        Some(address) => keys.short_indexes(scope, &address),
        None => keys.short_indexes_of_input(scope, input),
    }
}
