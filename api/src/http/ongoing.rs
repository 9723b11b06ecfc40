//! Work that goes on when its client has gone: how much of it there is, so that a process that ends can wait for it.

use tokio::sync::watch;

/// Counts it. Copies count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ongoing(watch::Sender<usize>);

/// A piece of work that has begun. It is over with the value.
#[derive(Debug)]
pub(super) struct Begun(Ongoing);

impl Ongoing {
    /// A piece of work begins.
    pub(super) fn begin(&self) -> Begun {
        self.0.send_modify(|count| *count += 1);
        Begun(self.clone())
    }

    /// Ends when all that has begun is over.
    pub(super) async fn over(&self) {
        // We have a sender ourselves, so it is not closed before.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn it_is_over_when_the_last_piece_is() {
        let ongoing = Ongoing::default();
        assert!(ongoing.over().now_or_never().is_some(), "nothing has begun");
        let (one, other) = (ongoing.begin(), ongoing.clone().begin());
        let over = tokio::spawn(async move { ongoing.over().await });
        drop(one);
        tokio::task::yield_now().await;
        assert!(!over.is_finished());
        drop(other);
        over.await.unwrap();
    }
}
