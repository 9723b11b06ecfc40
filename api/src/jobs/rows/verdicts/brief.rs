//! As much of a text as files and lists tell: of each row its judgement, and when it was reached. What was found is passed over,
//! and with it most of the work of reading.

use jiff::Timestamp;
use mailsonde_engine::Judgement;
use serde::{Deserialize, de::IgnoredAny};

use super::{RowsError, Version, columns::Rare, entries::Said};

/// What a text says of its rows in brief.
#[derive(Debug)]
pub(crate) struct Briefs {
    /// The distinct judgements.
    pub(crate) judgements: Vec<Judgement>,
    /// In the order in which they were written.
    pub(crate) rows: Vec<Brief>,
}

/// A row in brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Brief {
    /// Its place in the job.
    pub(crate) row: u32,
    /// The place of its judgement among the distinct ones, where there is one.
    pub(crate) judgement: usize,
    /// When the verdict was reached, to the millisecond.
    pub(crate) verified_at: Timestamp,
    /// Whether nothing better will come.
    pub(crate) is_final: bool,
}

/// The text, but for what is passed over.
#[derive(Deserialize)]
struct Text {
    #[serde(rename = "v")]
    _version: Version,
    at: i64,
    judgements: Vec<Said<Judgement>>,
    rows: Vec<Columns>,
}

/// Those of a row; see `columns`.
#[derive(Deserialize)]
struct Columns(u32, IgnoredAny, u32, IgnoredAny, IgnoredAny, i64, IgnoredAny, #[serde(default)] Rare);

/// The verdicts of a text, in brief.
pub(crate) fn read(text: &[u8]) -> Result<Briefs, RowsError> {
    let Text { at, judgements, rows, .. } = crate::jobs::rows::read(text)?;
    let count = judgements.len();
    let brief = |Columns(row, _, judgement, _, _, since, _, rare)| {
        let judgement = usize::try_from(judgement).ok().filter(|place| *place < count);
        let verified_at = at.checked_add(since).and_then(|at| Timestamp::from_millisecond(at).ok());
        let (judgement, verified_at) = judgement.zip(verified_at).ok_or(RowsError::Dangling(row))?;
        Ok(Brief { row, judgement, verified_at, is_final: !rare.provisional })
    };
    let rows = rows.into_iter().map(brief).collect::<Result<_, _>>()?;
    Ok(Briefs { judgements: judgements.into_iter().map(Judgement::from).collect(), rows })
}
