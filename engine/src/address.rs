//! An address: a mailbox that was parsed, in its normal form.
//!
//! The grammar is not here: the stage `syntax` parses, and only what it accepts becomes an [`Address`]. Whoever holds
//! one may write [`Address::as_str`] between `<` and `>` on an SMTP wire without looking again.

use std::fmt;

/// A mailbox in its normal form, in one allocation: local part, `@`, domain.
///
/// The local part is as submitted, its case kept (RFC 5321 §2.4), with no more quoting than it needs. The domain is
/// made of A-labels, in lower case, without a final dot; or an address literal in its brackets.
///
/// Printing an address, by `Display` or `Debug`, shows `j…@example.com`: no address gets into a log in full.
/// [`Address::as_str`] is the way to the whole text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    text: Box<str>,
    /// Octet at which the `@` stands: a quoted local part may hold others before it.
    at: usize,
}

impl Address {
    /// For the parser alone: joins two parts that it has checked. ASCII letters of a domain name are lowered here,
    /// so that the common case needs no copy of its own.
    ///
    /// Builds with debug assertions panic when a part holds what would break an SMTP command: a control
    /// character, or, outside quotes, a space, an angle bracket or a second `@`.
    pub fn new(local: &str, domain_a_label: &str) -> Self {
        debug_assert!(is_safe_local_part(local), "the parser let an unsafe local part pass");
        debug_assert!(is_safe_domain(domain_a_label), "the parser let an unsafe domain pass");
        let mut text = String::with_capacity(local.len() + 1 + domain_a_label.len());
        text.push_str(local);
        text.push('@');
        text.push_str(domain_a_label);
        if !domain_a_label.starts_with('[') {
            text[local.len() + 1..].make_ascii_lowercase();
        }
        Self { text: text.into_boxed_str(), at: local.len() }
    }

    /// The wire form: `local@a-label`, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, its case kept; in quotes when it needs them.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part after the `@`: `example.com`, `xn--bcher-kva.example` or `[192.0.2.1]`.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Whether the local part has letters outside ASCII, so that the mail host must offer SMTPUTF8 (RFC 6531).
    pub fn is_smtputf8(&self) -> bool {
        !self.local().is_ascii()
    }

    /// Whether the domain is an IP address in brackets.
    pub fn is_literal(&self) -> bool {
        self.domain().starts_with('[')
    }
}

/// Prints `j…@example.com`, and `…@example.com` where one letter would be the whole local part.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.local().chars();
        if let (Some(first), Some(_)) = (letters.next(), letters.next()) {
            write!(f, "{first}")?;
        }
        write!(f, "…@{}", self.domain())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn is_safe_local_part(local: &str) -> bool {
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    !local.is_empty()
        && !local.contains(char::is_control)
        && (quoted || !local.contains([' ', '<', '>', '@', '"', '\\']))
}

fn is_safe_domain(domain: &str) -> bool {
    !domain.is_empty()
        && domain.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'@' | b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_where_they_were_put() {
        let address = Address::new("Jane.Doe", "Example.COM");
        assert_eq!(address.as_str(), "Jane.Doe@example.com");
        assert_eq!((address.local(), address.domain()), ("Jane.Doe", "example.com"));
        assert!(!address.is_smtputf8() && !address.is_literal());
    }

    #[test]
    fn the_last_at_sign_parts_a_quoted_local_part_from_its_domain() {
        let address = Address::new("\"a@b <c>\"", "[IPv6:2001:db8::1]");
        assert_eq!((address.local(), address.domain()), ("\"a@b <c>\"", "[IPv6:2001:db8::1]"));
        assert!(address.is_literal());
    }

    #[test]
    fn letters_outside_ascii_need_smtputf8() {
        assert!(Address::new("jörg", "example.com").is_smtputf8());
        assert!(!Address::new("joerg", "xn--bcher-kva.example").is_smtputf8());
    }

    #[test]
    fn printing_hides_the_local_part() {
        for (local, shown) in
            [("jane.doe", "j…@example.com"), ("é.b", "é…@example.com"), ("j", "…@example.com")]
        {
            let address = Address::new(local, "example.com");
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
            assert!(!format!("{:?}", Some(&address)).contains(address.as_str()));
        }
    }

    #[test]
    fn nothing_that_breaks_a_command_is_taken() {
        let unsafe_parts = [
            ("a\r\nRCPT TO:<x", "example.com"),
            ("a\0", "example.com"),
            ("a>", "example.com"),
            ("a b", "example.com"),
            ("", "example.com"),
            ("a", "example.com>"),
            ("a", "example.com\n"),
            ("a", "büche.example"),
            ("a", ""),
        ];
        for (local, domain) in unsafe_parts {
            assert!(!(is_safe_local_part(local) && is_safe_domain(domain)), "{local:?} {domain:?}");
        }
        assert!(is_safe_local_part("\"a b>\"") && is_safe_domain("[192.0.2.1]"));
    }
}
