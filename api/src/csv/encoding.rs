//! Encodings: UTF-8, with and without a mark at its beginning, Windows code page 1252, and Latin-1.
//!
//! Nothing is guessed by statistics: text that is valid UTF-8 is UTF-8, and of two code pages that differ in 32
//! octets, the one is taken that has the octets that occur.

use std::{borrow::Cow, mem, str};

use encoding_rs::{EncoderResult, WINDOWS_1252, mem::decode_latin1};
use serde::{Deserialize, Serialize};

/// What UTF-8 may begin with.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Octets that code page 1252 leaves undefined.
const UNDEFINED: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

/// What stands for a character that the encoding does not have.
const REPLACEMENT: u8 = b'?';

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Encoding {
    /// UTF-8, of which ASCII is a part.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-8 that begins with a mark.
    #[serde(rename = "utf-8-sig")]
    Utf8Sig,
    /// Windows code page 1252: Western European.
    #[serde(rename = "cp1252")]
    Cp1252,
    /// ISO 8859-1, every octet of which is a character.
    #[serde(rename = "latin-1")]
    Latin1,
}

impl Encoding {
    /// Its name in the contract.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf8Sig => "utf-8-sig",
            Self::Cp1252 => "cp1252",
            Self::Latin1 => "latin-1",
        }
    }

    /// The octets before the first row.
    pub(crate) fn mark(self) -> &'static [u8] {
        if self == Self::Utf8Sig { MARK } else { b"" }
    }

    /// What octets say. What is no UTF-8 behind a mark of UTF-8 is replaced.
    pub(crate) fn decode(self, octets: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Utf8 | Self::Utf8Sig => String::from_utf8_lossy(octets),
            Self::Cp1252 => WINDOWS_1252.decode_without_bom_handling(octets).0,
            Self::Latin1 => decode_latin1(octets),
        }
    }

    /// Adds a text in this encoding; a question mark stands for what it does not have.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            _ if text.is_ascii() => out.extend_from_slice(text.as_bytes()),
            Self::Utf8 | Self::Utf8Sig => out.extend_from_slice(text.as_bytes()),
            Self::Cp1252 => encode_cp1252(text, out),
            Self::Latin1 => {
                out.extend(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(REPLACEMENT)));
            }
        }
    }
}

fn encode_cp1252(mut text: &str, out: &mut Vec<u8>) {
    let mut encoder = WINDOWS_1252.new_encoder();
    while !text.is_empty() {
        // An octet for each character: a text is never longer encoded than in UTF-8.
        let start = out.len();
        out.resize(start + text.len(), 0);
        let (result, read, written) =
            encoder.encode_from_utf8_without_replacement(text, &mut out[start..], true);
        out.truncate(start + written);
        text = &text[read..];
        if let EncoderResult::Unmappable(_) = result {
            out.push(REPLACEMENT);
        }
    }
}

/// What is no text that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotText {
    /// UTF-16, by its mark.
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    /// A zip archive, which today's spreadsheets are.
    #[error("the file is a spreadsheet or an archive; save it as CSV")]
    Archive,
    /// Something compressed.
    #[error("the file is compressed")]
    Compressed,
    /// An octet that is in no text.
    #[error("the file is no text: it has NUL octets")]
    Nul,
}

impl NotText {
    /// What a file is that begins like this, and is no text.
    pub(crate) fn by_beginning(octets: &[u8]) -> Option<Self> {
        match octets {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Self::Utf16),
            [b'P', b'K', 3, 4, ..] => Some(Self::Archive),
            [0x1f, 0x8b, ..] => Some(Self::Compressed),
            _ => None,
        }
    }
}

/// Looks at all octets of a table as they pass, and knows its encoding at the end.
#[derive(Debug)]
pub(crate) struct Watch {
    has_mark: bool,
    is_utf8: bool,
    has_undefined: bool,
    /// The beginning of a character whose end has not passed yet.
    pending: Vec<u8>,
}

impl Watch {
    /// `head`: the beginning of the table, which passes once more.
    pub(crate) fn new(head: &[u8]) -> Self {
        let has_mark = head.starts_with(MARK);
        Self { has_mark, is_utf8: true, has_undefined: false, pending: Vec::new() }
    }

