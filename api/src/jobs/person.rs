//! Who is meant by an input: what a person is found by who wants to be forgotten.

use mailsonde_builtin::{
    finder_permutation::candidates,
    formats::Known,
    grammar::{self, Policy},
    person::{Person, registered},
};
use mailsonde_engine::Address;
use uuid::Uuid;

use crate::store::keys::{Keyring, Scope, ShortToken};

/// Guesses of a person's address among which a mailbox is looked for: all that there are.
const GUESSES_MAX: usize = 1_000;

/// The address that an input is under any grammar, whatever the stages of its pipeline make of it: its domain in
/// A-labels, however it was written.
pub(crate) fn address(input: &str) -> Option<Address> {
    let input = input.trim();
    [Policy::Strict, Policy::Rfc5321, Policy::Rfc5322]
        .into_iter()
        .find_map(|policy| grammar::parse(input, policy).ok())
}

/// Whether the input means this mailbox. Case makes no other person.
pub(crate) fn is_of(input: &str, person: &Address) -> bool {
    let person = person.as_str().to_lowercase();
    match address(input) {
        Some(address) => address.as_str().to_lowercase() == person,
        None => input.trim().to_lowercase() == person,
    }
}

/// Whether an input that names somebody who is to be found may mean this mailbox. `found`: the
/// address, where it is known.
pub(crate) fn may_be_of(input: &str, found: Option<&Address>, person: &Address) -> bool {
    let Some(Ok(named)) = Person::read(input) else { return false };
    let is_it = |address: &Address| address.as_str().to_lowercase() == person.as_str().to_lowercase();
    if let Some(found) = found {
        return is_it(found);
    }
    // Nobody has said yet who it is.
    let guesses = candidates(&named, person.domain(), &Known::default(), GUESSES_MAX);
    is_near(named.domain(), person.domain()) && guesses.iter().any(|guess| is_it(&guess.address))
}

/// A person is looked for at the domain that is named, or at the one that was registered for it.
fn is_near(named: &str, domain: &str) -> bool {
    registered(named) == registered(domain)
}

/// The tokens of inputs, eight octets each, one after the other.
pub(crate) fn tokens<'a>(keys: &Keyring, client: Uuid, inputs: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let scope = Scope::Client(client);
    inputs.flat_map(|input| token(keys, scope, input)).collect()
}

fn token(keys: &Keyring, scope: Scope, input: &str) -> ShortToken {
    match (Person::read(input), address(input)) {
        // Who it is, is not known yet: it stands with those of the same domain.
        (Some(Ok(named)), _) => keys.short_index_of_input(scope, registered(named.domain())),
        (_, Some(address)) => keys.short_index(scope, &address),
        _ => keys.short_index_of_input(scope, input),
    }
}

/// The tokens by which a mailbox may be found among a client's items, by every key that is held: its own, and those of the
/// people who are to be found at its domain.
pub(crate) fn tokens_of(keys: &Keyring, client: Uuid, person: &Address) -> Vec<ShortToken> {
    let scope = Scope::Client(client);
    let mut tokens = keys.short_indexes(scope, person);
    tokens.extend(keys.short_indexes_of_input(scope, registered(person.domain())));
    tokens
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
            let token = tokens_of(&keys(), CLIENT, &person)[0];
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

    #[test]
    fn who_is_to_be_found_is_found_at_the_domain() {
        let jane = Address::new("jane.doe", "example.com");
        let tokens_of_jane = tokens_of(&keys(), CLIENT, &jane);
        for input in ["Jane Doe\texample.com", "Jane Doe\tshop.example.com"] {
            let token = tokens(&keys(), CLIENT, [input].into_iter());
            assert!(tokens_of_jane.iter().any(|of_jane| of_jane[..] == token[..]), "{input}");
            assert!(may_be_of(input, None, &jane) && may_be_of(input, Some(&jane), &jane), "{input}");
        }
        assert!(!may_be_of("John Smith\texample.com", None, &jane));
        assert!(!may_be_of("Jane Doe\texample.org", None, &jane));
        assert!(!may_be_of("Jane Doe\texample.com", Some(&Address::new("jdoe", "example.com")), &jane));
        assert!(!may_be_of("jane.doe@example.com", Some(&jane), &jane));
    }
}
