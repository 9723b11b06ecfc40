//! How jobs end: when everybody has a verdict, at the deadline, or when the client wants no more. What was counted then is
//! what is there for good.

mod closing;
mod rest;
mod tally;

use mailsonde_engine::Category;
use uuid::Uuid;

use self::{closing::Closed, tally::Tally};
use super::{aside::aside, results};
use crate::{
    facade::{
        relentless,
        tasks::{self, completed, credits},
    },
    store::{
        Retries, Store, StoreError,
        billing::Outcome,
        jobs::{self, Contents, End, Ending, JobRow},
        webhooks::NewWebhook,
    },
    webhooks::{self, Message},
};

/// Counts one more of a category.
pub(crate) fn count(counts: &mut [i32], category: Category) {
    add(counts, category, 1);
}

fn add(counts: &mut [i32], category: Category, more: i32) {
    if let Some(place) = Category::ALL.iter().position(|known| *known == category) {
        counts[place] += more;
    }
}

/// Ends a job, if it may end so now. `false`: it has ended before, or it is not done.
pub(crate) async fn end(store: &Store, job: Uuid, how: End) -> Result<bool, StoreError> {
    let mut retries = Retries::default();
    loop {
        match try_end(store, job, how).await {
            Err(error) if retries.may_follow(&error).await => {}
            done => return done,
        }
    }
}

async fn try_end(store: &Store, job: Uuid, how: End) -> Result<bool, StoreError> {
    // Who cancels waits for the answer.
    let mut client = if how == End::Canceled { store.request().await? } else { store.worker().await? };
    let Some(ending) = Ending::begin(&mut client, job, how).await? else { return Ok(false) };
    // Who wrote its last verdicts was killed before he could end it, and then the deadline passed: nothing is left over.
    let how = if how == End::DeadlinePassed && ending.is_done().await? { End::Done } else { how };
    let whole = ending.counts(Category::ALL.len()).await?;
    let is_whole = whole.is_some();
    let counts = match whole {
        Some(counts) => counts,
        None => Tally::new(store.keys(), job, how).take(&ending).await?,
    };
    tell(store, &ending, how, &counts, is_whole, job).await?;
    let is_of_tasks = ending.facade().await?.as_deref() == Some(tasks::WORD);
    ending.end(how, &counts, &outcome(&counts, is_of_tasks)).await?;
    Ok(true)
}

/// Whoever wants to be told of the end is, if it is committed. What cannot be told keeps no job from ending. `is_whole`: each
/// row has a verdict.
async fn tell(
    store: &Store,
    ending: &Ending<'_>,
    how: End,
    counts: &[i32],
    is_whole: bool,
    job: Uuid,
) -> Result<(), StoreError> {
    let Some(foreseen) = ending.foreseen(how, counts).await? else { return Ok(()) };
    let told = match foreseen.facade.as_str() {
        relentless::WORD => {
            let closed = sum_up(store, ending, how, &foreseen).await?;
            let closing = closed.as_ref().map(|closed| (&closed.terms, &closed.closing));
            webhooks::of_job(store.keys(), &foreseen, closing)
        }
        tasks::WORD => {
            if !is_whole && let Err(error) = rest::tell(store, ending, how, &foreseen).await {
                if error.is_transient() {
                    return Err(error);
                }
                tracing::warn!("rows of job {job} are not told: {error}");
            }
            of_task(store, ending, how, foreseen).await
        }
        _ => webhooks::of_job(store.keys(), &foreseen, None),
    };
    match told {
        Ok(Some(webhook)) => ending.tell(&webhook).await?,
        Ok(None) => {}
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => tracing::warn!("the end of job {job} is not told: {error}"),
    }
    Ok(())
}

/// Writes down what came of a job of Relentless Identity.
async fn sum_up(
    store: &Store,
    ending: &Ending<'_>,
    how: End,
    foreseen: &JobRow,
) -> Result<Option<Closed>, StoreError> {
    let closed = closing::close(store.keys(), ending, foreseen, how).await?;
    if let Some(closed) = &closed {
        ending.sum_up(closed.actual_micros, &closed.closing.write()?).await?;
    }
    Ok(closed)
}

/// What is told of a task's end: of a small one, its rows too.
async fn of_task(
    store: &Store,
    ending: &Ending<'_>,
    how: End,
    foreseen: JobRow,
) -> Result<Option<NewWebhook>, StoreError> {
    let sums = ending.sums(&foreseen).await?;
    let is_small = foreseen.items <= completed::ROWS_MAX;
    // Rows that are left over are known since the end, here and wherever they are told later.
    let ended_at = foreseen.ended_at;
    let contents = if is_small { Some(Contents { ended_at, ..ending.contents().await? }) } else { None };
    let (keys, vocabulary) = (store.keys().clone(), store.vocabulary());
    aside(move || {
        let open = |contents| results::open(&keys, foreseen.id, &contents, Some(how));
        let rows = contents.map(open).transpose()?;
        let message = Message::of_task(&keys, &foreseen, &sums, rows.as_deref(), vocabulary)?;
        Ok(message.map(|message| message.sealed(&keys, foreseen.client, Some(foreseen.id))))
    })
    .await
}

/// What there is to bill: nobody pays for what is unknown, nor twice for the same address. Tasks have more that is unknown.
fn outcome(counts: &[i32], is_of_tasks: bool) -> Outcome {
    let of = |category| {
        let place = Category::ALL.iter().position(|known| *known == category);
        place.and_then(|place| counts.get(place)).copied().map_or(0, i64::from)
    };
    let all: i64 = counts.iter().copied().map(i64::from).sum();
    let billable = if is_of_tasks {
        credits::cost_of(counts)
    } else {
        all - of(Category::Duplicate) - of(Category::Unknown)
    };
    Outcome { billable, invalid: of(Category::InvalidSyntax) }
}

/// Ends a job if nothing of it is left to do. Looks first: ending stops those who write.
pub(crate) async fn end_if_done(store: &Store, job: Uuid) -> Result<(), StoreError> {
    let is_done = jobs::is_done(&store.worker().await?, job).await?;
    if is_done {
        end(store, job, End::Done).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
