//! Sheets: rows of the file that a job was made from, octet by octet as they came, and the layout of that file.
//!
//! Rows are no JSON: they may be of any encoding, and there is nothing to escape.
//!
//! ```text
//! version (1) | rows, each: content length, end length, cells, content, end
//! ```
//!
//! A row's end is its line end and the blank lines behind it. Numbers have seven bits in an octet, the lowest first, and
//! the eighth where more follow. The layout is JSON, `{"v":1,"layout":{…}}`, with octets in Base64.
//!
//! A file has its rows in pieces that are sealed one by one, so that a few can be read without the others.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RowsError, VERSION, Version};
use crate::{
    csv::layout::Layout,
    store::{
        StoreError,
        keys::{Keyring, Row},
    },
};

/// Octets with which a piece is full: few enough that a page of results is read at once, and many enough that a file of
/// the greatest size is no more than some hundred rows of the database.
const PIECE_OCTETS: usize = 256 * 1024;

/// Octets of a number at most: more would not fit in 32 bits.
const NUMBER_OCTETS_MAX: usize = 5;

/// The first octet of a piece.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an octet is enough for as many layouts as there will be"
)]
const FIRST: u8 = VERSION as u8;

/// A row of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SheetRow<'a> {
    /// Its octets, without the line end.
    pub(crate) content: &'a [u8],
    /// Its line end, and blank lines that follow.
    pub(crate) end: &'a [u8],
    /// How many cells its content has.
    pub(crate) cells: usize,
}

/// A piece that is being written.
#[derive(Debug)]
pub(crate) struct Piece {
    text: Vec<u8>,
    rows: u32,
}

impl Piece {
    /// No rows yet.
    pub(crate) fn new() -> Self {
        Self { text: vec![FIRST], rows: 0 }
    }

    /// One more row.
    pub(crate) fn push(&mut self, row: SheetRow<'_>) {
        let SheetRow { content, end, cells } = row;
        for number in [content.len(), end.len(), cells] {
            // Whatever is longer would not be in memory.
            write_number(u32::try_from(number).unwrap_or(u32::MAX), &mut self.text);
        }
        self.text.extend_from_slice(content);
        self.text.extend_from_slice(end);
        self.rows += 1;
    }

    /// The next row begins another piece.
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() >= PIECE_OCTETS
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// Its text.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Begins the next one, in the same memory.
    pub(crate) fn clear(&mut self) {
        self.text.truncate(1);
        self.rows = 0;
    }
}

/// The text of a piece.
#[cfg(test)]
pub(crate) fn write<'a>(rows: impl IntoIterator<Item = SheetRow<'a>>) -> Vec<u8> {
    let mut piece = Piece::new();
    rows.into_iter().for_each(|row| piece.push(row));
    piece.text
}

/// The rows of a piece, in their order.
///
/// # Errors
/// It is no text of a piece, or a later program's. Whatever is read after that is whole.
pub(crate) fn read(text: &[u8]) -> Result<SheetRows<'_>, RowsError> {
    let rest = match text {
        [FIRST, rest @ ..] => rest,
        [version, ..] if *version > FIRST => return Err(RowsError::Newer((*version).into())),
        _ => return Err(RowsError::Malformed { at: 1 }),
    };
    let rows = SheetRows { rest };
    let mut checked = rows.clone();
    while checked.next().is_some() {}
    if checked.rest.is_empty() {
        Ok(rows)
    } else {
        Err(RowsError::Malformed { at: text.len() - checked.rest.len() + 1 })
    }
}

/// See [`read`].
#[derive(Debug, Clone)]
pub(crate) struct SheetRows<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for SheetRows<'a> {
    type Item = SheetRow<'a>;

    /// Ends before what is not whole.
    fn next(&mut self) -> Option<SheetRow<'a>> {
        let mut rest = self.rest;
        let [content, end, cells] =
            [read_number(&mut rest)?, read_number(&mut rest)?, read_number(&mut rest)?];
        let (content, rest) = rest.split_at_checked(content)?;
        let (end, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        Some(SheetRow { content, end, cells })
    }
}

fn write_number(mut number: u32, text: &mut Vec<u8>) {
    loop {
        let seven = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return text.push(seven);
        }
        text.push(seven | 0x80);
    }
}

fn read_number(text: &mut &[u8]) -> Option<usize> {
    let mut number: u64 = 0;
    for (at, octet) in text.iter().enumerate().take(NUMBER_OCTETS_MAX) {
        number |= u64::from(octet & 0x7f) << (7 * at);
        if octet & 0x80 == 0 {
            *text = &text[at + 1..];
            return usize::try_from(u32::try_from(number).ok()?).ok();
        }
    }
    None
}

#[derive(Serialize, Deserialize)]
struct LayoutText<L> {
    v: Version,
    layout: L,
}

/// The text of a layout.
pub(crate) fn write_layout(layout: &Layout) -> Vec<u8> {
    serde_json::to_vec(&LayoutText { v: Version, layout }).expect("numbers and texts are JSON")
}

