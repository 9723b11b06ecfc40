//! Rows: what their cells say, and the octets that they are made of, of which none is lost.
//!
//! A table is what stands before its first row, and then rows: each its content, and its end, which is the line end
//! and the blank lines after it. The last row may have no end.

use std::mem;

use csv_core::{ReadFieldResult, ReadRecordResult};

use super::{CELL_OCTETS_MAX, COLUMNS_MAX, CsvError, ROW_OCTETS_MAX, sniff::Delimiter};

/// What a row may end with.
const LINE_END: &[u8] = b"\n";

/// A row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Its octets, without the line end.
    pub(crate) content: &'a [u8],
    /// Its line end, and blank lines that follow.
    pub(crate) end: &'a [u8],
    /// What its cells say.
    pub(crate) cells: Cells<'a>,
}

/// Cells without the quotes around them and the doubling of those within.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    fields: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell in a column; empty where the row is shorter.
    pub(crate) fn get(&self, column: usize) -> &'a [u8] {
        let Some(end) = self.ends.get(column) else { return b"" };
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.fields[start..*end]
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).map(|column| self.get(column))
    }
}

/// Takes a table in pieces, and hands on its rows. Needs some 600 KiB, whatever the table.
pub(crate) struct Reader {
    core: csv_core::Reader,
    place: Place,
    /// The row that is read, or what stands before the first one.
    raw: Vec<u8>,
    /// Octets of `raw` that are the row's content, once its end was seen.
    content: usize,
    fields: Box<[u8]>,
    fields_len: usize,
    ends: Box<[usize]>,
    ends_len: usize,
    /// Rows that were begun.
    begun: u64,
    before: Vec<u8>,
}

/// Where in the table the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first row.
    Before,
    /// In the content of a row.
    Within,
    /// Behind the content of a row.
    Behind,
}

impl Reader {
    /// For the octets behind a mark of UTF-8.
    pub(crate) fn new(delimiter: Delimiter) -> Self {
        Self {
            core: core(delimiter),
            place: Place::Before,
            raw: Vec::new(),
            content: 0,
            // One more than is allowed, so that it is seen when that is exceeded.
            fields: vec![0; ROW_OCTETS_MAX + 1].into(),
            fields_len: 0,
            ends: vec![0; COLUMNS_MAX + 1].into(),
            ends_len: 0,
            begun: 0,
            before: Vec::new(),
        }
    }

    /// Blank lines before the first row.
    pub(crate) fn before(&self) -> &[u8] {
        &self.before
    }

