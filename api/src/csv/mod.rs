//! Tables as text: what clients upload, and what they get back. Octets in, rows out, and the rows again with columns
//! of ours behind theirs.
//!
//! | | |
//! |---|---|
//! | [`encoding`] | which of four encodings, told from all octets |
//! | [`sniff`] | which delimiter, told from the beginning |
//! | [`columns`] | whether there is a header, and where the addresses are |
//! | [`rows`] | rows, and the octets that each is made of |
//! | [`intake`] | all of it in one go, within limits: a [`Layout`](layout::Layout) and the rows |
//! | [`table`] | the table that goes back |
//! | [`formula`] | cells that a spreadsheet would run |
//! | [`workbook`] | a workbook as such a table |
//!
//! Cells are told apart by `csv-core`, which takes octets as they come and says how many it took: what a row was made
//! of is kept beside what it says, and goes back as it came. Code pages are those of `encoding_rs`. RFC 4180 is
//! written and more is read: line ends of all three kinds, rows of unequal length, quotes in the middle of a cell.
//!
//! Nothing here knows files, requests, the database or verdicts. Memory does not grow with the table.

pub(crate) mod columns;
pub(crate) mod encoding;
pub(crate) mod formula;
pub(crate) mod intake;
pub(crate) mod layout;
pub(crate) mod rows;
pub(crate) mod sniff;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod workbook;

/// Octets of the beginning from which delimiter, header and columns are told.
pub(crate) const HEAD_OCTETS: usize = 64 * 1024;

/// Octets of a cell, without its quotes. Longer ones are a quote that nobody closed.
pub(crate) const CELL_OCTETS_MAX: usize = 32 * 1024;

/// Octets of a row, with its line end and the blank lines after it: what is in memory at once.
pub(crate) const ROW_OCTETS_MAX: usize = 256 * 1024;

/// Cells of a row: four times as many as the widest exports of address books and customer lists have.
pub(crate) const COLUMNS_MAX: usize = 4096;

/// Empty cells that may be added so that all rows are equally long, for each octet of the table. One very long row
/// would else make the result many times the upload.
pub(crate) const PADDING_MAX: u64 = 4;

/// Empty cells that may be added to any table.
pub(crate) const PADDING_FREE: u64 = 1024 * 1024;

/// Why a table is not taken. None of them tells what stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CsvError {
    /// Not an octet.
    #[error("the file is empty")]
    EmptyFile,
    /// A header at most.
    #[error("there are no rows")]
    NoRows,
    /// More octets than are allowed.
    #[error("the file is larger than {max} octets")]
    TooLarge {
        /// Octets that are allowed.
        max: u64,
    },
    /// More rows than are allowed.
    #[error("there are more than {max} rows")]
    TooManyRows {
        /// Rows that are allowed, without the header.
        max: u64,
    },
    /// No text, or no text of ours.
    #[error("{0}")]
    NotText(#[from] encoding::NotText),
    /// A cell that is too long.
    #[error("row {row} has a cell of more than {} KiB", CELL_OCTETS_MAX / 1024)]
    LongCell {
        /// The row, from 1, a header counted.
        row: u64,
    },
    /// A row that is too long.
    #[error("row {row} has more than {} KiB", ROW_OCTETS_MAX / 1024)]
    LongRow {
        /// The row, from 1, a header counted.
        row: u64,
    },
    /// A row of too many cells.
    #[error("row {row} has more than {COLUMNS_MAX} cells")]
    WideRow {
        /// The row, from 1, a header counted.
        row: u64,
    },
    /// The end of the table stands within quotes.
    #[error("row {row} has a quote that is not closed")]
    OpenQuote {
        /// The row, from 1, a header counted.
        row: u64,
    },
    /// Rows of such unequal lengths that the result would be many times as large.
    #[error("one row has {width} cells, most have far fewer")]
    Uneven {
        /// Cells of the longest row.
        width: usize,
    },
    /// No column is named like one of addresses, and none holds enough of them.
    #[error("there is no column of email addresses")]
    NoEmailColumn,
    /// The column that was asked for is not there.
    #[error("there is no column `{0}`")]
    NoSuchColumn(String),
}
