//! What the parser asks about text outside ASCII, answered from the Unicode Character Database (through the tables
//! that `idna` uses).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup as Group},
};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const CATEGORIES: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// The text in Normalization Form C, as RFC 6532 §3.1 wants headers and addresses.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { NFC.normalize(text) }
}

fn is_in(c: char, group: Group) -> bool {
    group.contains(CATEGORIES.get(c))
}

/// Whether nothing of the character would be seen, or it changes how its neighbours are seen: controls, line
/// separators, the overrides and isolates of bidirectional text, zero-width and other ignorable characters. But not
/// the joiners U+200C and U+200D, without which some words of Persian and of the Indic scripts cannot be spelled.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || IGNORABLE.contains(c) && !is_joiner(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// Whether a local part may hold the character: one outside ASCII that is assigned and shows as something. RFC 6531
/// takes any; those left out cannot be told apart by eye or have no agreed meaning.
pub(super) fn is_graphic(c: char) -> bool {
    // Where text is normalised, the Greek question mark turns into a semicolon, a special of RFC 5322.
    !c.is_ascii() && !is_in(c, Group::Other) && !is_in(c, Group::Separator) && c != '\u{37E}'
}

/// Whether the character joins the one before it, so that it may not stand first.
pub(super) fn is_mark(c: char) -> bool {
    !c.is_ascii() && is_in(c, Group::Mark)
}

/// Whether RFC 5892 lets the character into a domain label: letters, digits and marks (§2.1), the exceptions among
/// punctuation (§2.6), and the joiners (§2.8), whose neighbours UTS 46 looks at. So no symbols, no emoji.
pub(super) fn is_label_character(c: char) -> bool {
    is_in(c, Group::Letter.union(Group::Mark).union(Group::DecimalNumber))
        || matches!(
            c,
            '\u{B7}' | '\u{375}' | '\u{5F3}' | '\u{5F4}' | '\u{6FD}' | '\u{6FE}' | '\u{F0B}' | '\u{30FB}'
        )
        || is_joiner(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_parts_hold_what_shows() {
        for c in ['é', 'ß', 'Ж', '中', '\u{301}', '\u{94D}', '€', '😀', '·', '＠'] {
            assert!(is_graphic(c), "{c:?}");
        }
        // A space, a joiner, an override, a private character, an unassigned one, a noncharacter, ASCII.
        for c in
            ['\u{A0}', '\u{3000}', '\u{2028}', '\u{200D}', '\u{202E}', '\u{E000}', '\u{378}', '\u{FFFE}', 'a']
        {
            assert!(!is_graphic(c), "{c:?}");
        }
    }

    #[test]
    fn hidden_characters_are_known_as_such() {
        for c in [
            '\0', '\r', '\n', '\u{7F}', '\u{85}', '\u{AD}', '\u{200B}', '\u{202E}', '\u{2066}', '\u{FEFF}',
            '\u{FE0F}',
        ] {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in [' ', 'a', 'é', '\u{A0}', '\u{200C}', '\u{200D}'] {
            assert!(!is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn marks_are_told_from_letters() {
        for c in ['\u{301}', '\u{5BC}', '\u{94D}', '\u{338}'] {
            assert!(is_mark(c), "{c:?}");
        }
        for c in ['a', 'é', '中', '€', '\u{200D}', '\u{378}'] {
            assert!(!is_mark(c), "{c:?}");
        }
    }

    #[test]
    fn labels_hold_letters_digits_and_marks() {
        for c in ['é', '中', 'の', '٣', '\u{94D}', '\u{93F}', '·', '・', '\u{200C}'] {
            assert!(is_label_character(c), "{c:?}");
        }
        for c in ['©', '€', '❤', '😀', '—', '«', '\u{A0}', '\u{FFFD}'] {
            assert!(!is_label_character(c), "{c:?}");
        }
    }

    #[test]
    fn letters_and_their_marks_are_composed() {
        assert_eq!(composed("cafe\u{301}"), "café");
        assert_eq!(composed("\u{212B}"), "Å");
        assert!(matches!(composed("café"), Cow::Borrowed(_)));
        // Full-width forms are compatible, not canonical: they stay.
        assert_eq!(composed("ａ"), "ａ");
    }
}
