//! Messages that tell of one row of a task each (`[tasks] webhook_each`). One is written down in the transaction in which its
//! row gets its last verdict: by whoever works at the chunk, or by whoever ends the task, for the rows that are left over. Its
//! id is made of the job and the row, so that a row is told under one id whatever happens, and that its message is found when
//! somebody is forgotten. It is delivered as all are; when it was taken, none of it is kept, since there are so many, and what
//! is left goes with the rows.

use std::sync::Arc;

use uuid::Uuid;

use super::message::{Message, callback_of, lane};
use crate::{
    facade::tasks::{self, completed::Completed},
    jobs::{item_id::message_id, rows::verdicts::Judged},
    store::{
        Store, StoreError,
        jobs::{self, End, JobRow},
        keys::Keyring,
        webhooks::NewWebhook,
    },
    words::TasksVocabulary,
};

/// How rows of a task are told one by one.
#[derive(Clone)]
pub(crate) struct Each {
    job: Arc<JobRow>,
    url: String,
    host: Vec<u8>,
    vocabulary: TasksVocabulary,
}

impl Each {
    /// Of this job, if its rows are told so. `job`: as it will be known, where this is its end.
    ///
    /// # Errors
    /// Where to, cannot be opened.
    pub(crate) fn of(store: &Store, job: JobRow) -> Result<Option<Self>, StoreError> {
        // Who cancels wants to hear no more.
        let is_told = store.tells_each() && job.facade == tasks::WORD && job.end() != Some(End::Canceled);
        if !is_told {
            return Ok(None);
        }
        let Some(url) = callback_of(store.keys(), &job)? else { return Ok(None) };
        let host = lane(store.keys(), job.client, &url);
        Ok(Some(Self { job: Arc::new(job), url, host, vocabulary: store.vocabulary() }))
    }

    /// The same of the job of this id, as it is now. What cannot be told keeps no verdict back.
    ///
    /// # Errors
    /// The job cannot be read now.
    pub(crate) async fn of_job(store: &Store, id: Uuid) -> Result<Option<Self>, StoreError> {
        let Some(job) = jobs::job(&store.worker().await?, id).await? else { return Ok(None) };
        Ok(Self::of(store, job).unwrap_or_else(|error| {
            tracing::warn!("rows of job {id} are not told: {error}");
            None
        }))
    }

    /// What is told of those of these verdicts that are final.
    pub(crate) fn tell_final(&self, keys: &Keyring, verdicts: &[Judged]) -> Vec<NewWebhook> {
        self.tell(keys, verdicts.iter().filter(|judged| judged.is_final))
    }

    /// What is told of rows that have these verdicts for good. One that cannot be told is passed over.
    pub(crate) fn tell<'a>(
        &self,
        keys: &Keyring,
        verdicts: impl Iterator<Item = &'a Judged>,
    ) -> Vec<NewWebhook> {
        let told = verdicts.filter_map(|judged| match self.tell_row(keys, judged) {
            Ok(told) => Some(told),
            Err(error) => {
                tracing::warn!("row {} of job {} is not told: {error}", judged.row, self.job.id);
                None
            }
        });
        told.collect()
    }

    fn tell_row(&self, keys: &Keyring, judged: &Judged) -> Result<NewWebhook, StoreError> {
        let told = Completed::each(&self.job, judged, self.vocabulary);
        let body =
            serde_json::to_string(&told).map_err(|error| StoreError::Refused(error.to_string().into()))?;
        let message = Message { url: self.url.clone(), body, is_of_tasks: true };
        let id = message_id(self.job.id, judged.row);
        let sealed = message.seal(keys, id);
        // No job: the questions that are asked about those of a job are about its end, and would meet all of these.
        Ok(NewWebhook { id, client: self.job.client, job: None, host: self.host.clone(), sealed })
    }
}
