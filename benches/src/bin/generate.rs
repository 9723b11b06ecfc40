//! Prints seeded addresses, one per line: `generate 1000000`.

use std::io::{self, BufWriter, Write};

fn main() -> anyhow::Result<()> {
    let count = std::env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let mut out = BufWriter::new(io::stdout().lock());
    for address in mailsonde_benches::addresses(count) {
        writeln!(out, "{address}")?;
    }
    Ok(out.flush()?)
}
