//! Notes: what processes tell each other through the database at once, instead of when somebody next looks. They may get
//! lost, so nothing rests on them.

use std::{future::poll_fn, pin::pin};

use tokio_postgres::AsyncMessage;

use super::{Store, StoreError, jobs::JOBS_CHANNEL, submission::TASKS_CHANNEL};

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// Tasks were submitted, or may have been while nobody listened.
    Tasks,
    /// A job has ended, was paused or resumed.
    Jobs,
}

impl Store {
    /// Listens on a connection of its own until that breaks.
    ///
    /// # Errors
    /// The connection cannot be made, or breaks.
    pub(crate) async fn listen(&self, mut heard: impl FnMut(Note)) -> Result<(), StoreError> {
        let (client, mut connection) = self.connection.connect(self.tls.clone()).await?;
        let listen = format!("listen {TASKS_CHANNEL}; listen {JOBS_CHANNEL}");
        let mut listening = pin!(client.batch_execute(&listen));
        let mut is_listening = false;
        loop {
            let message = poll_fn(|cx| connection.poll_message(cx));
            tokio::select! {
                listened = &mut listening, if !is_listening => {
                    listened?;
                    is_listening = true;
                    // What came before was not heard.
                    heard(Note::Tasks);
                }
                message = message => match message {
                    Some(Ok(AsyncMessage::Notification(note))) if note.channel() == JOBS_CHANNEL => {
                        heard(Note::Jobs);
                    }
                    Some(Ok(AsyncMessage::Notification(_))) => heard(Note::Tasks),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Ok(()),
                },
            }
        }
    }
}
