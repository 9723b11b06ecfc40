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
        forget::{Retelling, ends},
        keys::Row,
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

/// Writes anew what would name a person. The person is gone from the rows of the tasks by then.
pub(super) async fn forget(
    store: &Store,
    client: &mut Connection,
    of: Uuid,
    person: &Address,
) -> Result<(), StoreError> {
    for (id, job) in ends(client, of, ROWS_MAX).await? {
        let Some(retelling) = Retelling::begin(client, id).await? else { continue };
        let text = store.keys().open(Row::Webhook { id }, &retelling.sealed)?;
        if !names(&text, person)? {
            continue;
        }
        let Some((job, sums, contents)) = retelling.told(job).await? else { continue };
        let (keys, vocabulary) = (store.keys().clone(), store.vocabulary());
        let sealed = aside(move || {
            let rows = results::open(&keys, job.id, &contents, job.end())?;
            let message = Message::of_task(&keys, &job, &sums, Some(&rows), vocabulary)?;
            Ok::<_, StoreError>(message.map(|message| message.seal(&keys, id)))
        });
        if let Some(sealed) = sealed.await? {
            retelling.finish(&sealed).await?;
        }
    }
    Ok(())
}

/// Whether a row of a message is the person's.
fn names(text: &[u8], person: &Address) -> Result<bool, StoreError> {
    let unread = |_| StoreError::Unread("a webhook is not what it was".into());
    let message: Message = serde_json::from_slice(text).map_err(unread)?;
    let body: Body = serde_json::from_str(&message.body).map_err(unread)?;
    Ok(body.data.jobs.iter().any(|job| is_of(&job.email_address, person)))
}
