//! The bell: rings when tasks were submitted and when jobs end. What it misses is found by looking: it saves time, and
//! nothing rests on it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::Queue;
use crate::store::notes::{Note, Topic};

/// The pause before another attempt to connect.
const PAUSE: Duration = Duration::from_secs(2);

/// Listens for as long as it is polled.
pub(crate) async fn listen(queue: Arc<Queue>) {
    loop {
        let heard = queue.store.listen(Topic::Work, |note| {
            if note == Note::Jobs {
                queue.look.send_replace(());
            }
            queue.wake.notify_one();
        });
        if let Err(error) = heard.await {
            tracing::debug!("new tasks are not heard of, but looked for: {error}");
        }
        sleep(PAUSE).await;
    }
}
