//! Submission: a job, its file, its chunks and its tasks, in one transaction; and what is waiting already, which decides
//! whether it is taken.

use std::time::Duration;

use deadpool_postgres::{Client, GenericClient, Transaction};
use futures_util::pin_mut;
use jiff::Timestamp;
use tokio_postgres::{binary_copy::BinaryCopyInWriter, types::Type};
use uuid::Uuid;

use super::{
    StoreError,
    billing::{self, Bill, Overdrawn},
    capacity,
    idempotency::{self, Answer},
    relentless::{self, NewTerms, UsageRow},
    sheets::{self, NewPiece},
    tasks::{Parameter, TAKE_TURNS},
};

/// The channel on which workers hear of new tasks.
pub(crate) const TASKS_CHANNEL: &str = "mailsonde_tasks";

/// Held from the look at what is waiting until the job is in: two submissions at once must not both take the last place.
const ADMISSION_LOCK: i64 = 0x6d73_6164_6d69_7373;

/// The first half of the locks of clients, which are held from the look at what the client has used until the job is in: two submissions of
/// one client must not both take what is left. Always taken before the other one, for which everybody waits.
const LIMITS_LOCK: i32 = 0x6d73_6c69;

pub(super) const TAKE_CLIENTS_TURN: &str = "select pg_advisory_xact_lock($1, $2)";

/// What is at work stands first. Items of a chunk that have their verdicts take no time any more; the others are taken to
/// ask about as many as all of the chunk do, on average.
pub(super) const BACKLOG: &str = "
select chunk.operator, job.client = $1 as is_own, task.state = 'running' as is_at_work,
    case when task.state = 'running' then $2::timestamptz else greatest(task.deadline_at, $2) end as turn_at,
    ceil(coalesce(chunk.asks, chunk.items)::numeric * open.items / greatest(chunk.items, 1))::int as asks,
    chunk.round, job.created_at, job.deadline_at as job_deadline_at
from task join job on job.id = task.job join chunk on chunk.job = task.job and chunk.no = task.chunk
    cross join lateral (
        select greatest(chunk.items - coalesce(sum(part.final), 0), 0) as items
        from part where part.job = chunk.job and part.chunk = chunk.no
    ) as open
where task.kind = 'chunk' and task.state <> 'dead' and job.state = 'running'
order by is_at_work desc, turn_at, task.id";

/// The present moment, and how many tasks of the client may be at work at once: 16 where nothing else is said, half of what
/// one process has at work, so that a single client's job leaves the others room; 1,000 for those of the host itself.
pub(super) const CLIENT: &str = "select clock_timestamp(), running_max from client where id = $1";

pub(super) const WORKERS: &str =
    "select count(*) from worker where seen_at > now() - $1 * interval '1 second'";

pub(super) const ADD_JOB: &str = "
insert into job (id, client, state, pipeline, skips, items, deadline_at, expires_at, created_at, facade, callback, source,
    filename, layout, asks)
values ($1, $2, 'running', $3, $4, $5, $6::timestamptz, $6::timestamptz + $7 * interval '1 second', $8, $9, $10, $11,
    $12, $13, $14)";

pub(super) const COPY_CHUNKS: &str =
    "copy chunk (job, no, operator, items, asks, sealed, tokens) from stdin (format binary)";

pub(super) const COPY_TASKS: &str =
    "copy task (kind, client, job, chunk, deadline_at) from stdin (format binary)";

pub(super) const ADD_CLOSE: &str = "
insert into task (kind, client, job, due_at, deadline_at) values ('close', $1, $2, $3::timestamptz, $3::timestamptz)";

pub(super) const NOTIFY: &str = "select pg_notify($1, '')";

/// A job on its way in.
pub(crate) struct NewJob {
    pub(crate) id: Uuid,
    pub(crate) client: Uuid,
    /// The product by which it came.
    pub(crate) facade: &'static str,
    /// What it was made from, by the product's word.
    pub(crate) source: &'static str,
    /// The name of the file that it was made from, sealed.
    pub(crate) filename: Option<Vec<u8>>,
    /// Where its end is told, sealed.
    pub(crate) callback: Option<Vec<u8>>,
    pub(crate) pipeline: String,
    pub(crate) skips: Vec<String>,
    /// When it ends at the latest, by the database's clock.
    pub(crate) deadline_at: Timestamp,
    /// How long results are kept after the deadline.
    pub(crate) retention: Duration,
    pub(crate) chunks: Vec<NewChunk>,
    /// How the file is written that it was made from, sealed.
    pub(crate) layout: Option<Vec<u8>>,
    /// The rows of that file, from the first on.
    pub(crate) sheet: Vec<NewPiece>,
    /// What whoever submits is answered, where that is kept for when it is asked again.
    pub(crate) answer: Option<Answer>,
    /// On which terms it is taken, where its product has some.
    pub(crate) terms: Option<NewTerms>,
}

