//! Sheets: the file that a job was made from, in pieces of whole rows, and what is known of it as a whole. All of it is
//! sealed before it gets here; which rows a piece has is not.

use std::ops::Range;

use deadpool_postgres::{Client, GenericClient, Transaction};
use futures_util::pin_mut;
use tokio_postgres::{binary_copy::BinaryCopyInWriter, types::Type};
use uuid::Uuid;

use super::{StoreError, keys::ShortToken};

pub(super) const LAYOUT: &str = "select layout from job where id = $1";

pub(super) const SPANS: &str = "select no, first_row, rows from sheet where job = $1 order by no";

pub(super) const PIECE: &str = "select sealed from sheet where job = $1 and no = $2";

pub(super) const COPY_SHEETS: &str =
    "copy sheet (job, no, first_row, rows, sealed, tokens) from stdin (format binary)";

/// Tokens are looked for at every octet; whoever opens the piece sees whether one begins there.
pub(super) const HOLDERS: &str = "
select sheet.job, sheet.no from sheet join job on job.id = sheet.job
where job.client = $1 and exists (
    select from unnest($2::bytea[]) as wanted (token) where position(token in sheet.tokens) > 0
)
order by sheet.job, sheet.no";

/// Nobody else rewrites it meanwhile, and it does not expire.
pub(super) const HELD: &str = "
select sheet.first_row, sheet.sealed, sheet.tokens, job.layout from sheet join job on job.id = sheet.job
where sheet.job = $1 and sheet.no = $2
for update of sheet";

pub(super) const REWRITE: &str = "update sheet set sealed = $3, tokens = $4 where job = $1 and no = $2";

/// Which rows of its job a piece has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The piece, from 0.
    pub(crate) no: i32,
    /// From 1, as the job's.
    pub(crate) first_row: u32,
    /// How many.
    pub(crate) rows: u32,
}

impl Span {
    /// The numbers of its rows.
    pub(crate) fn range(&self) -> Range<u32> {
        self.first_row..self.first_row.saturating_add(self.rows)
    }
}

/// A piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PieceId {
    pub(crate) job: Uuid,
    pub(crate) no: i32,
}

/// A piece on its way in; its number is its place.
pub(crate) struct NewPiece {
    pub(crate) rows: u32,
    pub(crate) sealed: Vec<u8>,
    /// Eight octets a row, by which a person is found who wants to be forgotten.
    pub(crate) tokens: Vec<u8>,
}

/// What is known of a job's file as a whole, sealed; none of a job that was made from no file, or whose file has
/// expired.
pub(crate) async fn layout(client: &impl GenericClient, job: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
    let layout = client.prepare_cached(LAYOUT).await?;
    Ok(client.query_opt(&layout, &[&job]).await?.and_then(|row| row.get(0)))
}

/// The pieces of a job's file, in their order.
pub(crate) async fn spans(client: &impl GenericClient, job: Uuid) -> Result<Vec<Span>, StoreError> {
    let spans = client.prepare_cached(SPANS).await?;
    let count = |count: i32| u32::try_from(count).unwrap_or_default();
    let span = |row: &tokio_postgres::Row| Span {
        no: row.get("no"),
        first_row: count(row.get("first_row")),
        rows: count(row.get("rows")),
    };
    Ok(client.query(&spans, &[&job]).await?.iter().map(span).collect())
}

/// A piece, sealed; none where the file has expired.
pub(crate) async fn piece(
    client: &impl GenericClient,
    job: Uuid,
    no: i32,
) -> Result<Option<Vec<u8>>, StoreError> {
    let piece = client.prepare_cached(PIECE).await?;
    Ok(client.query_opt(&piece, &[&job, &no]).await?.map(|row| row.get(0)))
}

/// Writes the pieces of a job that is on its way in.
pub(super) async fn copy(tx: &Transaction<'_>, job: Uuid, pieces: &[NewPiece]) -> Result<(), StoreError> {
    let types = [Type::UUID, Type::INT4, Type::INT4, Type::INT4, Type::BYTEA, Type::BYTEA];
    let writer = BinaryCopyInWriter::new(tx.copy_in(COPY_SHEETS).await?, &types);
    pin_mut!(writer);
    let mut first_row = 1;
    for (no, piece) in (0i32..).zip(pieces) {
        let rows = i32::try_from(piece.rows).unwrap_or(i32::MAX);
        writer.as_mut().write(&[&job, &no, &first_row, &rows, &piece.sealed, &piece.tokens]).await?;
        first_row += rows;
    }
    writer.finish().await?;
    Ok(())
}

/// The pieces of a client's files in which one of the tokens may stand.
pub(crate) async fn holders(
    client: &mut Client,
    of: Uuid,
    tokens: &[ShortToken],
) -> Result<Vec<PieceId>, StoreError> {
    let tx = client.transaction().await?;
    // All pieces of the client are looked at.
    tx.batch_execute("set local statement_timeout = 0").await?;
    let tokens: Vec<&[u8]> = tokens.iter().map(<[u8; 8]>::as_slice).collect();
    let holders = tx.prepare_cached(HOLDERS).await?;
    let rows = tx.query(&holders, &[&of, &tokens]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| PieceId { job: row.get("job"), no: row.get("no") }).collect())
}

/// A piece that is rewritten. Nobody but who forgets ever does.
pub(crate) struct Rewriting<'a> {
    tx: Transaction<'a>,
    id: PieceId,
    /// The number of its first row, from 1.
    pub(crate) first_row: u32,
    /// Its rows.
    pub(crate) sealed: Vec<u8>,
    pub(crate) tokens: Vec<u8>,
    /// What is known of the file as a whole, sealed.
    pub(crate) layout: Option<Vec<u8>>,
}

impl<'a> Rewriting<'a> {
    /// `None`: the piece is gone.
    pub(crate) async fn begin(client: &'a mut Client, id: PieceId) -> Result<Option<Self>, StoreError> {
        let tx = client.transaction().await?;
        let held = tx.prepare_cached(HELD).await?;
        let row = tx.query_opt(&held, &[&id.job, &id.no]).await?;
        Ok(row.map(|row| Self {
            tx,
            id,
            first_row: u32::try_from(row.get::<_, i32>("first_row")).unwrap_or_default(),
            sealed: row.get("sealed"),
            tokens: row.get("tokens"),
            layout: row.get("layout"),
        }))
    }

    /// Writes the piece in place of what was there.
    pub(crate) async fn finish(self, sealed: &[u8], tokens: &[u8]) -> Result<(), StoreError> {
        let Self { tx, id, .. } = self;
        let rewrite = tx.prepare_cached(REWRITE).await?;
        tx.execute(&rewrite, &[&id.job, &id.no, &sealed, &tokens]).await?;
        tx.commit().await?;
        Ok(())
    }
}
