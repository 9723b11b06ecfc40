//! Moments in requests: RFC 3339, and what clients make of it.

use std::ops::RangeInclusive;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Years that a moment may be of: those that are written with four digits, and that the store knows.
const YEARS: RangeInclusive<i16> = 1..=9999;

/// A date with a time; without an offset, in UTC.
pub(crate) fn moment_of(text: &str) -> Option<Timestamp> {
    let in_utc = |date: civil::DateTime| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let is_date = !text.contains([':', 'T', 't']);
    let moment = text.parse::<Timestamp>().ok().or_else(|| in_utc(text.parse().ok()?));
    moment.filter(|moment| !is_date && YEARS.contains(&moment.to_zoned(TimeZone::UTC).year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_an_offset_is_in_utc() {
        let noon: Timestamp = "2027-01-02T12:00:00Z".parse().unwrap();
        for text in
            ["2027-01-02T12:00:00Z", "2027-01-02T14:00:00+02:00", "2027-01-02T12:00:00", "2027-01-02 12:00"]
        {
            assert_eq!(moment_of(text), Some(noon), "{text}");
        }
        for text in ["", "soon", "2027-01-02", "-009999-01-01T00:00:00Z", "0000-12-31T23:59:59Z"] {
            assert_eq!(moment_of(text), None, "{text}");
        }
    }
}
