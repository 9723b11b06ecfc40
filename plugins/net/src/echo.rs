//! Echoes: hosts repeat what we said in their replies, and an echo is no word of theirs.
//!
//! The recipient's address, its parts and every other address in a text are masked before rules read it (a user
//! called `inactive.x` is not inactive for that) and before it becomes evidence (an address is personal data).

use std::ops::Range;

use mailsonde_engine::{Address, REPLY_TEXT_MAX};

/// Stands for an address, or for the recipient's local part.
pub(crate) const RECIPIENT_MASK: &str = "<rcpt>";

/// Stands for the recipient's domain.
pub(crate) const DOMAIN_MASK: &str = "<domain>";

/// Stands for our sender. The rules know the word.
pub(crate) const SENDER_MASK: &str = "<mailfrom>";

/// Masks what `text` echoes of `recipient`, and every other address in it.
pub(crate) fn mask(text: &str, recipient: Option<&Address>) -> String {
    let masked = mask_addresses(text, recipient);
    match recipient {
        // A local part of one letter names nobody, and letters stand alone in ordinary text.
        Some(address) if address.local().chars().nth(1).is_some() => {
            replace(&masked, address.local(), RECIPIENT_MASK, is_whole_word)
        }
        _ => masked,
    }
}

/// Masks whole addresses and the recipient's domain, but not its local part where that stands alone: it may be an
/// ordinary word there.
pub(crate) fn mask_addresses(text: &str, recipient: Option<&Address>) -> String {
    let mut masked = text.to_owned();
    if let Some(address) = recipient {
        masked = replace(&masked, address.as_str(), RECIPIENT_MASK, |_, _| true);
        masked = replace(&masked, &address.as_str().replacen('@', "%40", 1), RECIPIENT_MASK, |_, _| true);
    }
    // An address in a link has its at sign encoded.
    masked = mask_any(&mask_any(&masked, "@"), "%40");
    match recipient {
        Some(address) => replace(&masked, address.domain(), DOMAIN_MASK, is_whole_word),
        None => masked,
    }
}

/// Masks what `text` echoes of our sender, unless it is the recipient too.
pub(crate) fn mask_sender(text: &str, sender: &str, recipient: Option<&Address>) -> String {
    if recipient.is_some_and(|address| address.as_str().eq_ignore_ascii_case(sender)) {
        return text.to_owned();
    }
    replace(text, sender, SENDER_MASK, is_whole_word)
}

/// The text as evidence: one line, nothing that could act on a terminal or a page, at most [`REPLY_TEXT_MAX`] octets.
pub(crate) fn escape(text: &str) -> Box<str> {
    let mut escaped = String::with_capacity(text.len().min(REPLY_TEXT_MAX));
    let mut piece = String::new();
    for c in text.trim().chars() {
        piece.clear();
        match c {
            '\n' | '\t' => piece.push(' '),
            c if c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric()) => piece.push(c),
            c => piece.extend(c.escape_unicode()),
        }
        if escaped.len() + piece.len() > REPLY_TEXT_MAX {
            break;
        }
        escaped.push_str(&piece);
    }
    escaped.into()
}

/// Replaces `needle`, ASCII letters in any case, where `holds` is content with what stands before and behind it.
/// Angle brackets around it go too, as the masks have their own.
fn replace(text: &str, needle: &str, mask: &str, holds: fn(&str, &str) -> bool) -> String {
    if needle.is_empty() {
        return text.to_owned();
    }
    // ASCII letters alone change, so positions stay.
    let (hay, needle) = (text.to_ascii_lowercase(), needle.to_ascii_lowercase());
    let hits = hay.match_indices(&needle).map(|(at, _)| at..at + needle.len());
    replace_ranges(text, hits.filter(|hit| holds(&text[..hit.start], &text[hit.end..])), mask)
}

