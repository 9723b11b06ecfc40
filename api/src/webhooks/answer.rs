//! What a receiver's answer means for the message: taken, unwanted for good, or tried again.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use super::schedule::wait_after;

/// Characters of an answer that are kept for whoever looks why a message was not taken.
const SHOWN_MAX: usize = 256;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// An answer.
    Http {
        status: u16,
        /// How long the receiver wants to be left alone.
        retry_after: Option<Duration>,
        /// The beginning of its body.
        text: Vec<u8>,
    },
    /// None, and why.
    Silence(String),
    /// None, since the receiver was not asked: why, and when it may be at the earliest. It counts as a try, so that each
    /// message has an end, and one that cannot be delivered comes ever more seldom.
    NotAsked { why: &'static str, wait: Duration },
}

/// What becomes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Delivered,
    /// It was not taken. The next try is after this time; none: there is no other.
    Failed { error: String, wait: Option<Duration> },
}

impl Answer {
    /// What becomes of the message, when so many tries failed before.
    pub(super) fn outcome(&self, failures_before: usize) -> Outcome {
        let failures = failures_before + 1;
        match self {
            Self::Http { status: 200..=299, .. } => Outcome::Delivered,
            // Gone: nobody wants it any more.
            Self::Http { status: 410, .. } => Outcome::Failed { error: self.error(), wait: None },
            _ => Outcome::Failed { error: self.error(), wait: wait_after(failures, self.asked()) },
        }
    }

    /// How long to wait at least.
    fn asked(&self) -> Option<Duration> {
        match self {
            Self::Http { retry_after, .. } => *retry_after,
            Self::Silence(_) => None,
            Self::NotAsked { wait, .. } => Some(*wait),
        }
    }

    fn error(&self) -> String {
        match self {
            Self::Http { status, text, .. } => {
                let text = shown(&String::from_utf8_lossy(text));
                if text.is_empty() { status.to_string() } else { format!("{status}: {text}") }
            }
            Self::Silence(why) => shown(why),
            Self::NotAsked { why, .. } => format!("not tried: {why}"),
        }
    }
}

/// The beginning of what a stranger wrote, without what does things to a terminal.
fn shown(text: &str) -> String {
    let words =
        text.split(|char: char| char.is_control() || char.is_whitespace()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|char| is_printable(*char)).take(SHOWN_MAX).collect()
}

/// Not what is invisible, or turns the writing around.
fn is_printable(char: char) -> bool {
    !matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). What is past or no such thing asks for nothing.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = DateTimeParser::new().parse_timestamp(value).ok()?;
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, retry_after: Option<u64>, text: &str) -> Answer {
        let retry_after = retry_after.map(Duration::from_secs);
        Answer::Http { status, retry_after, text: text.into() }
    }

    fn failed(answer: &Answer, before: usize) -> (String, Option<u64>) {
        match answer.outcome(before) {
            Outcome::Delivered => panic!("it is delivered"),
            Outcome::Failed { error, wait } => (error, wait.map(|wait| wait.as_secs())),
        }
    }

    #[test]
    fn two_hundreds_are_taken_and_nothing_else_is() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(http(status, None, "").outcome(0), Outcome::Delivered, "{status}");
        }
        for status in [199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 429, 500, 503, 599] {
            let (error, wait) = failed(&http(status, None, ""), 0);
            assert_eq!(error, status.to_string());
            assert!((4..=6).contains(&wait.unwrap()), "{status}: {wait:?}");
        }
    }

    #[test]
    fn gone_is_the_end_and_so_is_the_tenth_failure() {
        assert_eq!(failed(&http(410, Some(5), "moved out"), 0), ("410: moved out".into(), None));
        assert!(failed(&http(500, None, ""), 8).1.is_some());
        assert_eq!(failed(&http(500, Some(5), ""), 9).1, None);
        assert_eq!(failed(&Answer::Silence("no connection".into()), 9), ("no connection".into(), None));
    }

    #[test]
    fn who_asks_for_time_gets_it() {
        assert_eq!(failed(&http(429, Some(77), ""), 0).1, Some(77));
        assert_eq!(failed(&http(503, Some(1_000_000), ""), 0).1, Some(86_400));
    }

    #[test]
    fn not_to_be_asked_counts_and_waits_as_long_as_either_wants() {
        let not_asked = |wait| Answer::NotAsked { why: "it rests", wait: Duration::from_secs(wait) };
        assert_eq!(failed(&not_asked(77), 0), ("not tried: it rests".into(), Some(77)));
        assert!((240..=360).contains(&failed(&not_asked(1), 1).1.unwrap()));
        assert_eq!(failed(&not_asked(1), 9).1, None);
    }

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sat, 21 Nov 2026 12:01:40 GMT", Some(100)),
            ("Sat, 21 Nov 2026 11:01:40 GMT", None),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now).map(|wait| wait.as_secs()), expected, "{value}");
        }
    }

    #[test]
    fn of_what_strangers_write_little_is_kept_and_nothing_that_does_things() {
        let (error, _) = failed(&http(500, None, "a\u{1b}[2J\r\n\u{202e}b\u{200b} \0 c"), 0);
        assert_eq!(error, "500: a [2J b c");
        let (error, _) = failed(&http(500, None, &"ä".repeat(5_000)), 0);
        assert_eq!(error.chars().count(), 5 + SHOWN_MAX);
        let octets = Answer::Http { status: 500, retry_after: None, text: vec![0xff, b'a'] };
        assert_eq!(failed(&octets, 0).0, "500: a");
    }
}