/// The layout of a text.
pub(crate) fn read_layout(text: &[u8]) -> Result<Layout, RowsError> {
    Ok(super::read::<LayoutText<Layout>>(text)?.layout)
}

/// Opens the layout of a job's file.
///
/// # Errors
/// It cannot be opened, or not be read.
pub(crate) fn open_layout(keys: &Keyring, job: Uuid, sealed: &[u8]) -> Result<Layout, StoreError> {
    Ok(read_layout(&keys.open(Row::Layout { job }, sealed)?)?)
}

/// Opens a piece of a job's file: what [`read`] reads.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn open_piece(keys: &Keyring, job: Uuid, no: i32, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    Ok(keys.open(Row::Sheet { job, no }, sealed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        csv::{
            CsvError,
            intake::{DataRow, Intake, Terms},
        },
        store::testing::keys,
    };

    fn row<'a>(content: &'a [u8], end: &'a [u8], cells: usize) -> SheetRow<'a> {
        SheetRow { content, end, cells }
    }

    #[test]
    fn the_text_is_as_small_as_it_is_shown() {
        let text = write([row(b"a,b", b"\r\n", 2), row(b"c", b"", 1)]);
        assert_eq!(text, b"\x01\x03\x02\x02a,b\r\n\x01\x00\x01c");
    }

    #[test]
    fn every_row_is_read_back() {
        let long = vec![b'x'; 300_000];
        let rows = [
            row(b"", b"", 0),
            row(b"", b"\n", 1),
            row(b"\xff\x00,\"\r\n\"", b"\r\n\r\n\r", 2),
            row(&long[..127], b"\n", 127),
            row(&long[..128], b"\n", 128),
            row(&long, &long[..16_384], 4096),
            row(b"last", b"", 1),
        ];
        let text = write(rows);
        assert_eq!(read(&text).unwrap().collect::<Vec<_>>(), rows);
        assert_eq!(read(&write([])).unwrap().count(), 0);
        for number in [0, 1, 127, 128, 16_383, 16_384, u32::MAX - 1, u32::MAX] {
            let mut text = Vec::new();
            write_number(number, &mut text);
            let mut rest = &text[..];
            assert_eq!((read_number(&mut rest), rest.len()), (Some(number as usize), 0));
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let text = write([row(b"a,b", b"\r\n", 2), row(b"c", b"\n", 1)]);
        for len in 0..text.len() {
            // A piece that is cut between rows is whole, but for those that are not there.
            let is_between = len == 1 || len == 9;
            assert_eq!(read(&text[..len]).is_ok(), is_between, "{len}");
        }
        for wrong in [
            &b"\x00"[..],
            b"\x01\xff\xff\xff\xff\x0f\x00\x01",
            b"\x01\xff\xff\xff\xff\x1f\x00\x01",
            b"\x01\x80\x80\x80\x80\x80\x00",
            b"\x01\x00",
            b"jane@example.com",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("jane"), "{error}");
        }
        assert_eq!(read(b"\x02?").unwrap_err(), RowsError::Newer(2));
        assert_eq!(read(b"\x01\x01\x00\x01a\x01").unwrap_err(), RowsError::Malformed { at: 6 });
    }

    #[test]
    fn a_piece_is_full_at_its_octets_and_the_next_one_is_empty() {
        let mut piece = Piece::new();
        let content = [b'a'; 1000];
        while !piece.is_full() {
            piece.push(row(&content, b"\n", 1));
        }
        assert_eq!((piece.rows(), read(piece.text()).unwrap().count()), (261, 261));
        piece.clear();
        assert!(piece.rows() == 0 && !piece.is_full() && read(piece.text()).unwrap().count() == 0);
    }

    #[test]
    fn a_layout_is_read_back_and_opens_where_it_stands() {
        let terms = Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None };
        let mut intake = Intake::new(terms);
        let mut each = |_: DataRow<'_>| Ok::<_, CsvError>(());
        intake.push(b"\r\nPr\xe9nom;Email\r\nJos\xe9;jose@example.com\r\n", &mut each).unwrap();
        intake.finish(&mut each).unwrap();
        let layout = intake.layout();
        let text = write_layout(&layout);
        assert_eq!(read_layout(&text).unwrap(), layout);
        let shown = str::from_utf8(&text).unwrap();
        assert!(shown.contains(r#""before":"DQo=""#) && shown.contains(r#""content":"UHLpbm9t"#), "{shown}");
        let (keys, job) = (keys(), Uuid::from_u128(7));
        let sealed = keys.seal(Row::Layout { job }, &text);
        assert_eq!(open_layout(&keys, job, &sealed).unwrap(), layout);
        assert!(open_layout(&keys, Uuid::from_u128(8), &sealed).is_err());
        let sealed = keys.seal(Row::Sheet { job, no: 3 }, b"\x01");
        assert_eq!(open_piece(&keys, job, 3, &sealed).unwrap(), b"\x01");
        assert!(open_piece(&keys, job, 2, &sealed).is_err());
        assert_eq!(read_layout(br#"{"v":2,"layout":0}"#), Err(RowsError::Newer(2)));
    }
}
