//! The ledger: what requests cost, written down before they are answered.
//!
//! One task of the process, the clerk, takes all that has arrived while it was writing, and writes it as one group: so a
//! single request waits for one commit, and a thousand at once wait for one or two. No clock is looked at.
//!
//! Who waits no longer – the time is over, or the client has gone – pays nothing: what was not written yet is left out,
//! and what was written is taken back with the next group.

mod clerk;

use std::{sync::Arc, time::Duration};

use jiff::civil::Date;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::AbortHandle,
    time::timeout,
};
use uuid::Uuid;

use self::clerk::Clerk;
use super::{Hold, Overdrawn};
use crate::{
    access::Access,
    store::{Shared, StoreError},
};

/// Requests that may wait for the clerk: sixteen groups, about as many as are written before their callers lose patience.
/// More are refused at once.
pub(super) const WAITING_MAX: usize = 16_384;

/// How long a request waits to be written down. With less, a restart of the database is an error for many; with more,
/// callers do not hear in two seconds that it is away.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// How long to wait for the clerk at the end of the process.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Why credits were not held or settled. Nothing was counted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BillingError {
    /// A hard cap, and too little is left.
    #[error(transparent)]
    Overdrawn(#[from] Overdrawn),
    /// It took so long that what was held was given back.
    #[error("the credits for this request are held no longer")]
    Lapsed,
    /// The store cannot write it down now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the clerk is asked for.
#[derive(Debug)]
pub(super) enum Op {
    /// Credits are to be held; answers with the month to which they will be counted.
    Hold { id: Uuid, client: Uuid, units: i64, reply: Reply<Date> },
    /// Credits are used.
    Settle { client: Uuid, units: i64, hold: Option<HoldRef>, reply: Reply<()> },
    /// Nothing came of a hold.
    Release { id: Uuid },
    /// Nobody heard that credits were counted: they are taken back.
    TakeBack { client: Uuid, month: Option<Date>, units: i64 },
    /// What has arrived is written, and then it is over.
    Close,
}

type Reply<T> = oneshot::Sender<Result<T, BillingError>>;

/// A hold that is to be settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct HoldRef {
    id: Uuid,
    month: Option<Date>,
}

/// What requests cost. One per process; see the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    ops: mpsc::Sender<Op>,
    clerk: AbortHandle,
}

impl Ledger {
    /// Starts its task, which ends with [`Ledger::close`], or when nobody has the ledger any more.
    pub(crate) fn new(store: Shared) -> Arc<Self> {
        let (ops, arriving) = mpsc::channel(WAITING_MAX);
        let clerk = tokio::spawn(Clerk::new(store, arriving).run()).abort_handle();
        Arc::new(Self { ops, clerk })
    }

    /// Holds credits for a request of a client with a hard cap, before anything is done. Without one nothing is written,
    /// and nothing held.
    ///
    /// # Errors
    /// Too little is left, or the store cannot be used.
    pub(crate) async fn hold(&self, of: &Access, units: u32) -> Result<Option<Hold>, BillingError> {
        if !of.hard_cap || of.monthly_quota.is_none() || units == 0 {
            return Ok(None);
        }
        // Made first, and so given back if we are not there any more when it is held.
        let mut hold = Hold::new(units.into(), self.ops.clone());
        let (id, units) = (hold.id, hold.units);
        let held = self.ask(|reply| Op::Hold { id, client: of.client, units, reply }).await;
        match held {
            Some(Ok(month)) => {
                hold.month = Some(month);
                Ok(Some(hold))
            }
            Some(Err(error)) => {
                hold.forget();
                Err(error)
            }
            None => Err(too_late()),
        }
    }

    /// Counts what a request has cost; at most what was held for it. When this returns, it is written for good. What is
    /// held beyond it is free again.
    ///
    /// # Errors
    /// The store cannot be used, or it took too long: then nothing is counted, and the request is not to be answered.
    pub(crate) async fn settle(
        &self,
        of: &Access,
        units: u32,
        hold: Option<Hold>,
    ) -> Result<(), BillingError> {
        let client = of.client;
        let Some(hold) = hold else {
            if units == 0 {
                return Ok(());
            }
            let settled =
                self.ask(|reply| Op::Settle { client, units: units.into(), hold: None, reply }).await;
            return settled.unwrap_or_else(|| Err(too_late()));
        };
        let units = i64::from(units).min(hold.units);
        if units == 0 {
            // Dropped, and so given back: nobody has to wait for that.
            return Ok(());
        }
        let held = HoldRef { id: hold.id, month: hold.month };
        let settled = self.ask(|reply| Op::Settle { client, units, hold: Some(held), reply }).await;
        match settled {
            Some(Ok(())) => {
                hold.forget();
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Err(too_late()),
        }
    }

    /// Writes down what has arrived, and leaves the store.
    pub(crate) async fn close(&self) {
        let closed = async {
            // Unless it is closed.
            let _ = self.ops.send(Op::Close).await;
            self.ops.closed().await;
        };
        if timeout(CLOSE_MAX, closed).await.is_err() {
            tracing::warn!("what requests have cost cannot be written down before the end");
            self.clerk.abort();
        }
    }

    /// `None`: it took too long.
    async fn ask<T>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Option<Result<T, BillingError>> {
        let asked = async {
            let (reply, answer) = oneshot::channel();
            let closed = || StoreError::Away("the ledger is closed".into());
            self.ops.try_send(op(reply)).map_err(|refused| match refused {
                TrySendError::Full(_) => StoreError::Busy("too many requests wait to be written down".into()),
                TrySendError::Closed(_) => closed(),
            })?;
            answer.await.unwrap_or_else(|_| Err(closed().into()))
        };
        timeout(PATIENCE, asked).await.ok()
    }
}

fn too_late() -> BillingError {
    StoreError::Busy("what a request costs could not be written down in time".into()).into()
}
