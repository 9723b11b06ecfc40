//! What the runtimes of some languages import whatever the plugin does: WASI with nothing behind it. No files, no
//! network, no environment, no input; the clock of the call, a random generator that always begins with the same seed;
//! what is printed goes into the log.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::io::{AsyncWrite, sink};
use wasmtime::{Result, component::Linker};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView,
    WasiView, async_trait,
    cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView},
    clocks::{WasiClocks, WasiClocksView},
    filesystem::{WasiFilesystem, WasiFilesystemView},
    p2::{
        OutputStream, Pollable, StreamResult,
        bindings::{cli, clocks, filesystem, random},
    },
    random::WasiRandom,
};
use wasmtime_wasi_io::IoView;

use crate::{
    bindings::mailsonde::stage::log::Level,
    limits::{HANDLES_MAX, LOG_LINE_OCTETS_MAX, LOG_LINES_MAX, RANDOM_OCTETS_MAX},
    state::State,
};

/// The packages that are linked where a plugin imports anything of WASI. Nothing else of WASI is.
pub(crate) const PACKAGES: &[&str] =
    &["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];

/// What an instance may print in a call.
const PRINTED_OCTETS_MAX: usize = LOG_LINE_OCTETS_MAX * LOG_LINES_MAX as usize;

/// The random generators begin with this. Guests that need chance cannot have it: a recorded call must replay.
const SEED: [u8; 16] = *b"mailsonde-guest-";

/// The WASI of one instance.
pub(crate) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    printed: Printed,
    clock: StillClock,
}

impl Wasi {
    pub(crate) fn new() -> Self {
        let (printed, clock) = (Printed::default(), StillClock::default());
        let context = WasiCtxBuilder::new()
            .stdout(printed.clone())
            .stderr(printed.clone())
            .secure_random(Deterministic::new(SEED.to_vec()))
            .insecure_random(Deterministic::new(SEED.to_vec()))
            .insecure_random_seed(u128::from_le_bytes(SEED))
            .max_random_size(RANDOM_OCTETS_MAX)
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self { context, table, printed, clock }
    }

    /// Sets the clock for the next call, as the time since 1970.
    pub(crate) fn set_clock(&self, now: Duration) {
        self.clock.0.store(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl State {
    /// Moves what the guest has printed into the log.
    pub(crate) fn log_printed(&mut self) {
        let Some(wasi) = &self.wasi else { return };
        let Text { octets, is_full, lines_dropped } = std::mem::take(&mut *wasi.printed.lock());
        for line in String::from_utf8_lossy(&octets).lines().filter(|line| !line.trim().is_empty()) {
            self.log.write(Level::Warn, line);
        }
        if is_full {
            self.log.dropped(lines_dropped.max(1));
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { context, table, .. } = &mut **self.wasi.get_or_insert_with(|| Box::new(Wasi::new()));
        WasiCtxView { ctx: context, table }
    }
}

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        self.ctx().table
    }
}

/// Links all of it.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi_io::add_to_linker_async(linker)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    filesystem::types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    random::random::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)
}

/// Microseconds since 1970 that pass only between calls.
#[derive(Clone, Default)]
struct StillClock(Arc<AtomicU64>);

impl HostWallClock for StillClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }
}

impl HostMonotonicClock for StillClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.load(Relaxed).saturating_mul(1_000)
    }
}

/// What was printed in this call, as far as it fits. The rest is counted: printing never fails, nor blocks.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Text>>);

#[derive(Default)]
struct Text {
    octets: Vec<u8>,
    /// More was printed than fits.
    is_full: bool,
    lines_dropped: u32,
}

impl Printed {
    fn lock(&self) -> std::sync::MutexGuard<'_, Text> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Text {
    fn push(&mut self, printed: &[u8]) {
        let room = if self.is_full { 0 } else { PRINTED_OCTETS_MAX - self.octets.len() };
        let (fits, rest) = printed.split_at(printed.len().min(room));
        self.octets.extend_from_slice(fits);
        if rest.is_empty() {
            return;
        }
        if !self.is_full {
            // Half a line may end within an address, which would then not be known for one.
            let end =
                self.octets.iter().rposition(|octet| *octet == b'\n').map_or(0, |position| position + 1);
            self.octets.truncate(end);
            self.is_full = true;
        }
        let ends = rest.split(|octet| *octet == b'\n').count() - 1;
        self.lines_dropped = self.lines_dropped.saturating_add(u32::try_from(ends).unwrap_or(u32::MAX));
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.lock().push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PRINTED_OCTETS_MAX)
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only newer versions of WASI than those linked ask for this one.
        Box::new(sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
