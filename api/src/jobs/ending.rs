//! How jobs end: when everybody has a verdict, at the deadline, or when the client wants no more. What was counted then is
//! what is there for good.

use mailsonde_engine::Category;
use uuid::Uuid;

use super::results;
use crate::store::{
    Store, StoreError,
    jobs::{self, End, Ending},
};

/// Counts one more of a category.
pub(crate) fn count(counts: &mut [i32], category: Category) {
    if let Some(place) = Category::ALL.iter().position(|known| *known == category) {
        counts[place] += 1;
    }
}

/// Ends a job, if it may end so now. `false`: it has ended before, or it is not done.
pub(crate) async fn end(store: &Store, job: Uuid, how: End) -> Result<bool, StoreError> {
    let mut client = store.worker().await?;
    let Some(ending) = Ending::begin(&mut client, job, how).await? else { return Ok(false) };
    let counts = if let Some(counts) = ending.counts(Category::ALL.len()).await? {
        counts
    } else {
        let contents = ending.contents().await?;
        let mut counts = vec![0; Category::ALL.len()];
        for judged in results::open(store.keys(), job, &contents, Some(how))? {
            count(&mut counts, judged.verdict.judgement.category);
        }
        counts
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
