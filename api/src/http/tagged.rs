//! Answers that are the same for everybody until the next version: each has a tag, by which who has it is not sent it again.
//! They are not compressed here: a proxy does that.

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

/// What is answered, and its tag.
pub(super) struct Tagged {
    octets: Bytes,
    media_type: &'static str,
    tag: HeaderValue,
}

impl Tagged {
    /// Of what there is from the beginning, or was written once.
    pub(super) fn new(octets: impl Into<Bytes>, media_type: &'static str) -> Self {
        let octets = octets.into();
        let tag = format!("\"{}\"", BASE64.encode(Sha256::digest(&octets)));
        let tag = HeaderValue::try_from(tag).expect("letters, digits, - and _ between quotes");
        Self { octets, media_type, tag }
    }

    /// The answer to who asks with these headers.
    pub(super) fn answer(&self, theirs: &HeaderMap) -> Response {
        let is_known = is_known(theirs, &self.tag);
        let mut response =
            Response::new(if is_known { Body::empty() } else { Body::from(self.octets.clone()) });
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        // It may be kept, and is asked for again: another version has another one.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        }
        response
    }
}

/// Whether the client names the tag among those that it has. Proxies that compress make a weak one of it.
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
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
