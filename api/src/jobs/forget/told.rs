//! Forgetting of what the end of a task is told with: a message that names the person and that nobody has taken is written
//! anew, as the task is known by then. It keeps its id, and is the one message that does not say the same at every try.

use mailsonde_engine::Address;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    facade::tasks::completed::ROWS_MAX,
    jobs::{aside::aside, person::is_of, results},
    store::{
        Connection, Store, StoreError,
        forget::{Retelling, ends, untell},
        keys::{Row, SealError},
    },
    webhooks::Message,
};

/// As much of a message's body as is looked at.
#[derive(Deserialize)]
struct Body {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    email_address: String,
}

/// What becomes of a message.
enum Retold {
    /// It names somebody else, if anybody.
    Same,
    /// From now on it says this, sealed.
    Anew(Vec<u8>),
    /// Nobody knows whom it names, or how to tell it without the person.
    Untold,
}

/// Writes anew what would name a person, and deletes what cannot be written anew: it would be there for good. The person is
/// gone from the rows of the tasks by then.
pub(super) async fn forget(
    store: &Store,
    client: &mut Connection,
    of: Uuid,
    person: &Address,
) -> Result<(), StoreError> {
    for (id, job) in ends(client, of, ROWS_MAX).await? {
        let Some(retelling) = Retelling::begin(client, id).await? else { continue };
        match retold(store, &retelling, id, job, person).await? {
            Retold::Same => {}
            Retold::Anew(sealed) => retelling.finish(&sealed).await?,
            Retold::Untold => {
                drop(retelling);
                tracing::warn!("the end of job {job} is told no more: its message cannot be written anew");
                untell(client, id).await?;
            }
        }
    }
    Ok(())
}

async fn retold(
    store: &Store,
    retelling: &Retelling<'_>,
    id: Uuid,
    job: Uuid,
    person: &Address,
) -> Result<Retold, StoreError> {
    let text = match store.keys().open(Row::Webhook { id }, &retelling.sealed) {
        Ok(text) => text,
        // Whoever holds the key may read it.
        Err(error @ SealError::UnknownKey(_)) => return Err(error.into()),
        Err(_) => return Ok(Retold::Untold),
    };
    match names(&text, person) {
        Ok(true) => {}
        Ok(false) => return Ok(Retold::Same),
        Err(_) => return Ok(Retold::Untold),
    }
    let Some((job, sums, contents)) = retelling.told(job).await? else { return Ok(Retold::Untold) };
    let (keys, vocabulary) = (store.keys().clone(), store.vocabulary());
    let sealed = aside(move || {
        let rows = results::open(&keys, job.id, &contents, job.end())?;
        let message = Message::of_task(&keys, &job, &sums, Some(&rows), vocabulary)?;
        Ok::<_, StoreError>(message.map(|message| message.seal(&keys, id)))
    });
    Ok(sealed.await.ok().flatten().map_or(Retold::Untold, Retold::Anew))
}

/// Whether a row of a message is the person's.
fn names(text: &[u8], person: &Address) -> serde_json::Result<bool> {
    let message: Message = serde_json::from_slice(text)?;
    let body: Body = serde_json::from_str(&message.body)?;
    Ok(body.data.jobs.iter().any(|job| is_of(&job.email_address, person)))
}
