//! A running guest: starting it, calling it within its limits, and saying how a call failed.

use std::{sync::Arc, time::Duration};

use mailsonde_engine::Clock;
use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::{
    CallFault,
    bindings::{Full, exports::mailsonde::stage::plugin as wit},
    grants::{CacheView, DnsQueries, LogLines, Wasi, redacted},
    limits::{CONFIGURE_CPU_MAX, HANDED_OVER_MAX, HOST_CALLS_MAX},
    program::Program,
    state::{Cpu, Memory, State},
};

/// Said when a guest hands over more than the fuel for it allows; the runtime has no type for that.
const OUT_OF_FUEL: &str = "fuel allocated for hostcalls has been exhausted";

/// A running guest. After a trap nothing can be done with it but drop it.
pub(crate) struct Instance {
    store: Store<State>,
    plugin: Full,
    /// Calls of `check-many`.
    pub(crate) calls: u32,
}

/// What a call of `check-many` gets besides its subjects.
pub(crate) struct Given {
    pub(crate) dns: Option<DnsQueries>,
    pub(crate) cache: Option<CacheView>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Program {
    /// A new guest, not yet configured.
    pub(crate) async fn start(&self, clock: &dyn Clock) -> Result<Instance, CallFault> {
        let mut state = State {
            memory: Memory::of(self.memory_max),
            cpu: Cpu::of(CONFIGURE_CPU_MAX),
            host_calls_left: HOST_CALLS_MAX,
            configuration: self.configuration.clone(),
            log: LogLines::of(self.name.clone()),
            now: 0.0,
            dns: None,
            cache: None,
            wasi: self.uses_wasi.then(|| Box::new(Wasi::new())),
        };
        state.begin(state.cpu, clock.now());
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(HANDED_OVER_MAX);
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().cpu.tick()?;
            // Other work of the thread gets its turn.
            Ok(UpdateDeadline::Yield(1))
        });
        store.set_epoch_deadline(1);
        let _running = self.host.ticker.running();
        match self.pre.instantiate_async(&mut store).await {
            Ok(plugin) => Ok(Instance { store, plugin, calls: 0 }),
            Err(error) => {
                store.data_mut().log_printed();
                Err(fault(store.data(), &error))
            }
        }
    }

    /// A new guest that has read its configuration. `Err` within: what it says against it.
    pub(crate) async fn start_configured(
        &self,
        clock: &dyn Clock,
    ) -> Result<Result<Instance, String>, CallFault> {
        let mut instance = self.start(clock).await?;
        let _running = self.host.ticker.running();
        let Instance { store, plugin, .. } = &mut instance;
        let said = plugin.mailsonde_stage_plugin().call_configure(store).await;
        Ok(instance.ended(said)?.map(|()| instance))
    }
}

impl Instance {
    /// What it logs from now on is for authors: it is about addresses that nobody asked about.
    pub(crate) fn hush(&mut self) {
        self.store.data_mut().log.hush();
    }

    /// Asks the guest what it is.
    pub(crate) async fn describe(&mut self, program: &Program) -> Result<wit::Description, CallFault> {
        let _running = program.host.ticker.running();
        let said = self.plugin.mailsonde_stage_plugin().call_describe(&mut self.store).await;
        self.ended(said)
    }

    /// Asks the guest about subjects. Returns as many outcomes.
    pub(crate) async fn check_many(
        &mut self,
        program: &Program,
        given: Given,
        subjects: &[wit::Subject<'_>],
    ) -> Result<Vec<wit::Outcome>, CallFault> {
        self.calls += 1;
        let state = self.store.data_mut();
        state.begin(Cpu::of(program.cpu_max), given.clock.now());
        (state.dns, state.cache) = (given.dns, given.cache);
        let _running = program.host.ticker.running();
        let said = self.plugin.mailsonde_stage_plugin().call_check_many(&mut self.store, subjects).await;
        let outcomes = self.ended(said)?;
        if outcomes.len() != subjects.len() {
            return Err(CallFault::Count { outcomes: outcomes.len(), subjects: subjects.len() });
        }
        Ok(outcomes)
    }

    /// After a call: what was printed goes into the log, and an error gets its name.
    fn ended<T>(&mut self, said: wasmtime::Result<T>) -> Result<T, CallFault> {
        let state = self.store.data_mut();
        state.log_printed();
        state.log.end();
        said.map_err(|error| {
            // Where it happened, for authors; the names are the guest's.
            if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
                tracing::debug!(plugin = state.log.plugin(), "{}", redacted(&trace.to_string()));
            }
            fault(state, &error)
        })
    }
}

/// What an error of the runtime means. The guest's own words are left out: they may hold an address.
fn fault(state: &State, error: &wasmtime::Error) -> CallFault {
    if let Some(fault) = error.downcast_ref::<CallFault>() {
        return fault.clone();
    }
    if error.downcast_ref::<I32Exit>().is_some() {
        return CallFault::Trap("it ended itself".into());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => CallFault::Stack,
        _ if state.memory.is_exhausted => CallFault::Memory,
        Some(trap) => CallFault::Trap(trap.to_string()),
        None => {
            let cause = error.root_cause().to_string();
            if cause.contains(OUT_OF_FUEL) { CallFault::HandedOver } else { CallFault::Garbage(cause) }
        }
    }
}

/// Ends what takes longer than a call of the loading may.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, CallFault>>,
) -> Result<T, CallFault> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(CallFault::Wall(limit)))
}
