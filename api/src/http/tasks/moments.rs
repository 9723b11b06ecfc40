//! Moments in queries: RFC 3339.

use std::ops::RangeInclusive;

use jiff::{Timestamp, tz::TimeZone};

use crate::http::Query;

/// Years that a date may be of: those that are written with four digits, and that the store knows.
const YEARS: RangeInclusive<i16> = 1..=9999;

/// A parameter that is a moment, if it is there.
pub(super) fn moment(query: &mut Query, name: &str) -> Option<Timestamp> {
    let moment = read(query.text(name)?);
    if moment.is_none() {
        query.fault(name, "datetime_parsing", "Input should be an RFC 3339 timestamp");
    }
    moment
}

fn read(text: &str) -> Option<Timestamp> {
    // A `+` in a query is a space, as the one before the time may be.
    let with_plus = || text.rsplit_once(' ').map(|(before, offset)| format!("{before}+{offset}"));
    let moment = text.parse::<Timestamp>().ok().or_else(|| with_plus()?.parse().ok());
    moment.filter(|moment| YEARS.contains(&moment.to_zoned(TimeZone::UTC).year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset() {
        let noon = "2026-06-10T12:00:00Z".parse().ok();
        for text in ["2026-06-10T12:00:00Z", "2026-06-10T14:00:00+02:00", "2026-06-10T14:00:00 02:00"] {
            assert_eq!(read(text), noon, "{text}");
        }
        for bad in ["", "2026-06-10", "2026-06-10T12:00:00", "yesterday", "0000-12-31T23:59:59Z"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
