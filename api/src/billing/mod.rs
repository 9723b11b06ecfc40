//! Billing: what clients use up of their monthly quotas, and when they are told. docs/billing.md says what costs how much.
//!
//! | | |
//! |---|---|
//! | `ledger` | credits of requests: held before the work, settled after it, many in one commit |
//! | `hold` | what is held for one request, and given back if nothing comes of it |
//! | `usage` | what a client has used in a month, as it is told |
//! | `alerts` | who has come to 80 or 100 % of a quota is told, once a month |
//!
//! Jobs reserve in the transaction that takes them and settle in the one that ends them, so `store::billing` is all that
//! they need. Nobody is asked for money here.

mod alerts;
mod hold;
mod ledger;
mod usage;

pub(crate) use self::{
    hold::Hold,
    ledger::{BillingError, Ledger},
    usage::Usage,
};
pub(crate) use crate::store::billing::Overdrawn;
use crate::store::{Store, StoreError, billing};

/// Does what those left undone who did not come to it: gives back what dead processes held, and tells who has come to a
/// threshold.
pub(crate) async fn sweep(store: &Store) -> Result<(), StoreError> {
    let freed = billing::free(&store.worker().await?).await?;
    if freed > 0 {
        tracing::warn!("the credits of {freed} requests are given back: their process has died");
    }
    alerts::tell(store).await
}

#[cfg(test)]
mod tests;
