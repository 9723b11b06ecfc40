//! A domain as typed, brought to letters that can be compared. It drops what cannot stand in a domain and says so; it
//! does not know which domains exist.

use super::slip::TYPED_MAX;

/// Longer domains are not searched for a stretch typed twice: a popular one twice over is this long.
const REPEATED_MAX: usize = 24;

/// Stands for a letter that looks like none of ours.
const FOREIGN: char = '_';

/// Lower case ASCII letters, digits, dots and hyphens, on the stack.
#[derive(Clone, Copy)]
pub(super) struct Typed {
    text: [u8; TYPED_MAX],
    len: usize,
    is_mended: bool,
}

impl Typed {
    /// Reads what can be a domain in `raw`; `None` when it is empty or longer than any provider's.
    pub(super) fn read(raw: &str) -> Option<Self> {
        let mut typed = Self { text: [0; TYPED_MAX], len: 0, is_mended: false };
        for c in raw.chars() {
            match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9' | '-') => typed.push(c)?,
                '.' if typed.can_end_label() => typed.push('.')?,
                c => {
                    typed.is_mended = true;
                    match plain(c) {
                        Some('.') if !typed.can_end_label() => {}
                        Some(c) => typed.push(c)?,
                        None if ends_domain(c) && typed.has_dot() => break,
                        None => {}
                    }
                }
            }
        }
        typed.trim();
        (typed.len > 0).then_some(typed)
    }

    /// Drops a final dot, and `www.` before a whole domain.
    fn trim(&mut self) {
        if self.octets().ends_with(b".") {
            self.len -= 1;
            self.is_mended = true;
        }
        if let Some(rest) = self.octets().strip_prefix(b"www.")
            && rest.contains(&b'.')
        {
            self.text.rotate_left(4);
            self.len -= 4;
            self.is_mended = true;
        }
    }

    fn can_end_label(&self) -> bool {
        self.octets().last().is_some_and(|&last| last != b'.')
    }

    fn push(&mut self, c: char) -> Option<()> {
        *self.text.get_mut(self.len)? = u8::try_from(c).ok()?;
        self.len += 1;
        Some(())
    }

    /// More than capitals had to be put right: `gmail,com'`.
    pub(super) fn is_mended(&self) -> bool {
        self.is_mended
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.text[..self.len]
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.octets()).unwrap_or_default()
    }

    /// The part before the first dot.
    pub(super) fn name(&self) -> &[u8] {
        let octets = self.octets();
        &octets[..octets.iter().position(|&byte| byte == b'.').unwrap_or(octets.len())]
    }

    pub(super) fn has_dot(&self) -> bool {
        self.octets().contains(&b'.')
    }

    /// Whether it ends in a public suffix that exists, and has a name before it.
    pub(super) fn has_real_suffix(&self) -> bool {
        self.has_dot() && psl::suffix(self.octets()).is_some_and(|suffix| suffix.is_known())
    }

    /// Whether somebody's own domain stands between the first label and the suffix: `gmail.somebody.example`.
    pub(super) fn is_subdomain(&self) -> bool {
        let after_name = self.len - self.name().len();
        psl::suffix(self.octets())
            .is_some_and(|suffix| suffix.is_known() && after_name > suffix.as_bytes().len() + 1)
    }

    /// The same with a suffix.
    pub(super) fn with_suffix(&self, suffix: &str) -> Option<Self> {
        let mut whole = *self;
        suffix.chars().try_for_each(|c| whole.push(c))?;
        Some(whole)
    }

    /// The same with a dot before the last `suffix_len` octets.
    pub(super) fn with_dot(&self, suffix_len: usize) -> Option<Self> {
        let dot = self.len.checked_sub(suffix_len).filter(|&dot| dot > 0)?;
        let mut whole = self.with_suffix(".")?;
        whole.text[dot..whole.len].rotate_right(1);
        Some(whole)
    }

    /// The same without a stretch of three octets or more that stands there twice in a row.
    pub(super) fn without_repeat(&self) -> Option<Self> {
        if self.len > REPEATED_MAX {
            return None;
        }
        let octets = self.octets();
        for len in 3..=self.len / 2 {
            let mut same = 0;
            for end in len..self.len {
                same = if octets[end] == octets[end - len] { same + 1 } else { 0 };
                if same == len {
                    let mut once = *self;
                    once.text.copy_within(end + 1.., end + 1 - len);
                    once.len -= len;
                    return Some(once);
                }
            }
        }
        None
    }
}

