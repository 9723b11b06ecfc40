//! One pattern of a list. `*` stands for any run of characters, the empty one and dots included.
//!
//! | Pattern | matches |
//! |---|---|
//! | `bad.example` | every address at the domain and at its subdomains |
//! | `*.example.net` | every address at a subdomain, but not at example.net itself |
//! | `mail*.example` | every address at a domain that reads so; its subdomains only as far as `*` covers them |
//! | `jane@example.org` | one address |
//! | `*@sales.example` | every address at exactly this domain |
//! | `spam*@example.org` | the addresses at exactly this domain that read so |

/// The longest address there is: 64 octets, `@`, 255 octets (RFC 5321 §4.5.3.1). A longer pattern matches nothing.
const LENGTH_MAX: usize = 320;

/// A pattern as written, and its parts in lower case.
pub struct Pattern {
    /// As the operator wrote it.
    pub text: String,
    /// What stands before the `@`; none in a pattern of domains.
    pub local: Option<Glob>,
    pub domain: Glob,
}

impl Pattern {
    /// Gives back what is no pattern, with the end of a sentence that begins with it.
    pub fn parse(text: String) -> Result<Self, (String, &'static str)> {
        let (local, domain) = match parts(&text) {
            Ok((local, domain)) => (local.map(Glob::new), Glob::new(domain)),
            Err(why) => return Err((text, why)),
        };
        Ok(Self { text, local, domain })
    }
}

/// The pattern of the local part, if there is one, and that of the domain.
fn parts(text: &str) -> Result<(Option<&str>, &str), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > LENGTH_MAX {
        return Err("is longer than any address");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("holds white space or control characters");
    }
    if text.bytes().all(|b| matches!(b, b'*' | b'@' | b'.')) {
        return Err("would block every address");
    }
    // The last `@` parts: a quoted local part may hold others.
    let (local, domain) = text.rsplit_once('@').map_or((None, text), |(local, domain)| (Some(local), domain));
    if local.is_some_and(str::is_empty) {
        return Err("has nothing before the @ (the domain alone means all of its addresses)");
    }
    check_domain(domain)?;
    Ok((local, domain))
}

fn check_domain(domain: &str) -> Result<(), &'static str> {
    if !domain.is_ascii() {
        return Err("has a domain in other letters than ASCII: write it as an A-label, xn--…");
    }
    let mut label_is_empty = true;
    for byte in domain.bytes() {
        match byte {
            b'.' if label_is_empty => break,
            b'.' => label_is_empty = true,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => label_is_empty = false,
            _ => return Err("has a character that no domain has"),
        }
    }
    if label_is_empty { Err("has a domain with an empty label") } else { Ok(()) }
}

/// Text with wildcards, in lower case.
pub struct Glob {
    text: Box<str>,
}

impl Glob {
    fn new(text: &str) -> Self {
        Self { text: text.to_ascii_lowercase().into() }
    }

    /// The whole text, where there is no wildcard in it.
    pub fn literal(&self) -> Option<&str> {
        Some(&*self.text).filter(|text| is_literal(text))
    }

    /// `x` of `*.x`, where there is no other wildcard.
    pub fn parent(&self) -> Option<&str> {
        self.text.strip_prefix("*.").filter(|rest| is_literal(rest))
    }

    /// Whether `text`, in lower case, matches as a whole. Each piece between asterisks is taken where it first fits,
    /// which is right for asterisks and never goes back, so a hostile address costs no more than its length times the
    /// pieces.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.text.split_once('*') else { return *self.text == *text };
        let (middle, last) = others.rsplit_once('*').unwrap_or(("", others));
        let Some(mut rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
            return false;
        };
        for piece in middle.split('*') {
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}

fn is_literal(text: &str) -> bool {
    !text.as_bytes().contains(&b'*')
}
