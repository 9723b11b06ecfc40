//! The characters of a local part that the model looks at: lower-case letters without accents, digits, and `.` for
//! whatever stands between them.
//!
//! Letters of other scripts count as "between": the model knows the Latin alphabet alone, and has no opinion on the rest.

/// Longest text looked at, in characters: a local part has at most 64 octets (RFC 5321 §4.5.3.1.1).
pub(super) const TEXT_MAX: usize = 64;

/// A local part folded to `a-z`, `0-9` and single dots inside.
pub(super) struct Text {
    symbols: [u8; TEXT_MAX],
    length: usize,
}

impl Text {
    /// Folds `local`; what passes [`TEXT_MAX`] is left out.
    pub(super) fn fold(local: &str) -> Self {
        let mut text = Self { symbols: [b'.'; TEXT_MAX], length: 0 };
        let mut gap = false;
        for c in local.chars() {
            match folded(c) {
                Some(0) => {}
                Some(symbol) => {
                    if gap && text.length > 0 {
                        text.push(b'.');
                    }
                    gap = false;
                    text.push(symbol);
                }
                None => gap = true,
            }
        }
        text
    }

    fn push(&mut self, symbol: u8) {
        if let Some(free) = self.symbols.get_mut(self.length) {
            *free = symbol;
            self.length += 1;
        }
    }

    pub(super) fn symbols(&self) -> &[u8] {
        &self.symbols[..self.length]
    }
}

/// The letter or digit of a character, 0 for a mark that only changes the letter before it, `None` for all else.
#[inline]
fn folded(c: char) -> Option<u8> {
    let unaccented =
        |table: &[u8], first: u32| table.get((u32::from(c) - first) as usize).copied().filter(|b| *b != b'.');
    match c {
        'a'..='z' | '0'..='9' => Some(c as u8),
        'A'..='Z' => Some(c.to_ascii_lowercase() as u8),
        '\u{c0}'..='\u{24f}' => unaccented(LATIN, 0xc0),
        '\u{300}'..='\u{36f}' => Some(0),
        '\u{1e00}'..='\u{1eff}' => unaccented(LATIN_ADDITIONAL, 0x1e00),
        _ => None,
    }
}

/// The plain letter of each code point from U+00C0 to U+024F, `.` where there is none.
const LATIN: &[u8] = b"aaaaaaaceeeeiiiidnooooo.ouuuuytsaaaaaaaceeeeiiiidnooooo.ouuuuyty\
    aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll\
    lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs\
    bbbb..occdddd.eeeffgghiikkllmnnoooooppr..s.ttttuuuvyyzzz.......w\
    ....dddlllnnnaaiioouuuuuuuuuueaaaaaaggggkkoooozzjdddgghwnnaaaaoo\
    aaaaeeeeiiiioooorrrruuuussttyyhhndoozzaaeeooooooooyylntjdq.ccl.s\
    z..buveejjqqrryy";

/// The plain letter of each code point from U+1E00 to U+1EFF.
const LATIN_ADDITIONAL: &[u8] = b"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm\
    mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv\
    wwwwwwwwwwxxxxyyzzzzzzhtwyassssdaaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee\
    eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyyllvvyy";

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(local: &str) -> String {
        String::from_utf8(Text::fold(local).symbols().to_vec()).unwrap()
    }

    #[test]
    fn accents_go_and_separators_become_one_dot() {
        for (local, folded) in [
            ("Łukasz.Żółw", "lukasz.zolw"),
            ("nguyễn-thị_ánh", "nguyen.thi.anh"),
            ("ÅSE++Ørsted", "ase.orsted"),
            ("jose\u{301}", "jose"),
            ("\"a  b\"", "a.b"),
            ("иван", ""),
            ("иван.petrov", "petrov"),
            ("李伟88", "88"),
            ("", ""),
        ] {
            assert_eq!(fold(local), folded, "{local}");
        }
    }

    #[test]
    fn tables_cover_their_blocks() {
        assert_eq!(LATIN.len(), 0x250 - 0xc0);
        assert_eq!(LATIN_ADDITIONAL.len(), 0x1f00 - 0x1e00);
        assert_eq!(fold("ÿĀſƀǿɏḀỿ"), "yasboyay");
    }

    #[test]
    fn text_is_cut_at_its_limit() {
        assert_eq!(fold(&"ab.".repeat(100)).len(), TEXT_MAX);
    }
}
