//! Many inputs through one pipeline: batches in, verdicts out, in the order of submission.

use std::{io, sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    stream::{FuturesOrdered, FuturesUnordered},
};
use jiff::Timestamp;
use mailsonde_engine::{
    BATCH_MAX, Batch, Context, ORDER_WINDOW, Pipeline, Policy, SlotReport, Subject, Verdict,
};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::Instant,
};

use crate::verification::Moment;

/// Batches in flight at once: together they fill the window within which order is kept.
const BATCHES_IN_FLIGHT_MAX: usize = ORDER_WINDOW / BATCH_MAX;

/// A pipeline with what a run of it needs.
pub struct Verifier {
    /// The stages.
    pub pipeline: Pipeline,
    /// How findings are judged.
    pub policy: Policy,
    /// Time for one batch.
    pub deadline: Duration,
}

/// A batch of inputs, and where it stood in the whole.
pub struct Inputs {
    /// Row number of the first input, from 1.
    pub first_row: u64,
    /// At most [`BATCH_MAX`].
    pub inputs: Vec<String>,
}

/// A judged batch.
pub struct Verified {
    /// Row number of the first verdict, from 1.
    pub first_row: u64,
    /// In the order of submission.
    pub verdicts: Vec<Verdict>,
    /// What each slot cost.
    pub reports: Vec<SlotReport>,
    /// When the batch was done.
    pub moment: Moment,
}

/// In which order batches come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they went in.
    Submitted,
    /// As they are done.
    Completed,
}

impl Verifier {
    /// Verifies one batch.
    pub async fn verify(&self, batch: Inputs) -> Verified {
        let began = Instant::now();
        let cx = Context::within(self.deadline);
        let mut subjects = Batch::new(batch.inputs.into_iter().map(Subject::new).collect());
        let reports = self.pipeline.run(&cx, &mut subjects).await;
        let verdicts = subjects.into_subjects().into_iter().map(|s| Verdict::of(s, self.policy)).collect();
        let verified_at = Timestamp::try_from(cx.clock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        Verified {
            first_row: batch.first_row,
            verdicts,
            reports,
            moment: Moment { verified_at, took: began.elapsed() },
        }
    }

    /// Verifies batches as they arrive, several at once, and hands each to `sink`.
    ///
    /// # Errors
    /// Those of `sink`; what is in flight is dropped then.
    pub async fn stream(
        self: Arc<Self>,
        mut batches: mpsc::Receiver<Inputs>,
        order: Order,
        mut sink: impl FnMut(Verified) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut in_flight = InFlight::new(order);
        let mut is_open = true;
        while is_open || in_flight.len() > 0 {
            tokio::select! {
                batch = batches.recv(), if is_open && in_flight.len() < BATCHES_IN_FLIGHT_MAX => match batch {
                    Some(batch) => {
                        let verifier = self.clone();
                        in_flight.push(tokio::spawn(async move { verifier.verify(batch).await }));
                    }
                    None => is_open = false,
                },
                Some(done) = in_flight.next(), if in_flight.len() > 0 => sink(done.map_err(io::Error::other)?)?,
            }
        }
        Ok(())
    }
}

/// Running batches, in one order or the other.
enum InFlight {
    Submitted(FuturesOrdered<JoinHandle<Verified>>),
    Completed(FuturesUnordered<JoinHandle<Verified>>),
}

impl InFlight {
    fn new(order: Order) -> Self {
        match order {
            Order::Submitted => Self::Submitted(FuturesOrdered::new()),
            Order::Completed => Self::Completed(FuturesUnordered::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Submitted(batches) => batches.len(),
            Self::Completed(batches) => batches.len(),
        }
    }

    fn push(&mut self, batch: JoinHandle<Verified>) {
        match self {
            Self::Submitted(batches) => batches.push_back(batch),
            Self::Completed(batches) => batches.push(batch),
        }
    }

    async fn next(&mut self) -> Option<Result<Verified, JoinError>> {
        match self {
            Self::Submitted(batches) => batches.next().await,
            Self::Completed(batches) => batches.next().await,
        }
    }
}
