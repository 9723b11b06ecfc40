//! How long a job is likely to take: as long as those that were done lately. It is told to clients, and nothing is planned
//! with it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::plan::cut::asks_of;
use crate::store::{Store, StoreError, jobs};

/// Items a second, while nothing was done yet: those of the product's own examples.
const PER_SECOND: f64 = 10.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Estimate(AtomicU64);

impl Estimate {
    /// Nothing was done yet.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(PER_SECOND.to_bits()))
    }

    /// Asks how fast jobs were done lately.
    ///
    /// # Errors
    /// The store cannot say; what was known before holds.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let per_second = jobs::throughput(&store.request().await?).await?;
        self.0.store(per_second.unwrap_or(PER_SECOND).to_bits(), Relaxed);
        Ok(())
    }

    /// Seconds for these inputs, one at least: people take longer than addresses.
    pub(crate) fn of(&self, inputs: &[String]) -> u64 {
        let asks = inputs.iter().map(|input| asks_of(input) as usize).sum();
        self.seconds(inputs.len().max(asks))
    }

    /// Seconds for so many addresses, one at least.
    #[expect(clippy::cast_precision_loss, reason = "an estimate is none of single items")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not less than one")]
    pub(crate) fn seconds(&self, items: usize) -> u64 {
        (items as f64 / f64::from_bits(self.0.load(Relaxed))).ceil().max(1.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test]
    async fn it_is_as_it_was_lately() {
        let store = testing::store().await;
        let estimate = Estimate::new();
        estimate.refresh(&store).await.unwrap();
        assert_eq!([0, 1, 10, 11, 250].map(|items| estimate.seconds(items)), [1, 1, 1, 2, 25]);
        // 1,000 items in ten seconds, and what says nothing: one of yesterday, one that was canceled, one at work.
        let jobs = [
            ("completed", 600, "6 s", "0 s"),
            ("completed", 400, "4 s", "0 s"),
            ("completed", 9_000, "1 s", "2 days"),
            ("canceled", 9_000, "1 s", "0 s"),
        ];
        for (number, (state, items, took, ago)) in (1..).zip(jobs) {
            let sql = format!(
                "insert into job (id, client, state, pipeline, skips, items, deadline_at, expires_at, created_at, ended_at)
                 select '00000000-0000-7000-8000-{number:012}', id, '{state}', 'verify', '{{}}', {items}, now(), now(),
                     now() - interval '{ago}' - interval '{took}', now() - interval '{ago}'
                 from client limit 1"
            );
            store.request().await.unwrap().batch_execute(&sql).await.unwrap();
        }
        estimate.refresh(&store).await.unwrap();
        assert_eq!([1, 100, 101, 250].map(|items| estimate.seconds(items)), [1, 1, 2, 3]);
        let of = |input: &str| estimate.of(&vec![input.to_owned(); 100]);
        assert_eq!(["jane@example.com", "nobody", "Jane Doe\texample.com"].map(of), [1, 1, 9]);
        // Those were people.
        let store_says = "update job set asks = items * 9 where ended_at > now() - interval '1 day'";
        store.request().await.unwrap().batch_execute(store_says).await.unwrap();
        estimate.refresh(&store).await.unwrap();
        assert_eq!([900, 901].map(|items| estimate.seconds(items)), [1, 2]);
    }
}
