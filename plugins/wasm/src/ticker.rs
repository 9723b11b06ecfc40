//! The guests' clock: a thread that advances the engine's epoch while guests run, and sleeps while none does.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, Thread},
};

use wasmtime::{Engine, EngineWeak};

use crate::limits::{TICK, TICKS_IDLE_MAX};

/// A running clock. Dropping it ends it.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    /// Guests that run now.
    running: AtomicU32,
    /// Guests that have begun, ever.
    begun: AtomicU64,
    asleep: AtomicBool,
    /// The clock is no longer wanted, though somebody may still hold the engine.
    is_over: AtomicBool,
}

/// While this lives, the clock ticks.
pub(crate) struct Running<'t>(&'t Shared);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: EngineWeak) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let handle = thread::Builder::new()
            .name("guest-clock".into())
            .spawn(move || while of_thread.tick(&engine) {})?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// A guest runs from now on.
    pub(crate) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        self.shared.begun.fetch_add(1, SeqCst);
        // Rarely asleep where there is work, so that a call costs no system call.
        if self.shared.asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    /// Ticks until no guest has run for a while, then sleeps until one does. False when the clock has ended.
    fn tick(&self, engine: &EngineWeak) -> bool {
        let (mut idle, mut begun) = (0, self.begun.load(SeqCst));
        while idle < TICKS_IDLE_MAX {
            thread::sleep(TICK);
            let Some(engine) = self.engine(engine) else { return false };
            engine.increment_epoch();
            let is_idle = self.running.load(SeqCst) == 0 && self.begun.load(SeqCst) == begun;
            idle = if is_idle { idle + 1 } else { 0 };
            begun = self.begun.load(SeqCst);
        }
        self.asleep.store(true, SeqCst);
        // Whoever began before the flag stood has not woken us.
        while self.running.load(SeqCst) == 0
            && self.begun.load(SeqCst) == begun
            && self.engine(engine).is_some()
        {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
        self.engine(engine).is_some()
    }

    /// The engine, as long as the clock is wanted.
    fn engine(&self, engine: &EngineWeak) -> Option<Engine> {
        engine.upgrade().filter(|_| !self.is_over.load(SeqCst))
    }
}
