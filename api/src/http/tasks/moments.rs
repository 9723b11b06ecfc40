//! Moments in queries.

use jiff::Timestamp;

use crate::http::{Query, moment_of};

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
    moment_of(text).or_else(|| moment_of(&with_plus()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plus_of_an_offset_may_have_become_a_space() {
        let noon = "2026-06-10T12:00:00Z".parse().ok();
        for text in ["2026-06-10T12:00:00Z", "2026-06-10T14:00:00 02:00", "2026-06-10T12:00:00"] {
            assert_eq!(read(text), noon, "{text}");
        }
        for bad in ["", "2026-06-10", "yesterday", "2026-06-10 02"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
