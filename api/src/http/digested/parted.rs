//! The digest of a body that consists of parts. What stands between them is drawn anew each time that the same is sent, so
//! it goes into the digest only by where it stands.
//!
//! The digest is one over the digests of what lies between the lines that separate parts. The body is taken as if a line
//! ended before it, since one may begin with such a line.

use sha2::{Digest as _, Sha256};

use super::Digest;

/// What such a line begins with.
const LINE: &[u8] = b"\r\n--";

/// A digest that is being taken.
#[derive(Clone)]
pub(super) struct Parted {
    /// What parts are separated by. Its first octet stands in it once.
    line: Vec<u8>,
    /// Octets of it that have just come, which are in no hash yet.
    met: usize,
    /// Of what lies between two lines.
    between: Sha256,
    whole: Sha256,
}

impl Parted {
    /// Parts are separated by this boundary, which has no line end in it.
    pub(super) fn by(boundary: &str) -> Self {
        let line = [LINE, boundary.as_bytes()].concat();
        Self { line, met: b"\r\n".len(), between: Sha256::new(), whole: Sha256::new() }
    }

    pub(super) fn update(&mut self, mut octets: &[u8]) {
        while let Some(octet) = octets.first() {
            if *octet == self.line[self.met] {
                self.met += 1;
                octets = &octets[1..];
                if self.met == self.line.len() {
                    self.met = 0;
                    let between = self.between.finalize_reset();
                    self.whole.update(between);
                }
            } else if self.met > 0 {
                self.between.update(&self.line[..self.met]);
                self.met = 0;
            } else {
                let end = octets.iter().position(|octet| *octet == self.line[0]).unwrap_or(octets.len());
                self.between.update(&octets[..end]);
                octets = &octets[end..];
            }
        }
    }

    pub(super) fn digest(&self) -> Digest {
        let Self { line, met, mut between, mut whole } = self.clone();
        between.update(&line[..met]);
        whole.update(between.finalize());
        whole.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form of two parts, where `|` stands for the boundary.
    const FORM: &str = "--|\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n--y\r\n\r\r\n-\r\n--|\r\n\r\nb\r\n--|--\r\nend\r\n";

    fn digest(form: &str, boundary: &str, piece: usize) -> Digest {
        let mut parted = Parted::by(boundary);
        form.replace('|', boundary).as_bytes().chunks(piece).for_each(|piece| parted.update(piece));
        parted.digest()
    }

    #[test]
    fn the_same_parts_have_one_digest_however_they_are_separated_and_cut() {
        let expected = digest(FORM, "xyz", 1000);
        for boundary in
            ["xyz", "-", "--", "----WebKitFormBoundaryA1", "------------------------0123456789abcdef"]
        {
            for piece in 1..200 {
                assert_eq!(digest(FORM, boundary, piece), expected, "{boundary} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn other_parts_have_another() {
        let expected = digest(FORM, "xyz", 7);
        for (from, to) in [
            ("b\r\n", "c\r\n"),
            ("b\r\n--|", "b\r\n\r\n--|"),
            ("\r\n-\r\n", "\r\n--\r\n"),
            ("\"x\"", "\"y\""),
            ("\r\nend", "\r\nEnd"),
            ("end\r\n", "end\r"),
            ("end\r\n", "end\r\n--"),
            ("b\r\n--|--", "b\r\n--|\r\n\r\n--|--"),
            ("b\r\n--|--", "b--|--"),
            ("--|\r\nContent", "|\r\nContent"),
        ] {
            let other = FORM.replacen(from, to, 1);
            assert!(other != FORM && digest(&other, "xyz", 7) != expected, "{from:?}");
        }
        // What one boundary separates, is the text of another.
        assert_ne!(digest(&FORM.replace('|', "xyz"), "abc", 7), expected);
    }
}
