//! The grammar of addresses: what spells a mailbox, and which one. What is read here is an [`Address`] in normal form, and
//! what is refused gets one word for programs and one sentence for people. It looks nothing up: whether the domain exists, or
//! is spelled as its owner meant it, is for stages.
//!
//! Three policies, each a grammar of its own:
//!
//! | | `strict` | `rfc5321` | `rfc5322` |
//! |---|---|---|---|
//! | local part | dot-atom | dot-atom, or one quoted string | words with dots between, quoted or escaped |
//! | address literal | no | yes | yes |
//! | domain without a dot | no | yes | no |
//! | top-level domain | letters, or an A-label | any label | letters, or an A-label |
//!
//! - `strict` is what is deliverable in practice. Providers hand out no quoted local parts and no literals, and the
//!   few top-level domains that ever had mail hosts (RFC 7085) are not for the public.
//! - `rfc5321` is `Mailbox` of RFC 5321 §4.1.2, to the letter: what an SMTP server has to understand. Address literals
//!   are IPv4 and IPv6, as no other tag was ever registered.
//! - `rfc5322` is `addr-spec` of RFC 5322 §3.4.1 as a reader must take it. Obsolete local parts (§4.4), and the escapes
//!   of RFC 821 (`a\@b` without quotes; RFC 3696 §3 still shows such), are read, and rewritten as one quoted string
//!   where they need it. Its domain is "an Internet domain name" as in RFC 1123, whose §2.1 has the top-level domain
//!   alphabetic. Comments and folding white space belong to a header's layout and not to the address: refused, as are
//!   display names and `<…>`.
//!
//! All three: RFC 6531 letters outside ASCII (see `unicode`), IDNA domains (see `domain`), and the length limits of
//! RFC 5321 §4.5.3.1 in octets, for what was submitted and for the normal form, whichever is longer. A control
//! character anywhere is refused, so none can reach a wire. White space around an address is for the caller to trim.

mod domain;
mod local_part;
mod unicode;

use std::{borrow::Cow, str::FromStr};

use mailsonde_engine::{Address, INPUT_OCTETS_MAX, SyntaxError, SyntaxReason};
use serde::{Deserialize, Serialize};

/// Octets of a whole address: a path may have 256, two of which are its angle brackets (RFC 5321 §4.5.3.1.3).
const ADDRESS_MAX: usize = 254;

/// A grammar for addresses; the module's page compares them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// What is deliverable in practice.
    #[default]
    Strict,
    /// `Mailbox` of RFC 5321: quoted local parts, address literals and domains of one label too.
    Rfc5321,
    /// `addr-spec` of RFC 5322, with obsolete local parts; without comments and folding white space.
    Rfc5322,
}

/// A word that names no [`Policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown syntax policy: expected `strict`, `rfc5321` or `rfc5322`")]
pub struct UnknownPolicy;

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(word: &str) -> Result<Self, UnknownPolicy> {
        match word {
            "strict" => Ok(Self::Strict),
            "rfc5321" => Ok(Self::Rfc5321),
            "rfc5322" => Ok(Self::Rfc5322),
            _ => Err(UnknownPolicy),
        }
    }
}

/// Reads `input`, all of it, as one address.
///
/// # Errors
/// The first thing that is wrong, looked for from the whole to the parts: empty, too long, control characters, no `@`,
/// the local part, the domain.
pub fn parse(input: &str, policy: Policy) -> Result<Address, SyntaxError> {
    if input.trim().is_empty() {
        return Err(error(SyntaxReason::Empty, "The address is empty."));
    }
    if input.len() > INPUT_OCTETS_MAX {
        return Err(too_long("The address is longer than 320 octets."));
    }
    if has_hidden_characters(input) {
        return Err(error(
            SyntaxReason::ControlCharacter,
            "The address contains a control character or an invisible character.",
        ));
    }
    // No domain has an "@" in it, but a quoted local part may.
    let Some((written, domain)) = input.rsplit_once('@') else {
        return Err(error(SyntaxReason::NoAt, "There is no @ in the address."));
    };
    let local = local_part::normal_form(written, policy)?;
    let domain = domain::a_labels(domain, policy)?;
    if written.len().max(local.len()) + 1 + domain.len() > ADDRESS_MAX {
        return Err(too_long("The address is longer than 254 octets."));
    }
    Ok(Address::new(&local, &domain))
}

fn error(reason: SyntaxReason, message: &'static str) -> SyntaxError {
    SyntaxError { reason, message: Cow::Borrowed(message) }
}

fn too_long(message: &'static str) -> SyntaxError {
    error(SyntaxReason::TooLong, message)
}

