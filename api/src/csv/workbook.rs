//! Workbooks (`.xlsx`): the first sheet of one as a table in text, which is then read like any other. What it unpacks to is
//! limited before anything of it is read, and cells are read one after the other.

use std::io::{self, Cursor, Read as _, Write as _};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use zip::{ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::COLUMNS_MAX;

/// What every workbook begins with: it is a ZIP archive.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

/// Octets of all parts of a workbook together, unpacked: some 100,000 rows of ten columns. Its cells say no more either: a
/// text that many cells share stands in it once.
pub(crate) const UNPACKED_MAX: u64 = 32 * 1024 * 1024;

/// Parts of a workbook: sheets, styles, what holds them together.
const PARTS_MAX: usize = 1_000;

/// What a workbook says of how many texts its cells share. Whoever reads it makes room for so many, whatever is there.
const PROMISED: &[u8] = b"uniqueCount";

/// Why a workbook is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkbookError {
    /// See [`UNPACKED_MAX`], [`PARTS_MAX`] and [`COLUMNS_MAX`].
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

/// The first sheet, as comma-separated values in UTF-8. Rows without cells are left out, and those beyond `rows_max`.
///
/// # Errors
/// [`WorkbookError`].
pub(crate) fn first_sheet(octets: &[u8], rows_max: usize) -> Result<Vec<u8>, WorkbookError> {
    let unpacked = unpacked(octets)?;
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(unpacked))?;
    let name = workbook.sheet_names().first().cloned().ok_or(WorkbookError::NoSheet)?;
    let mut cells = workbook.worksheet_cells_reader(&name)?;
    let mut table = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let (mut at, mut row, mut rows) = (0, Vec::<String>::new(), 0);
    let mut left = UNPACKED_MAX;
    while let Some(cell) = cells.next_cell()? {
        let (number, column) = cell.get_position();
        if number != at && !row.is_empty() {
            table.write_record(&row)?;
            row.clear();
            rows += 1;
        }
        if rows == rows_max {
            break;
        }
        at = number;
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= COLUMNS_MAX {
            return Err(WorkbookError::TooLarge);
        }
        let text = text(cell.get_value());
        let added = (column + 1).saturating_sub(row.len());
        left = left.checked_sub((text.len() + added) as u64).ok_or(WorkbookError::TooLarge)?;
        row.resize(row.len() + added, String::new());
        row[column] = text;
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
        let mut plain = Vec::new();
        let taken = part.take(left + 1).read_to_end(&mut plain)?;
        left = left.checked_sub(taken as u64).ok_or(WorkbookError::TooLarge)?;
        promise_nothing(&mut plain);
        whole.write_all(&plain)?;
    }
    Ok(whole.finish()?.into_inner())
}

/// Gives attributes that are called [`PROMISED`] a name that nobody reads.
fn promise_nothing(part: &mut [u8]) {
    let mut from = 0;
    while let Some(place) = part[from..].windows(PROMISED.len()).position(|octets| octets == PROMISED) {
        let begins = from + place;
        from = begins + PROMISED.len();
        // In a text the word may stand.
        let value = part[from..].trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
        if matches!(value, Some([b'"' | b'\'', ..])) {
            part[begins] = b'_';
        }
    }
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
        let table = String::from_utf8(first_sheet(&octets, 9).unwrap()).unwrap();
        assert_eq!(table, "name,email\n\"Doe, Jane\",jane@example.com\n,x@example.com\n");
    }

    #[test]
    fn what_is_no_workbook_or_unpacks_to_much_is_refused() {
        for broken in [&b""[..], b"PK\x03\x04", b"PK\x03\x04nonsense that goes on for a while"] {
            assert!(matches!(first_sheet(broken, 9), Err(WorkbookError::Broken)));
        }
        let mut cut = workbook(&[&["email"], &["jane@example.com"]]);
        cut.truncate(cut.len() / 2);
        assert!(matches!(first_sheet(&cut, 9), Err(WorkbookError::Broken)));
        let mut bomb = ZipWriter::new(Cursor::new(Vec::new()));
        bomb.start_file("xl/sharedStrings.xml", SimpleFileOptions::default()).unwrap();
        io::copy(&mut io::repeat(b' ').take(UNPACKED_MAX + 1), &mut bomb).unwrap();
        let bomb = bomb.finish().unwrap().into_inner();
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert!(matches!(first_sheet(&bomb, 9), Err(WorkbookError::TooLarge)));
    }

    /// The same workbook, with this part rewritten.
    fn rewritten(octets: &[u8], name: &str, rewrite: impl Fn(String) -> String) -> Vec<u8> {
        let mut archive = ZipArchive::new(Cursor::new(octets)).unwrap();
        let mut whole = ZipWriter::new(Cursor::new(Vec::new()));
        for place in 0..archive.len() {
            let mut part = archive.by_index(place).unwrap();
            let mut text = String::new();
            part.read_to_string(&mut text).unwrap();
            let part_name = part.name().unwrap().into_owned();
            let text = if part_name == name { rewrite(text) } else { text };
            whole.start_file(part_name, SimpleFileOptions::default()).unwrap();
            whole.write_all(text.as_bytes()).unwrap();
        }
        whole.finish().unwrap().into_inner()
    }

    #[test]
    fn room_is_made_for_what_is_there_and_not_for_what_is_promised() {
        let one = workbook(&[&["jane@example.com"], &["uniqueCount=1@example.com"]]);
        for written in ["uniqueCount=\"2\"", "uniqueCount\n= '2'"] {
            let promising = rewritten(&one, "xl/sharedStrings.xml", |text| {
                assert!(text.contains("uniqueCount=\"2\""), "{text}");
                let most = written.replace('2', &usize::MAX.to_string());
                text.replace("uniqueCount=\"2\"", &most).replace("<sst", "<!-- <si> --><sst")
            });
            let table = String::from_utf8(first_sheet(&promising, 9).unwrap()).unwrap();
            assert_eq!(table, "jane@example.com\nuniqueCount=1@example.com\n");
        }
    }

    #[test]
    fn cells_say_no_more_than_a_workbook_may_unpack_to() {
        let long = "x".repeat(32_000);
        let cells: &[&[&str]] = &[&[&long]];
        let rows = vec![cells[0]; 2_000];
        let shared = workbook(&rows);
        assert!(shared.len() < 100_000, "{}", shared.len());
        assert!(matches!(first_sheet(&shared, 2_000), Err(WorkbookError::TooLarge)));
        assert!(first_sheet(&shared, 1_000).is_ok(), "no more rows are read");
        let mut far = vec![""; COLUMNS_MAX];
        far[COLUMNS_MAX - 1] = "x";
        let rows = vec![&*far; 10_000];
        assert!(matches!(first_sheet(&workbook(&rows), 10_000), Err(WorkbookError::TooLarge)));
        assert_eq!(first_sheet(&workbook(&rows[..3]), 2).unwrap().len(), 2 * (COLUMNS_MAX + 1));
    }
}