    /// Takes the next octets. Each row is handed on when the next one begins.
    ///
    /// # Errors
    /// A row past the limits, or what `each` says.
    pub(crate) fn push<E: From<CsvError>>(
        &mut self,
        mut octets: &[u8],
        each: &mut impl FnMut(Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(first) = octets.first() {
            if self.place == Place::Within {
                octets = &octets[self.read(octets)?..];
            } else if is_line_end(*first) {
                let len = octets.iter().take_while(|octet| is_line_end(**octet)).count();
                self.keep(&octets[..len])?;
                octets = &octets[len..];
            } else {
                self.hand_on(each)?;
                self.place = Place::Within;
                self.begun += 1;
            }
        }
        Ok(())
    }

    /// The table has ended: hands on the last row.
    ///
    /// # Errors
    /// A quote that is not closed: what were written behind it would be part of its cell. A row past the limits, or
    /// what
    /// `each` says.
    pub(crate) fn finish<E: From<CsvError>>(
        &mut self,
        each: &mut impl FnMut(Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.place == Place::Within {
            let content = self.raw.len();
            // A line end ends every row but one within quotes.
            self.read(LINE_END)?;
            if self.place == Place::Within {
                return Err(CsvError::OpenQuote { row: self.begun }.into());
            }
            self.raw.truncate(content);
        }
        self.hand_on(each)
    }

    /// Reads on in a row, at most to its end; says how many octets were taken.
    fn read(&mut self, octets: &[u8]) -> Result<usize, CsvError> {
        let (fields, ends) = (&mut self.fields[self.fields_len..], &mut self.ends[self.ends_len..]);
        let (result, read, written, ended) = self.core.read_record(octets, fields, ends);
        self.keep(&octets[..read])?;
        self.fields_len += written;
        self.ends_len += ended;
        let row = self.begun;
        if self.ends_len > COLUMNS_MAX || result == ReadRecordResult::OutputEndsFull {
            return Err(CsvError::WideRow { row });
        }
        if result == ReadRecordResult::OutputFull {
            return Err(CsvError::LongRow { row });
        }
        let begun = self.ends[..self.ends_len].last().copied().unwrap_or_default();
        if self.fields_len - begun > CELL_OCTETS_MAX {
            return Err(CsvError::LongCell { row });
        }
        if result == ReadRecordResult::Record {
            if self.row().iter().any(|cell| cell.len() > CELL_OCTETS_MAX) {
                return Err(CsvError::LongCell { row });
            }
            // The last octet that was taken is the first one of the line end.
            self.content = self.raw.len() - 1;
            self.place = Place::Behind;
        }
        Ok(read)
    }

    fn keep(&mut self, octets: &[u8]) -> Result<(), CsvError> {
        if self.raw.len() + octets.len() > ROW_OCTETS_MAX {
            return Err(CsvError::LongRow { row: self.begun });
        }
        self.raw.extend_from_slice(octets);
        Ok(())
    }

    fn row(&self) -> Cells<'_> {
        Cells { fields: &self.fields[..self.fields_len], ends: &self.ends[..self.ends_len] }
    }

    /// Ends what was read so far: a row, or what stands before the first.
    fn hand_on<E>(&mut self, each: &mut impl FnMut(Row<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.place == Place::Before {
            self.before = mem::take(&mut self.raw);
            return Ok(());
        }
        let (content, end) = self.raw.split_at(self.content);
        each(Row { content, end, cells: self.row() })?;
        self.raw.clear();
        (self.fields_len, self.ends_len) = (0, 0);
        Ok(())
    }
}

/// Splits octets into cells as they are written, quotes and all.
pub(crate) struct Splitter {
    core: csv_core::Reader,
    content: Vec<u8>,
}

impl Splitter {
    /// For octets behind a mark of UTF-8.
    pub(crate) fn new(delimiter: Delimiter) -> Self {
        Self { core: core(delimiter), content: Vec::new() }
    }

    /// Hands on each cell, and says whether it ends its row. Says whether the octets end within quotes.
    pub(crate) fn split<'a>(&mut self, octets: &'a [u8], mut each: impl FnMut(&'a [u8], bool)) -> bool {
        self.split_both(octets, |written, _, ends_row| each(written, ends_row))
    }

    /// Hands on what each cell of a row says: without the quotes around it and the doubling of those within.
    pub(crate) fn says(&mut self, row: &[u8], mut each: impl FnMut(&[u8])) {
        self.split_both(row, |_, said, _| each(said));
    }

    /// Hands on each cell as it is written and as it says, and whether it ends its row.
    fn split_both<'a>(&mut self, mut octets: &'a [u8], mut each: impl FnMut(&'a [u8], &[u8], bool)) -> bool {
        self.core.reset();
        begin(&mut self.core);
        self.content.resize(octets.len() + 1, 0);
        let mut is_row_begun = false;
        loop {
            if !is_row_begun {
                octets = &octets[octets.iter().take_while(|octet| is_line_end(**octet)).count()..];
                if octets.is_empty() {
                    return false;
                }
            }
            let (result, read, said) = self.core.read_field(octets, &mut self.content);
            let ReadFieldResult::Field { record_end } = result else {
                // The rest is one cell.
                each(octets, &self.content[..said], true);
                return self.core.read_field(LINE_END, &mut self.content).0 == ReadFieldResult::InputEmpty;
            };
            each(&octets[..read - 1], &self.content[..said], record_end);
            octets = &octets[read..];
            is_row_begun = !record_end;
            if octets.is_empty() && is_row_begun {
                // A delimiter at the very end has an empty cell behind it.
                each(b"", b"", true);
                return false;
            }
        }
    }
}

fn core(delimiter: Delimiter) -> csv_core::Reader {
    let mut core = csv_core::ReaderBuilder::new().delimiter(delimiter.octet()).build();
    begin(&mut core);
    core
}

/// It takes a mark of UTF-8 away from what it reads first. Ours was taken off before; a second one is part of a cell.
fn begin(core: &mut csv_core::Reader) {
    core.read_field(b"", &mut []);
}

pub(super) fn is_line_end(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before the first row; then content, end and cells of each.
    type Read = (String, Vec<(String, String, Vec<String>)>);

    fn read_in(text: &[u8], piece: usize, delimiter: Delimiter) -> Result<Read, CsvError> {
        let mut reader = Reader::new(delimiter);
        let mut rows = Vec::new();
        let say = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mut each = |row: Row<'_>| {
            rows.push((say(row.content), say(row.end), row.cells.iter().map(say).collect()));
            Ok::<_, CsvError>(())
        };
        for piece in text.chunks(piece) {
            reader.push(piece, &mut each)?;
        }
        reader.finish(&mut each)?;
        Ok((say(reader.before()), rows))
    }

    fn read(text: &str) -> Read {
        let whole = read_in(text.as_bytes(), usize::MAX, Delimiter::Comma).unwrap();
        for piece in 1..=text.len().min(40) {
            assert_eq!(
                read_in(text.as_bytes(), piece, Delimiter::Comma).unwrap(),
                whole,
                "{text:?} by {piece}"
            );
        }
        whole
    }

    fn row(content: &str, end: &str, cells: &[&str]) -> (String, String, Vec<String>) {
        (content.into(), end.into(), cells.iter().map(|cell| (*cell).into()).collect())
    }

    #[test]
    fn rows_end_in_three_ways_and_blank_lines_belong_to_the_row_before() {
        let (before, rows) = read("\n\r\na,b\r\n\r\n\nc\rd,\n\n");
        assert_eq!(before, "\n\r\n");
        assert_eq!(
            rows,
            [row("a,b", "\r\n\r\n\n", &["a", "b"]), row("c", "\r", &["c"]), row("d,", "\n\n", &["d", ""])]
        );
        assert_eq!(read("a,b\n1,").1, [row("a,b", "\n", &["a", "b"]), row("1,", "", &["1", ""])]);
        assert_eq!(read(""), (String::new(), vec![]));
        assert_eq!(read("\r\n\n"), ("\r\n\n".into(), vec![]));
    }

    #[test]
    fn quotes_hold_line_ends_delimiters_and_quotes() {
        assert_eq!(
            read("\"a\r\nb\",\"say \"\"x\"\"\",c\"d,\"e\"f\n\"\"\n").1,
            [
                row("\"a\r\nb\",\"say \"\"x\"\"\",c\"d,\"e\"f", "\n", &["a\r\nb", "say \"x\"", "c\"d", "ef"]),
                row("\"\"", "\n", &[""]),
            ]
        );
    }

    #[test]
    fn a_cell_that_is_not_there_is_empty() {
        let mut reader = Reader::new(Delimiter::Semicolon);
        let mut seen = 0;
        let mut each = |row: Row<'_>| {
            assert_eq!(
                (row.cells.get(0), row.cells.get(1), row.cells.get(2)),
                (&b"a"[..], &b"b"[..], &b""[..])
            );
            seen += 1;
            Ok::<_, CsvError>(())
        };
        reader.push(b"a;b\na;b;\n", &mut each).unwrap();
        reader.finish(&mut each).unwrap();
        assert_eq!(seen, 2);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told() {
        for text in ["a,b\n\"c,d\ne,f", "\"", "a,\"", "\"a\"\"", "\"a\n"] {
            let row = if text.starts_with("a,b") { 2 } else { 1 };
            for piece in 1..=text.len() {
                let told = read_in(text.as_bytes(), piece, Delimiter::Comma);
                assert_eq!(told, Err(CsvError::OpenQuote { row }), "{text:?}");
            }
        }
    }

    #[test]
    fn limits_hold_and_what_is_just_within_is_read() {
        let told = |text: &str| {
            let whole = read_in(text.as_bytes(), usize::MAX, Delimiter::Comma).map(|(_, rows)| rows.len());
            assert_eq!(read_in(text.as_bytes(), 4096, Delimiter::Comma).map(|(_, rows)| rows.len()), whole);
            whole
        };
        let cell = "a".repeat(CELL_OCTETS_MAX);
        assert_eq!(told(&format!("x\n{cell},b\n")), Ok(2));
        assert_eq!(told(&format!("x\n{cell}a,b\n")), Err(CsvError::LongCell { row: 2 }));
        assert_eq!(told(&format!("x\n\"{cell}a")), Err(CsvError::LongCell { row: 2 }));
        assert_eq!(told(&",".repeat(COLUMNS_MAX - 1)), Ok(1));
        assert_eq!(told(&format!("{}\n", ",".repeat(COLUMNS_MAX - 1))), Ok(1));
        assert_eq!(told(&",".repeat(COLUMNS_MAX)), Err(CsvError::WideRow { row: 1 }));
        assert_eq!(told(&format!("{}\n", ",".repeat(COLUMNS_MAX))), Err(CsvError::WideRow { row: 1 }));
        let cells = [cell.as_str(); 8].join(",");
        assert_eq!(told(&format!("{cells}\n")), Err(CsvError::LongRow { row: 1 }));
        assert_eq!(told(&format!("{}\n", &cells[..ROW_OCTETS_MAX - 1])), Ok(1));
        assert_eq!(told(&format!("a\n{}", "\n".repeat(ROW_OCTETS_MAX))), Err(CsvError::LongRow { row: 1 }));
    }

    #[test]
    fn cells_are_split_as_they_are_written() {
        let of = |text: &'static str| {
            let mut cells = Vec::new();
            let is_open = Splitter::new(Delimiter::Comma).split(text.as_bytes(), |cell, ends| {
                cells.push((std::str::from_utf8(cell).unwrap(), ends));
            });
            (cells, is_open)
        };
        assert_eq!(
            of("\na,\" b\n\"\"c\"\r\n\r\n,\rd"),
            (vec![("a", false), ("\" b\n\"\"c\"", true), ("", false), ("", true), ("d", true)], false)
        );
        assert_eq!(of("a,"), (vec![("a", false), ("", true)], false));
        assert_eq!(of("a,\"b\nc"), (vec![("a", false), ("\"b\nc", true)], true));
        assert_eq!(of(""), (vec![], false));
        assert_eq!(of("\"a\""), (vec![("\"a\"", true)], false));
    }

    #[test]
    fn cells_of_a_row_say_what_they_said_when_it_was_read() {
        for text in [
            "a, b ,\"c\"",
            "\"a\r\nb\",\"say \"\"x\"\"\",c\"d,\"e\"f",
            "\"\"",
            "a,",
            ",",
            "\"a,b\"",
            "\"a\"\"\"",
        ] {
            let mut said = Vec::new();
            let say = |cell: &[u8]| said.push(String::from_utf8(cell.to_vec()).unwrap());
            Splitter::new(Delimiter::Comma).says(text.as_bytes(), say);
            assert_eq!(said, read(text).1[0].2, "{text}");
        }
        Splitter::new(Delimiter::Comma).says(b"", |_| panic!("there is none"));
    }
}
