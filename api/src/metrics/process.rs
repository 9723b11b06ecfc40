//! The process as Linux sees it, under the names that everybody has for it. Where there is no `/proc`, nothing is told.

use std::fs;

use prometheus::proto::MetricFamily;

use super::family::{Family, count, gauge};

/// Ticks of a second in `/proc`, on every architecture that Linux has today (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn families() -> Vec<MetricFamily> {
    let mut families = Vec::new();
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::read) {
        let mut cpu = Family::new("process_cpu_seconds_total", "Time of processors, in seconds", &[]);
        cpu.add(std::iter::empty::<String>(), count(stat.ticks) / TICKS_PER_SECOND);
        families.extend(cpu.counters());
        families.extend(gauge("process_threads", "Threads", count(stat.threads)));
        let virtual_octets = count(stat.virtual_octets);
        families.extend(gauge("process_virtual_memory_bytes", "Address space in octets", virtual_octets));
        if let Some(started) = started(stat.started_ticks) {
            let help = "When it began, in seconds since 1970";
            families.extend(gauge("process_start_time_seconds", help, started));
        }
    }
    if let Some(resident) = resident() {
        families.extend(gauge("process_resident_memory_bytes", "Memory in octets", count(resident)));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        families.extend(gauge(
            "process_open_fds",
            "File descriptors that are open",
            count(open.count() as u64),
        ));
    }
    if let Some(max) = descriptors_max() {
        families.extend(gauge("process_max_fds", "File descriptors that may be open", count(max)));
    }
    families
}

/// How many files this process may have open.
pub(crate) fn descriptors_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// In seconds since 1970.
fn started(ticks: u64) -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let booted: u64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(count(booted) + count(ticks) / TICKS_PER_SECOND)
}

/// What is read of `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: u64,
    started_ticks: u64,
    virtual_octets: u64,
}

impl Stat {
    /// The name of the program stands in brackets, and may hold anything.
    fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // proc(5) counts from 1, and two fields stand before these.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            ticks: field(14)? + field(15)?,
            threads: field(20)?,
            started_ticks: field(22)?,
            virtual_octets: field(23)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read_whatever_the_program_is_called() {
        let line = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000000 300 18446744073709551615";
        let stat = Stat { ticks: 300, threads: 9, started_ticks: 12_345, virtual_octets: 1_000_000 };
        assert_eq!(Stat::read(line), Some(stat));
        assert_eq!(Stat::read("7 (x"), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        assert!(resident().unwrap() > 1024 * 1024);
        assert!(descriptors_max().unwrap() > 10);
        let names: Vec<String> = families().iter().map(|family| family.name().to_owned()).collect();
        assert!(names.iter().any(|name| name == "process_start_time_seconds"), "{names:?}");
    }
}
