//! What the host holds for one instance: its limits, and what its imports lead to.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use wasmtime::{ResourceLimiter, Result};

use crate::{
    CallFault,
    configuration::Configuration,
    grants::{CacheView, DnsQueries, LogLines, Wasi},
    limits::{HOST_CALLS_MAX, PARTS_MAX, TABLE_ELEMENTS_MAX},
};

/// The data of an instance's store.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) cpu: Cpu,
    pub(crate) host_calls_left: u32,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) log: LogLines,
    /// Seconds since 1970: the clock stands still during a call.
    pub(crate) now: f64,
    pub(crate) dns: Option<DnsQueries>,
    pub(crate) cache: Option<CacheView>,
    /// For the runtimes of languages that cannot do without.
    pub(crate) wasi: Option<Box<Wasi>>,
}

impl State {
    /// Counts a call of the host; a flood ends in a trap.
    pub(crate) fn host_call(&mut self) -> Result<()> {
        self.host_call_about(0)
    }

    /// Counts a call of the host that hands over a list of so many elements.
    pub(crate) fn host_call_about(&mut self, elements: usize) -> Result<()> {
        let asked = u32::try_from(elements).unwrap_or(u32::MAX).saturating_add(1);
        match self.host_calls_left.checked_sub(asked) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => Err(CallFault::HostCalls.into()),
        }
    }

    /// Prepares for the next call, at this moment.
    pub(crate) fn begin(&mut self, cpu: Cpu, now: SystemTime) {
        self.cpu = cpu;
        self.memory.is_exhausted = false;
        self.host_calls_left = HOST_CALLS_MAX;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.now = now.as_secs_f64();
        if let Some(wasi) = &self.wasi {
            wasi.set_clock(now);
        }
    }
}

/// Processor time that is left, in ticks. Waiting for DNS costs none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) ticks_left: u32,
    pub(crate) limit: Duration,
}

impl Cpu {
    pub(crate) fn of(limit: Duration) -> Self {
        let ticks = limit.as_nanos().div_ceil(crate::limits::TICK.as_nanos());
        Self { ticks_left: u32::try_from(ticks).unwrap_or(u32::MAX), limit }
    }

    /// One tick has passed.
    pub(crate) fn tick(&mut self) -> Result<()> {
        match self.ticks_left.checked_sub(1) {
            Some(left) => {
                self.ticks_left = left;
                Ok(())
            }
            None => Err(CallFault::Cpu(self.limit).into()),
        }
    }
}

/// Memory of all parts of an instance together.
#[derive(Debug)]
pub(crate) struct Memory {
    octets_left: usize,
    elements_left: usize,
    /// The guest was refused memory in this call.
    pub(crate) is_exhausted: bool,
}

impl Memory {
    pub(crate) fn of(octets_max: usize) -> Self {
        Self { octets_left: octets_max, elements_left: TABLE_ELEMENTS_MAX, is_exhausted: false }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(take(&mut self.octets_left, desired - current, &mut self.is_exhausted))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(take(&mut self.elements_left, desired - current, &mut self.is_exhausted))
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

fn take(left: &mut usize, wanted: usize, is_exhausted: &mut bool) -> bool {
    let Some(rest) = left.checked_sub(wanted) else {
        *is_exhausted = true;
        return false;
    };
    *left = rest;
    true
}
