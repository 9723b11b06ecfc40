//! Wall-clock time as a dependency, so that tests decide what time it is. Durations and deadlines use
//! `tokio::time::Instant`, which tests can pause.

use std::time::SystemTime;

/// Tells the wall-clock time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> SystemTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
