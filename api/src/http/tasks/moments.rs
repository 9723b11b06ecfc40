//! Moments in queries.

use jiff::Timestamp;

use crate::http::{Query, moment_in_query};

/// A parameter that is a moment, if it is there.
pub(super) fn moment(query: &mut Query, name: &str) -> Option<Timestamp> {
    let moment = moment_in_query(query.text(name)?);
    if moment.is_none() {
        query.fault(name, "datetime_parsing", "Input should be an RFC 3339 timestamp");
    }
    moment
}