/// A chunk on its way in; its number is its place.
pub(crate) struct NewChunk {
    pub(crate) operator: String,
    pub(crate) items: i32,
    /// Recipients that are asked about because of it; its items, where nobody is asked.
    pub(crate) asks: i32,
    pub(crate) sealed: Vec<u8>,
    pub(crate) tokens: Vec<u8>,
    /// Its virtual deadline.
    pub(crate) deadline_at: Timestamp,
}

/// An accepted chunk that is not done yet.
#[derive(Debug, Clone)]
pub(crate) struct Backlog {
    pub(crate) operator: String,
    /// It is of the client who submits.
    pub(crate) is_own: bool,
    /// Its virtual deadline, or the present moment, where it is at work or that is over.
    pub(crate) turn_at: Timestamp,
    /// Recipients that it may still ask about; its items without a verdict, where nobody is asked.
    pub(crate) asks: u32,
    pub(crate) round: i32,
    pub(crate) created_at: Timestamp,
    pub(crate) job_deadline_at: Timestamp,
}

/// A transaction in which a job is written, of which nobody sees anything yet.
pub(crate) struct Draft<'a> {
    tx: Transaction<'a>,
    client: Uuid,
}

/// The same, in which the job is weighed against what is waiting, and taken. No other job is being weighed meanwhile.
pub(crate) struct Submission<'a> {
    tx: Transaction<'a>,
    client: Uuid,
    /// The present moment, by the database's clock.
    pub(crate) now: Timestamp,
    /// Tasks of the client that may be at work at once.
    pub(crate) running_max: usize,
}

impl<'a> Draft<'a> {
    /// Writes the job's contents. With a large file that takes a while, for which no other job has to wait.
    pub(crate) async fn write(connection: &'a mut Client, job: &NewJob) -> Result<Self, StoreError> {
        let (tx, client) = (connection.transaction().await?, job.client);
        copy_chunks(&tx, job).await?;
        if !job.sheet.is_empty() {
            sheets::copy(&tx, job.id, &job.sheet).await?;
        }
        Ok(Self { tx, client })
    }

    /// What the client has used in so many hours and in a week, with all that its other jobs hold: they are in, or wait until
    /// this one is.
    pub(crate) async fn usage(&mut self, window_hours: u32) -> Result<UsageRow, StoreError> {
        let Self { tx, client } = self;
        let take_turn = tx.prepare_cached(TAKE_CLIENTS_TURN).await?;
        // Two clients of the same lock wait for each other now and then.
        let [.., a, b, c, d] = client.into_bytes();
        let lock = i32::from_be_bytes([a, b, c, d]);
        tx.execute(&take_turn, &[&LIMITS_LOCK, &lock]).await?;
        relentless::usage_within(tx, *client, window_hours).await
    }

    /// Waits until no other job is being weighed.
    pub(crate) async fn take_turn(self) -> Result<Submission<'a>, StoreError> {
        let Self { tx, client } = self;
        let take_turns = tx.prepare_cached(TAKE_TURNS).await?;
        tx.execute(&take_turns, &[&ADMISSION_LOCK]).await?;
        let known = tx.prepare_cached(CLIENT).await?;
        let row = tx.query_one(&known, &[&client]).await?;
        let running_max = usize::try_from(row.get::<_, i32>(1)).unwrap_or_default();
        Ok(Submission { tx, client, now: row.get(0), running_max })
    }
}

