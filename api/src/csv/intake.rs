//! A table as it comes in: octets in pieces of any size, rows out as soon as they are whole, and at the end the
//! layout.
//!
//! The first 64 KiB are kept until they are complete; what they say of delimiter, header and columns is not revised.
//! The encoding is known at the end alone, so what rows say is octets until then.

use super::{
    CsvError, HEAD_OCTETS,
    columns::{self, Content, fold},
    encoding::{MARK, NotText, Watch},
    layout::{Header, Layout, LineEnd, Quoting},
    rows::{Reader, Row, Splitter},
    sniff::{Delimiter, is_quoted},
};

/// What is taken of a table.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Octets at most.
    pub(crate) octets_max: u64,
    /// Rows at most, without a header.
    pub(crate) rows_max: u64,
    /// The column of addresses, where somebody says which: by its name, or by its number from 1.
    pub(crate) column: Option<String>,
}

/// A row behind the header.
#[derive(Clone, Copy)]
pub(crate) struct DataRow<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// The row.
    pub(crate) row: Row<'a>,
    /// Its cell in the column of addresses; empty where there is no such column.
    pub(crate) email: &'a [u8],
}

/// A table that comes in.
pub(crate) struct Intake {
    terms: Terms,
    watch: Option<Watch>,
    octets: u64,
    /// The beginning, until it is complete.
    head: Vec<u8>,
    body: Option<Body>,
}

/// What is known once the beginning is complete.
struct Body {
    reader: Reader,
    sample: Sample,
    counts: Counts,
}

/// What the beginning says.
struct Sample {
    delimiter: Delimiter,
    quoting: Quoting,
    has_header: bool,
    email: Option<usize>,
}

/// What has been seen of the rows.
#[derive(Default)]
struct Counts {
    /// The first row, where it is a header, and its cells.
    header: Option<(Header, Vec<Vec<u8>>)>,
    line_end: Option<LineEnd>,
    width: usize,
    rows: u64,
    cells: u64,
}

impl Intake {
    /// For one table.
    pub(crate) fn new(terms: Terms) -> Self {
        Self { terms, watch: None, octets: 0, head: Vec::new(), body: None }
    }

