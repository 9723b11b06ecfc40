//! The table that goes back: rows as they came, octet by octet, with cells of ours behind theirs, in the table's own
//! delimiter, quotes, line ends and encoding.
//!
//! What has no cell of ours is not touched: a table without our columns is the upload. Short rows get empty cells, so
//! that ours stand below their names. Our cells are never formulas; those of the client are left alone, unless he
//! wants them guarded too.

use std::borrow::Cow;

use super::{
    columns,
    encoding::Encoding,
    formula::{GUARD, guarded, is_formula},
    layout::{Layout, LineEnd, Quoting},
    rows::Splitter,
    sniff::Delimiter,
};

/// What may be different from the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    /// The client's cells are guarded where a spreadsheet would run them.
    pub(crate) safe: bool,
    /// It is written in UTF-8, whatever it was written in.
    pub(crate) utf8: bool,
}

/// Writes a table.
pub(crate) struct Table {
    from: Encoding,
    to: Encoding,
    delimiter: Delimiter,
    quoting: Quoting,
    line_end: LineEnd,
    /// Where cells of theirs are guarded.
    splitter: Option<Splitter>,
    /// Columns of theirs.
    width: usize,
    /// Columns of ours.
    ours: Vec<String>,
}

impl Table {
    /// `ours`: the names of our columns. One that is a name of theirs gets a number.
    pub(crate) fn new(layout: &Layout, ours: &[&str], changes: Changes) -> Self {
        let mut taken = columns::Taken::default();
        for name in &layout.names {
            taken.take(name);
        }
        let to = match layout.encoding {
            Encoding::Cp1252 | Encoding::Latin1 if changes.utf8 => Encoding::Utf8,
            own => own,
        };
        Self {
            from: layout.encoding,
            to,
            delimiter: layout.delimiter,
            quoting: layout.quoting,
            line_end: layout.line_end,
            splitter: changes.safe.then(|| Splitter::new(layout.delimiter)),
            width: layout.names.len(),
            ours: ours.iter().map(|name| taken.take(name)).collect(),
        }
    }

    /// Adds what stands before the rows: the mark, blank lines, the header. One is made where the table has none.
    pub(crate) fn head(&mut self, layout: &Layout, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to.mark());
        out.extend_from_slice(&layout.before);
        if let Some(header) = &layout.header {
            self.theirs(&header.content, out);
        }
        let ours = self.ours.iter().map(String::as_str);
        match &layout.header {
            Some(header) => {
                if !self.ours.is_empty() {
                    let more = layout.names.get(header.cells..).unwrap_or_default();
                    more.iter().map(String::as_str).chain(ours).for_each(|name| self.behind(name, out));
                }
                out.extend_from_slice(&header.end);
            }
            None if self.ours.is_empty() => {}
            None => {
                let start = out.len();
                layout.names.iter().map(String::as_str).chain(ours).for_each(|name| self.behind(name, out));
                out.remove(start); // nothing stands before the first cell
                self.to.encode(self.line_end.text(), out);
            }
        }
    }

    /// Adds a row. `content` and `end`: the octets of theirs; `cells`: how many cells that is; `ours`: one for each
    /// column of ours.
    pub(crate) fn row<'o>(
        &mut self,
        (content, end): (&[u8], &[u8]),
        cells: usize,
        ours: impl IntoIterator<Item = &'o str>,
        out: &mut Vec<u8>,
    ) {
        self.theirs(content, out);
        if !self.ours.is_empty() {
            out.extend((cells..self.width).map(|_| self.delimiter.octet()));
            ours.into_iter().for_each(|cell| self.behind(cell, out));
        }
        out.extend_from_slice(end);
    }

    /// Adds cells of theirs, as they are written.
    fn theirs(&mut self, content: &[u8], out: &mut Vec<u8>) {
        let Some(mut splitter) = self.splitter.take() else { return self.carry(content, out) };
        let mut is_first = true;
        splitter.split(content, |cell, _| {
            if !is_first {
                out.push(self.delimiter.octet());
            }
            is_first = false;
            // Behind the quote that begins the cell, if that is one.
            let at = match cell {
                [b'"', b'"', b'"', ..] => None,
                [b'"', b'"', rest @ ..] => is_formula(rest).then_some(0),
                [b'"', rest @ ..] => is_formula(rest).then_some(1),
                _ => is_formula(cell).then_some(0),
            };
            let (before, behind) = cell.split_at(at.unwrap_or_default());
            self.carry(before, out);
            if at.is_some() {
                self.to.encode(GUARD.encode_utf8(&mut [0; 4]), out);
            }
            self.carry(behind, out);
        });
        self.splitter = Some(splitter);
    }

    fn carry(&self, octets: &[u8], out: &mut Vec<u8>) {
        if self.from == self.to {
            out.extend_from_slice(octets);
        } else {
            self.to.encode(&self.from.decode(octets), out);
        }
    }

    /// Adds a cell of ours behind another.
    fn behind(&self, cell: &str, out: &mut Vec<u8>) {
        out.push(self.delimiter.octet());
        let cell = guarded(cell);
        if self.quoting == Quoting::Always {
            self.to.encode(&in_quotes(&cell), out);
        } else {
            self.to.encode(&quoted(&cell, self.delimiter), out);
        }
    }
}

/// A text as a cell: in quotes, where it needs them.
pub(crate) fn quoted(cell: &str, delimiter: Delimiter) -> Cow<'_, str> {
    let is_special = |octet: u8| matches!(octet, b'"' | b'\r' | b'\n') || octet == delimiter.octet();
    if cell.bytes().any(is_special) { Cow::Owned(in_quotes(cell)) } else { Cow::Borrowed(cell) }
}

fn in_quotes(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}
