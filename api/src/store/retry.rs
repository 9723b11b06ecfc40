//! A transaction that others were in the way of is tried again, from its beginning. Whether something that may have been
//! done is tried again is decided by whoever can find out.

use std::time::Duration;

use tokio::time::sleep;

use super::StoreError;

/// Further tries after the first: who meets others four times in a row is told so, since somebody may wait for the answer.
const RETRIES_MAX: u32 = 3;

/// The pause before the second try; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// The tries of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    done: u32,
}

impl Retries {
    /// Whether to try the whole transaction again after this error: a conflict, in which nothing is done. Pauses first.
    pub(crate) async fn may_follow(&mut self, error: &StoreError) -> bool {
        let StoreError::Conflict(message) = error else { return false };
        if self.done == RETRIES_MAX {
            return false;
        }
        tracing::debug!("a transaction is tried again: {message}");
        sleep(PAUSE * 2u32.pow(self.done)).await;
        self.done += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a transaction is tried that always fails in this way.
    async fn tries(error: fn(Box<str>) -> StoreError) -> u32 {
        let (mut retries, mut tries) = (Retries::default(), 1);
        while retries.may_follow(&error("in the way".into())).await {
            tries += 1;
        }
        tries
    }

    #[tokio::test(start_paused = true)]
    async fn conflicts_are_tried_again_three_times_and_nothing_else_is() {
        assert_eq!(tries(StoreError::Conflict).await, 4);
        for error in
            [|message: Box<str>| StoreError::Away(message.into()), StoreError::Busy, StoreError::Refused]
        {
            assert_eq!(tries(error).await, 1);
        }
    }
}
