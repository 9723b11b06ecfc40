//! Objects of Relentless Identity, in the order of their keys.

pub(crate) mod artifact;
pub(crate) mod item;
pub(crate) mod job;
pub(crate) mod kept;
pub(crate) mod result;
pub(crate) mod terms;
pub(crate) mod words;

use jiff::Timestamp;

use crate::access::Facade;

/// The word by which jobs are known that came by it.
pub(crate) const WORD: &str = Facade::Relentless.word();

/// A moment as its clients read it: whole seconds, UTC.
pub(crate) fn moment(moment: Timestamp) -> String {
    format!("{moment:.0}")
}
