//! SMTP replies off the wire (RFC 5321 §4.2, RFC 2034): octets in, whole replies out, strict and bounded.
//!
//! What breaks the grammar is refused, since a peer that is loose here may be no mail server, or one that puts words
//! into another's mouth. What a reply *means* is not here: see [`mod@crate::classify`].

use std::collections::VecDeque;

/// Octets of one reply, all its lines. EHLO lists of real hosts stay under 1 KiB, policy texts under 4 KiB.
pub const REPLY_OCTETS_MAX: usize = 64 * 1024;

/// Octets of all replies of one session: 100 recipients with 2 KiB each, and some to spare.
pub const SESSION_OCTETS_MAX: usize = 256 * 1024;

/// Octets of one line. RFC 5321 §4.5.3.1.5 allows 512; policy texts of real hosts run to about 1,000.
pub const LINE_OCTETS_MAX: usize = 4 * 1024;

/// One reply: three digits and one or more lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    /// The lines without codes, parted by line feeds.
    text: String,
}

/// How a peer breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A line that does not end in CR LF, or holds one of the two alone.
    #[error("a line ending other than CR LF")]
    LineEnding,
    /// NUL, another control character, or octets outside ASCII where SMTPUTF8 does not allow them.
    #[error("a character that no reply may hold")]
    Character,
    /// No three digits from 200 to 599 at the beginning, or no separator behind them.
    #[error("no reply code")]
    Code,
    /// The lines of one reply have different codes.
    #[error("the code changes inside a reply")]
    CodeChanged,
    /// More octets than a line, a reply or a session may have.
    #[error("too long")]
    TooLong,
    /// The peer speaks before it is spoken to.
    #[error("a reply without a command")]
    Unasked,
}

impl Reply {
    /// The three digits, 200 to 599.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The lines without their codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// The enhanced status code (RFC 3463), if there is one that does not contradict the reply code.
    ///
    /// It leads the text; some hosts write it behind a `#` or in brackets, at the end too (`(#5.1.1)`).
    pub fn enhanced(&self) -> Option<[u16; 3]> {
        let leading =
            |line: &str| enhanced_prefix(line.trim_start_matches([' ', '#', '(', '['])).map(|found| found.0);
        let marked =
            || self.text.match_indices("(#").find_map(|(at, mark)| leading(&self.text[at + mark.len()..]));
        self.lines().next().and_then(leading).or_else(marked).filter(|code| code[0] == self.code / 100)
    }

    /// The text as it was said; the enhanced code stands in the first line alone.
    pub fn text(&self) -> String {
        let bare = |line| enhanced_prefix(line).map_or(line, |(_, length)| line[length..].trim_start());
        let mut lines = self.lines();
        let first = lines.next().unwrap_or_default();
        std::iter::once(first).chain(lines.map(bare)).collect::<Vec<_>>().join("\n")
    }

    /// The text in one line, without the enhanced codes that lead its lines.
    pub fn words(&self) -> String {
        let bare =
            self.lines().map(|line| enhanced_prefix(line).map_or(line, |(_, length)| &line[length..]).trim());
        bare.collect::<Vec<_>>().join(" ")
    }

    /// The same reply with another text.
    pub(crate) fn edited(&self, edit: impl FnOnce(&str) -> String) -> Self {
        Self { code: self.code, text: edit(&self.text) }
    }

    /// Reads a reply that a person pasted: any line ends, codes only where they are.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.trim().lines();
        let (code, first) = split_code(lines.next()?)?;
        let rest = lines
            .map(|line| split_code(line).filter(|(other, _)| *other == code).map_or(line, |(_, text)| text));
        let text = std::iter::once(first).chain(rest).map(str::trim).collect::<Vec<_>>().join("\n");
        Some(Self { code, text })
    }
}

