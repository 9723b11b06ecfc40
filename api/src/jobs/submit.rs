//! Submission: inputs become a job, if it can be done in time without another one being late for it.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::Operator;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    capacity::Site,
    config::JobsConfig,
    duplicates,
    person::tokens,
    plan::{
        admission::{Admission, Demand, Installation, Load, Waiting, admit},
        capacity::Capacities,
        cut::{Chunk, Key, Keys, OFFLINE, cut, cut_offline},
        schedule::{Window, share},
    },
    rows::items::{Item, write},
    sheet::{Room, Sheet},
};
use crate::{
    access::Facade,
    store::{
        Retries, Store, StoreError,
        billing::{Bill, Overdrawn},
        idempotency::Answer,
        jobs::LIST,
        keys::{Keyring, Row, ShortToken},
        relentless::NewTerms,
        sheets::NewPiece,
        submission::{Backlog, Draft, NewChunk, NewJob},
    },
};

/// The shortest time that a job may have: less is over before a worker has seen it.
pub(crate) const WINDOW_MIN: Duration = Duration::from_secs(30);

/// The longest one. Nobody can say what mail servers bear then.
pub(crate) const WINDOW_MAX: Duration = Duration::from_hours(24 * 30);

/// Workers that were heard of within this many leases are there.
const LEASES_UNTIL_GONE: u32 = 2;

/// The word of jobs that come by no product, but by the command line.
pub(crate) const LOCAL: &str = "local";

/// What is submitted.
pub(crate) struct Request {
    /// The job's, drawn by whoever submits: see [`new_id`].
    pub(crate) id: Uuid,
    pub(crate) client: Uuid,
    /// The product by which it comes, or [`LOCAL`].
    pub(crate) facade: &'static str,
    pub(crate) source: Source,
    /// Where its end is to be told: an address that was checked.
    pub(crate) callback: Option<String>,
    pub(crate) pipeline: String,
    /// Stages that are left out.
    pub(crate) skips: Vec<String>,
    /// Mail servers are asked.
    pub(crate) asks: bool,
    /// The time it has; as configured, where it says nothing.
    pub(crate) window: Option<Duration>,
    /// The moment until which it has time, instead of that.
    pub(crate) deadline: Option<Timestamp>,
    /// How long its results are kept; as configured, where it says nothing.
    pub(crate) retention: Option<Duration>,
    /// Its client pays for it.
    pub(crate) is_billed: bool,
    /// Row 1 comes first.
    pub(crate) inputs: Vec<String>,
    /// The file that they stand in, where it is one: as many rows.
    pub(crate) sheet: Option<Sheet>,
    /// What whoever submits is answered, where that is to be kept with the job: both are, or none.
    pub(crate) answer: Option<Answer>,
    /// On which terms it is taken, where its product has some.
    pub(crate) terms: Option<NewTerms>,
}

/// What a job is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The product's word for it.
    pub(crate) word: &'static str,
    /// The name of the file, where it is one.
    pub(crate) filename: Option<String>,
}

impl Source {
    /// A list.
    pub(crate) const LIST: Self = Self { word: LIST, filename: None };
}

