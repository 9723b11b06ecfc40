//! A name for each request, by which client and log mean the same one: the client's own where it has sent one that can be
//! printed, else ours.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a client's own.
const CHARS_MAX: usize = 128;

/// The name of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The one that a request has.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let theirs = headers.get(X_REQUEST_ID).filter(|id| {
            (1..=CHARS_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
        });
        Self(theirs.cloned().unwrap_or_else(Self::drawn))
    }

    fn drawn() -> HeaderValue {
        let mut text = Uuid::encode_buffer();
        let text = Uuid::now_v7().hyphenated().encode_lower(&mut text);
        // Hexadecimal digits and hyphens.
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"))
    }

    /// As a text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }

    /// As a text that holds nobody's address.
    pub(super) fn for_log(&self) -> &str {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._:/+=-".contains(&octet);
        if self.0.as_bytes().iter().copied().all(is_plain) { self.as_str() } else { "of the client's own" }
    }

    /// As a header.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &[u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(text).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_clients_own_is_kept_where_it_can_be_printed() {
        assert_eq!(of(b"trace-7/a").as_str(), "trace-7/a");
        assert_eq!(of(b"trace-7/a").for_log(), "trace-7/a");
        assert!(!of(b"jane@example.com").for_log().contains("jane"));
        assert_eq!(of(&[b'a'; CHARS_MAX]).as_str().len(), CHARS_MAX);
        for bad in [&b""[..], b"a b", b"jane\xc3\xa9", b"a\tb", &[b'a'; CHARS_MAX + 1]] {
            assert_eq!(of(bad).as_str().len(), 36, "{bad:?}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
