//! How much a host call may return. What the guest hands over is counted by the runtime; what it gets is made by us, and
//! a few octets of a question can ask for a lot.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::{CallFault, limits::RETURNED_OCTETS_MAX};

/// What is left of it in one host call, whose answers may arrive at the same time.
pub(crate) struct Allowance(AtomicUsize);

impl Allowance {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(RETURNED_OCTETS_MAX))
    }

    /// Takes what a text of so many octets needs, or ends the call.
    pub(crate) fn take(&self, octets: usize) -> Result<(), CallFault> {
        let wanted = octets.saturating_add(size_of::<String>());
        let taken = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(wanted));
        taken.map(drop).map_err(|_| CallFault::Returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends() {
        let allowance = Allowance::new();
        let text = RETURNED_OCTETS_MAX / 2 - size_of::<String>();
        assert_eq!((allowance.take(text), allowance.take(text)), (Ok(()), Ok(())));
        assert_eq!(allowance.take(0), Err(CallFault::Returned));
        assert_eq!(Allowance::new().take(usize::MAX), Err(CallFault::Returned));
    }
}
