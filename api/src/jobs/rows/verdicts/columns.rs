//! The columns of a verdict's row.

use mailsonde_engine::Address;
use serde::{Deserialize, Serialize};

/// Row, address, judgement, findings, milliseconds it took, milliseconds after the text's moment, last slot.
#[derive(Serialize, Deserialize)]
pub(super) struct Columns<S, F>(
    pub(super) u32,
    pub(super) Resolved<S>,
    pub(super) u32,
    pub(super) F,
    pub(super) u64,
    pub(super) i64,
    pub(super) Option<usize>,
    #[serde(default, skip_serializing_if = "Rare::is_nothing")] pub(super) Rare,
);

/// What few rows have.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rare {
    /// A better verdict may come.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) provisional: bool,
    /// Number of the judge, where it is not the first one.
    #[serde(skip_serializing_if = "is_first")]
    pub(super) judge: u32,
    /// Number of what became of opinions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opinions: Option<u32>,
}

impl Rare {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_first(number: &u32) -> bool {
    *number == 0
}

/// A finding by its number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Found<S> {
    /// All of it.
    Plain(u32),
    /// A reply without a text.
    Reply(u32, Host<S>),
    /// A reply, and the number of its text.
    ReplyWith(u32, Host<S>, u32),
}

/// The host that replied.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Host<S> {
    /// Its place in the row's route, from 0.
    OfRoute(usize),
    /// Its name.
    Named(S),
}

/// A row's address: 0 where the input is none, 1 where the input spells it, and otherwise in full.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Resolved<S> {
    Briefly(u8),
    InFull(S),
}

/// Something that is no address.
pub(super) struct NoAddress;

impl<'a> Resolved<&'a str> {
    pub(super) fn of(address: Option<&'a Address>, input: &str) -> Self {
        match address {
            None => Self::Briefly(0),
            Some(address) if spells(input, address) => Self::Briefly(1),
            Some(address) => Self::InFull(address.as_str()),
        }
    }
}

impl<S: AsRef<str>> Resolved<S> {
    pub(super) fn address(&self, input: &str) -> Result<Option<Address>, NoAddress> {
        let text = match self {
            Self::Briefly(0) => return Ok(None),
            Self::Briefly(_) => input,
            Self::InFull(text) => text.as_ref(),
        };
        // A quoted local part may hold the sign too; a domain cannot.
        let (local, domain) = text.rsplit_once('@').ok_or(NoAddress)?;
        if is_safe(local, domain) { Ok(Some(Address::new(local, domain))) } else { Err(NoAddress) }
    }
}

/// Whether the input is the address but for the case of its domain, which [`Address::new`] lowers; that of an address
/// literal it does not.
fn spells(input: &str, address: &Address) -> bool {
    let Some((local, domain)) = input.rsplit_once('@') else { return false };
    let is_but_for_case = !address.is_literal() && domain.eq_ignore_ascii_case(address.domain());
    (is_but_for_case || domain == address.domain()) && local == address.local()
}

/// Whether the parts may become an address. What was parsed once is; a text that was mistaken for another is perhaps
/// not, and an [`Address`] gets onto the wire without another look.
fn is_safe(local: &str, domain: &str) -> bool {
    let is_quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let no_bare = |c: char| matches!(c, ' ' | '<' | '>' | '@' | '"' | '\\');
    !local.is_empty()
        && !local.contains(char::is_control)
        && (is_quoted || !local.contains(no_bare))
        && !domain.is_empty()
        && domain.bytes().all(|octet| octet.is_ascii_graphic())
        && !domain.contains(no_bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(input: &str, address: Option<&Address>) -> String {
        serde_json::to_string(&Resolved::of(address, input)).unwrap()
    }

    #[test]
    fn an_address_that_its_input_spells_costs_one_octet() {
        for (input, local, domain, written) in [
            ("jane@example.com", "jane", "example.com", "1"),
            ("Jane@EXAMPLE.com", "Jane", "example.com", "1"),
            ("\"a@b\"@example.com", "\"a@b\"", "example.com", "1"),
            ("jane@[192.0.2.1]", "jane", "[192.0.2.1]", "1"),
            ("jane@[IPv6:2001:DB8::1]", "jane", "[IPv6:2001:db8::1]", r#""jane@[IPv6:2001:db8::1]""#),
            (" jane@example.com", "jane", "example.com", r#""jane@example.com""#),
            ("jane@bücher.example", "jane", "xn--bcher-kva.example", r#""jane@xn--bcher-kva.example""#),
            ("\"jane\"@example.com", "jane", "example.com", r#""jane@example.com""#),
            ("cafe\u{301}@example.com", "café", "example.com", r#""café@example.com""#),
        ] {
            let address = Address::new(local, domain);
            let text = column(input, Some(&address));
            assert_eq!(text, written);
            let read: Resolved<Box<str>> = serde_json::from_str(&text).unwrap();
            assert_eq!(read.address(input).ok().flatten(), Some(address), "{input}");
        }
        assert_eq!(column("jane", None), "0");
    }

    #[test]
    fn what_would_break_a_command_becomes_no_address() {
        for input in
            ["jane", "a\r\nb@example.com", "a b@example.com", "a@b>", "@b", "a@", "a@bü", "<a@b", "\"@b"]
        {
            assert!(Resolved::<Box<str>>::Briefly(1).address(input).is_err(), "{input:?}");
        }
    }
}
