//! The bell: hears when tasks were submitted and when jobs end, on a connection of its own. What it misses is found by
//! looking: it saves time, and nothing rests on it.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, NoTls};

use super::Queue;
use crate::store::{jobs::JOBS_CHANNEL, submission::TASKS_CHANNEL};

/// The pause before another attempt to connect.
const PAUSE: Duration = Duration::from_secs(2);

/// Listens for as long as it is polled.
pub(crate) async fn listen(queue: Arc<Queue>) {
    loop {
        if let Err(error) = hear(&queue).await {
            tracing::debug!("new tasks are not heard of, but looked for: {error}");
        }
        sleep(PAUSE).await;
    }
}

/// Until the connection breaks.
async fn hear(queue: &Queue) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = queue.store.connection().connect(NoTls).await?;
    let listen = format!("listen {TASKS_CHANNEL}; listen {JOBS_CHANNEL}");
    let mut listening = pin!(client.batch_execute(&listen));
    let mut is_listening = false;
    loop {
        let message = poll_fn(|cx| connection.poll_message(cx));
        tokio::select! {
            listened = &mut listening, if !is_listening => {
                listened?;
                is_listening = true;
                // Whatever came before this moment was not heard.
                queue.wake.notify_one();
            }
            message = message => match message {
                Some(Ok(AsyncMessage::Notification(note))) if note.channel() == JOBS_CHANNEL => {
                    queue.look.notify_one();
                    queue.wake.notify_one();
                }
                Some(Ok(AsyncMessage::Notification(_))) => queue.wake.notify_one(),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}