    /// Looks at the next octets.
    ///
    /// # Errors
    /// A NUL.
    pub(crate) fn pass(&mut self, octets: &[u8]) -> Result<(), NotText> {
        if octets.contains(&0) {
            return Err(NotText::Nul);
        }
        if self.has_mark || (self.pending.is_empty() && octets.is_ascii()) {
            return Ok(());
        }
        self.has_undefined |= octets.iter().any(|octet| UNDEFINED.contains(octet));
        if self.is_utf8 {
            let mut joined = mem::take(&mut self.pending);
            let octets = if joined.is_empty() {
                octets
            } else {
                joined.extend_from_slice(octets);
                &joined[..]
            };
            match str::from_utf8(octets) {
                Ok(_) => {}
                Err(error) if error.error_len().is_none() => {
                    self.pending = octets[error.valid_up_to()..].to_vec();
                }
                Err(_) => self.is_utf8 = false,
            }
        }
        Ok(())
    }

    /// The encoding, if nothing more passes.
    pub(crate) fn encoding(&self) -> Encoding {
        if self.has_mark {
            Encoding::Utf8Sig
        } else if self.is_utf8 && self.pending.is_empty() {
            Encoding::Utf8
        } else if self.has_undefined {
            Encoding::Latin1
        } else {
            Encoding::Cp1252
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 4] = [Encoding::Utf8, Encoding::Utf8Sig, Encoding::Cp1252, Encoding::Latin1];

    /// The encoding of octets that pass in pieces of this size.
    fn told(octets: &[u8], piece: usize) -> Encoding {
        let mut watch = Watch::new(octets);
        octets.chunks(piece).for_each(|piece| watch.pass(piece).unwrap());
        watch.encoding()
    }

    #[test]
    fn the_encoding_is_told_wherever_the_pieces_are_cut() {
        for (octets, encoding) in [
            (&b"jane"[..], Encoding::Utf8),
            (b"", Encoding::Utf8),
            ("José, 東京 😀".as_bytes(), Encoding::Utf8),
            (b"\xef\xbb\xbfJos\xc3\xa9", Encoding::Utf8Sig),
            (b"Jos\xe9", Encoding::Cp1252),
            (b"\x80 \x93quoted\x94", Encoding::Cp1252),
            (b"Jos\xe9\x81", Encoding::Latin1),
            (b"\x9d", Encoding::Latin1),
            // 0x81 within a character of UTF-8 says nothing, unless the text is none after all.
            ("Á".as_bytes(), Encoding::Utf8),
            (b"\xc3\x81, Jos\xe9", Encoding::Latin1),
            // A character that is cut off at the end.
            (b"abc\xc3", Encoding::Cp1252),
        ] {
            for piece in 1..=octets.len().max(1) {
                assert_eq!(told(octets, piece), encoding, "{octets:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_known() {
        assert_eq!(Watch::new(b"").pass(b"a\0b"), Err(NotText::Nul));
        for (beginning, told) in [
            (&b"\xff\xfea\0"[..], Some(NotText::Utf16)),
            (b"\xfe\xff\0a", Some(NotText::Utf16)),
            (b"PK\x03\x04", Some(NotText::Archive)),
            (b"\x1f\x8b\x08", Some(NotText::Compressed)),
            (b"PKW,email", None),
            (b"", None),
        ] {
            assert_eq!(NotText::by_beginning(beginning), told, "{beginning:?}");
        }
    }

    #[test]
    fn every_octet_of_a_code_page_comes_back() {
        for encoding in [Encoding::Cp1252, Encoding::Latin1] {
            let octets: Vec<u8> = (1..=255).collect();
            let mut back = Vec::new();
            encoding.encode(&encoding.decode(&octets), &mut back);
            assert_eq!(back, octets, "{encoding:?}");
        }
    }

    #[test]
    fn what_an_encoding_does_not_have_is_a_question_mark() {
        let of = |encoding: Encoding| {
            let mut out = b"> ".to_vec();
            encoding.encode("東€é京", &mut out);
            out
        };
        assert_eq!(of(Encoding::Cp1252), b"> ?\x80\xe9?");
        assert_eq!(of(Encoding::Latin1), b"> ??\xe9?");
        assert_eq!(of(Encoding::Utf8), "> 東€é京".as_bytes());
    }

    #[test]
    fn labels_are_those_that_are_stored() {
        for encoding in ALL {
            assert_eq!(serde_json::to_value(encoding).unwrap(), encoding.label());
        }
    }
}