/// The code that leads a line, and the text behind it.
fn split_code(line: &str) -> Option<(u16, &str)> {
    let code = read_code(line.as_bytes().get(..3)?)?;
    match line[3..].chars().next() {
        None => Some((code, "")),
        Some(' ' | '-') => Some((code, &line[4..])),
        Some(_) => None,
    }
}

/// Three digits from 200 to 599. RFC 5321 knows no second digit above 5, but hosts do (571), and it decides nothing.
fn read_code(digits: &[u8]) -> Option<u16> {
    let all_digits =
        digits.len() == 3 && digits.iter().all(u8::is_ascii_digit) && matches!(digits[0], b'2'..=b'5');
    all_digits.then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// The enhanced code at the beginning of `text`, and its length with the space behind it.
fn enhanced_prefix(text: &str) -> Option<([u16; 3], usize)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    // A full stop may follow it.
    let mut parts = text[..end].trim_end_matches('.').split('.');
    let mut part = |digits_max: usize| parts.next().filter(|p| p.len() <= digits_max)?.parse::<u16>().ok();
    let code = [part(1)?, part(3)?, part(3)?];
    let follows =
        text[end..].starts_with([' ', ')', ']', ':', ',', '\t', '<', '-', '\n']) || text.len() == end;
    (parts.next().is_none() && follows && matches!(code[0], 2 | 4 | 5)).then_some((code, end))
}

/// Collects octets of one session and gives out whole replies.
#[derive(Debug, Default)]
pub struct Replies {
    pending: VecDeque<u8>,
    partial: Option<Reply>,
    /// Octets of the reply that is being read.
    reply_octets: usize,
    session_octets: usize,
    utf8: bool,
}

impl Replies {
    /// Allows UTF-8 in texts (RFC 6531 §3.7.4.2: after a MAIL command with SMTPUTF8), or not.
    pub fn allow_utf8(&mut self, allowed: bool) {
        self.utf8 = allowed;
    }

