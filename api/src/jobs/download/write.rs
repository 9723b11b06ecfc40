//! The second pass: rows as they came, with what is told of them.

use tokio::sync::mpsc::Sender;

use super::{
    Download, Piece,
    told::{Scratch, Told},
};
use crate::{
    csv::{
        layout::Layout,
        sniff::Delimiter,
        table::{Changes, Table, quoted},
    },
    jobs::{
        aside::aside,
        rows::sheet::{open_layout, open_piece, read},
    },
    row,
    store::{
        Shared, StoreError,
        jobs::JobRow,
        sheets::{self, Span},
    },
};

/// Octets that are handed on at once, or up to a row more.
const BUFFER_OCTETS: usize = 128 * 1024;

/// The column of a list.
const LIST_COLUMN: &str = "email";

/// Why a file ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The results were kept long enough, or somebody deleted them.
    #[error("its rows were deleted meanwhile")]
    Deleted,
    /// It is not what it should be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the client's own cells are.
pub(super) enum Source {
    /// In what is told of the rows.
    List,
    /// In pieces, in this order.
    Table {
        /// How it is written.
        layout: Box<Layout>,
        /// Its pieces.
        spans: Vec<Span>,
    },
}

impl Source {
    /// The table that a job was made from, if it is all there.
    pub(super) async fn of_table(store: &Shared, job: &JobRow) -> Result<Option<Self>, StoreError> {
        let connection = store.request().await?;
        let Some(sealed) = sheets::layout(&connection, job.id).await? else { return Ok(None) };
        let spans = sheets::spans(&connection, job.id).await?;
        let layout = Box::new(open_layout(store.keys(), job.id, &sealed)?);
        let mut last = 0;
        let mut follows = |span: &Span| {
            let follows = span.first_row == last + 1;
            last += span.rows;
            follows
        };
        let is_whole = spans.iter().all(&mut follows) && i32::try_from(last) == Ok(job.items);
        Ok(is_whole.then_some(Self::Table { layout, spans }))
    }
}

/// Writes a file to its end, or until nobody wants more of it. No more is written than is taken, but for a few buffers.
pub(super) async fn write(download: Download, out: &Sender<Piece>) -> Result<(), Broken> {
    let Download { store, job, told, source, safe, .. } = download;
    let (layout, spans) = match source {
        Source::List => (Box::new(Layout::of_list(LIST_COLUMN)), None),
        Source::Table { layout, spans } => (layout, Some(spans)),
    };
    let mut writer = Writer::new(&layout, told, safe);
    let Some(spans) = spans else {
        let mut is_more = true;
        while is_more {
            let list = move || Ok::<_, StoreError>((writer.list(), writer));
            (is_more, writer) = aside(list).await?;
            if !hand_on(&mut writer, out).await {
                return Ok(());
            }
        }
        return Ok(());
    };
    for span in spans {
        let sealed = sheets::piece(&store.request().await?, job.id, span.no).await?;
        let (sealed, keys) = (sealed.ok_or(Broken::Deleted)?, store.keys().clone());
        let mut text = aside(move || open_piece(&keys, job.id, span.no, &sealed)).await?;
        let mut is_more = true;
        while is_more {
            let piece = move || Ok::<_, StoreError>((writer.piece(span, &text)?, writer, text));
            (is_more, writer, text) = aside(piece).await?;
            if !hand_on(&mut writer, out).await {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Hands on what is written. Whether more is wanted.
async fn hand_on(writer: &mut Writer, out: &Sender<Piece>) -> bool {
    let buffer = std::mem::take(&mut writer.buffer);
    buffer.is_empty() || out.send(Piece::Octets(buffer)).await.is_ok()
}

/// Joins rows with what is told of them, a buffer at a time: short rows may become long ones, by columns that they lack.
struct Writer {
    told: Told,
    table: Table,
    scratch: Scratch,
    /// The next row.
    next: u32,
    buffer: Vec<u8>,
}

impl Writer {
    /// The head is written.
    fn new(layout: &Layout, told: Told, safe: bool) -> Self {
        let mut table = Table::new(layout, &row::columns(), Changes { safe, utf8: true });
        let mut buffer = Vec::new();
        table.head(layout, &mut buffer);
        Self { told, table, scratch: Scratch::default(), next: 1, buffer }
    }

    /// Writes rows of a list, but for those of which nothing is told, until the buffer is full. Whether there are more.
    fn list(&mut self) -> bool {
        while self.next <= self.told.len() && !self.is_full() {
            if self.told.is_told(self.next) {
                let ours = self.told.cells(self.next, &mut self.scratch);
                let input = quoted(self.told.input(self.next), Delimiter::Comma);
                self.table.row((input.as_bytes(), b"\r\n"), 1, ours, &mut self.buffer);
            }
            self.next += 1;
        }
        self.next <= self.told.len()
    }

    /// Writes rows of a piece, until the buffer is full. Whether there are more.
    fn piece(&mut self, span: Span, text: &[u8]) -> Result<bool, StoreError> {
        let range = span.range();
        let written = usize::try_from(self.next.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut rows = read(text).map_err(StoreError::from)?.skip(written);
        while self.next < range.end && !self.is_full() {
            let row = rows.next().ok_or_else(|| StoreError::Unread("a piece has lost rows".into()))?;
            let ours = self.told.cells(self.next, &mut self.scratch);
            self.table.row((row.content, row.end), row.cells, ours, &mut self.buffer);
            self.next += 1;
        }
        Ok(self.next < range.end)
    }

    fn is_full(&self) -> bool {
        self.buffer.len() >= BUFFER_OCTETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        csv::{
            CsvError,
            intake::{DataRow, Intake, Terms},
        },
        jobs::{
            download::told::Record,
            rows::sheet::{SheetRow, write as text_of},
        },
    };

    const COLUMNS: usize = 4_000;
    const ROWS: u32 = 250;

    #[test]
    fn short_rows_below_a_wide_header_are_written_a_buffer_at_a_time() {
        let mut intake = Intake::new(Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None });
        let table = format!("email{}\njane@example.com\n", ",x".repeat(COLUMNS - 1));
        let mut each = |_: DataRow<'_>| Ok::<_, CsvError>(());
        intake.push(table.as_bytes(), &mut each).unwrap();
        intake.finish(&mut each).unwrap();
        let row = SheetRow { content: b"jane@example.com", end: b"\n", cells: 1 };
        let text = text_of((0..ROWS).map(|_| row));
        let records = vec![Record::NOTHING; ROWS as usize];
        let told = Told { records, said: Vec::new(), suggestions: Vec::new(), inputs: Vec::new() };
        let mut writer = Writer::new(&intake.layout(), told, false);
        let (head, mut buffers, mut octets) = (writer.buffer.len(), 0, 0);
        let span = Span { no: 0, first_row: 1, rows: ROWS };
        while writer.piece(span, &text).unwrap() {
            assert!((BUFFER_OCTETS..BUFFER_OCTETS + 2 * COLUMNS).contains(&writer.buffer.len()));
            octets += std::mem::take(&mut writer.buffer).len();
            buffers += 1;
        }
        let row = "jane@example.com\n".len() + COLUMNS - 1 + row::columns().len();
        assert_eq!(octets + writer.buffer.len(), head + ROWS as usize * row);
        assert!(buffers > 5, "{buffers}");
        // There are no more.
        let missing = Span { rows: ROWS + 1, ..span };
        writer.buffer.clear();
        assert!(matches!(writer.piece(missing, &text), Err(StoreError::Unread(_))));
    }
}
