//! What is known of a table once it has been read: how it is written, what its columns are, how much there is of it.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{CsvError, PADDING_FREE, PADDING_MAX, encoding::Encoding, sniff::Delimiter};

/// A table, without its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// How text is written.
    pub(crate) encoding: Encoding,
    /// What stands between cells.
    pub(crate) delimiter: Delimiter,
    /// Which cells stand in quotes.
    pub(crate) quoting: Quoting,
    /// How the first row ends; as RFC 4180 wants it, where there is no line end.
    pub(crate) line_end: LineEnd,
    /// Blank lines before the first row, behind the mark of UTF-8.
    #[serde(serialize_with = "write_octets", deserialize_with = "read_octets")]
    pub(crate) before: Vec<u8>,
    /// The first row, where it names the columns.
    pub(crate) header: Option<Header>,
    /// A name for each column, as many as the longest row has cells. None of them twice: where a header says nothing
    /// new, a name is made.
    pub(crate) names: Vec<String>,
    /// The column of addresses, from 0.
    pub(crate) email: Option<usize>,
    /// Rows, without the header.
    pub(crate) rows: u64,
    /// Cells of those rows.
    pub(crate) cells: u64,
    /// Octets of the table.
    pub(crate) octets: u64,
}

/// The first row, where it names the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Its octets, without the line end.
    #[serde(serialize_with = "write_octets", deserialize_with = "read_octets")]
    pub(crate) content: Vec<u8>,
    /// Its line end, and blank lines that follow.
    #[serde(serialize_with = "write_octets", deserialize_with = "read_octets")]
    pub(crate) end: Vec<u8>,
    /// How many columns it names.
    pub(crate) cells: usize,
}

/// Octets of any encoding as a text: as numbers they would be three times as long.
fn write_octets<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(octets))
}

fn read_octets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    // What is wrong is not quoted: it is somebody's.
    BASE64.decode(text.as_bytes()).map_err(|_| D::Error::custom("no octets in base64"))
}

/// Which cells stand in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Quoting {
    /// None.
    Never,
    /// Some.
    Sometimes,
    /// All.
    Always,
}

/// How rows end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineEnd {
    /// As RFC 4180 wants it.
    CrLf,
    /// As on Unix.
    Lf,
    /// As on an old Macintosh.
    Cr,
}

impl LineEnd {
    /// How a row ends that ends like this.
    pub(super) fn of(end: &[u8]) -> Self {
        match end {
            [b'\r', b'\n', ..] | [] => Self::CrLf,
            [b'\n', ..] => Self::Lf,
            _ => Self::Cr,
        }
    }

    /// What is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::CrLf => "\r\n",
            Self::Lf => "\n",
            Self::Cr => "\r",
        }
    }
}

impl Layout {
    /// Of a table that is made of a list, and has one column.
    pub(crate) fn of_list(column: &str) -> Self {
        let line_end = LineEnd::CrLf;
        let header = Header {
            content: column.as_bytes().to_vec(),
            end: line_end.text().as_bytes().to_vec(),
            cells: 1,
        };
        Self {
            encoding: Encoding::Utf8,
            delimiter: Delimiter::Comma,
            quoting: Quoting::Never,
            line_end,
            before: Vec::new(),
            header: Some(header),
            names: vec![column.to_owned()],
            email: Some(0),
            rows: 0,
            cells: 0,
            octets: 0,
        }
    }

    /// The column of addresses of a table that can be worked at.
    ///
    /// # Errors
    /// There is nothing in it, or no column of addresses, or one row is so much longer than the others that they
    /// cannot all be made as long.
    pub(crate) fn checked(&self) -> Result<usize, CsvError> {
        if self.octets == 0 {
            return Err(CsvError::EmptyFile);
        }
        if self.rows == 0 {
            return Err(CsvError::NoRows);
        }
        let width = self.names.len();
        let padding = self.rows.saturating_mul(width as u64).saturating_sub(self.cells);
        if padding > self.octets.saturating_mul(PADDING_MAX).saturating_add(PADDING_FREE) {
            return Err(CsvError::Uneven { width });
        }
        self.email.ok_or(CsvError::NoEmailColumn)
    }
}
