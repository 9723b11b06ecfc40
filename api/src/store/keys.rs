//! The keyring: what seals and opens the texts that the store keeps, and finds addresses among them.
//!
//! A key is 32 random octets under an id. Several may be held at once: the last one seals, all of them open, so keys
//! are rotated by appending a line. Nothing is sealed with a key itself, but with sub-keys, one for each use (RFC 5869,
//! the expanding half, since keys are random). How texts are sealed is in `seal`, look-ups are in `index`, the file of
//! the keys is in `file`; what is kept of clients' keys is made in `pepper`. The database is not spoken to here.

mod file;
mod index;
mod pepper;
mod seal;

use std::{fmt, io, path::PathBuf, str::FromStr, sync::Arc};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

pub(crate) use self::index::{Scope, ShortToken, Token};
pub(crate) use self::pepper::AccessDigest;
pub(crate) use self::seal::{Row, SealError};

/// Base64 as people paste it: the `=` at its end may be lost.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Octets of a key.
const KEY_OCTETS: usize = 32;

/// The name of a key: four octets, written as eight hexadecimal digits. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId([u8; 4]);

impl KeyId {
    /// The four octets, as the store has them.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_plain = text.len() == 8 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
        let id = u32::from_str_radix(text, 16).ok().filter(|_| is_plain).ok_or(())?;
        Ok(Self(id.to_be_bytes()))
    }
}

/// Why there are no keys. Never holds one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// A line that is no key.
    #[error("line {line}: expected `<id> <key>`, eight hexadecimal digits and 32 octets in base64")]
    Line {
        /// From 1.
        line: usize,
    },
    /// Two keys of one id: which one opens a text could not be told.
    #[error("line {line}: the id {id} stands twice")]
    Twice {
        /// From 1.
        line: usize,
        /// The id.
        id: KeyId,
    },
    /// Nothing but comments.
    #[error("there is no key in it")]
    Empty,
    /// The system did not let us.
    #[error("cannot {doing} the key file {path}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The key file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A key file that is not its owner's alone.
    #[error("others can read the key file {path} (mode {mode:04o}): `chmod 600` makes it its owner's alone")]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file was read, and what it says is wrong.
    #[error("the key file {path} cannot be used")]
    Within {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        source: Box<KeyError>,
    },
}

/// Why the keys held cannot open a store, which is named by who tells of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForeignStore {
    /// No key of that id.
    #[error("it was written with the key {0}, which is not among them: add its line")]
    Missing(KeyId),
    /// Another key under that id.
    #[error("it was written with another key {0} than the one of this id")]
    Another(KeyId),
    /// What stands there was not written by this program.
    #[error("its list of keys holds something else")]
    Unreadable,
}

/// All keys that are held. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<[Key]>);

/// The sub-keys of one key. Those of the cipher are wiped when they are dropped.
struct Key {
    id: KeyId,
    rows: seal::Cipher,
    /// Seals the known text, and nothing that is read.
    check: seal::Cipher,
    index: index::Indexer,
    pepper: pepper::Pepper,
}

impl Key {
    fn new(id: KeyId, secret: [u8; KEY_OCTETS]) -> Self {
        let sub_key = |label| index::expand(&secret, label);
        Self {
            id,
            rows: seal::Cipher::new(sub_key("mailsonde 1 rows")),
            check: seal::Cipher::new(sub_key("mailsonde 1 check")),
            index: index::Indexer::new(
                sub_key("mailsonde 1 index of clients"),
                sub_key("mailsonde 1 index of the installation"),
            ),
            pepper: pepper::Pepper::new(sub_key("mailsonde 1 pepper of clients' keys")),
        }
    }
}

/// Only the ids.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl Keyring {
    /// Reads keys: a line each, `<id> <base64 of 32 octets>`, comments after `#`. The last line's key is the current
    /// one: the keys are rotated by appending a line.
    pub(crate) fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        for (line, written) in (1..).zip(text.lines()) {
            let written = written.split_once('#').map_or(written, |(before, _)| before).trim();
            if written.is_empty() {
                continue;
            }
            let (id, secret) = read_line(written).ok_or(KeyError::Line { line })?;
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyError::Twice { line, id });
            }
            keys.push(Key::new(id, secret));
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self(keys.into())) }
    }

    /// The ids of all keys, the current one last.
    pub(crate) fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    /// The id of the key that seals.
    pub(crate) fn current_id(&self) -> KeyId {
        self.current().id
    }

    /// Seals a text for a row, with the current key. A text of n octets becomes n + 45.
    pub(crate) fn seal(&self, row: Row<'_>, plain: &[u8]) -> Vec<u8> {
        let key = self.current();
        key.rows.seal(key.id, row, plain)
    }

    /// Opens what was sealed for this row, with whichever key it was.
    pub(crate) fn open(&self, row: Row<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let id = seal::key_id(sealed)?;
        let key = self.key(id).ok_or(SealError::UnknownKey(id))?;
        key.rows.open(id, row, sealed)
    }

    /// A known text sealed with the key of this id, for the store's list of keys; none where the key is not held.
    pub(crate) fn check(&self, id: KeyId) -> Option<Vec<u8>> {
        Some(self.key(id)?.check.seal(id, Row::Check, &[]))
    }

    /// Whether the key is held with which a [`check`](Self::check) in the store was made, and which one it is.
    pub(crate) fn opens(&self, check: &[u8]) -> Result<KeyId, ForeignStore> {
        let id = seal::key_id(check).map_err(|_| ForeignStore::Unreadable)?;
        let key = self.key(id).ok_or(ForeignStore::Missing(id))?;
        key.check.open(id, Row::Check, check).map_err(|_| ForeignStore::Another(id))?;
        Ok(id)
    }

    fn key(&self, id: KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    fn current(&self) -> &Key {
        // `from_text` makes no keyring without a key.
        &self.0[self.0.len() - 1]
    }
}

