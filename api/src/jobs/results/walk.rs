//! A job's chunks, opened one after the other: of a job of any size, no more than two are held.

use uuid::Uuid;

use crate::{
    jobs::aside::aside,
    store::{
        Store, StoreError,
        jobs::{KeptChunk, chunkwise},
        keys::Keyring,
    },
};

/// Gathers what is wanted of each chunk, in the order of their numbers. They are not of one moment: a verdict that is
/// written meanwhile may be among them or not, and whoever wants to know whether the job was deleted asks for it once more.
pub(in crate::jobs) async fn each_chunk<G: Send + 'static>(
    store: &Store,
    job: Uuid,
    mut gathering: G,
    open: fn(&mut G, &Keyring, &KeptChunk) -> Result<(), StoreError>,
) -> Result<G, StoreError> {
    let after = async |no| chunkwise::chunk_after(&store.request().await?, job, no).await;
    let mut next = after(chunkwise::BEGINNING).await?;
    while let Some(chunk) = next {
        let (no, keys) = (chunk.no, store.keys().clone());
        let opening = aside(move || open(&mut gathering, &keys, &chunk).map(|()| gathering));
        // Meanwhile the next one is fetched.
        let (opened, following) = tokio::join!(opening, after(no));
        gathering = opened?;
        next = following?;
    }
    Ok(gathering)
}
