//! Sealed texts: XChaCha20-Poly1305 under a random nonce, bound to the row that they stand in.
//!
//! ```text
//! version (1) | key id (4) | nonce (24) | ciphertext (as long as the text) | tag (16)
//! ```
//!
//! Version, key id and row are authenticated with the text: what was moved to another row does not open. A nonce of 24
//! octets may be drawn at random for as many texts as anybody will ever keep.

use chacha20poly1305::{
    AeadCore, AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce,
    aead::{OsRng, generic_array::typenum::Unsigned},
};
use uuid::Uuid;

use super::{KEY_OCTETS, KeyId};

/// First octet of a sealed text. Another one would be another layout.
const VERSION: u8 = 1;

const NONCE_OCTETS: usize = <XChaCha20Poly1305 as AeadCore>::NonceSize::USIZE;
const TAG_OCTETS: usize = <XChaCha20Poly1305 as AeadCore>::TagSize::USIZE;

/// Octets before the nonce.
const HEAD_OCTETS: usize = 1 + 4;

/// Octets that sealing adds.
const ADDED_OCTETS: usize = HEAD_OCTETS + NONCE_OCTETS + TAG_OCTETS;

/// Where a sealed text stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    /// Items of a chunk.
    Chunk {
        /// The job.
        job: Uuid,
        /// The chunk within it.
        no: i32,
    },
    /// Verdicts of a chunk.
    Part {
        /// The job.
        job: Uuid,
        /// The chunk within it.
        chunk: i32,
        /// The part of the chunk.
        no: i32,
    },
    /// Something that probes have learned.
    Learned {
        /// What about.
        kind: &'a str,
        /// Of whom.
        key: &'a str,
    },
    /// The known text in the list of keys.
    Check,
    /// An answer that is given again.
    Answer {
        /// Whose request it was.
        client: Uuid,
        /// By which it is found.
        key: &'a [u8],
    },
    /// Where a job's end is told.
    Callback {
        /// The job.
        job: Uuid,
    },
    /// What signs a client's webhooks.
    WebhookSecret {
        /// The secret.
        id: Uuid,
    },
    /// Where a webhook goes and what it says.
    Webhook {
        /// The webhook.
        id: Uuid,
    },
    /// Why a webhook was not taken.
    WebhookError {
        /// The webhook.
        id: Uuid,
    },
    /// The name of the file that a job was made from.
    Filename {
        /// The job.
        job: Uuid,
    },
    /// What is told of a job's rows when all else of them is deleted.
    Outcomes {
        /// The job.
        job: Uuid,
    },
    /// How the file is written that a job was made from.
    Layout {
        /// The job.
        job: Uuid,
    },
    /// Rows of the file that a job was made from.
    Sheet {
        /// The job.
        job: Uuid,
        /// The piece within it.
        no: i32,
    },
    /// Where a client wants to be told of its usage.
    AlertUrl {
        /// The client.
        client: Uuid,
    },
    /// A request that was answered at once, and what was answered.
    Request {
        /// The request.
        id: Uuid,
    },
}

/// Why a text does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// Too short, or of a layout that is not known.
    #[error("it is no sealed text of this version")]
    NotSealed,
    /// The key is not held.
    #[error("it was sealed with the key {0}, which is not among the keys given")]
    UnknownKey(KeyId),
    /// It was changed, or belongs to another row, or another key has this id.
    #[error("the key {0} does not open it here: it was changed or moved, or was sealed with another key")]
    Tampered(KeyId),
}

/// One key of the cipher, wiped when it is dropped.
pub(super) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub(super) fn new(key: [u8; KEY_OCTETS]) -> Self {
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    pub(super) fn seal(&self, id: KeyId, row: Row<'_>, plain: &[u8]) -> Vec<u8> {
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let mut sealed = Vec::with_capacity(plain.len() + ADDED_OCTETS);
        sealed.push(VERSION);
        sealed.extend_from_slice(&id.0);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let text = &mut sealed[HEAD_OCTETS + NONCE_OCTETS..];
        let tag = self.0.encrypt_in_place_detached(&nonce, &bound(id, row), text);
        sealed.extend_from_slice(&tag.expect("a text is shorter than the 256 GB that the cipher takes"));
        sealed
    }

    pub(super) fn open(&self, id: KeyId, row: Row<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if sealed.len() < ADDED_OCTETS {
            return Err(SealError::NotSealed);
        }
        let (nonce, rest) = sealed[HEAD_OCTETS..].split_at(NONCE_OCTETS);
        let (text, tag) = rest.split_at(rest.len() - TAG_OCTETS);
        let mut plain = text.to_vec();
        self.0
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                &bound(id, row),
                &mut plain,
                Tag::from_slice(tag),
            )
            .map_err(|_| SealError::Tampered(id))?;
        Ok(plain)
    }
}

/// The id of the key that a text was sealed with, as it says itself.
pub(super) fn key_id(sealed: &[u8]) -> Result<KeyId, SealError> {
    match *sealed {
        [VERSION, a, b, c, d, ..] if sealed.len() >= ADDED_OCTETS => Ok(KeyId([a, b, c, d])),
        _ => Err(SealError::NotSealed),
    }
}

