//! The offline pipeline on one core: `offline time|json|allocations COUNT` prints one JSON object.
//!
//! `time` and `json` are for the clock and for counting instructions from outside, without and with the Verification
//! object; `allocations` is for what the counting allocator saw.

#![allow(clippy::print_stdout)] // figures are the output
#![allow(clippy::cast_precision_loss)] // counts far below 2^53

use std::{alloc::System, io::Write, time::Duration};

use anyhow::{Context, Result, ensure};
use mailsonde::{Inputs, OFFLINE_SKIPS, Parts, Shape, Verification, Verified, Verifier};
use mailsonde_config::Settings;
use mailsonde_engine::BATCH_MAX;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mode = args.next().context("usage: offline time|json|allocations COUNT")?;
    ensure!(["time", "json", "allocations"].contains(&mode.as_str()), "there is no mode `{mode}`");
    let count: usize = args.next().map_or(Ok(100_000), |count| count.parse())?;
    let addresses: Vec<String> = mailsonde_benches::addresses(count).collect();
    let verifier = offline_verifier()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;

    let region = Region::new(COUNTING);
    let began = std::time::Instant::now();
    let mut valid = 0;
    for inputs in addresses.chunks(BATCH_MAX) {
        let batch = runtime.block_on(verifier.verify(Inputs { first_row: 1, inputs: inputs.to_vec() }));
        valid += batch.verdicts.iter().filter(|verdict| verdict.address.is_some()).count();
        if mode == "json" {
            write_json(&batch, &mut std::io::sink())?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let counted = region.change();
    let figures = serde_json::json!({
        "count": count,
        "valid": valid,
        "seconds": seconds,
        "per_second": count as f64 / seconds,
        "allocations_per_address": (counted.allocations + counted.reallocations) as f64 / count as f64,
        "octets_per_address": counted.bytes_allocated as f64 / count as f64,
    });
    println!("{figures}");
    Ok(())
}

fn offline_verifier() -> Result<Verifier> {
    let settings = Settings::from_parts("", &[])?;
    let pipeline = mailsonde::pipeline(&settings, &Parts::new(&settings)?, "verify", OFFLINE_SKIPS)?;
    Ok(Verifier::new(pipeline, mailsonde::policy(&settings)?, Duration::from_mins(10)))
}

fn write_json(batch: &Verified, out: &mut impl Write) -> Result<()> {
    let shape = Shape { include_email: true, explain: false };
    for verdict in &batch.verdicts {
        serde_json::to_writer(&mut *out, &Verification::of(verdict, batch.moment, shape))?;
    }
    Ok(())
}
