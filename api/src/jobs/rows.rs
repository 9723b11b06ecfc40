//! The plain texts behind the store's sealed ones: items that wait, the verdicts on them, what is left of those, and the
//! file that they came from.
//!
//! All but the rows of files are JSON that says which version it has, so that a later program reads what an earlier one
//! wrote. Keys that are not known are passed over. Nothing is sealed here, and nothing is stored.

pub(crate) mod items;
pub(crate) mod outcomes;
pub(crate) mod sheet;
pub(crate) mod verdicts;

use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// The layout of the texts. It is raised when something that stands there already changes its meaning.
const VERSION: u32 = 1;

/// Why a text cannot be read. Holds nothing of the text, in which addresses stand.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowsError {
    /// It is no JSON, or of another shape.
    #[error("it is no text of rows, as octet {at} shows")]
    Malformed {
        /// From 1.
        at: usize,
    },
    /// Written by a later program.
    #[error("it has the layout {0}, which a later version of mailsonde wrote")]
    Newer(u32),
    /// A verdict on an input that is not there.
    #[error("row {0} has a verdict and no input")]
    NoInput(u32),
    /// A number that leads nowhere.
    #[error("row {0} refers to what is not there")]
    Dangling(u32),
    /// No address where one should stand.
    #[error("row {0} has no address where it should have one")]
    NoAddress(u32),
}

impl From<RowsError> for StoreError {
    fn from(error: RowsError) -> Self {
        Self::Unread(error.to_string().into())
    }
}

/// Stands for [`VERSION`], and is read from no later one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct Version;

impl TryFrom<u32> for Version {
    type Error = &'static str;

    fn try_from(version: u32) -> Result<Self, &'static str> {
        if version == VERSION { Ok(Self) } else { Err("another layout") }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        VERSION
    }
}

/// Reads a text whose shape holds a [`Version`].
fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, RowsError> {
    #[derive(Deserialize)]
    struct Any {
        v: u32,
    }

    // What the parser says would quote the text, so only the place is told.
    serde_json::from_slice(text).map_err(|error| match serde_json::from_slice(text) {
        Ok(Any { v }) if v > VERSION => RowsError::Newer(v),
        _ => RowsError::Malformed { at: error.column() },
    })
}
