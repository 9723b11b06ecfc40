//! Workbooks (`.xlsx`): the first sheet of one as a table in text, which is then read like any other. What it unpacks to is
//! limited before anything of it is read, and cells are read one after the other.

use std::io::{self, Cursor, Read as _};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use zip::{ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::COLUMNS_MAX;

/// What every workbook begins with: it is a ZIP archive.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

/// Octets of all parts of a workbook together, unpacked: some 100,000 rows of ten columns.
pub(crate) const UNPACKED_MAX: u64 = 32 * 1024 * 1024;

/// Parts of a workbook: sheets, styles, what holds them together.
const PARTS_MAX: usize = 1_000;

/// Why a workbook is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkbookError {
    /// See [`UNPACKED_MAX`] and [`PARTS_MAX`].
    #[error("the workbook is too large")]
    TooLarge,
    /// It has no sheet.
    #[error("the workbook has no sheet")]
    NoSheet,
    /// It is no workbook, or a broken one.
    #[error("the workbook cannot be read")]
    Broken,
}

impl From<ZipError> for WorkbookError {
    fn from(_: ZipError) -> Self {
        Self::Broken
    }
}

impl From<io::Error> for WorkbookError {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl From<XlsxError> for WorkbookError {
    fn from(_: XlsxError) -> Self {
        Self::Broken
    }
}

impl From<::csv::Error> for WorkbookError {
    fn from(_: ::csv::Error) -> Self {
        Self::Broken
    }
}

/// The first sheet, as comma-separated values in UTF-8. Rows without cells are left out.
///
/// # Errors
/// [`WorkbookError`].
pub(crate) fn first_sheet(octets: &[u8]) -> Result<Vec<u8>, WorkbookError> {
    let unpacked = unpacked(octets)?;
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(unpacked))?;
    let name = workbook.sheet_names().first().cloned().ok_or(WorkbookError::NoSheet)?;
    let mut cells = workbook.worksheet_cells_reader(&name)?;
    let mut table = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let (mut at, mut row) = (0, Vec::<String>::new());
    while let Some(cell) = cells.next_cell()? {
        let (number, column) = cell.get_position();
        if number != at && !row.is_empty() {
            table.write_record(&row)?;
            row.clear();
        }
        at = number;
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= COLUMNS_MAX {
            return Err(WorkbookError::TooLarge);
        }
        row.resize(row.len().max(column + 1), String::new());
        row[column] = text(cell.get_value());
    }
    if !row.is_empty() {
        table.write_record(&row)?;
    }
    table.into_inner().map_err(|_| WorkbookError::Broken)
}

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        // No address is a date, nor a yes or no.
        _ => String::new(),
    }
}

/// The same archive, with its parts as they are: whoever reads it then unpacks no more than this.
fn unpacked(octets: &[u8]) -> Result<Vec<u8>, WorkbookError> {
    let mut archive = ZipArchive::new(Cursor::new(octets))?;
    if archive.len() > PARTS_MAX {
        return Err(WorkbookError::TooLarge);
    }
    let mut whole = ZipWriter::new(Cursor::new(Vec::new()));
    let as_it_is = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut left = UNPACKED_MAX;
    for place in 0..archive.len() {
        let part = archive.by_index(place)?;
        let name = part.name()?.into_owned();
        // Pictures and the like are nothing to us.
        if !matches!(name.rsplit_once('.'), Some((_, "xml" | "rels"))) {
            continue;
        }
        whole.start_file(name, as_it_is)?;
        let taken = io::copy(&mut part.take(left + 1), &mut whole)?;
        left = left.checked_sub(taken).ok_or(WorkbookError::TooLarge)?;
    }
    Ok(whole.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::Workbook;

    use super::*;

    fn workbook(rows: &[&[&str]]) -> Vec<u8> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for (number, row) in (0..).zip(rows) {
            for (column, cell) in (0..).zip(*row) {
                if !cell.is_empty() {
                    sheet.write_string(number, column, *cell).unwrap();
                }
            }
        }
        workbook.save_to_buffer().unwrap()
    }

    #[test]
    fn the_first_sheet_is_a_table() {
        let octets =
            workbook(&[&["name", "email"], &["Doe, Jane", "jane@example.com"], &["", "x@example.com"]]);
        assert!(octets.starts_with(MAGIC));
        let table = String::from_utf8(first_sheet(&octets).unwrap()).unwrap();
        assert_eq!(table, "name,email\n\"Doe, Jane\",jane@example.com\n,x@example.com\n");
    }

    #[test]
    fn what_is_no_workbook_or_unpacks_to_much_is_refused() {
        for broken in [&b""[..], b"PK\x03\x04", b"PK\x03\x04nonsense that goes on for a while"] {
            assert!(matches!(first_sheet(broken), Err(WorkbookError::Broken)));
        }
        let mut cut = workbook(&[&["email"], &["jane@example.com"]]);
        cut.truncate(cut.len() / 2);
        assert!(matches!(first_sheet(&cut), Err(WorkbookError::Broken)));
        let mut bomb = ZipWriter::new(Cursor::new(Vec::new()));
        bomb.start_file("xl/sharedStrings.xml", SimpleFileOptions::default()).unwrap();
        io::copy(&mut io::repeat(b' ').take(UNPACKED_MAX + 1), &mut bomb).unwrap();
        let bomb = bomb.finish().unwrap().into_inner();
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert!(matches!(first_sheet(&bomb), Err(WorkbookError::TooLarge)));
    }
}
