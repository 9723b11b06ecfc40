//! The part after the `@`: a host name in A-labels, or an address literal.
//!
//! Names follow RFC 1123 §2.1 (letters, digits, hyphens) and IDNA: UTS 46 maps upper case and composes letters with
//! their marks, and what comes out must be U-labels of RFC 5891/5892, as RFC 6531 §3.3 asks. Labels that begin with
//! `xn--` must decode to such U-labels. Two further rules guard against look-alikes:
//! - no character outside ASCII may turn into ASCII: `ｅxample.com` or `example。com` is not taken for `example.com`;
//! - symbols and emoji are refused, although UTS 46 alone would let them pass.
//!
//! Letters of several scripts in one label, or a whole label in a script that looks like another, are valid: IDNA
//! allows them, registries decide on them, and honest names mix scripts too. No harm is hidden: every later stage
//! and every answer shows the A-label. Whether a name looks like a well-known one is for other stages.
//!
//! No final dot: RFC 5321 has none. Nothing is looked up here, not even the list of top-level domains: DNS knows better.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

use idna::{
    AsciiDenyList,
    uts46::{DnsLength, Hyphens, Uts46},
};
use mailsonde_engine::{SyntaxError, SyntaxReason};

use super::{Policy, error, too_long, unicode};

/// Octets of a label (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;
/// Octets of a domain as text: 255 on the wire of DNS, without the first length octet and the root label.
const DOMAIN_MAX: usize = 253;
/// Groups of 16 bits that may stand beside `::`, which stands for two at least (RFC 5321 §4.1.3).
const IPV6_GROUPS_BESIDE_GAP_MAX: usize = 6;

const UTS46: Uts46 = Uts46::new();

/// The domain in A-labels, upper-case ASCII letters left as they are; a literal in its canonical form.
pub(super) fn a_labels(written: &str, policy: Policy) -> Result<Cow<'_, str>, SyntaxError> {
    if written.is_empty() {
        return Err(bad("There is nothing after the @."));
    }
    if written.starts_with('[') {
        return match policy {
            Policy::Strict => Err(bad("An IP address after the @ is not accepted.")),
            Policy::Rfc5321 | Policy::Rfc5322 => literal(written).map(Cow::Owned),
        };
    }
    let name = if written.is_ascii() && !written.split('.').any(is_a_label) {
        Cow::Borrowed(written)
    } else {
        Cow::Owned(to_a_labels(written)?)
    };
    check_host_name(&name, policy)?;
    Ok(name)
}

fn bad(message: &'static str) -> SyntaxError {
    error(SyntaxReason::BadDomain, message)
}

