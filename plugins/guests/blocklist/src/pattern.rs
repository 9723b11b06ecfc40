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
    pub text: Box<str>,
    /// What stands before the `@`; none in a pattern of domains.
    pub local: Option<Glob>,
    pub domain: Glob,
}

impl Pattern {
    /// Refuses what is no pattern, with the end of a sentence that begins with the pattern.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        if text.len() > LENGTH_MAX {
            return Err("is longer than any address");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("holds white space or control characters");
        }
        if text.chars().all(|c| matches!(c, '*' | '@' | '.')) {
            return Err("would block every address");
        }
        // The last `@` parts: a quoted local part may hold others.
        let (local, domain) =
            text.rsplit_once('@').map_or((None, text), |(local, domain)| (Some(local), domain));
        if local.is_some_and(str::is_empty) {
            return Err("has nothing before the @ (the domain alone means all of its addresses)");
        }
        if !domain.is_ascii() {
            return Err("has a domain in other letters than ASCII: write it as an A-label, xn--…");
        }
        if domain.split('.').any(str::is_empty) {
            return Err("has a domain with an empty label");
        }
        if !domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*')) {
            return Err("has a character that no domain has");
        }
        Ok(Self { text: text.into(), local: local.map(Glob::new), domain: Glob::new(domain) })
    }
}

/// Text with wildcards: the pieces between the asterisks, in lower case. Without an asterisk there is one piece.
pub struct Glob {
    pieces: Box<[Box<str>]>,
}

impl Glob {
    fn new(text: &str) -> Self {
        Self { pieces: text.to_ascii_lowercase().split('*').map(Box::from).collect() }
    }

    /// The whole text, where there is no wildcard in it.
    pub fn literal(&self) -> Option<&str> {
        match &*self.pieces {
            [whole] => Some(whole),
            _ => None,
        }
    }

    /// `x` of `*.x`, where there is no other wildcard.
    pub fn parent(&self) -> Option<&str> {
        match &*self.pieces {
            [start, end] if start.is_empty() => end.strip_prefix('.'),
            _ => None,
        }
    }

    /// Whether `text`, in lower case, matches as a whole. Each piece is taken where it first fits, which is right for
    /// asterisks and never goes back, so a hostile address costs no more than its length times the pieces.
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = &*self.pieces else {
            return self.literal() == Some(text);
        };
        let Some(mut rest) = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
            return false;
        };
        for piece in middle {
            let Some(at) = rest.find(&**piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}