/// Replaces everything of the form `x@y`, where `at_sign` is how the `@` is written.
fn mask_any(text: &str, at_sign: &str) -> String {
    // `/`, `=` and `?` may stand in a local part too, but mostly lead an address inside a link.
    let in_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-^_`{|}~.".contains(c);
    let in_domain = |c: char| c.is_alphanumeric() || "-.:[]".contains(c);
    let hits = text.match_indices(at_sign).filter_map(|(at, _)| {
        let behind = &text[at + at_sign.len()..];
        let local = text[..at].chars().rev().take_while(|c| in_local(*c)).map(char::len_utf8).sum::<usize>();
        let domain = behind.chars().take_while(|c| in_domain(*c)).map(char::len_utf8).sum::<usize>();
        let domain = behind[..domain].trim_end_matches(['.', ':', '-']).len();
        (local > 0 && domain > 0).then(|| at - local..at + at_sign.len() + domain)
    });
    replace_ranges(text, hits, RECIPIENT_MASK)
}

fn replace_ranges(text: &str, ranges: impl Iterator<Item = Range<usize>>, mask: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut kept = 0;
    for range in ranges {
        let bracketed = text[..range.start].ends_with('<') && text[range.end..].starts_with('>');
        let range = if bracketed { range.start - 1..range.end + 1 } else { range };
        if range.start < kept {
            continue;
        }
        replaced.push_str(&text[kept..range.start]);
        replaced.push_str(mask);
        kept = range.end;
    }
    replaced.push_str(&text[kept..]);
    replaced
}

/// Whether no letter, digit or joining sign ties the hit to what stands around it.
fn is_whole_word(before: &str, behind: &str) -> bool {
    !ties(before.chars().rev()) && !ties(behind.chars())
}

fn ties(mut around: impl Iterator<Item = char>) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+');
    match around.next() {
        // A full stop ends a sentence, unless a word goes on behind it.
        Some('.') => around.next().is_some_and(joins),
        Some(c) => joins(c),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks_every_form_of_the_recipient() {
        let jane = Address::new("Jane.Doe", "example.org");
        for (text, masked) in [
            ("<jane.doe@example.org>: Recipient address rejected", "<rcpt>: Recipient address rejected"),
            ("JANE.DOE@EXAMPLE.ORG unknown", "<rcpt> unknown"),
            ("jane.doe... User unknown", "<rcpt>... User unknown"),
            ("no mailbox \"jane.doe\" here.", "no mailbox \"<rcpt>\" here."),
            (
                "see https://mx.test/why?id=jane.doe%40example.org&x=1",
                "see https://mx.test/why?id=<rcpt>&x=1",
            ),
            (
                "see https://mx.test/?a=jane.doe%2Bx%40example.org, b=j.d%40inner.test",
                "see https://mx.test/?a=<rcpt>, b=<rcpt>",
            ),
            ("forwarded to <j.d@inner.test>, which refused", "forwarded to <rcpt>, which refused"),
            ("unknown user at example.org.", "unknown user at <domain>."),
            ("mail.example.org says no", "mail.example.org says no"),
            ("jane.doesnt exist", "jane.doesnt exist"),
            ("x@ and @y and @", "x@ and @y and @"),
        ] {
            assert_eq!(mask(text, Some(&jane)), masked);
        }
    }

    #[test]
    fn a_single_letter_is_masked_only_in_a_whole_address() {
        let a = Address::new("a", "example.org");
        assert_eq!(mask("a@example.org is not a user", Some(&a)), "<rcpt> is not a user");
    }

    #[test]
    fn evidence_is_one_harmless_line() {
        assert_eq!(&*escape(" two\nlines \u{202e}été\u{7f} "), "two lines \\u{202e}été\\u{7f}");
        assert_eq!(escape(&"é".repeat(1_000)).len(), REPLY_TEXT_MAX);
    }

    proptest! {
        #[test]
        fn no_echo_survives(before in "[ -~]{0,20}", behind in "[ -~]{0,20}", local in "[a-z]{3,8}") {
            let address = Address::new(&local, "example.org");
            let masked = mask(&format!("{before} <{}> {behind}", address.as_str()), Some(&address));
            prop_assert!(!masked.contains(address.as_str()));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = escape(&mask(&text, Some(&Address::new("jörg", "example.org"))));
        }
    }
}