    /// Takes the next octets, and hands on the rows that are whole now.
    ///
    /// # Errors
    /// What the terms do not allow, what is no table of ours, or what `each` says.
    pub(crate) fn push<E: From<CsvError>>(
        &mut self,
        octets: &[u8],
        each: &mut impl FnMut(DataRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.octets += octets.len() as u64;
        if self.octets > self.terms.octets_max {
            return Err(CsvError::TooLarge { max: self.terms.octets_max }.into());
        }
        if self.body.is_some() {
            return self.read(octets, each);
        }
        self.head.extend_from_slice(octets);
        if self.head.len() < HEAD_OCTETS {
            return Ok(());
        }
        self.begin(false, each)
    }

    /// The table has ended: hands on what is left. A table that was empty is no error here.
    ///
    /// # Errors
    /// Those of [`Self::push`], and a quote that is not closed.
    pub(crate) fn finish<E: From<CsvError>>(
        &mut self,
        each: &mut impl FnMut(DataRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.body.is_none() {
            self.begin(true, each)?;
        }
        let Some(Body { reader, sample, counts }) = &mut self.body else { return Ok(()) };
        reader.finish(&mut |row| counts.count(row, sample, &self.terms, each))
    }

    /// What is known by now: of the whole table, once it has ended, or of what came before it was refused.
    pub(crate) fn layout(&self) -> Layout {
        let fresh;
        let (sample, counts, before) = if let Some(body) = &self.body {
            (&body.sample, &body.counts, body.reader.before())
        } else {
            let head = self.head.strip_prefix(MARK).unwrap_or(&self.head);
            fresh = (Sample::of(head, true, None), Counts::default());
            (&fresh.0, &fresh.1, &b""[..])
        };
        let encoding = self.watch.as_ref().map_or_else(|| Watch::new(b"").encoding(), Watch::encoding);
        let say = |octets: &[u8]| encoding.decode(octets).into_owned();
        let header = counts.header.as_ref();
        let named: Vec<String> =
            header.map(|(_, cells)| cells.iter().map(|cell| say(cell)).collect()).unwrap_or_default();
        Layout {
            encoding,
            delimiter: sample.delimiter,
            quoting: sample.quoting,
            line_end: counts.line_end.unwrap_or(LineEnd::CrLf),
            before: before.to_vec(),
            header: header.map(|(header, _)| header.clone()),
            names: columns::names(&named, counts.width),
            email: sample.email,
            rows: counts.rows,
            cells: counts.cells,
            octets: self.octets,
        }
    }

    /// The beginning is complete.
    fn begin<E: From<CsvError>>(
        &mut self,
        is_whole: bool,
        each: &mut impl FnMut(DataRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let head = std::mem::take(&mut self.head);
        if let Some(what) = NotText::by_beginning(&head) {
            self.head = head;
            return Err(CsvError::from(what).into());
        }
        self.watch = Some(Watch::new(&head));
        // As much of it as would be there in the smallest pieces.
        let beginning = &head[..head.len().min(HEAD_OCTETS)];
        let beginning = beginning.strip_prefix(MARK).unwrap_or(beginning);
        let sample = Sample::of(beginning, is_whole, self.terms.column.as_deref());
        if let Some(column) = self.terms.column.as_ref().filter(|_| sample.email.is_none()) {
            let error = CsvError::NoSuchColumn(column.clone());
            self.head = head;
            return Err(error.into());
        }
        let text = head.strip_prefix(MARK).unwrap_or(&head);
        let reader = Reader::new(sample.delimiter);
        self.body = Some(Body { reader, sample, counts: Counts::default() });
        self.read(text, each)
    }

    fn read<E: From<CsvError>>(
        &mut self,
        octets: &[u8],
        each: &mut impl FnMut(DataRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (Some(watch), Some(Body { reader, sample, counts })) = (&mut self.watch, &mut self.body) else {
            return Ok(());
        };
        watch.pass(octets).map_err(CsvError::from)?;
        reader.push(octets, &mut |row| counts.count(row, sample, &self.terms, each))
    }
}

impl Counts {
    fn count<E: From<CsvError>>(
        &mut self,
        row: Row<'_>,
        sample: &Sample,
        terms: &Terms,
        each: &mut impl FnMut(DataRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_first = self.line_end.is_none();
        self.line_end.get_or_insert(LineEnd::of(row.end));
        self.width = self.width.max(row.cells.len());
        if is_first && sample.has_header {
            let (content, end) = (row.content.to_vec(), row.end.to_vec());
            let header = Header { content, end, cells: row.cells.len() };
            self.header = Some((header, row.cells.iter().map(<[u8]>::to_vec).collect()));
            return Ok(());
        }
        if self.rows == terms.rows_max {
            return Err(CsvError::TooManyRows { max: terms.rows_max }.into());
        }
        self.rows += 1;
        self.cells += row.cells.len() as u64;
        let email = sample.email.map_or(&b""[..], |column| row.cells.get(column));
        each(DataRow { number: self.rows, row, email })
    }
}

impl Sample {
    /// `head`: the beginning, without a mark. `column`: the column of addresses, where somebody says which.
    fn of(head: &[u8], is_whole: bool, column: Option<&str>) -> Self {
        let delimiter = Delimiter::of(head, is_whole);
        let rows = first_rows(head, is_whole, delimiter);
        let first = rows.first().map(Vec::as_slice).unwrap_or_default();
        let has_header = !rows.is_empty() && !first.iter().any(|cell| columns::is_plausible(cell));
        let mut contents = vec![Content::default(); rows.iter().map(Vec::len).max().unwrap_or_default()];
        for row in rows.iter().skip(usize::from(has_header)) {
            row.iter().zip(&mut contents).for_each(|(cell, content)| content.add(cell));
        }
        let mut watch = Watch::new(head);
        // A NUL is told where all octets pass.
        let _ = watch.pass(head);
        let encoding = watch.encoding();
        let header: Vec<String> = first.iter().map(|cell| encoding.decode(cell).into_owned()).collect();
        let header = has_header.then_some(&*header);
        let email = match column {
            Some(column) => chosen(column, header.unwrap_or_default(), contents.len()),
            None => columns::find(header, &contents),
        };
        Self { delimiter, quoting: quoting(head, is_whole, delimiter), has_header, email }
    }
}

/// The column that somebody names, or counts from 1.
fn chosen(column: &str, header: &[String], width: usize) -> Option<usize> {
    let by_name = header.iter().position(|name| !column.is_empty() && name.trim() == column.trim());
    let by_number = || column.parse::<usize>().ok()?.checked_sub(1).filter(|column| *column < width);
    let by_folded_name =
        || header.iter().position(|name| !fold(name).is_empty() && fold(name) == fold(column));
    by_name.or_else(by_number).or_else(by_folded_name)
}

/// The rows that are whole in the beginning; where none is, the piece of one.
fn first_rows(head: &[u8], is_whole: bool, delimiter: Delimiter) -> Vec<Vec<Vec<u8>>> {
    let mut rows = Vec::new();
    let mut reader = Reader::new(delimiter);
    let mut each = |row: Row<'_>| {
        rows.push(row.cells.iter().map(<[u8]>::to_vec).collect());
        Ok::<_, CsvError>(())
    };
    // What is wrong with a row is told where all of them are read.
    let is_read = reader.push(head, &mut each).is_ok();
    if is_read && (is_whole || rows.is_empty()) {
        let mut each = |row: Row<'_>| {
            rows.push(row.cells.iter().map(<[u8]>::to_vec).collect());
            Ok::<_, CsvError>(())
        };
        let _ = reader.finish(&mut each);
    }
    rows
}

fn quoting(head: &[u8], is_whole: bool, delimiter: Delimiter) -> Quoting {
    let (mut quoted, mut cells) = (0, 0);
    Splitter::new(delimiter).split(head, |cell, _| {
        quoted += u64::from(is_quoted(cell));
        cells += 1;
    });
    match quoted {
        0 => Quoting::Never,
        // The last cell of a beginning may have been cut within its quotes.
        _ if quoted + u64::from(!is_whole) >= cells => Quoting::Always,
        _ => Quoting::Sometimes,
    }
}
