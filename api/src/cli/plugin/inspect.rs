//! `mailsonde plugin inspect`: what a component is, what it needs, and what pins it.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::Result;
use mailsonde_engine::Authority;
use mailsonde_wasm::{Inspection, InstanceKind, PluginConfig, SLOT_DEADLINE};
use serde_json::json;

use super::{InspectArgs, component, host, write_line};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &InspectArgs) -> Result<()> {
    let path = component(&args.plugin)?;
    let inspection = host(config)?.inspect(&path)?;
    let limits = PluginConfig::new(&path);
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &as_json(&inspection, &limits))?;
        return Ok(writeln!(out)?);
    }
    write(&mut out, &inspection, &limits)?;
    Ok(())
}

fn write(out: &mut impl Write, inspection: &Inspection, limits: &PluginConfig) -> io::Result<()> {
    let said = &inspection.description;
    let mut line = |name: &str, value: &str| {
        let value = if value.is_empty() { "nothing" } else { value };
        write_line(out, name, value)
    };
    line("plugin", &format!("{} {}", said.id, said.version))?;
    line("world", inspection.world)?;
    line("reads", &said.reads.join(", "))?;
    line("may read", &said.may_read.join(", "))?;
    line("writes", &said.writes.join(", "))?;
    line("imports", &inspection.imports.join(", "))?;
    line("size", &format!("{} octets", inspection.octets))?;
    line(
        "limits",
        &format!(
            "memory_max = \"{}\", cpu_max = \"{}\" a call of up to {}, deadline = \"{}\" a batch, instances_max = {}",
            limits.memory_max,
            humantime::format_duration(limits.cpu_max),
            said.call_subjects,
            humantime::format_duration(SLOT_DEADLINE),
            limits.instances_max,
        ),
    )?;
    writeln!(out, "\nto paste into its table:")?;
    let grants: Vec<_> = inspection.grants.iter().map(|grant| format!("\"{grant}\"")).collect();
    if !grants.is_empty() {
        writeln!(out, "grants = [{}]", grants.join(", "))?;
    }
    writeln!(out, "sha256 = \"{}\"", inspection.digest)
}

fn as_json(inspection: &Inspection, limits: &PluginConfig) -> serde_json::Value {
    let said = &inspection.description;
    json!({
        "id": said.id,
        "version": said.version,
        "world": inspection.world,
        "reads": said.reads,
        "may_read": said.may_read,
        "writes": said.writes,
        "imports": inspection.imports,
        "exports": inspection.exports,
        "grants": inspection.grants,
        "octets": inspection.octets,
        "sha256": inspection.digest,
        "limits": {
            "memory_max": limits.memory_max.as_u64(),
            "cpu_max_ms": millis(limits.cpu_max),
            "deadline_ms": millis(SLOT_DEADLINE),
            "call_subjects": said.call_subjects,
            "instances_max": limits.instances_max,
        },
        "defaults": { "instance": InstanceKind::default(), "authority": Authority::default() },
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
