//! Moments in requests: RFC 3339, and what clients make of it.

use std::ops::RangeInclusive;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Years that a moment may be of: those that are written with four digits, and that the store knows.
const YEARS: RangeInclusive<i16> = 1..=9999;

/// A date with a time; without an offset, in UTC.
pub(crate) fn moment_of(text: &str) -> Option<Timestamp> {
    moment_or_date(text).filter(|_| text.contains([':', 'T', 't']))
}

/// The same in a query.
pub(crate) fn moment_in_query(text: &str) -> Option<Timestamp> {
    in_query(text, moment_of)
}

/// The same, or a date alone, which is its beginning in UTC.
pub(crate) fn moment_or_date_in_query(text: &str) -> Option<Timestamp> {
    in_query(text, moment_or_date)
}

fn moment_or_date(text: &str) -> Option<Timestamp> {
    let in_utc = |date: civil::DateTime| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let moment = text.parse::<Timestamp>().ok().or_else(|| in_utc(text.parse().ok()?));
    moment.filter(|moment| YEARS.contains(&moment.to_zoned(TimeZone::UTC).year()))
}

/// A `+` in a query is a space, as the one before the time may be.
fn in_query(text: &str, read: fn(&str) -> Option<Timestamp>) -> Option<Timestamp> {
    let with_plus = || text.rsplit_once(' ').map(|(before, offset)| format!("{before}+{offset}"));
    read(text).or_else(|| read(&with_plus()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Option<Timestamp> {
        "2027-01-02T12:00:00Z".parse().ok()
    }

    #[test]
    fn a_moment_without_an_offset_is_in_utc() {
        for text in [
            "2027-01-02T12:00:00Z",
            "2027-01-02T14:00:00+02:00",
            "2027-01-02T12:00:00",
            "2027-01-02 12:00:00",
            "2027-01-02T12:00",
        ] {
            assert_eq!(moment_of(text), noon(), "{text}");
            assert_eq!(moment_in_query(text), noon(), "{text}");
            assert_eq!(moment_or_date_in_query(text), noon(), "{text}");
        }
        for text in ["", " ", "soon", "10.06.2026", "2026-13-01", "2027-01-02 12:00:00  02:00"] {
            assert_eq!(moment_in_query(text), None, "{text}");
            assert_eq!(moment_or_date_in_query(text), None, "{text}");
        }
        assert_eq!(moment_in_query("2027-01-02 02"), None);
    }

    #[test]
    fn the_plus_of_an_offset_may_have_become_a_space() {
        for text in ["2027-01-02T14:00:00 02:00", "2027-01-02 14:00:00 02:00"] {
            assert_eq!((moment_of(text), moment_in_query(text)), (None, noon()), "{text}");
        }
    }

    #[test]
    fn a_date_alone_is_a_moment_only_where_it_may_be_one() {
        assert_eq!(moment_in_query("2027-01-02"), None);
        assert_eq!(moment_or_date_in_query("2027-01-02"), "2027-01-02T00:00:00Z".parse().ok());
    }

    #[test]
    fn years_have_four_digits() {
        for year in ["0001-01-01T00:00:00Z", "9999-12-30T00:00"] {
            assert!(moment_of(year).is_some(), "{year}");
        }
        assert!(moment_or_date_in_query("9999-12-30").is_some());
        for year in ["-009000-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00"] {
            assert!(moment_of(year).is_none(), "{year}");
        }
    }
}
