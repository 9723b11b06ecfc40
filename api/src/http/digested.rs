//! A body of which a digest is taken while somebody else reads it: however large it is, nobody has to hold it for that.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::{
    HeaderMap,
    body::{Frame, SizeHint},
};
use sha2::{Digest as _, Sha256};

use self::parted::Parted;
use super::form::{boundary, is_form};

mod parted;

/// Octets of a digest.
pub(super) type Digest = [u8; 32];

/// The digest of a body, known once that was read to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole(Arc<OnceLock<Digest>>);

impl Whole {
    /// The digest; none of a body that was not read to its end.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.0.get().copied()
    }
}

/// What a digest is taken of: octets, or what the parts of a form are, whatever separates them.
enum Hash {
    Octets(Sha256),
    Parts(Parted),
}

impl Hash {
    fn of(headers: &HeaderMap) -> Self {
        let boundary = is_form(headers).then(|| boundary(headers)).flatten();
        boundary.map_or_else(|| Self::Octets(Sha256::new()), |boundary| Self::Parts(Parted::by(&boundary)))
    }

    fn update(&mut self, octets: &[u8]) {
        match self {
            Self::Octets(hash) => hash.update(octets),
            Self::Parts(parts) => parts.update(octets),
        }
    }

    fn digest(&self) -> Digest {
        match self {
            Self::Octets(hash) => hash.clone().finalize().into(),
            Self::Parts(parts) => parts.digest(),
        }
    }
}

/// The body.
pub(super) struct Digested {
    body: Body,
    hash: Hash,
    whole: Whole,
}

impl Digested {
    /// The same body, and where its digest will be. `headers`: of its request, which say whether it is a form.
    pub(super) fn of(headers: &HeaderMap, body: Body) -> (Body, Whole) {
        let whole = Whole::default();
        let digested = Self { body, hash: Hash::of(headers), whole: whole.clone() };
        digested.look();
        (Body::new(digested), whole)
    }

    /// Who reads need not ask once more, when the end is known before.
    fn look(&self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&self) {
        self.whole.0.get_or_init(|| self.hash.digest());
    }
}

impl HttpBody for Digested {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(octets) = frame.data_ref() {
                    self.hash.update(octets);
                }
                self.look();
            }
            Some(Err(_)) => {}
            None => self.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    fn in_pieces(pieces: &[Result<&'static str, &'static str>]) -> Body {
        let pieces = pieces.iter().map(|piece| piece.map(Bytes::from).map_err(std::io::Error::other));
        Body::from_stream(stream::iter(pieces.collect::<Vec<_>>()))
    }

    async fn digest(body: Body) -> Option<Digest> {
        let (body, whole) = Digested::of(&HeaderMap::new(), body);
        let _ = body.collect().await;
        whole.digest()
    }

    #[tokio::test]
    async fn a_body_has_one_digest_however_it_comes() {
        let expected: Digest = Sha256::digest("one two").into();
        assert_eq!(digest(Body::from("one two")).await, Some(expected));
        assert_eq!(digest(in_pieces(&[Ok("one"), Ok(""), Ok(" two")])).await, Some(expected));
        assert_ne!(digest(in_pieces(&[Ok("one"), Ok(" too")])).await, Some(expected));
    }

    #[tokio::test]
    async fn a_body_that_was_not_read_to_its_end_has_none() {
        assert_eq!(digest(in_pieces(&[Ok("one"), Err("gone")])).await, None);
        let (mut body, whole) = Digested::of(&HeaderMap::new(), in_pieces(&[Ok("one"), Ok(" two")]));
        body.frame().await.unwrap().unwrap();
        assert_eq!(whole.digest(), None);
        // Of one that is there as a whole, the end is known with its last octet.
        let (mut body, whole) = Digested::of(&HeaderMap::new(), Body::from("one"));
        body.frame().await.unwrap().unwrap();
        assert!(whole.digest().is_some());
        let (_, whole) = Digested::of(&HeaderMap::new(), Body::empty());
        assert_eq!(whole.digest(), Some(Sha256::digest("").into()));
    }
}
