//! `GET /openapi.json`: the document, written once, with a tag by which who has it is not sent it again.

use std::sync::LazyLock;

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest as _, Sha256};

use super::{email_verifier, refusal::Refusal, shape::Shape};

/// The document, and its tag.
struct Written {
    text: Bytes,
    tag: HeaderValue,
}

/// None where it cannot be written: a fault of ours.
static DOCUMENT: LazyLock<Option<Written>> = LazyLock::new(|| {
    let text = serde_json::to_vec(&email_verifier::document()).ok()?;
    let tag = format!("\"{}\"", BASE64.encode(Sha256::digest(&text)));
    Some(Written { text: text.into(), tag: HeaderValue::try_from(tag).ok()? })
});

/// The endpoint.
pub(super) async fn document(headers: HeaderMap) -> Response {
    let Some(Written { text, tag }) = &*DOCUMENT else { return Shape::Ours.refuse(&Refusal::Internal) };
    let is_known = is_known(&headers, tag);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(text.clone()) });
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.clone());
    // It may be kept, and is asked for again: another version has another one.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

/// Whether the client names the tag among those that it has. Proxies that compress make a weak one of it.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let theirs = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    theirs.flat_map(|tags| tags.split(',')).any(|theirs| {
        let theirs = theirs.trim();
        theirs == "*" || theirs.trim_start_matches("W/").as_bytes() == tag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_however_it_is_named() {
        let tag = HeaderValue::from_static("\"a\"");
        let of = |theirs: &'static str| {
            is_known(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(theirs))]), &tag)
        };
        for known in ["\"a\"", "W/\"a\"", "*", "\"b\", \"a\""] {
            assert!(of(known), "{known}");
        }
        for other in ["", "a", "\"b\"", "\"a\"\"b\""] {
            assert!(!of(other), "{other}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}
