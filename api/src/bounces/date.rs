//! Dates as mail programs and services write them. Without a zone, a date is taken for UTC; one that can be read in
//! two ways (06/10/2026) is not read.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    fmt::rfc2822::DateTimeParser,
    tz::TimeZone,
};

/// Digits of a time in seconds since 1970, and in milliseconds.
const SECONDS_DIGITS: usize = 10;
const MILLISECONDS_DIGITS: usize = 13;

/// Days of the week are often wrong, and say nothing that the date does not.
const OF_MAIL: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// The moment that a text names.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        return since_1970(text);
    }
    let at = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    (text.parse().ok())
        .or_else(|| OF_MAIL.parse_timestamp(text).ok())
        .or_else(|| at(text.parse::<DateTime>().ok()?))
        .or_else(|| at(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())))
}

fn since_1970(digits: &str) -> Option<Timestamp> {
    let number = digits.parse().ok()?;
    match digits.len() {
        SECONDS_DIGITS => Timestamp::from_second(number).ok(),
        MILLISECONDS_DIGITS => Timestamp::from_millisecond(number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_all_kinds_of_programs() {
        for (text, expected) in [
            ("2026-06-10T09:10:00Z", Some("2026-06-10T09:10:00Z")),
            ("2026-06-10T09:10:00.250+02:00", Some("2026-06-10T07:10:00.25Z")),
            (" 2026-06-10 09:10:00 ", Some("2026-06-10T09:10:00Z")),
            ("2026-06-10 09:10", Some("2026-06-10T09:10:00Z")),
            ("2026-06-10", Some("2026-06-10T00:00:00Z")),
            ("Wed, 10 Jun 2026 09:10:00 +0200", Some("2026-06-10T07:10:00Z")),
            ("10 Jun 2026 09:10:00 GMT", Some("2026-06-10T09:10:00Z")),
            // No Friday.
            ("Fri, 10 Jun 2026 09:10:00 +0200 (CEST)", Some("2026-06-10T07:10:00Z")),
            ("1781082600", Some("2026-06-10T09:10:00Z")),
            ("1781082600000", Some("2026-06-10T09:10:00Z")),
            ("06/10/2026", None),
            ("20260610", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(read(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }
}
