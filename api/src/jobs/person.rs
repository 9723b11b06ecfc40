//! Who is meant by an input: what a person is found by who wants to be forgotten.

use mailsonde_builtin::syntax::{self, Policy};
use mailsonde_engine::Address;
use uuid::Uuid;

use crate::store::keys::{Keyring, Scope, ShortToken};

/// The address that an input is under any grammar, whatever the stages of its pipeline make of it: its domain in
/// A-labels, however it was written.
pub(crate) fn address(input: &str) -> Option<Address> {
    let input = input.trim();
    [Policy::Strict, Policy::Rfc5321, Policy::Rfc5322]
        .into_iter()
        .find_map(|policy| syntax::parse(input, policy).ok())
}

/// Whether the input means this mailbox. Case makes no other person.
pub(crate) fn is_of(input: &str, person: &Address) -> bool {
    let person = person.as_str().to_lowercase();
    match address(input) {
        Some(address) => address.as_str().to_lowercase() == person,
        None => input.trim().to_lowercase() == person,
    }
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

/// The tokens by which a mailbox may be found among a client's items, by every key that is held.
pub(crate) fn tokens_of(keys: &Keyring, client: Uuid, person: &Address) -> Vec<ShortToken> {
    keys.short_indexes(Scope::Client(client), person)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Uuid = Uuid::from_u128(1);

    fn keys() -> Keyring {
        Keyring::from_text("00000001 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap()
    }

    #[test]
    fn a_person_is_found_however_the_address_was_written() {
        for (person, inputs) in [
            (
                ("jane", "example.com"),
                &["jane@example.com", " Jane@EXAMPLE.com\t", "\"jane\"@example.com"][..],
            ),
            (("jane", "xn--bcher-kva.example"), &["jane@bücher.example", "JANE@BÜCHER.example"]),
            (("\"jane doe\"", "example.com"), &["\"jane doe\"@example.com"]),
            (("jane", "[192.0.2.1]"), &["jane@[192.0.2.1]"]),
        ] {
            let person = Address::new(person.0, person.1);
            let token = tokens_of(&keys(), CLIENT, &person).concat();
            for input in inputs {
                assert!(is_of(input, &person), "{input}");
                assert_eq!(tokens(&keys(), CLIENT, [*input].into_iter()), token, "{input}");
            }
            let others = ["jan@example.com", "jane@example.org", "jane@sub.example.com", "jane", ""];
            assert!(!others.iter().any(|other| is_of(other, &person)));
        }
    }

    #[test]
    fn whatever_is_submitted_has_a_token() {
        let odd =
            ["", "@", "a b@c", "a\0@b", "a@b@c", "ja\nne@example.com", "jane@exa mple", "💌", "\u{202e}@x"];
        assert_eq!(tokens(&keys(), CLIENT, odd.into_iter()).len(), 8 * odd.len());
    }
}