/// What follows a domain in text that was pasted along.
fn ends_domain(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '/' | '?' | '#' | '&' | ';' | ':' | '>' | '<' | '(' | ')' | '[' | ']' | '"')
}

/// The character that another keyboard or alphabet wrote so that it looks alike; `None` for what is no letter.
fn plain(c: char) -> Option<char> {
    Some(match c {
        // The key beside the dot, and the dots of other scripts.
        ',' | '。' | '．' | '｡' => '.',
        'à'..='å' | 'À'..='Å' | 'а' | 'ą' => 'a',
        'ç' | 'Ç' | 'с' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'È'..='Ë' | 'е' | 'ę' => 'e',
        'ì'..='ï' | 'Ì'..='Ï' | 'ı' | 'İ' | 'і' => 'i',
        'ł' => 'l',
        'ñ' | 'Ñ' => 'n',
        'ò'..='ö' | 'ø' | 'Ò'..='Ö' | 'Ø' | 'о' => 'o',
        'р' => 'p',
        'ù'..='ü' | 'Ù'..='Ü' => 'u',
        'х' => 'x',
        'ý' | 'ÿ' | 'у' => 'y',
        c if c.is_alphanumeric() => FOREIGN,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(raw: &str) -> (String, bool) {
        Typed::read(raw)
            .map_or((String::new(), false), |typed| (typed.as_str().to_owned(), typed.is_mended()))
    }

    #[test]
    fn what_cannot_stand_in_a_domain_is_dropped_and_told() {
        for (raw, text, is_mended) in [
            ("Example.COM", "example.com", false),
            ("a-b.example", "a-b.example", false),
            (" .example..com. ", "example.com", true),
            ("example,com`", "example.com", true),
            ("example.com?subject=x", "example.com", true),
            ("example.com (home)", "example.com", true),
            ("exam ple.com", "example.com", true),
            ("www.example.com", "example.com", true),
            ("www.com", "www.com", false),
            ("exämple。com", "example.com", true),
            ("例.com", "_.com", true),
            ("", "", false),
            ("...", "", false),
        ] {
            assert_eq!(read(raw), (text.to_owned(), is_mended), "{raw}");
        }
        assert!(Typed::read(&"a".repeat(TYPED_MAX + 1)).is_none());
    }

    #[test]
    fn dots_and_suffixes_are_put_in() {
        let typed = Typed::read("examplecom").unwrap();
        assert_eq!(typed.with_dot(3).unwrap().as_str(), "example.com");
        assert_eq!(typed.with_suffix(".net").unwrap().as_str(), "examplecom.net");
        assert!(Typed::read("com").unwrap().with_dot(3).is_none());
    }

    #[test]
    fn a_stretch_typed_twice_is_found() {
        let once = |raw| Typed::read(raw).unwrap().without_repeat().map(|typed| typed.as_str().to_owned());
        assert_eq!(once("example.com.com").as_deref(), Some("example.com"));
        assert_eq!(once("exampleexample.com").as_deref(), Some("example.com"));
        assert_eq!(once("banana.com"), None);
    }

    #[test]
    fn suffixes_are_those_of_the_public_list() {
        let typed = |raw| Typed::read(raw).unwrap();
        assert!(typed("example.co.uk").has_real_suffix() && !typed("example.co.uk").is_subdomain());
        assert!(typed("a.example.com").is_subdomain());
        assert!(!typed("example.con").has_real_suffix() && !typed("com").has_real_suffix());
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_the_alphabet(raw in "\\PC{0,90}") {
            if let Some(typed) = Typed::read(&raw) {
                prop_assert!(typed.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)));
                prop_assert!(!typed.as_str().starts_with('.') && !typed.as_str().ends_with('.'));
                prop_assert!(!typed.name().is_empty());
                for other in [typed.with_dot(2), typed.with_suffix(".com"), typed.without_repeat()].into_iter().flatten() {
                    prop_assert!(other.octets().len() <= TYPED_MAX && !other.octets().is_empty());
                }
            }
        }
    }
}
