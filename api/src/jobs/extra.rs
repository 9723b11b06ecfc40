//! Extra columns: what stands beside the addresses in the file that a job was made from. Of a page of its rows, only the
//! pieces are opened in which these stand.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::{
    aside::aside,
    rows::sheet::{open_layout, open_piece, read},
};
use crate::{
    csv::{encoding::Encoding, layout::Layout, rows::Splitter},
    store::{
        Store, StoreError,
        keys::Keyring,
        sheets::{self, Span},
    },
};

/// Octets of a page's rows as they are told: their cells, and the names at each. A file whose names are long, or one row of
/// which has thousands of cells, or control characters, would else make a page many times as large as itself.
pub(crate) const OCTETS_MAX: usize = 32 * 1024 * 1024;

/// What a cell costs in a row beside its octets and those of its name: quotes, a colon, a comma, and where it ends.
const CELL_OCTETS: usize = 10;

/// What stands beside the addresses of some rows.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    names: Vec<String>,
    rows: HashMap<u32, Cells>,
}

/// The cells of a row but for the address, one behind the other.
#[derive(Debug, Default)]
struct Cells {
    text: String,
    ends: Vec<u32>,
}

/// Why it is not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoExtra {
    /// The rows are too long for one page.
    #[error("the rows are too long for one page")]
    TooMuch,
    /// The store does not say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Extra {
    /// Of these rows of a job, the first of them first, in so many octets at most. Nothing of a job that was made from no
    /// file, or whose file has expired.
    ///
    /// # Errors
    /// [`NoExtra`]. A piece that cannot be opened is passed over, and told to who runs the service.
    pub(crate) async fn of(
        store: &Store,
        job: Uuid,
        rows: Vec<u32>,
        octets_max: usize,
    ) -> Result<Self, NoExtra> {
        let connection = store.request().await?;
        let Some(layout) = sheets::layout(&connection, job).await? else { return Ok(Self::default()) };
        let spans = sheets::spans(&connection, job).await?;
        drop(connection);
        let keys = store.keys().clone();
        let open = move || Ok::<_, NoExtra>(Reading::new(open_layout(&keys, job, &layout)?, octets_max));
        aside(open).await?.through(store, job, &spans, rows).await
    }

    /// Names and cells of a row in the order of its columns; those that it does not have are empty. None of a row of which
    /// nothing is known.
    pub(crate) fn row(&self, row: u32) -> impl Iterator<Item = (&str, &str)> {
        let cells = self.rows.get(&row);
        let named = self.names.iter().enumerate();
        cells
            .into_iter()
            .flat_map(move |cells| named.clone().map(|(place, name)| (name.as_str(), cells.get(place))))
    }
}

impl Cells {
    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn get(&self, place: usize) -> &str {
        let at = |place: usize| self.ends.get(place).and_then(|end| usize::try_from(*end).ok());
        let start = place.checked_sub(1).map_or(Some(0), at);
        start.zip(at(place)).map_or("", |(start, end)| &self.text[start..end])
    }
}

/// Those of the rows that stand in a piece.
fn within(rows: &[u32], span: Span) -> &[u32] {
    let range = span.range();
    let place = |row: u32| rows.partition_point(|wanted| *wanted < row);
    &rows[place(range.start)..place(range.end)]
}

/// A file that is read.
struct Reading {
    extra: Extra,
    encoding: Encoding,
    splitter: Splitter,
    /// The column of addresses.
    email: Option<usize>,
    /// Octets of all names, as they are told at each row.
    names: usize,
    /// Octets of all that has been read, as it is told.
    octets: usize,
    /// How many they may become.
    octets_max: usize,
}

impl Reading {
    fn new(layout: Layout, octets_max: usize) -> Self {
        let Layout { mut names, email, encoding, delimiter, .. } = layout;
        if let Some(email) = email.filter(|email| *email < names.len()) {
            names.remove(email);
        }
        Self {
            names: names.iter().map(|name| told_octets(name) + CELL_OCTETS).sum(),
            extra: Extra { names, rows: HashMap::new() },
            encoding,
            splitter: Splitter::new(delimiter),
            email,
            octets: 0,
            octets_max,
        }
    }

    /// Reads the rows in the pieces in which they stand. Nothing is held of the database while a piece is read; where one
    /// is gone when its turn comes, the file has expired meanwhile, and nothing is told, as after that.
    async fn through(
        mut self,
        store: &Store,
        job: Uuid,
        spans: &[Span],
        rows: Vec<u32>,
    ) -> Result<Extra, NoExtra> {
        let rows = Arc::new(rows);
        for span in spans.iter().copied().filter(|span| !within(&rows, *span).is_empty()) {
            let sealed = sheets::piece(&store.request().await?, job, span.no).await?;
            let Some(sealed) = sealed else { return Ok(Extra::default()) };
            let (keys, rows) = (store.keys().clone(), rows.clone());
            self = aside(move || self.with(&keys, job, span, &sealed, within(&rows, span))).await?;
        }
        Ok(self.extra)
    }

    /// With these rows of a piece.
    fn with(
        mut self,
        keys: &Keyring,
        job: Uuid,
        span: Span,
        sealed: &[u8],
        wanted: &[u32],
    ) -> Result<Self, NoExtra> {
        let text = match open_piece(keys, job, span.no, sealed) {
            Ok(text) => text,
            Err(error) => return Ok(self.pass_over(job, span, &error)),
        };
        let rows = match read(&text) {
            Ok(rows) => rows,
            Err(error) => return Ok(self.pass_over(job, span, &error.into())),
        };
        let mut wanted = wanted.iter().peekable();
        for (number, row) in span.range().zip(rows) {
            if wanted.next_if_eq(&&number).is_none() {
                continue;
            }
            self.octets += self.names;
            let cells = self.cells(row.content);
            if self.octets > self.octets_max {
                return Err(NoExtra::TooMuch);
            }
            self.extra.rows.insert(number, cells);
        }
        Ok(self)
    }

    /// The cells of a row. That of the address is none of them and is weighed all the same: it may be told beside them.
    fn cells(&mut self, content: &[u8]) -> Cells {
        let (mut cells, mut column) = (Cells::default(), 0);
        let Self { splitter, encoding, email, octets, .. } = self;
        splitter.says(content, |cell| {
            let cell = encoding.decode(cell);
            *octets += told_octets(&cell);
            if Some(column) != *email {
                cells.push(&cell);
            }
            column += 1;
        });
        cells
    }

    fn pass_over(self, job: Uuid, span: Span, error: &StoreError) -> Self {
        tracing::error!("piece {} of the file of job {job} is lost: {error}", span.no);
        self
    }
}

/// Octets of a text as JSON, without its quotes.
fn told_octets(text: &str) -> usize {
    let octets = |octet| match octet {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(octets).sum()
}

#[cfg(test)]
mod tests;
