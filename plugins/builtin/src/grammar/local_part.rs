//! The part before the `@`: what it means, and the form it takes on a wire.
//!
//! A local part means a string of characters; quotes and backslashes only help to spell it. The normal form is a
//! dot-atom where that is possible, else one quoted string: "the sending system SHOULD transmit the form that uses the
//! minimum quoting possible" (RFC 5321 §4.1.2), in Normalization Form C (RFC 6532 §3.1). Case and everything else is
//! kept: only the host that owns the mailbox may say which local parts are the same.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use mailsonde_engine::{SyntaxError, SyntaxReason};

use super::{Policy, error, too_long, unicode};

/// Octets of a local part (RFC 5321 §4.5.3.1.1).
const LOCAL_PART_MAX: usize = 64;

/// The normal form of what is written under the policy's grammar.
pub(super) fn normal_form(written: &str, policy: Policy) -> Result<Cow<'_, str>, SyntaxError> {
    const TOO_LONG: &str = "The part before the @ is longer than 64 octets.";
    if written.is_empty() {
        return Err(bad("There is nothing before the @."));
    }
    if written.len() > LOCAL_PART_MAX {
        return Err(too_long(TOO_LONG));
    }
    let normal = if is_dot_atom(written) {
        unicode::composed(written)
    } else {
        let meaning = match policy {
            Policy::Strict => None,
            Policy::Rfc5321 => read_quoted_string(written),
            Policy::Rfc5322 => read_words(written),
        };
        let meaning = meaning.ok_or_else(|| what_is_wrong(written, policy))?;
        Cow::Owned(minimally_quoted(&unicode::composed(&meaning)))
    };
    // A few letters are longer in NFC, and two quotes are longer than the one backslash that they replace.
    if normal.len() > LOCAL_PART_MAX { Err(too_long(TOO_LONG)) } else { Ok(normal) }
}

fn bad(message: &'static str) -> SyntaxError {
    error(SyntaxReason::BadLocalPart, message)
}

/// `Dot-string` of RFC 5321 §4.1.2: atoms with single dots between them. An atom may not begin with a mark, which
/// would join what stands before it.
fn is_dot_atom(text: &str) -> bool {
    let mut at_start = true;
    for c in text.chars() {
        let fits = match c {
            '.' => !at_start,
            _ => is_atext(c) && !(at_start && unicode::is_mark(c)),
        };
        if !fits {
            return false;
        }
        at_start = c == '.';
    }
    !at_start
}

/// `atext` of RFC 5322 §3.2.3, with the letters that RFC 6531 §3.3 adds. From `^` to `~` ASCII has nothing else.
fn is_atext(c: char) -> bool {
    let in_ascii = matches!(c,
        '^'..='~' | 'A'..='Z' | '0'..='9' | '!' | '#'..='\'' | '*' | '+' | '-' | '/' | '=' | '?');
    in_ascii || unicode::is_graphic(c)
}

/// What a `Quoted-string` of RFC 5321 §4.1.2 means; it must be all there is.
fn read_quoted_string(written: &str) -> Option<String> {
    let mut rest = written.chars().peekable();
    let mut meaning = String::with_capacity(written.len());
    rest.next_if_eq(&'"')?;
    read_to_closing_quote(&mut rest, &mut meaning)?;
    rest.next().is_none().then_some(meaning)
}

/// What words with dots between them mean (`obs-local-part` of RFC 5322 §4.4).
fn read_words(written: &str) -> Option<String> {
    let mut rest = written.chars().peekable();
    let mut meaning = String::with_capacity(written.len());
    loop {
        if rest.next_if_eq(&'"').is_some() {
            read_to_closing_quote(&mut rest, &mut meaning)?;
        } else {
            read_atom(&mut rest, &mut meaning)?;
        }
        match rest.next() {
            None => return Some(meaning),
            Some('.') => meaning.push('.'),
            Some(_) => return None,
        }
    }
}

/// An atom, up to the next dot. As in RFC 821, a backslash lets any character stand for itself.
fn read_atom(rest: &mut Peekable<Chars<'_>>, meaning: &mut String) -> Option<()> {
    let start = meaning.len();
    while let Some(c) = rest.next_if(|c| *c != '.') {
        let at_start = meaning.len() == start;
        match c {
            '\\' => meaning.push(read_escaped(rest)?),
            _ if is_atext(c) && !(at_start && unicode::is_mark(c)) => meaning.push(c),
            _ => return None,
        }
    }
    (meaning.len() > start).then_some(())
}

/// The inside of a quoted string and its closing quote.
fn read_to_closing_quote(rest: &mut Peekable<Chars<'_>>, meaning: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '"' => return Some(()),
            '\\' => meaning.push(read_escaped(rest)?),
            c if matches!(c, ' '..='~') || unicode::is_graphic(c) => meaning.push(c),
            _ => return None,
        }
    }
}

/// What follows a backslash: printable ASCII only, under RFC 6531 too.
fn read_escaped(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    rest.next_if(|c| matches!(c, ' '..='~'))
}