/// The id of a job to be: later ones are greater.
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Why a job was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SubmitError {
    /// Nothing to do.
    #[error("there is no input")]
    Empty,
    /// More than can be counted.
    #[error("there are more inputs than a job can have")]
    TooMany,
    /// A time that cannot be meant.
    #[error(
        "a job's time is from {} to {}",
        humantime::format_duration(WINDOW_MIN),
        humantime::format_duration(WINDOW_MAX)
    )]
    Window,
    /// It, or another job that was taken before, would be late.
    #[error("it cannot be done in time; {}", earliest(*.0))]
    Late(Option<SignedDuration>),
    /// Its client has a hard cap, and too little is left of the quota.
    #[error(transparent)]
    Overdrawn(#[from] Overdrawn),
    /// Its client has limits, and has used up too much of them.
    #[error("its client has used up what it may")]
    Exhausted,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// `.0`: from now until the earliest deadline that can be kept.
fn earliest(within: Option<SignedDuration>) -> String {
    // Up to the next whole second: sooner would be refused again.
    let within = within.and_then(|within| u64::try_from(within.as_secs() + 1).ok()).map(Duration::from_secs);
    within.map_or_else(
        || "nor within a month".to_owned(),
        |within| format!("the earliest deadline is in {}", humantime::format_duration(within)),
    )
}

/// Takes a job, all of it or nothing. Returns its id.
///
/// # Errors
/// [`SubmitError`]; nothing is changed then.
pub(crate) async fn submit(
    store: &Store,
    config: &JobsConfig,
    site: &Site,
    request: Request,
) -> Result<Uuid, SubmitError> {
    let time = Time { until: request.deadline, window: request.window.unwrap_or(config.window) };
    // Before anything is prepared; the moment that counts is that of its submission.
    time.deadline(Timestamp::now())?;
    let items = request.inputs.len();
    if items == 0 {
        return Err(SubmitError::Empty);
    }
    if i32::try_from(items).is_err() {
        return Err(SubmitError::TooMany);
    }
    let id = request.id;
    let (keys, retention) = (store.keys().clone(), config.retention);
    // With many inputs that takes a while, for which others of this thread would wait.
    let prepared = spawn_blocking(move || Prepared::of(&keys, retention, request)).await;
    let Prepared { room: _room, cuts, mut job, bill } =
        prepared.map_err(|_| StoreError::Refused("a job cannot be prepared".into()))?;
    // Others may wait for us as we wait for them; what was weighed then is weighed anew.
    let mut retries = Retries::default();
    loop {
        match weigh_and_take(store, config, site, time, &cuts, &mut job, bill.as_ref()).await {
            Err(SubmitError::Store(error)) if retries.may_follow(&error).await => {}
            done => return done.map(|()| id),
        }
    }
}

/// The time that a job has.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// Until then.
    until: Option<Timestamp>,
    /// Else, so long.
    window: Duration,
}

impl Time {
    /// The deadline of a job that is submitted at this moment.
    fn deadline(self, created: Timestamp) -> Result<Timestamp, SubmitError> {
        let window = match self.until {
            Some(until) => {
                Duration::try_from(until.duration_since(created)).map_err(|_| SubmitError::Window)?
            }
            None => self.window,
        };
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&window) {
            return Err(SubmitError::Window);
        }
        let length = SignedDuration::try_from(window).map_err(|_| SubmitError::Window)?;
        self.until.map_or_else(|| created.checked_add(length).map_err(|_| SubmitError::Window), Ok)
    }
}

/// A job before it is weighed.
struct Prepared {
    /// What all of it takes.
    room: Option<Room>,
    cuts: Vec<Chunk>,
    /// Without its deadlines.
    job: NewJob,
    bill: Option<Bill>,
}

impl Prepared {
    /// All that can be done before anybody is kept waiting.
    fn of(keys: &Keyring, retention: Duration, mut request: Request) -> Self {
        let room = request.sheet.as_mut().and_then(|sheet| sheet.room.take());
        let Request { id, client, inputs, .. } = &request;
        let is_of_mailboxes = Facade::of(request.facade).is_some_and(Facade::is_of_mailboxes);
        // Where each input has a result of its own, whoever asks mail servers sees that two are the same.
        let duplicates = if is_of_mailboxes { vec![None; inputs.len()] } else { duplicates::mark(inputs) };
        let bill = request.is_billed.then(|| bill(inputs, &duplicates));
        let cuts =
            if request.asks { cut_by_operator(inputs, &duplicates) } else { cut_offline(inputs.len()) };
        let tokens = tokens(keys, *client, inputs.iter().map(String::as_str));
        let chunks = seal(keys, *id, inputs, &tokens, &cuts, &duplicates);
        Self { room, cuts, job: new_job(keys, retention, request, &tokens, chunks), bill }
    }
}

