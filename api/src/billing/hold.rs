//! What is held for one request.

use jiff::civil::Date;
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use super::ledger::Op;

/// Credits that are held. Settle them; where that does not happen, whatever the reason, they are given back.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(super) id: Uuid,
    pub(super) units: i64,
    /// The month to which they will be counted, once they are held.
    pub(super) month: Option<Date>,
    /// None: there is nothing to be given back.
    ops: Option<Sender<Op>>,
}

impl Hold {
    pub(super) fn new(units: i64, ops: Sender<Op>) -> Self {
        Self { id: Uuid::now_v7(), units, month: None, ops: Some(ops) }
    }

    /// It was never held, or is settled.
    pub(super) fn forget(mut self) {
        self.ops = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(ops) = self.ops.take() {
            // Where there is no room, the sweep gives it back when its time is over.
            let _ = ops.try_send(Op::Release { id: self.id });
        }
    }
}
