//! The shape of keys.
//!
//! ```text
//! ev_live_ | 32 random characters | 6 characters of checksum      0-9 A-Z a-z
//! ```
//!
//! The checksum is a CRC-32 (IEEE 802.3) of all that stands before it, written with the digits 0-9 A-Z a-z in base 62. It
//! is no secret and proves nothing. By it a typo is refused without a question to the store, and those who look for lost
//! secrets in sources can tell a key from what only looks like one.

use std::fmt;

use chacha20poly1305::aead::{OsRng, rand_core::RngCore};

use super::Facade;

/// Digits of base 62, by value.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random characters: 190 bits, of which 166 are unknown to who has seen the hint. More than anybody can try.
const RANDOM_CHARS: usize = 32;

/// Characters of the checksum: 62^6 is more than 2^32.
const CHECK_CHARS: usize = 6;

/// Random characters in the hint: enough to tell the keys of a client apart.
const HINT_CHARS: usize = 4;

/// A key, as it is shown once. It is not logged: it prints as its hint.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    text: String,
    hint_len: usize,
}

impl Token {
    /// A new one, from the system's source of chance.
    pub(super) fn draw(facade: Facade) -> Self {
        let mut text = String::from(facade.prefix());
        let hint_len = text.len() + HINT_CHARS;
        text.extend((0..RANDOM_CHARS).map(|_| char::from(random_digit())));
        let check = checksum(&text);
        text.extend(check.map(char::from));
        Self { text, hint_len }
    }

    /// The key itself.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// Its first characters, by which people know it again.
    pub(crate) fn hint(&self) -> &str {
        &self.text[..self.hint_len]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}…)", self.hint())
    }
}

/// The facade of whose keys a text has the shape. Nothing is said of whether there is such a key.
pub(super) fn facade_of(presented: &str) -> Option<Facade> {
    Facade::ALL.into_iter().find(|facade| is_shaped(presented, *facade))
}

/// Whether a text has the shape of keys of this facade.
pub(super) fn is_shaped(presented: &str, facade: Facade) -> bool {
    let Some(rest) = presented.strip_prefix(facade.prefix()) else { return false };
    // All are digits of one octet each, so it may be cut anywhere.
    rest.len() == RANDOM_CHARS + CHECK_CHARS
        && rest.bytes().all(|octet| octet.is_ascii_alphanumeric())
        && presented.as_bytes().ends_with(&checksum(&presented[..presented.len() - CHECK_CHARS]))
}

/// Each with the same chance.
fn random_digit() -> u8 {
    // 248 is the greatest multiple of 62 that an octet can hold.
    loop {
        let mut octet = [0];
        OsRng.fill_bytes(&mut octet);
        if octet[0] < 248 {
            return DIGITS[usize::from(octet[0] % 62)];
        }
    }
}

/// The CRC-32 of IEEE 802.3.
fn checksum(text: &str) -> [u8; CHECK_CHARS] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_has_the_shape_of_its_facade_alone() {
        for facade in Facade::ALL {
            let token = Token::draw(facade);
            assert_eq!(token.expose().len(), facade.prefix().len() + 38);
            assert_eq!(facade_of(token.expose()), Some(facade), "{}", token.expose());
            for other in Facade::ALL {
                assert_eq!(is_shaped(token.expose(), other), other == facade);
                // The prefix is checked too: with another one it is a typo.
                let moved = token.expose().replace(facade.prefix(), other.prefix());
                assert_eq!(is_shaped(&moved, other), other == facade);
            }
        }
    }

    /// A key whose checksum was computed elsewhere (zlib and base 62).
    #[test]
    fn the_checksum_is_the_one_that_others_compute() {
        assert!(is_shaped("ev_live_0123456789ABCDEFGHIJKLMNOPQRSTUV1TkX8W", Facade::EmailVerifier));
    }

    #[test]
    fn every_typo_of_one_character_is_found() {
        let token = Token::draw(Facade::Tasks);
        for at in 0..token.expose().len() {
            for digit in DIGITS.iter().chain(b"_- ") {
                let mut typo = token.expose().as_bytes().to_vec();
                if typo[at] != *digit {
                    typo[at] = *digit;
                    assert_eq!(facade_of(std::str::from_utf8(&typo).unwrap()), None);
                }
            }
        }
        let mut swapped = token.expose().as_bytes().to_vec();
        let at = (8..44).find(|at| swapped[*at] != swapped[at + 1]).unwrap();
        swapped.swap(at, at + 1);
        assert_eq!(facade_of(std::str::from_utf8(&swapped).unwrap()), None);
    }

    #[test]
    fn what_is_no_key_is_refused_whatever_it_is() {
        let token = Token::draw(Facade::EmailVerifier);
        let key = token.expose();
        let hostile = [
            String::new(),
            "ev_live_".into(),
            key[..key.len() - 1].into(),
            format!("{key}0"),
            format!(" {key}"),
            format!("{key}\n"),
            format!("ev_live_{}", "é".repeat(19)),
            format!("ev_live_{}", "\0".repeat(38)),
            "x".repeat(8192),
        ];
        for text in hostile {
            assert_eq!(facade_of(&text), None, "{text:?}");
        }
    }

    #[test]
    fn keys_differ_and_all_digits_occur() {
        let drawn: HashSet<String> =
            (0..200).map(|_| Token::draw(Facade::Relentless).expose().to_owned()).collect();
        assert_eq!(drawn.len(), 200);
        let random: HashSet<u8> = drawn.iter().flat_map(|key| key[10..42].bytes()).collect();
        assert_eq!(random.len(), 62);
    }

    #[test]
    fn a_key_prints_as_its_hint() {
        let token = Token::draw(Facade::EmailVerifier);
        let printed = format!("{token:?}");
        assert_eq!(printed, format!("Token({}…)", &token.expose()[..12]));
        assert_eq!(token.hint(), &token.expose()[..12]);
    }
}