/// Whether the label says of itself that it is one (RFC 5890 §2.3.2.1).
fn is_a_label(label: &str) -> bool {
    label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

/// Through UTS 46 to U-labels, which are checked, and on to A-labels.
fn to_a_labels(written: &str) -> Result<String, SyntaxError> {
    if written.chars().any(turns_into_ascii) {
        return Err(bad("The domain contains a look-alike of an ASCII character."));
    }
    let (unicode, mapped) = UTS46.to_unicode(written.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    if mapped.is_err() || !unicode.chars().all(|c| c.is_ascii() || unicode::is_label_character(c)) {
        return Err(bad("The domain is not a valid internationalised name."));
    }
    // Lengths are ours to check, with their own reason.
    let ascii = UTS46.to_ascii(unicode.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore);
    ascii.map(Cow::into_owned).map_err(|_| bad("The domain is not a valid internationalised name."))
}

/// Whether UTS 46 makes ASCII alone of a character outside ASCII: full-width and mathematical letters, ligatures,
/// other kinds of full stop.
fn turns_into_ascii(c: char) -> bool {
    let mut text = [0; 4];
    !c.is_ascii()
        && UTS46
            .to_unicode(c.encode_utf8(&mut text).as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow)
            .0
            .is_ascii()
}

/// Checks a name that is all ASCII.
fn check_host_name(name: &str, policy: Policy) -> Result<(), SyntaxError> {
    if name.len() > DOMAIN_MAX {
        return Err(too_long("The domain is longer than 253 octets."));
    }
    for label in name.split('.') {
        check_label(label)?;
    }
    match (policy, name.rsplit_once('.')) {
        (Policy::Rfc5321, _) => Ok(()),
        (_, None) => Err(bad("The domain has no dot in it.")),
        (_, Some((_, top))) if is_top_level(top) => Ok(()),
        _ => Err(bad("The domain ends in something that is no top-level domain.")),
    }
}

fn check_label(label: &str) -> Result<(), SyntaxError> {
    let bytes = label.as_bytes();
    if bytes.is_empty() {
        return Err(bad("In the domain a dot may not stand first, last or next to another dot."));
    }
    if !bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return Err(bad("The domain contains a character that is not allowed in a domain name."));
    }
    if bytes.starts_with(b"-") || bytes.ends_with(b"-") {
        return Err(bad("A label of the domain begins or ends with a hyphen."));
    }
    // Reserved by RFC 5890 §2.3.1: only A-labels may look like this.
    if bytes.get(2..4) == Some(b"--") && !is_a_label(label) {
        return Err(bad("A label of the domain has hyphens in the third and fourth place."));
    }
    if bytes.len() > LABEL_MAX {
        return Err(too_long("A label of the domain is longer than 63 octets."));
    }
    Ok(())
}

/// The shape that every top-level domain has: at least two letters, or an A-label (RFC 1123 §2.1 and ICANN's rules
/// for new ones). Dotted decimal numbers are no names by this.
fn is_top_level(label: &str) -> bool {
    label.len() >= 2 && label.bytes().all(|byte| byte.is_ascii_alphabetic()) || is_a_label(label)
}

/// `address-literal` of RFC 5321 §4.1.3, in canonical form (RFC 5952).
fn literal(written: &str) -> Result<String, SyntaxError> {
    let inside = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let read = |inside: &str| match inside.split_at_checked("IPv6:".len()) {
        Some((tag, v6)) if tag.eq_ignore_ascii_case("IPv6:") => ipv6(v6).map(|ip| format!("[IPv6:{ip}]")),
        _ => inside.parse::<Ipv4Addr>().ok().map(|ip| format!("[{ip}]")),
    };
    inside
        .and_then(read)
        .ok_or_else(|| bad("The text in brackets after the @ is no IP address as mail writes it."))
}

fn ipv6(text: &str) -> Option<Ipv6Addr> {
    if text.contains("::") {
        let parts = text.split(':').filter(|part| !part.is_empty());
        let groups: usize = parts.map(|part| if part.contains('.') { 2 } else { 1 }).sum();
        if groups > IPV6_GROUPS_BESIDE_GAP_MAX {
            return None;
        }
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(domain: &str, policy: Policy) -> Option<SyntaxReason> {
        a_labels(domain, policy).err().map(|error| error.reason)
    }

    #[test]
    fn names_of_hosts_pass() {
        for name in ["d.example", "a-b.c--d.example", "7.example", "x.y.z.example.museum", "d.xn--p1ai"] {
            assert_eq!(a_labels(name, Policy::Strict).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_no_host_is_called_is_refused() {
        for name in "|.|.d.example|d..example|d.example.|-d.example|d-.example|d.-example|d_e.example|\
            d e.example|d,example.com|d;e.example|d.example/x|d@e.example|ab--cd.example|\
            (x)d.example|x[192.0.2.7]"
            .split('|')
        {
            assert_eq!(reason(name, Policy::Rfc5321), Some(SyntaxReason::BadDomain), "{name}");
        }
    }

    #[test]
    fn top_level_domains_have_letters() {
        for name in ["d", "d.e", "d.com1", "d.c-m", "d.123", "192.0.2.7"] {
            assert_eq!(reason(name, Policy::Rfc5321), None, "{name}");
            assert_eq!(reason(name, Policy::Strict), Some(SyntaxReason::BadDomain), "{name}");
            assert_eq!(reason(name, Policy::Rfc5322), Some(SyntaxReason::BadDomain), "{name}");
        }
    }

    #[test]
    fn international_names_become_a_labels() {
        for (name, ascii) in [
            ("Köln.example", "xn--kln-sna.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("e\u{301}cole.example", "xn--cole-9oa.example"),
            ("москва.example", "xn--80adxhks.example"),
            ("한국.example", "xn--3e0b707e.example"),
            // A joiner that its neighbours call for, and Catalan's middle dot.
            ("نامه\u{200C}ای.example", "xn--mgba3gch31f060k.example"),
            ("col·lecció.example", "xn--collecci-ioa91d.example"),
            // Two scripts in one label: valid, and plain to see.
            ("pаypal.example", "xn--pypal-4ve.example"),
        ] {
            assert_eq!(a_labels(name, Policy::Strict).as_deref(), Ok(ascii), "{name}");
            assert_eq!(a_labels(ascii, Policy::Strict).as_deref(), Ok(ascii));
        }
    }

    #[test]
    fn names_against_idna_are_refused() {
        for name in
            "ｄ.example|d。example|𝐝.example|ﬁ.example|\u{212A}.example|❤.example|d©.example|€.example|\
            a\u{200D}b.example|\u{301}a.example|xn--.example|xn--0.example|xn--a.example|\
            xn--qei.example|xn--kln-SNB.example|-ö.example|ö-.example|ab--ö.example|\
            ö_.example|1ا.example|\u{FFFD}.example"
                .split('|')
        {
            assert_eq!(reason(name, Policy::Rfc5321), Some(SyntaxReason::BadDomain), "{name}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_a_label_form() {
        let with_label = |letters: &str, n| format!("{}.example", letters.repeat(n));
        assert_eq!(reason(&with_label("d", 63), Policy::Strict), None);
        assert_eq!(reason(&with_label("d", 64), Policy::Strict), Some(SyntaxReason::TooLong));
        assert_eq!(
            reason(&format!("ü{}.example", "d".repeat(60)), Policy::Strict),
            Some(SyntaxReason::TooLong)
        );
        let of_length = |n: usize| format!("{}.example", "d.".repeat(n / 2 - 4) + &"d".repeat(n % 2));
        assert_eq!(reason(&of_length(253), Policy::Strict), None);
        assert_eq!(reason(&of_length(255), Policy::Strict), Some(SyntaxReason::TooLong));
    }

    #[test]
    fn literals_are_ip_addresses() {
        for (text, canonical) in [
            ("[192.0.2.7]", "[192.0.2.7]"),
            ("[IPV6:2001:0DB8:0:0:0:0:0:7]", "[IPv6:2001:db8::7]"),
            ("[IPv6:::]", "[IPv6:::]"),
            ("[IPv6:1:2:3:4:5:6::]", "[IPv6:1:2:3:4:5:6::]"),
            ("[IPv6:::ffff:192.0.2.7]", "[IPv6:::ffff:192.0.2.7]"),
        ] {
            assert_eq!(a_labels(text, Policy::Rfc5321).as_deref(), Ok(canonical), "{text}");
            assert_eq!(reason(text, Policy::Strict), Some(SyntaxReason::BadDomain));
        }
        for text in "[|[]|[192.0.2.7|[192.0.2]|[192.0.2.256]|[192.0.2.07]|[2001:db8::7]|[IPv6:]|\
            [IPv6:192.0.2.7]|[IPv6:1:2:3:4:5:6:7::]|[IPv6:1:2:3:4:5::192.0.2.7]|\
            [IPv6:fe80::1%eth0]|[IPv6:1::2::3]|[x:y]|[d.example]|[192.0.2.7] |[é]|\
            [192.0.2.7].example"
            .split('|')
        {
            assert_eq!(reason(text, Policy::Rfc5321), Some(SyntaxReason::BadDomain), "{text}");
        }
    }
}
