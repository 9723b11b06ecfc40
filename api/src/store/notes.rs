//! Notes: what processes tell each other through the database at once, instead of when somebody next looks. They may get
//! lost, so nothing rests on them.

use std::{future::poll_fn, pin::pin};

use tokio_postgres::AsyncMessage;
use uuid::Uuid;

use super::{Store, StoreError, access::ACCESS_CHANNEL, jobs::JOBS_CHANNEL, submission::TASKS_CHANNEL};

/// What one may listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// What there is to do.
    Work,
    /// Who may ask for it.
    Access,
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// Tasks were submitted, or may have been while nobody listened.
    Tasks,
    /// A job has ended, was paused or resumed.
    Jobs,
    /// A client or its keys have changed; with none, any may have while nobody listened.
    Access(Option<Uuid>),
}

impl Topic {
    fn listen(self) -> String {
        match self {
            Self::Work => format!("listen {TASKS_CHANNEL}; listen {JOBS_CHANNEL}"),
            Self::Access => format!("listen {ACCESS_CHANNEL}"),
        }
    }

    /// What came before one listened was not heard.
    fn missed(self) -> Note {
        match self {
            Self::Work => Note::Tasks,
            Self::Access => Note::Access(None),
        }
    }
}

impl Store {
    /// Listens on a connection of its own until that breaks.
    ///
    /// # Errors
    /// The connection cannot be made, or breaks.
    pub(crate) async fn listen(&self, topic: Topic, mut heard: impl FnMut(Note)) -> Result<(), StoreError> {
        let (client, mut connection) = self.connection.connect(self.tls.clone()).await?;
        let listen = topic.listen();
        let mut listening = pin!(client.batch_execute(&listen));
        let mut is_listening = false;
        loop {
            let message = poll_fn(|cx| connection.poll_message(cx));
            tokio::select! {
                listened = &mut listening, if !is_listening => {
                    listened?;
                    is_listening = true;
                    heard(topic.missed());
                }
                message = message => match message {
                    Some(Ok(AsyncMessage::Notification(note))) => heard(match note.channel() {
                        JOBS_CHANNEL => Note::Jobs,
                        ACCESS_CHANNEL => Note::Access(note.payload().parse().ok()),
                        _ => Note::Tasks,
                    }),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Ok(()),
                },
            }
        }
    }
}