impl Submission<'_> {
    /// What is at work, and what is waiting, by virtual deadline.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let backlog = self.tx.prepare_cached(BACKLOG).await?;
        let rows = self.tx.query(&backlog, &[&self.client, &self.now]).await?;
        let waiting = |row: &tokio_postgres::Row| Backlog {
            operator: row.get("operator"),
            is_own: row.get("is_own"),
            turn_at: row.get("turn_at"),
            asks: u32::try_from(row.get::<_, i32>("asks")).unwrap_or_default(),
            round: row.get("round"),
            created_at: row.get("created_at"),
            job_deadline_at: row.get("job_deadline_at"),
        };
        Ok(rows.iter().map(waiting).collect())
    }

    /// What operators were heard to bear.
    pub(crate) async fn heard(&self) -> Result<Vec<(String, capacity::CapacityRow)>, StoreError> {
        capacity::all(&self.tx).await
    }

    /// Processes that were heard of within `recent`.
    pub(crate) async fn workers(&self, recent: Duration) -> Result<usize, StoreError> {
        let workers = self.tx.prepare_cached(WORKERS).await?;
        let count: i64 = self.tx.query_one(&workers, &[&recent.as_secs_f64()]).await?.get(0);
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Takes the job with which this began: all of it, or nothing.
    pub(crate) async fn take(self, job: &NewJob) -> Result<(), StoreError> {
        self.add(job).await?;
        self.tx.commit().await?;
        Ok(())
    }

    /// Takes the job with which this began, if its client can pay for it. Requests of the same client wait for the line on
    /// which that stands, so it comes last.
    pub(crate) async fn take_billed(
        self,
        job: &NewJob,
        bill: &Bill,
    ) -> Result<Result<(), Overdrawn>, StoreError> {
        self.add(job).await?;
        let reserved = billing::reserve(&self.tx, job.id, job.client, bill).await?;
        if reserved.is_ok() {
            self.tx.commit().await?;
        } else {
            self.tx.rollback().await?;
        }
        Ok(reserved)
    }

    async fn add(&self, job: &NewJob) -> Result<(), StoreError> {
        let Self { tx, now, .. } = self;
        let items: i32 = job.chunks.iter().map(|chunk| chunk.items).sum();
        let asks = job.chunks.iter().fold(0i32, |sum, chunk| sum.saturating_add(chunk.asks));
        let add = tx.prepare_cached(ADD_JOB).await?;
        let retention = job.retention.as_secs_f64();
        let parameters: [Parameter<'_>; 14] = [
            &job.id,
            &job.client,
            &job.pipeline,
            &job.skips,
            &items,
            &job.deadline_at,
            &retention,
            now,
            &job.facade,
            &job.callback,
            &job.source,
            &job.filename,
            &job.layout,
            &asks,
        ];
        tx.execute(&add, &parameters).await?;
        if let Some(terms) = &job.terms {
            relentless::add(tx, job.id, job.deadline_at, terms).await?;
        }
        if let Some(answer) = &job.answer {
            idempotency::keep(tx, answer).await?;
        }
        copy_tasks(tx, job).await?;
        let close = tx.prepare_cached(ADD_CLOSE).await?;
        tx.execute(&close, &[&super::OWN_CLIENT, &job.id, &job.deadline_at]).await?;
        let notify = tx.prepare_cached(NOTIFY).await?;
        tx.execute(&notify, &[&TASKS_CHANNEL]).await?;
        Ok(())
    }
}

async fn copy_chunks(tx: &Transaction<'_>, job: &NewJob) -> Result<(), StoreError> {
    let types = [Type::UUID, Type::INT4, Type::TEXT, Type::INT4, Type::INT4, Type::BYTEA, Type::BYTEA];
    let writer = BinaryCopyInWriter::new(tx.copy_in(COPY_CHUNKS).await?, &types);
    pin_mut!(writer);
    for (no, chunk) in (0i32..).zip(&job.chunks) {
        let NewChunk { operator, items, asks, sealed, tokens, .. } = chunk;
        writer.as_mut().write(&[&job.id, &no, operator, items, asks, sealed, tokens]).await?;
    }
    writer.finish().await?;
    Ok(())
}

async fn copy_tasks(tx: &Transaction<'_>, job: &NewJob) -> Result<(), StoreError> {
    let types = [Type::TEXT, Type::UUID, Type::UUID, Type::INT4, Type::TIMESTAMPTZ];
    let writer = BinaryCopyInWriter::new(tx.copy_in(COPY_TASKS).await?, &types);
    pin_mut!(writer);
    let kind = super::tasks::Kind::Chunk.word();
    for (no, chunk) in (0i32..).zip(&job.chunks) {
        writer.as_mut().write(&[&kind, &job.client, &job.id, &no, &chunk.deadline_at]).await?;
    }
    writer.finish().await?;
    Ok(())
}
