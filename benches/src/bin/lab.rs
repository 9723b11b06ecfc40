//! The simulated mail internet for what is measured by scripts.
//!
//! `addresses COUNT DOMAINS`: prints addresses, a tenth of which are unknown, in the order of their domains.
//! `serve DOMAINS RTT_MS`: on loopback, a mail server for each of as many domains. Prints the environment in which
//! mailsonde finds it, as a JSON object, and stays until its standard input ends; then prints what it counted.

#![allow(clippy::print_stdout)] // the figures are its output

use std::{
    collections::BTreeMap,
    io::{Read as _, stdin},
    time::Duration,
};

use anyhow::{Result, bail};
use mailsonde_benches::lab::{addresses, domains};
use mailsonde_lab::{Host, Verb};
use serde_json::json;

/// Percent.
const UNKNOWN: usize = 10;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["addresses", count, of] => {
            println!("{}", addresses(count.parse()?, of.parse()?, UNKNOWN, 1).join("\n"));
        }
        ["serve", of, rtt_ms] => serve(of.parse()?, Duration::from_millis(rtt_ms.parse()?))?,
        _ => bail!("lab addresses COUNT DOMAINS | serve DOMAINS RTT_MS"),
    }
    Ok(())
}

fn serve(of: usize, rtt: Duration) -> Result<()> {
    let net = domains(of, |_| Host::default())?.with_rtt(rtt).listen()?;
    println!("{}", json!(net.environment().into_iter().collect::<BTreeMap<_, _>>()));
    stdin().read_to_end(&mut Vec::new())?;
    let total = net.internet().counts().total;
    println!("{}", json!({ "sessions": total.connections, "recipients": total.commands_of(Verb::Rcpt) }));
    Ok(())
}
