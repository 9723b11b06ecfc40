//! `mailsonde plugin bench`: what a plugin costs, in a table or as JSON.

use std::io::{self, Write};

use anyhow::Result;
use mailsonde_wasm::PluginError;
use serde_json::Map;

use super::{super::Usage, BenchArgs, component, usual_cases};
use crate::plugin::{Cases, Cost, measure};

/// Runs the command.
pub(super) fn run(args: &BenchArgs) -> Result<()> {
    let config = match args.cases.clone().or_else(|| usual_cases(&args.plugin)) {
        Some(file) => Cases::read(&file).map_err(|error| Usage(error.to_string()))?.config,
        None => Map::new(),
    };
    let cost = measure(&component(&args.plugin)?, &config).map_err(|error| {
        match error.downcast::<PluginError>() {
            Ok(error @ PluginError::Refused(_)) => {
                Usage(format!("{error}; what it gets is [config] of its cases, which --cases FILE names"))
                    .into()
            }
            Ok(error) => error.into(),
            Err(error) => error,
        }
    })?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &cost)?;
        return Ok(writeln!(out)?);
    }
    Ok(write(&mut out, &cost)?)
}

fn write(out: &mut impl Write, cost: &Cost) -> io::Result<()> {
    writeln!(out, "{:<28}{:>10} ms", "load, compiled anew", millis(cost.first_load_us))?;
    writeln!(out, "{:<28}{:>10} ms", "load, compiled before", millis(cost.load_us))?;
    writeln!(out, "{:<28}{:>10.1} µs", "fresh instance", cost.fresh_instance_us)?;
    writeln!(out, "\n{:<28}{:>10}   {:>10}", "µs an item, in a batch of", "warm", "fresh")?;
    for batch in &cost.batches {
        let (warm, fresh) = (batch.warm_us_per_item, batch.fresh_us_per_item);
        writeln!(out, "{:<28}{warm:>10.2}   {fresh:>10.2}", batch.items)?;
    }
    Ok(())
}

fn millis(micros: f64) -> String {
    format!("{:.1}", micros / 1e3)
}
