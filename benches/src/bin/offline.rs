//! The offline pipeline on one core: `offline time|json|allocations COUNT` prints one JSON object.
//!
//! `time` and `json` run without counting, with and without the Verification object; `allocations` counts.
//! Instructions come from outside: `valgrind --tool=callgrind` on `time` and `json`.

use std::{alloc::System, io::Write, time::Duration};

use anyhow::{Result, bail};
use mailsonde::{Moment, OFFLINE_SKIPS, Parts, Shape, Verification, Verified, Verifier};
use mailsonde_config::Settings;
use mailsonde_engine::BATCH_MAX;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<()> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let count: usize = std::env::args().nth(2).map_or(Ok(100_000), |count| count.parse())?;
    let (with_json, inputs): (bool, Vec<String>) = match mode.as_str() {
        "time" => (false, mailsonde_benches::addresses(count).collect()),
        "json" => (true, mailsonde_benches::addresses(count).collect()),
        "allocations" => (false, mailsonde_benches::addresses(count).collect()),
        _ => bail!("usage: offline time|json|allocations COUNT"),
    };
    let settings = Settings::from_parts("", &[])?;
    let parts = Parts::new(&settings)?;
    let verifier = Verifier {
        pipeline: mailsonde::pipeline(&settings, &parts, "verify", OFFLINE_SKIPS)?,
        policy: mailsonde::policy(&settings)?,
        deadline: Duration::from_secs(600),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;

    let region = Region::new(COUNTING);
    let began = std::time::Instant::now();
    let mut sink = std::io::sink();
    let mut first_row = 1;
    let mut deliverable = 0_u64;
    for inputs in inputs.chunks(BATCH_MAX) {
        let batch = mailsonde::Inputs { first_row, inputs: inputs.to_vec() };
        first_row += inputs.len() as u64;
        let verified = runtime.block_on(verifier.verify(batch));
        deliverable += verified.verdicts.iter().filter(|v| v.address.is_some()).count() as u64;
        if with_json {
            write_json(&verified, &mut sink)?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let counted = region.change();
    let per = |n: usize| n as f64 / count as f64;
    println!(
        "{}",
        serde_json::json!({
            "mode": mode, "count": count, "seconds": seconds, "per_second": count as f64 / seconds,
            "valid": deliverable,
            "allocations_per_address": per(counted.allocations + counted.reallocations),
            "octets_per_address": per(counted.bytes_allocated),
        })
    );
    Ok(())
}

fn write_json(verified: &Verified, out: &mut impl Write) -> Result<()> {
    let moment: Moment = verified.moment;
    for verdict in &verified.verdicts {
        let object = Verification::of(verdict, moment, Shape { include_email: true, explain: false });
        serde_json::to_writer(&mut *out, &object)?;
    }
    Ok(())
}