fn minimally_quoted(meaning: &str) -> String {
    if is_dot_atom(meaning) {
        return meaning.to_owned();
    }
    let mut quoted = String::with_capacity(meaning.len() + 4);
    quoted.push('"');
    for c in meaning.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// The sentence for a local part that does not follow the grammar.
fn what_is_wrong(written: &str, policy: Policy) -> SyntaxError {
    bad(if written.starts_with('"') && policy == Policy::Strict {
        "Quoted text before the @ is not accepted."
    } else if written.starts_with('"') {
        "The quoted text before the @ is not well formed."
    } else if written.contains('@') {
        "There is more than one @ in the address."
    } else if written.contains(['<', '>']) {
        "The address must stand alone, without a name or angle brackets."
    } else if written.contains(char::is_whitespace) {
        "There is a space before the @."
    } else if written.split('.').any(str::is_empty) {
        "Before the @ a dot may not stand first, last or next to another dot."
    } else {
        "The part before the @ contains a character that is not allowed there."
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Policy; 3] = [Policy::Strict, Policy::Rfc5321, Policy::Rfc5322];

    #[test]
    fn dot_atoms_are_their_own_normal_form() {
        for text in
            ["ada", "Grace.Hopper+navy", "!#$%&'*+-/=?^_`{|}~", "7", "-", "zoë.müller", "用户", "snow☃man"]
        {
            for policy in ALL {
                assert_eq!(normal_form(text, policy).as_deref(), Ok(text), "{policy:?}");
            }
        }
    }

    #[test]
    fn letters_and_their_marks_are_composed() {
        assert_eq!(normal_form("cafe\u{301}", Policy::Strict).as_deref(), Ok("café"));
    }

    #[test]
    fn what_no_grammar_reads_is_refused() {
        for text in ".ada|ada.|ada..l|ada l| ada|a(x)|ada,l|a;b|a:b|a@b|a[b|Ada <ada|a>|a\"b\"|\"|\"ada|\
            \"ada\"l|\"ada\"\"l\"|\"ada\\\"|ada\\|\"zo\\ë\"|a\u{A0}|a\u{200D}|\u{301}a|\
            a.\u{301}|a\u{E000}|a\u{378}|a\u{37E}|<\u{338}"
            .split('|')
        {
            for policy in ALL {
                let reason = normal_form(text, policy).map_err(|error| error.reason);
                assert_eq!(reason, Err(SyntaxReason::BadLocalPart), "{text:?} {policy:?}");
            }
        }
    }

    #[test]
    fn quoting_is_read_where_the_policy_has_it_and_kept_where_needed() {
        // Written; then the normal form under rfc5321 and rfc5322. An empty text: refused.
        for (written, rfc5321, rfc5322) in [
            (r#""ada l""#, r#""ada l""#, r#""ada l""#),
            (r#""a@b>c""#, r#""a@b>c""#, r#""a@b>c""#),
            (r#""ada""#, "ada", "ada"),
            (r#""a\da.l""#, "ada.l", "ada.l"),
            (r#""a..\ b""#, r#""a.. b""#, r#""a.. b""#),
            (r#""a\"\\""#, r#""a\"\\""#, r#""a\"\\""#),
            (r#""zoë l""#, r#""zoë l""#, r#""zoë l""#),
            (r#""""#, r#""""#, r#""""#),
            (r#"ada."b c".d"#, "", r#""ada.b c.d""#),
            (r#""a"."b""#, "", "a.b"),
            (r"ada\@home", "", r#""ada@home""#),
            (r"\a\.b", "", "a.b"),
            ("\"cafe\u{301}\"", "café", "café"),
        ] {
            let read = |policy| normal_form(written, policy).unwrap_or_default();
            assert_eq!(
                (read(Policy::Strict).as_ref(), read(Policy::Rfc5321).as_ref()),
                ("", rfc5321),
                "{written}"
            );
            assert_eq!(read(Policy::Rfc5322), rfc5322, "{written}");
        }
    }

    #[test]
    fn length_is_counted_in_octets_as_written_and_as_sent() {
        let length = |text: &str| {
            normal_form(text, Policy::Rfc5322).map(|text| text.len()).map_err(|error| error.reason)
        };
        assert_eq!(length(&"l".repeat(64)), Ok(64));
        assert_eq!(length(&"l".repeat(65)), Err(SyntaxReason::TooLong));
        assert_eq!(length(&"é".repeat(33)), Err(SyntaxReason::TooLong));
        // U+0958 is three octets as written and six in NFC.
        assert_eq!(length(&"\u{958}".repeat(11)), Err(SyntaxReason::TooLong));
        assert_eq!(length(&format!("\"{}\"", "l".repeat(63))), Err(SyntaxReason::TooLong));
        assert_eq!(length(&format!("\\@{}", "l".repeat(61))), Ok(64));
        assert_eq!(length(&format!("\\@{}", "l".repeat(62))), Err(SyntaxReason::TooLong));
    }
}