    /// Whether nothing has come in beyond the replies given out.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty() && self.partial.is_none()
    }

    /// Whether nothing has come in beyond the replies given out but, perhaps, the beginning of a 421: a host may hang
    /// up at any time and say so (RFC 5321 §3.8).
    pub fn is_quiet_or_closing(&self) -> bool {
        let mut octets = self.pending.iter().copied();
        self.partial.is_none()
            && b"421".iter().all(|expected| octets.next().is_none_or(|octet| octet == *expected))
    }

    /// Takes octets from the wire.
    ///
    /// # Errors
    /// [`Malformed::TooLong`] when the session has sent more than [`SESSION_OCTETS_MAX`].
    pub fn push(&mut self, octets: &[u8]) -> Result<(), Malformed> {
        self.session_octets += octets.len();
        if self.session_octets > SESSION_OCTETS_MAX {
            return Err(Malformed::TooLong);
        }
        self.pending.extend(octets);
        Ok(())
    }

    /// The next whole reply, or `None` when more octets are needed.
    ///
    /// # Errors
    /// [`Malformed`] when what has come in can be no reply. The session is over then.
    pub fn take(&mut self) -> Result<Option<Reply>, Malformed> {
        while let Some(line) = self.take_line()? {
            if let Some(reply) = self.add_line(&line)? {
                self.reply_octets = 0;
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// The next line without its end.
    fn take_line(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let Some(end) = self.pending.iter().position(|octet| *octet == b'\n') else {
            return if self.pending.len() > LINE_OCTETS_MAX { Err(Malformed::TooLong) } else { Ok(None) };
        };
        self.reply_octets += end + 1;
        if end >= LINE_OCTETS_MAX || self.reply_octets > REPLY_OCTETS_MAX {
            return Err(Malformed::TooLong);
        }
        let mut line: Vec<u8> = self.pending.drain(..=end).collect();
        line.truncate(end);
        if line.pop() != Some(b'\r') || line.contains(&b'\r') {
            return Err(Malformed::LineEnding);
        }
        Ok(Some(line))
    }

    /// Adds a line to the reply that is being read; gives it out when this is its last one.
    fn add_line(&mut self, line: &[u8]) -> Result<Option<Reply>, Malformed> {
        let code = line.get(..3).and_then(read_code).ok_or(Malformed::Code)?;
        let is_last = match line.get(3) {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(Malformed::Code),
        };
        let text = self.read_text(line.get(4..).unwrap_or_default())?;
        match &mut self.partial {
            Some(reply) if reply.code != code => return Err(Malformed::CodeChanged),
            Some(reply) => {
                reply.text.push('\n');
                reply.text.push_str(text);
            }
            None => self.partial = Some(Reply { code, text: text.to_owned() }),
        }
        Ok(if is_last { self.partial.take() } else { None })
    }

    fn read_text<'a>(&self, octets: &'a [u8]) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(octets).map_err(|_| Malformed::Character)?;
        let is_allowed = |c: char| c == '\t' || (!c.is_control() && (c.is_ascii() || self.utf8));
        if text.chars().all(is_allowed) { Ok(text) } else { Err(Malformed::Character) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(wire: &[u8]) -> Result<Option<Reply>, Malformed> {
        let mut replies = Replies::default();
        replies.push(wire)?;
        replies.take()
    }

    fn reply(wire: &str) -> Reply {
        read(wire.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn reads_single_and_multi_line_replies() {
        assert_eq!(reply("250 ok\r\n"), Reply { code: 250, text: "ok".into() });
        assert_eq!(reply("250\r\n"), Reply { code: 250, text: String::new() });
        let hello = reply("250-mx.example.org\r\n250-SIZE 1000\r\n250 PIPELINING\r\n");
        assert_eq!(hello.lines().collect::<Vec<_>>(), ["mx.example.org", "SIZE 1000", "PIPELINING"]);
    }

    #[test]
    fn gives_out_one_reply_at_a_time() {
        let mut replies = Replies::default();
        replies.push(b"250 one\r\n550-two\r\n550 thr").unwrap();
        assert_eq!(replies.take().unwrap().unwrap().code(), 250);
        assert_eq!(replies.take().unwrap(), None);
        assert!(!replies.is_quiet());
        replies.push(b"ee\r\n").unwrap();
        assert_eq!(replies.take().unwrap().unwrap().words(), "two three");
        assert!(replies.is_quiet());
    }

    #[test]
    fn a_host_may_say_that_it_hangs_up() {
        for (wire, is_fine) in
            [(&b""[..], true), (b"42", true), (b"421 bye\r\n", true), (b"250 ok\r\n", false)]
        {
            let mut replies = Replies::default();
            replies.push(wire).unwrap();
            assert_eq!(replies.is_quiet_or_closing(), is_fine);
        }
    }

    #[test]
    fn refuses_what_breaks_the_grammar() {
        for (wire, error) in [
            (&b"250 ok\n"[..], Malformed::LineEnding),
            (b"250 o\rk\r\n", Malformed::LineEnding),
            (b"250 o\0k\r\n", Malformed::Character),
            (b"250 o\x1b[2Jk\r\n", Malformed::Character),
            (b"250 \xe9t\xe9\r\n", Malformed::Character),
            ("250 été\r\n".as_bytes(), Malformed::Character),
            (b"99\r\n", Malformed::Code),
            (b"2x0 ok\r\n", Malformed::Code),
            (b"199 ok\r\n", Malformed::Code),
            (b"650 ok\r\n", Malformed::Code),
            (b"250_ok\r\n", Malformed::Code),
            (b"\r\n", Malformed::Code),
            (b"HTTP/1.1 400 Bad Request\r\n", Malformed::Code),
            (b"250-one\r\n550 two\r\n", Malformed::CodeChanged),
        ] {
            assert_eq!(read(wire), Err(error), "{:?}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn utf8_is_for_those_who_asked_for_it() {
        let mut replies = Replies::default();
        replies.allow_utf8(true);
        replies.push("550 5.1.1 <jörg@example.org>: unknown\r\n550 \u{85}\r\n".as_bytes()).unwrap();
        assert_eq!(replies.take().unwrap().unwrap().code(), 550);
        assert_eq!(
            replies.take(),
            Err(Malformed::Character),
            "a C1 control is none the better for being UTF-8"
        );
    }

    #[test]
    fn everything_is_bounded() {
        assert_eq!(read(&[b'2'; LINE_OCTETS_MAX + 1]), Err(Malformed::TooLong));
        let endless = b"250-and so on\r\n".repeat(REPLY_OCTETS_MAX / 15 + 1);
        assert_eq!(read(&endless), Err(Malformed::TooLong));
        let mut replies = Replies::default();
        let many = (0..).find_map(|_| replies.push(b"250 ok\r\n").err().or_else(|| replies.take().err()));
        assert_eq!(many, Some(Malformed::TooLong));
    }

    #[test]
    fn finds_enhanced_codes_where_hosts_put_them() {
        for (wire, code) in [
            ("550 5.1.1 no such user\r\n", Some([5, 1, 1])),
            ("550-5.1.1 no\r\n550 5.1.1 such user\r\n", Some([5, 1, 1])),
            ("550 5.1.10 gone\r\n", Some([5, 1, 10])),
            ("550 5.7.606 banned\r\n", Some([5, 7, 606])),
            ("550 #5.1.0 Address rejected.\r\n", Some([5, 1, 0])),
            ("553 sorry, not here (#5.7.1)\r\n", Some([5, 7, 1])),
            ("450 4.2.0\r\n", Some([4, 2, 0])),
            ("550 4.2.0 contradicts itself\r\n", None),
            ("550 192.0.2.1 is listed\r\n", None),
            ("550 5.1 user unknown\r\n", None),
            ("550 5.1.1234 user unknown\r\n", None),
            ("550 user unknown\r\n", None),
        ] {
            assert_eq!(reply(wire).enhanced(), code, "{wire}");
        }
        let twice = reply("550-5.1.1 no such\r\n550 5.1.1 user\r\n");
        assert_eq!((&*twice.words(), &*twice.text()), ("no such user", "5.1.1 no such\nuser"));
    }

    #[test]
    fn reads_pasted_text() {
        let pasted = Reply::from_text("550-5.1.1 no such\n550 5.1.1 user\n").unwrap();
        assert_eq!(
            (pasted.code(), pasted.enhanced(), pasted.words().as_str()),
            (550, Some([5, 1, 1]), "no such user")
        );
        assert_eq!(Reply::from_text("user unknown"), None);
        assert_eq!(Reply::from_text(""), None);
        assert_eq!(Reply::from_text("55é"), None);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(wire: Vec<u8>, utf8: bool) {
            let mut replies = Replies { utf8, ..Replies::default() };
            if replies.push(&wire).is_ok() {
                while let Ok(Some(reply)) = replies.take() {
                    prop_assert!((200..600).contains(&reply.code()));
                    let _ = (reply.enhanced(), reply.words());
                }
            }
        }

        #[test]
        fn where_the_wire_is_cut_makes_no_difference(
            lines in proptest::collection::vec(("[2-5][0-9]{2}", "[ -~]{0,20}"), 1..8),
            cut in 1_usize..40,
        ) {
            let lines: Vec<_> = lines.iter().map(|(code, text)| format!("{code} {text}\r\n")).collect();
            let wire = lines.concat();
            let mut whole = Replies::default();
            whole.push(wire.as_bytes()).unwrap();
            let mut pieces = Replies::default();
            let mut read = Vec::new();
            for piece in wire.as_bytes().chunks(cut) {
                pieces.push(piece).unwrap();
                while let Some(reply) = pieces.take().unwrap() {
                    read.push(reply);
                }
            }
            prop_assert_eq!(read.len(), lines.len());
            for reply in read {
                prop_assert_eq!(whole.take().unwrap().unwrap(), reply);
            }
        }
    }
}
