//! The reader of a table: rows become batches of inputs, and wait beside them for their verdicts.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::mpsc as rows,
};

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mailsonde_engine::BATCH_MAX;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::{
    csv::{
        encoding::Encoding,
        intake::{DataRow, Intake, Terms},
        layout::Layout,
    },
    jobs::duplicates::Seen,
    verify::{Inputs, Marked},
};

/// Octets read at once.
const READ_OCTETS: usize = 256 * 1024;

/// Octets of rows in one batch: few hundred rows of the longest kind, so that those that wait do not fill the memory.
const BATCH_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// Reads a table through: its layout, and the SHA-256 of its octets in Base64.
///
/// # Errors
/// A `CsvError` where it is none that can be worked at.
pub(super) fn survey(file: &File, terms: Terms) -> Result<(Layout, String)> {
    let mut digest = Sha256::new();
    let layout = read(file, terms, |octets| digest.update(octets), |_| Ok(()))?;
    Ok((layout, STANDARD.encode(digest.finalize())))
}

/// Reads a table from its beginning.
pub(super) fn read(
    mut file: &File,
    terms: Terms,
    mut pass: impl FnMut(&[u8]),
    mut each: impl FnMut(DataRow<'_>) -> Result<()>,
) -> Result<Layout> {
    file.seek(SeekFrom::Start(0))?;
    let mut intake = Intake::new(terms);
    let mut buffer = vec![0; READ_OCTETS];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            len => {
                pass(&buffer[..len]);
                intake.push(&buffer[..len], &mut each)?;
            }
        }
    }
    intake.finish(&mut each)?;
    Ok(intake.layout())
}

/// Rows of one batch.
#[derive(Default)]
pub(super) struct Rows {
    octets: Vec<u8>,
    each: Vec<Spans>,
}

/// Where a row is among the octets of its batch, which are one row after the other.
struct Spans {
    content: usize,
    end: usize,
    cells: usize,
    duplicate_of: Option<u64>,
}

/// A row that waits for its verdict.
pub(super) struct Waiting<'a> {
    /// Its octets, without the line end.
    pub(super) content: &'a [u8],
    /// Its line end.
    pub(super) end: &'a [u8],
    /// How many cells it has.
    pub(super) cells: usize,
    /// The row, from 1, in which its mailbox stood first.
    pub(super) duplicate_of: Option<u64>,
}

impl Rows {
    /// The rows in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Waiting<'_>> {
        let mut rest = &*self.octets;
        self.each.iter().map(move |spans| {
            let (content, behind) = rest.split_at(spans.content);
            let (end, behind) = behind.split_at(spans.end);
            rest = behind;
            Waiting { content, end, cells: spans.cells, duplicate_of: spans.duplicate_of }
        })
    }

    fn push(&mut self, data: &DataRow<'_>, duplicate_of: Option<u64>) {
        let row = data.row;
        self.octets.extend_from_slice(row.content);
        self.octets.extend_from_slice(row.end);
        let (content, end) = (row.content.len(), row.end.len());
        self.each.push(Spans { content, end, cells: row.cells.len(), duplicate_of });
    }
}

/// Nobody wants the rest of the table.
#[derive(Debug, thiserror::Error)]
#[error("nobody wants the rest")]
struct Unwanted;

/// Sends a table to be verified.
pub(super) struct Feed {
    encoding: Encoding,
    /// Rows that have their verdicts already.
    done: u64,
    batches: mpsc::Sender<Marked>,
    sent: rows::Sender<Rows>,
    seen: Seen,
    inputs: Vec<String>,
    rows: Rows,
    first_row: u64,
}

impl Feed {
    /// `done`: rows from the beginning that need no verdict any more. For each batch that is sent, its rows are sent
    /// before.
    pub(super) fn new(
        encoding: Encoding,
        done: u64,
        batches: mpsc::Sender<Marked>,
        sent: rows::Sender<Rows>,
    ) -> Self {
        let (seen, inputs, rows) = (Seen::default(), Vec::new(), Rows::default());
        Self { encoding, done, batches, sent, seen, inputs, rows, first_row: done + 1 }
    }

    /// Sends the rows that have no verdict yet. The layout of the table, if all of it was wanted.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn send(mut self, file: &File, terms: Terms) -> Result<Option<Layout>> {
        let read = read(file, terms, |_| (), |data| self.take(&data));
        match read.and_then(|layout| self.leave().map(|()| layout)) {
            Ok(layout) => Ok(Some(layout)),
            Err(error) if error.is::<Unwanted>() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, data: &DataRow<'_>) -> Result<()> {
        let email = self.encoding.decode(data.email);
        let input = email.trim();
        let duplicate_of = self.seen.before(u32::try_from(data.number)?, input).map(u64::from);
        if data.number <= self.done {
            return if self.batches.is_closed() { Err(Unwanted.into()) } else { Ok(()) };
        }
        self.inputs.push(input.to_owned());
        self.rows.push(data, duplicate_of);
        if self.inputs.len() == BATCH_MAX || self.rows.octets.len() >= BATCH_OCTETS_MAX {
            return self.leave();
        }
        Ok(())
    }

    /// Sends the batch that is ready.
    fn leave(&mut self) -> Result<()> {
        let inputs = std::mem::take(&mut self.inputs);
        if inputs.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let duplicate_of = rows.each.iter().map(|row| row.duplicate_of).collect();
        let first_row = self.first_row;
        self.first_row += inputs.len() as u64;
        self.sent.send(rows).map_err(|_| Unwanted)?;
        let batch = Marked { inputs: Inputs { first_row, inputs }, duplicate_of };
        Ok(self.batches.blocking_send(batch).map_err(|_| Unwanted)?)
    }
}