/// What is authenticated besides the text. No two rows have the same: a table is one octet, and texts of any length
/// stand after their length.
fn bound(id: KeyId, row: Row<'_>) -> Vec<u8> {
    let mut bound = vec![VERSION];
    bound.extend_from_slice(&id.0);
    match row {
        Row::Chunk { job, no } => {
            bound.push(1);
            bound.extend_from_slice(job.as_bytes());
            bound.extend_from_slice(&no.to_be_bytes());
        }
        Row::Part { job, chunk, no } => {
            bound.push(2);
            bound.extend_from_slice(job.as_bytes());
            bound.extend_from_slice(&chunk.to_be_bytes());
            bound.extend_from_slice(&no.to_be_bytes());
        }
        Row::Learned { kind, key } => {
            bound.push(3);
            bound.extend_from_slice(&kind.len().to_be_bytes());
            bound.extend_from_slice(kind.as_bytes());
            bound.extend_from_slice(key.as_bytes());
        }
        Row::Check => bound.push(4),
        Row::Answer { client, key } => {
            bound.push(22);
            bound.extend_from_slice(client.as_bytes());
            bound.extend_from_slice(key);
        }
        Row::Callback { job: id } => bound_to(&mut bound, 16, id),
        Row::WebhookSecret { id } => bound_to(&mut bound, 17, id),
        Row::Webhook { id } => bound_to(&mut bound, 18, id),
        Row::WebhookError { id } => bound_to(&mut bound, 19, id),
        Row::Filename { job: id } => bound_to(&mut bound, 20, id),
        Row::Outcomes { job: id } => bound_to(&mut bound, 21, id),
        Row::Layout { job: id } => bound_to(&mut bound, 23, id),
        Row::Sheet { job, no } => {
            bound_to(&mut bound, 24, job);
            bound.extend_from_slice(&no.to_be_bytes());
        }
        Row::AlertUrl { client } => {
            bound.push(5);
            bound.extend_from_slice(client.as_bytes());
        }
        Row::Request { id } => bound_to(&mut bound, 25, id),
    }
    bound
}

fn bound_to(bound: &mut Vec<u8>, table: u8, id: Uuid) {
    bound.push(table);
    bound.extend_from_slice(id.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Keyring, tests::keyring},
        *,
    };

    const JOB: Uuid = Uuid::from_u128(7);
    const HERE: Row<'static> = Row::Chunk { job: JOB, no: 3 };

    fn keys() -> Keyring {
        keyring(&[("00000001", 1), ("00000002", 2)])
    }

    #[test]
    fn a_sealed_text_opens_where_it_stands() {
        let keys = keys();
        for plain in [&b""[..], b"jane@example.com", &[0; 12_000]] {
            let sealed = keys.seal(HERE, plain);
            assert_eq!(sealed.len(), plain.len() + 45);
            assert_eq!(keys.open(HERE, &sealed).as_deref(), Ok(plain));
        }
    }

    #[test]
    fn no_text_shows_and_none_is_sealed_alike_twice() {
        let keys = keys();
        let [first, second] = [(); 2].map(|()| keys.seal(HERE, b"jane@example.com"));
        assert_ne!(first, second);
        assert!(!first.windows(4).any(|four| four == b"jane"));
    }

    #[test]
    fn in_any_other_row_it_does_not_open() {
        let keys = keys();
        let rows = [
            HERE,
            Row::Chunk { job: JOB, no: 4 },
            Row::Chunk { job: Uuid::from_u128(8), no: 3 },
            Row::Part { job: JOB, chunk: 3, no: 0 },
            Row::Part { job: JOB, chunk: 0, no: 3 },
            Row::Learned { kind: "ab", key: "c" },
            Row::Learned { kind: "a", key: "bc" },
            Row::Check,
            Row::AlertUrl { client: JOB },
            Row::Request { id: JOB },
            Row::Callback { job: JOB },
            Row::WebhookSecret { id: JOB },
            Row::Webhook { id: JOB },
            Row::WebhookError { id: JOB },
            Row::Filename { job: JOB },
            Row::Outcomes { job: JOB },
            Row::Layout { job: JOB },
            Row::Sheet { job: JOB, no: 0 },
            Row::Sheet { job: JOB, no: 3 },
            Row::Answer { client: JOB, key: b"" },
            Row::Answer { client: JOB, key: b"a" },
            Row::Answer { client: JOB, key: b"ab" },
        ];
        for (at, row) in rows.into_iter().enumerate() {
            let sealed = keys.seal(row, b"text");
            for (other, elsewhere) in rows.into_iter().enumerate() {
                assert_eq!(keys.open(elsewhere, &sealed).is_ok(), at == other, "{row:?} as {elsewhere:?}");
            }
        }
    }

    #[test]
    fn no_octet_may_change_and_none_may_be_missing() {
        let keys = keys();
        let sealed = keys.seal(HERE, b"jane@example.com");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 0x10;
            assert!(keys.open(HERE, &changed).is_err(), "octet {at}");
            assert!(keys.open(HERE, &sealed[..at]).is_err(), "cut at {at}");
        }
        // The id of the other key, which is held: it does not open the text.
        let mut renamed = sealed.clone();
        renamed[4] = 1;
        assert!(matches!(keys.open(HERE, &renamed), Err(SealError::Tampered(_))));
        let longer = [&sealed[..], &[0]].concat();
        assert!(matches!(keys.open(HERE, &longer), Err(SealError::Tampered(_))));
    }

    #[test]
    fn an_older_key_opens_as_long_as_it_is_held() {
        let old = keyring(&[("00000001", 1)]).seal(HERE, b"text");
        assert_eq!(keys().open(HERE, &old).as_deref(), Ok(&b"text"[..]));
        let error = keyring(&[("00000002", 2)]).open(HERE, &old).unwrap_err();
        assert!(
            matches!(error, SealError::UnknownKey(_)) && error.to_string().contains("00000001"),
            "{error}"
        );
        let error = keyring(&[("00000001", 9)]).open(HERE, &old).unwrap_err();
        assert!(matches!(error, SealError::Tampered(_)));
        assert_eq!(keys().open(HERE, b"plain text"), Err(SealError::NotSealed));
        let later = [&[2][..], &old[1..]].concat();
        assert_eq!(keys().open(HERE, &later), Err(SealError::NotSealed));
    }
}
