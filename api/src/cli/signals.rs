//! SIGINT and SIGTERM, for processes that stay: the first is heeded in good order, the second at once.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Mutex,
};

/// Both signals, from this value on.
pub(super) struct Signals(Mutex<(Signal, Signal)>);

impl Signals {
    /// Within a runtime.
    ///
    /// # Errors
    /// The system does not let us.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Mutex::new((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))))
    }

    /// Ends at the next one.
    pub(super) async fn next(&self) {
        let mut signals = self.0.lock().await;
        let (interrupt, terminate) = &mut *signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