fn read_line(written: &str) -> Option<(KeyId, [u8; KEY_OCTETS])> {
    let (id, secret) = written.split_once(char::is_whitespace)?;
    let secret = BASE64.decode(secret.trim_start()).ok()?;
    Some((id.parse().ok()?, secret.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not secret at all: the octet, 32 times.
    pub(super) fn line(id: &str, octet: u8) -> String {
        format!("{id} {}\n", BASE64.encode([octet; KEY_OCTETS]))
    }

    pub(super) fn keyring(lines: &[(&str, u8)]) -> Keyring {
        let text: String = lines.iter().map(|(id, octet)| line(id, *octet)).collect();
        Keyring::from_text(&text).unwrap()
    }

    #[test]
    fn the_last_line_is_the_current_key() {
        let text = format!(
            "# Two keys.\n\n{}   {}# spare\n",
            line("0000000A", 1),
            line("ffffffff", 2).trim_end_matches('\n')
        );
        let keys = Keyring::from_text(&text).unwrap();
        assert_eq!(keys.ids().map(|id| id.to_string()).collect::<Vec<_>>(), ["0000000a", "ffffffff"]);
        assert_eq!(keys.current_id().as_slice(), [0xff; 4]);
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_line_without_saying_what_it_was() {
        let short = BASE64.encode([7; 31]);
        for wrong in [
            "00000001".to_owned(),
            BASE64.encode([7; KEY_OCTETS]),
            format!("00000001 {short}"),
            format!("+0000001 {}", BASE64.encode([7; KEY_OCTETS])),
            format!("1 {}", BASE64.encode([7; KEY_OCTETS])),
            format!("{} x", line("00000001", 7).trim_end()),
        ] {
            let error = Keyring::from_text(&format!("# keys\n{wrong}\n")).unwrap_err();
            assert!(matches!(error, KeyError::Line { line: 2 }), "{wrong}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("BwcHBw"));
        }
        let twice = line("00000001", 1) + &line("00000001", 2);
        assert!(matches!(Keyring::from_text(&twice), Err(KeyError::Twice { line: 2, .. })));
        assert!(matches!(Keyring::from_text("# nothing\n"), Err(KeyError::Empty)));
    }

    #[test]
    fn the_padding_may_be_lost() {
        let text = line("00000001", 3);
        assert!(text.contains('='));
        let whole = Keyring::from_text(&text).unwrap();
        let bare = Keyring::from_text(&text.replace('=', "")).unwrap();
        assert_eq!(bare.opens(&whole.check(whole.current_id()).unwrap()), Ok(whole.current_id()));
    }

    #[test]
    fn a_store_of_another_key_is_refused_by_name() {
        let keys = keyring(&[("00000001", 1), ("00000002", 2)]);
        for id in keys.ids() {
            assert_eq!(keys.opens(&keys.check(id).unwrap()), Ok(id));
        }
        let check = keys.check(keys.current_id()).unwrap();
        let missing = keyring(&[("00000001", 1)]).opens(&check).unwrap_err();
        assert!(missing.to_string().contains("00000002"), "{missing}");
        let id = keys.current_id();
        assert_eq!(keyring(&[("00000002", 3)]).opens(&check), Err(ForeignStore::Another(id)));
        assert_eq!(keys.opens(b"known"), Err(ForeignStore::Unreadable));
        assert_eq!(keyring(&[("00000001", 1)]).check(id), None);
        // A row's text is no check, whatever its row.
        assert_eq!(keys.opens(&keys.seal(Row::Check, &[])), Err(ForeignStore::Another(id)));
    }

    #[test]
    fn debugging_shows_ids_alone() {
        assert_eq!(format!("{:?}", keyring(&[("0000000a", 1)])), "[KeyId(0000000a)]");
    }
}