/// The job, but for its deadlines. `retention`: where the request says nothing; `tokens`: of its inputs.
fn new_job(
    keys: &Keyring,
    retention: Duration,
    request: Request,
    tokens: &[u8],
    chunks: Vec<NewChunk>,
) -> NewJob {
    let Request { id, client, facade, source, callback, pipeline, skips, sheet, answer, terms, .. } = request;
    let Source { word: source, filename } = source;
    let (layout, pieces) = sheet.map(|Sheet { layout, pieces, .. }| (layout, pieces)).unzip();
    let mut tokens = tokens.chunks(size_of::<ShortToken>());
    let pieces = pieces.unwrap_or_default().into_iter().map(|piece| {
        let rows = usize::try_from(piece.rows).unwrap_or_default();
        let tokens = tokens.by_ref().take(rows).flatten().copied().collect();
        NewPiece { rows: piece.rows, sealed: piece.sealed, tokens }
    });
    NewJob {
        id,
        client,
        facade,
        source,
        filename: filename.map(|name| keys.seal(Row::Filename { job: id }, name.as_bytes())),
        callback: callback.map(|url| keys.seal(Row::Callback { job: id }, url.as_bytes())),
        pipeline,
        skips,
        deadline_at: Timestamp::UNIX_EPOCH, // until it is weighed
        retention: request.retention.unwrap_or(retention),
        chunks,
        layout,
        sheet: pieces.collect(),
        answer,
        terms,
    }
}

/// One try, in one transaction. Sets the job's deadlines.
async fn weigh_and_take(
    store: &Store,
    config: &JobsConfig,
    site: &Site,
    time: Time,
    cuts: &[Chunk],
    job: &mut NewJob,
    bill: Option<&Bill>,
) -> Result<(), SubmitError> {
    let mut connection = store.request().await?;
    let mut draft = Draft::write(&mut connection, job).await?;
    within_limits(&mut draft, job).await?;
    let submission = draft.take_turn().await?;
    let created = submission.now;
    let deadline = time.deadline(created)?;
    let window = Window { created, deadline, greylist_wait: site.greylist_wait };
    let backlog = submission.backlog().await?;
    let workers = submission.workers(config.lease * LEASES_UNTIL_GONE).await?;
    let capacities = site.heard(&submission.heard().await?, workers);
    let there = site.installation(workers, submission.running_max);
    weigh(&capacities, there, window, cuts, &backlog)?;
    job.deadline_at = deadline;
    for (chunk, due) in job.chunks.iter_mut().zip(due(&window, cuts)) {
        chunk.deadline_at = due;
    }
    match bill {
        Some(bill) => submission.take_billed(job, bill).await??,
        None => submission.take(job).await?,
    }
    Ok(())
}

/// Whether its client may use as much as the job holds.
async fn within_limits(draft: &mut Draft<'_>, job: &NewJob) -> Result<(), SubmitError> {
    let Some(NewTerms { reserved_micros, limits: Some(limits), .. }) = &job.terms else { return Ok(()) };
    let items: i64 = job.chunks.iter().map(|chunk| i64::from(chunk.items)).sum();
    let used = draft.usage(limits.window_hours).await?;
    let is_covered = limits.cover(used, items, i64::from(*reserved_micros));
    if is_covered { Ok(()) } else { Err(SubmitError::Exhausted) }
}

/// What a job costs at most: a credit for each address, however often it stands there; nothing for rows that hold none.
fn bill(inputs: &[String], duplicates: &[Option<u32>]) -> Bill {
    let (mut units, mut blank) = (0, 0);
    for (input, _) in inputs.iter().zip(duplicates).filter(|(_, duplicate)| duplicate.is_none()) {
        *if input.trim().is_empty() { &mut blank } else { &mut units } += 1;
    }
    Bill { units, blank }
}

