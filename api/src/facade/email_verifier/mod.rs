//! Objects of the Email Verifier, in the order of their keys.

pub(crate) mod job;
pub(crate) mod results;

use jiff::Timestamp;

use crate::access::Facade;

/// The word by which jobs are known that came by it.
pub(crate) const WORD: &str = Facade::EmailVerifier.word();

/// A moment as its clients read it: whole seconds, UTC.
pub(crate) fn moment(moment: Timestamp) -> String {
    format!("{moment:.0}")
}
