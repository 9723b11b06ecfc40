//! How jobs end: when everybody has a verdict, at the deadline, or when the client wants no more. What was counted then is
//! what is there for good.

mod tally;

use mailsonde_engine::Category;
use uuid::Uuid;

use self::tally::Tally;
use crate::store::{
    Retries, Store, StoreError,
    jobs::{self, End, Ending},
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
    let counts = match ending.counts(Category::ALL.len()).await? {
        Some(counts) => counts,
        None => Tally::new(store.keys(), job, how).take(&ending).await?,
    };
    ending.end(how, &counts).await?;
    Ok(true)
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