/// Duplicates go where there is room: nobody is asked about them.
fn cut_by_operator(inputs: &[String], duplicates: &[Option<u32>]) -> Vec<Chunk> {
    let mut keys = Keys::new(|domain: &str| Operator::of_domain(domain).map(Operator::id));
    let mut key = |(input, duplicate): (&String, &Option<u32>)| match duplicate {
        Some(_) => Key::NOBODY,
        None => keys.of(input),
    };
    let of_items: Vec<_> = inputs.iter().zip(duplicates).map(&mut key).collect();
    cut(&keys, &of_items)
}

/// Seals each chunk's items for its place in the job. `tokens`: of all inputs.
fn seal(
    keys: &Keyring,
    job: Uuid,
    inputs: &[String],
    tokens: &[u8],
    cuts: &[Chunk],
    duplicates: &[Option<u32>],
) -> Vec<NewChunk> {
    let seal = |(no, cut): (i32, &Chunk)| {
        let item = |row: &u32| Item {
            row: row + 1,
            input: inputs[*row as usize].as_str().into(),
            egress: None,
            duplicate_of: duplicates[*row as usize],
        };
        let token = |row: &u32| &tokens[*row as usize * size_of::<ShortToken>()..][..size_of::<ShortToken>()];
        let rows: Vec<Item> = cut.rows.iter().map(item).collect();
        NewChunk {
            operator: cut.operator.clone().into(),
            items: i32::try_from(cut.rows.len()).unwrap_or(i32::MAX),
            asks: i32::try_from(asks(cut)).unwrap_or(i32::MAX),
            sealed: keys.seal(Row::Chunk { job, no }, &write(&rows)),
            tokens: cut.rows.iter().flat_map(token).copied().collect(),
            deadline_at: Timestamp::UNIX_EPOCH,
        }
    };
    (0..).zip(cuts).map(seal).collect()
}

/// Whether the job and all others can keep their deadlines.
fn weigh(
    capacities: &Capacities,
    installation: Installation,
    window: Window,
    cuts: &[Chunk],
    backlog: &[Backlog],
) -> Result<(), SubmitError> {
    let waiting: Vec<Waiting<'_>> = backlog.iter().map(|chunk| waiting(chunk, window)).collect();
    let chunks: Vec<(&str, u32)> = cuts.iter().map(|cut| (&*cut.operator, asks(cut))).collect();
    let load = Load { now: window.created, capacities, installation, waiting: &waiting };
    match admit(&load, &Demand { window, chunks: &chunks }) {
        Admission::Accepted => Ok(()),
        Admission::Refused { earliest } => {
            Err(SubmitError::Late(earliest.map(|earliest| earliest.duration_since(window.created))))
        }
    }
}

/// A chunk that stands before, as the plan sees it. `window`: of the job that is weighed.
fn waiting(chunk: &Backlog, window: Window) -> Waiting<'_> {
    let window = Window { created: chunk.created_at, deadline: chunk.job_deadline_at, ..window };
    Waiting {
        operator: &chunk.operator,
        own: chunk.is_own,
        at: chunk.turn_at,
        latest: if chunk.round == 0 { window.latest() } else { chunk.job_deadline_at },
        asks: chunk.asks,
    }
}

/// What of a chunk takes time: the recipients that somebody is asked about, or its items, where nobody is.
fn asks(cut: &Chunk) -> u32 {
    if &*cut.operator == OFFLINE { u32::try_from(cut.rows.len()).unwrap_or(u32::MAX) } else { cut.asks }
}

/// The virtual deadlines of chunks: each operator's are spread over the window by themselves.
fn due(window: &Window, cuts: &[Chunk]) -> Vec<Timestamp> {
    let mut totals: HashMap<&str, u32> = HashMap::new();
    for cut in cuts {
        *totals.entry(&cut.operator).or_default() += 1;
    }
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut due = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let number = numbers.entry(&cut.operator).or_default();
        due.push(window.due(share(*number, totals[&*cut.operator], asks(cut))));
        *number += 1;
    }
    due
}

#[cfg(test)]
mod tests;