/// Whether there is more than a reader sees.
fn has_hidden_characters(input: &str) -> bool {
    !input.bytes().all(|byte| matches!(byte, b' '..=b'~')) && input.chars().any(unicode::is_hidden)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const ALL: [Policy; 3] = [Policy::Strict, Policy::Rfc5321, Policy::Rfc5322];

    /// The normal form, or the word for what is wrong.
    fn read(input: &str, policy: Policy) -> Result<String, SyntaxReason> {
        parse(input, policy).map(|address| address.as_str().to_owned()).map_err(|error| error.reason)
    }

    #[test]
    fn domains_are_lowered_and_local_parts_are_not() {
        assert_eq!(read("Ada@LoveLace.EXAMPLE", Policy::Strict).as_deref(), Ok("Ada@lovelace.example"));
        assert_eq!(read("ada@Zürich.example", Policy::Strict).as_deref(), Ok("ada@xn--zrich-kva.example"));
        assert_eq!(
            read("ada@XN--ZRICH-KVA.example", Policy::Strict).as_deref(),
            Ok("ada@xn--zrich-kva.example")
        );
    }

    #[test]
    fn every_reason_is_given_by_every_policy() {
        use SyntaxReason::{BadDomain, BadLocalPart, ControlCharacter, Empty, NoAt, TooLong};
        for (input, reason) in [
            ("", Empty),
            (" \t\u{3000}", Empty),
            ("lovelace.example", NoAt),
            ("ada＠lovelace.example", NoAt),
            ("@lovelace.example", BadLocalPart),
            ("ada@home@lovelace.example", BadLocalPart),
            (" ada@lovelace.example", BadLocalPart),
            ("Ada <ada@lovelace.example>", BadLocalPart),
            ("ada@", BadDomain),
            ("ada@lovelace.example>", BadDomain),
            ("ada@lovelace.example ", BadDomain),
            ("ada@lovelace.example\n", ControlCharacter),
            ("ada@lovelace.example>\r\nDATA", ControlCharacter),
            ("a\0da@lovelace.example", ControlCharacter),
            ("a\u{85}da@lovelace.example", ControlCharacter),
            ("a\u{200B}da@lovelace.example", ControlCharacter),
            ("ada@love\u{202E}lace.example", ControlCharacter),
            ("\"a\tda\"@lovelace.example", ControlCharacter),
            (&format!("{}@d.example", "l".repeat(65)), TooLong),
            (&format!("ada@{}.example", "d".repeat(64)), TooLong),
            (&"@.\r\n".repeat(81), TooLong),
        ] {
            for policy in ALL {
                assert_eq!(read(input, policy), Err(reason), "{input:?} {policy:?}");
            }
        }
    }

    #[test]
    fn policies_differ_where_they_say() {
        // Whether strict, rfc5321 and rfc5322 take it.
        for (input, taken) in [
            ("ada@d.example", [true, true, true]),
            ("zoë@bücher.example", [true, true, true]),
            (r#""ada l"@d.example"#, [false, true, true]),
            (r#"ada."b c"@d.example"#, [false, false, true]),
            (r"ada\@home@d.example", [false, false, true]),
            ("ada@[192.0.2.7]", [false, true, true]),
            ("ada@localhost", [false, true, false]),
            ("ada@192.0.2.7", [false, true, false]),
            ("ada(l)@d.example", [false, false, false]),
        ] {
            assert_eq!(ALL.map(|policy| parse(input, policy).is_ok()), taken, "{input}");
        }
    }

    #[test]
    fn the_whole_has_its_own_limit() {
        let domain = format!("{}example", "d.".repeat(100));
        let with_local = |n: usize| format!("{}@{domain}", "l".repeat(n));
        assert!(
            parse(&with_local(46), Policy::Strict).is_ok_and(|address| address.as_str().len() == ADDRESS_MAX)
        );
        assert_eq!(read(&with_local(47), Policy::Strict), Err(SyntaxReason::TooLong));
        // Two quotes that the normal form does without still count.
        assert_eq!(
            read(&format!("\"{}\"@{domain}", "l".repeat(45)), Policy::Rfc5321),
            Err(SyntaxReason::TooLong)
        );
    }

    #[test]
    fn policies_are_called_by_their_names() {
        for (name, policy) in ["strict", "rfc5321", "rfc5322"].into_iter().zip(ALL) {
            assert_eq!(name.parse(), Ok(policy));
            assert_eq!(serde_json::from_value::<Policy>(name.into()).unwrap(), policy);
        }
        assert_eq!("lenient".parse::<Policy>(), Err(UnknownPolicy));
    }

    /// Texts that often come close to an address.
    fn almost_an_address() -> impl Strategy<Value = String> {
        let pieces = "a|B7|.|@|@|\"|\\| |-|d.example|.example|xn--|xn--bcher-kva.|[|]|IPv6:|::|192.0.2.7|é|\
            e\u{301}|ｅ|。|ß|한|\u{200D}|\u{202E}|\u{378}|ا|\r\n|>|<|(|\0|\t|1"
            .split('|')
            .collect::<Vec<_>>();
        vec(select(pieces), 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_text_is_read_without_a_panic(input in any::<String>()) {
            for policy in ALL {
                let _ = parse(&input, policy);
            }
        }

        #[test]
        fn what_is_read_is_safe_and_its_own_normal_form(input in almost_an_address()) {
            for policy in ALL {
                if let Ok(address) = parse(&input, policy) {
                    prop_assert!(!address.as_str().contains(char::is_control));
                    prop_assert!(address.local().starts_with('"') || !address.as_str().contains(['<', '>', ' ']));
                    prop_assert!(address.domain().is_ascii() && address.as_str().len() <= ADDRESS_MAX);
                    prop_assert_eq!(parse(address.as_str(), policy), Ok(address));
                }
            }
        }

        #[test]
        fn what_is_strict_passes_the_others_unchanged(input in almost_an_address()) {
            if let Ok(address) = parse(&input, Policy::Strict) {
                prop_assert_eq!(parse(&input, Policy::Rfc5321), Ok(address.clone()));
                prop_assert_eq!(parse(&input, Policy::Rfc5322), Ok(address));
            }
        }
    }
}
