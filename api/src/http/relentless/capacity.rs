//! How many addresses are looked for or asked about at once for clients who wait. A request is let in while there are fewer
//! than there may be, and adds as many as it has: a batch is never refused for its size.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;

/// The room that there is. Copies are the same.
#[derive(Debug, Clone)]
pub(super) struct Capacity {
    max: usize,
    in_flight: Arc<Mutex<usize>>,
    gauge: IntGauge,
}

/// Room for the addresses of a request, until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    addresses: usize,
    capacity: Capacity,
}

impl Capacity {
    /// Room for so many addresses. `gauge`: how many there are.
    pub(super) fn new(max: usize, gauge: IntGauge) -> Self {
        Self { max, in_flight: Arc::default(), gauge }
    }

    /// Room for the addresses of a request, if there is any.
    pub(super) fn admit(&self, addresses: usize) -> Option<Admitted> {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if *in_flight >= self.max {
            return None;
        }
        *in_flight += addresses;
        self.tell(*in_flight);
        Some(Admitted { addresses, capacity: self.clone() })
    }

    fn tell(&self, in_flight: usize) {
        self.gauge.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut in_flight = self.capacity.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        *in_flight -= self.addresses;
        self.capacity.tell(*in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_while_there_is_room_is_let_in_with_all_that_he_has() {
        let gauge = IntGauge::new("addresses", "Addresses").unwrap();
        let capacity = Capacity::new(2, gauge.clone());
        let one = capacity.admit(1).unwrap();
        let batch = capacity.admit(100).unwrap();
        assert!(capacity.admit(1).is_none());
        assert_eq!(gauge.get(), 101);
        drop(one);
        assert!(capacity.clone().admit(1).is_none());
        drop(batch);
        assert!(capacity.admit(1).is_some());
        assert_eq!(gauge.get(), 0);
    }
}
