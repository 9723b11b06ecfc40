//! Forgetting in files: where somebody stands in the column of addresses, nothing is left of the row but its delimiters and
//! its line end, so that no other row has another number, and none another width.
//!
//! Rows are found by that column alone. What a client wrote of the same person beside the address of somebody else, or into
//! the header, is not seen here; it goes with the file, when that expires.

use mailsonde_engine::Address;
use uuid::Uuid;

use crate::{
    csv::{layout::Layout, rows::Splitter},
    jobs::{
        person::is_of,
        rows::sheet::{Piece, SheetRow, open_layout, open_piece, read},
    },
    store::{
        Connection, StoreError,
        keys::{Keyring, Row, ShortToken},
        sheets::{PieceId, Rewriting, holders},
    },
};

/// Removes a person from a client's files. Returns the rows, with the jobs that these are of.
pub(super) async fn forget(
    keys: &Keyring,
    client: &mut Connection,
    of: Uuid,
    person: &Address,
    wanted: &[ShortToken],
) -> Result<Vec<(Uuid, u32)>, StoreError> {
    let mut removed = Vec::new();
    for id in holders(client, of, wanted).await? {
        if let Some(rewriting) = Rewriting::begin(client, id).await? {
            let rows = rewrite(keys, id, rewriting, person, wanted).await?;
            removed.extend(rows.into_iter().map(|row| (id.job, row)));
        }
    }
    Ok(removed)
}

/// Rewrites a piece. Returns the rows in which the person stood.
async fn rewrite(
    keys: &Keyring,
    PieceId { job, no }: PieceId,
    rewriting: Rewriting<'_>,
    person: &Address,
    wanted: &[ShortToken],
) -> Result<Vec<u32>, StoreError> {
    // Without it, nobody reads the rows either.
    let Some(layout) = &rewriting.layout else { return Ok(Vec::new()) };
    let layout = open_layout(keys, job, layout)?;
    let text = open_piece(keys, job, no, &rewriting.sealed)?;
    let mut tokens = rewriting.tokens.clone();
    let (mut piece, mut rows) = (Piece::new(), Vec::new());
    let mut cell = EmailCell::new(&layout);
    let delimiters = vec![layout.delimiter.octet(); layout.names.len()];
    let each =
        (rewriting.first_row..).zip(read(&text)?).zip(tokens.chunks_exact_mut(size_of::<ShortToken>()));
    for ((number, row), token) in each {
        let is_meant = wanted.iter().any(|wanted| wanted[..] == *token) && cell.is_of(row.content, person);
        if is_meant {
            let width = row.cells.saturating_sub(1).min(delimiters.len());
            piece.push(SheetRow { content: &delimiters[..width], ..row });
            token.fill(0);
            rows.push(number);
        } else {
            piece.push(row);
        }
    }
    // Whoever was found has only a likeness of the token.
    if !rows.is_empty() {
        let sealed = keys.seal(Row::Sheet { job, no }, piece.text());
        rewriting.finish(&sealed, &tokens).await?;
    }
    Ok(rows)
}

/// Reads the cell of a row in which its address stands.
struct EmailCell<'l> {
    layout: &'l Layout,
    splitter: Splitter,
}

impl<'l> EmailCell<'l> {
    fn new(layout: &'l Layout) -> Self {
        Self { layout, splitter: Splitter::new(layout.delimiter) }
    }

    fn is_of(&mut self, row: &[u8], person: &Address) -> bool {
        let (mut column, mut is_of) = (0, false);
        self.splitter.says(row, |cell| {
            if Some(column) == self.layout.email {
                is_of = self::is_of(&self.layout.encoding.decode(cell), person);
            }
            column += 1;
        });
        is_of
    }
}
