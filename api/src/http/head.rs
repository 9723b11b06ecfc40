//! How long the head of a request may be: its line, and its headers. Refused here in the words of its facade; what is
//! longer still is refused by `server` with a status alone.

use axum::{extract::Request, http::HeaderMap};

use super::refusal::Refusal;

/// Octets of a path with its query. Ours are short; 8,000 are what RFC 9110 (4.1) asks of everybody.
const URI_OCTETS_MAX: usize = 8 * 1024;

/// Octets of all headers.
pub(super) const HEADERS_OCTETS_MAX: usize = 16 * 1024;

/// Headers of a request. Of up to 100, hyper reads them without room on the heap, and refuses more by itself.
pub(super) const HEADERS_MAX: usize = 80;

/// Octets of a header besides its name and its value.
const BETWEEN: usize = ": \r\n".len();

/// Why it is not looked at, if it is too long.
pub(super) fn refusal(request: &Request) -> Option<Refusal> {
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if uri > URI_OCTETS_MAX {
        return Some(Refusal::UriTooLong);
    }
    let headers = request.headers();
    (headers.len() > HEADERS_MAX || octets(headers) > HEADERS_OCTETS_MAX).then_some(Refusal::HeadersTooLarge)
}

fn octets(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + BETWEEN).sum()
}
