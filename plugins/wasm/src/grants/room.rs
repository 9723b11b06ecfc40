//! Room for what a host call returns. What the guest hands over is counted by the runtime; what it gets is made by us, and
//! a few octets of a question can ask for a lot.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::{CallFault, limits::RETURNED_OCTETS_MAX};

/// What is left of it in one host call, whose answers may arrive at the same time.
pub(crate) struct Room(AtomicUsize);

impl Room {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(RETURNED_OCTETS_MAX))
    }

    /// Takes room for a text of so many octets, or ends the call.
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
    fn room_ends() {
        let room = Room::new();
        let text = RETURNED_OCTETS_MAX / 2 - size_of::<String>();
        assert_eq!((room.take(text), room.take(text)), (Ok(()), Ok(())));
        assert_eq!(room.take(0), Err(CallFault::Returned));
        assert_eq!(Room::new().take(usize::MAX), Err(CallFault::Returned));
    }
}
