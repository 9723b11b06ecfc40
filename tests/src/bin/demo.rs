//! `make demo`: real verdicts for those who cannot reach anybody's port 25.
//!
//! Starts the lab of the tests and lets mailsonde verify one address per situation. With `--stay` the lab
//! remains until Enter or Ctrl-C, for everybody's own attempts.

use std::io::{self, Write as _};
use std::time::Instant;

use anyhow::{Result, bail};
use mailsonde_tests::mailsonde::Mailsonde;
use mailsonde_tests::real::Lab;

/// What to expect, and an address that shows it.
const SITUATIONS: &[(&str, &str)] = &[
    ("a mailbox that exists", "jane.doe@known.test"),
    ("one that does not", "no.such@known.test"),
    ("a domain that accepts everybody", "jane.doe@catch-all.test"),
    ("a full mailbox", "anna.full@states.test"),
    ("a disabled one", "paul.disabled@states.test"),
    ("a server that wants us to come back later", "jane.doe@greylist.test"),
    ("a server that refuses us by a blocklist", "jane.doe@blocklist.test"),
    ("a server that never greets", "jane.doe@slow.test"),
    ("a server that refuses connections", "jane.doe@refused.test"),
    ("the same with a second server that answers", "jane.doe@second.test"),
    ("a domain without mail (RFC 7505)", "jane.doe@null-mx.test"),
    ("a domain without MX, but with an address", "jane.doe@implicit.test"),
    ("a domain that does not exist", "jane.doe@no-such-domain.test"),
    ("a name server that fails", "jane.doe@broken.test"),
    ("no address at all", "jane.doe"),
];

/// Nobody wants to wait longer for the server that never greets.
const DEADLINE: (&str, &str) = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "3s");

fn main() -> Result<()> {
    let stay = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--stay") => true,
        Some(other) => bail!("{other}: the only option is --stay"),
    };
    let mut out = io::stdout();
    let started = Instant::now();
    let lab = Lab::start()?;
    writeln!(out, "Postfix and NSD are up on loopback after {:.1?}.", started.elapsed())?;
    for (situation, address) in SITUATIONS {
        writeln!(out, "\n# {situation}")?;
        let verify = Mailsonde::new(&["verify", address]).env(lab.environment()).env([DEADLINE]).run()?;
        write!(out, "{}{}", verify.stdout, verify.stderr)?;
    }
    if stay {
        writeln!(out, "\nThe lab stays until you press Enter. To use it from another terminal:\n")?;
        for (name, value) in lab.environment() {
            writeln!(out, "export {name}='{value}'")?;
        }
        writeln!(out, "{} verify jane.doe@known.test", Mailsonde::path().display())?;
        io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}
