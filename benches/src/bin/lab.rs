//! The simulated mail internet for what is measured by scripts.
//!
//! `addresses COUNT DOMAINS`: prints addresses, a tenth of which are unknown, in the order of their domains.
//! `serve DOMAINS RTT_MS`: on loopback, a mail server for each of as many domains. Prints the environment in which
//! mailsonde finds it, as a JSON object, and stays until its standard input ends; then prints what it counted.
//! `people COMPANIES AT_EACH`: the same for companies with so many people, who stand beside the environment.

#![allow(clippy::print_stdout)] // the figures are its output

use std::{
    collections::BTreeMap,
    io::{Read as _, stdin},
    time::Duration,
};

use anyhow::{Result, bail};
use mailsonde_benches::lab::{addresses, domains};
use mailsonde_lab::{Host, Net, Person, Verb, internet_of, people};
use serde_json::json;

/// Of the people.
const SEED: u64 = 2_026;

/// Percent.
const UNKNOWN: usize = 10;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["addresses", count, of] => {
            println!("{}", addresses(count.parse()?, of.parse()?, UNKNOWN, 1).join("\n"));
        }
        ["serve", of, rtt_ms] => serve(of.parse()?, Duration::from_millis(rtt_ms.parse()?))?,
        ["people", companies, at_each] => find_them(companies.parse()?, at_each.parse()?)?,
        _ => bail!("lab addresses COUNT DOMAINS | serve DOMAINS RTT_MS | people COMPANIES AT_EACH"),
    }
    Ok(())
}

fn serve(of: usize, rtt: Duration) -> Result<()> {
    let net = domains(of, |_| Host::default())?.with_rtt(rtt).listen()?;
    println!("{}", json!(environment(&net)));
    stay(&net)
}

fn find_them(companies: usize, at_each: usize) -> Result<()> {
    let people = people(SEED, companies, at_each);
    let net = internet_of(&people)?.listen()?;
    let told = |person: &Person| {
        let Person { full_name, domain, address, is_usual } = person;
        json!({ "full_name": full_name, "email_domain": domain, "address": address, "is_usual": is_usual })
    };
    println!(
        "{}",
        json!({ "environment": environment(&net), "people": people.iter().map(told).collect::<Vec<_>>() })
    );
    stay(&net)
}

fn environment(net: &Net) -> BTreeMap<String, String> {
    net.environment().into_iter().collect()
}

/// Until the standard input ends; and then tells what was counted.
fn stay(net: &Net) -> Result<()> {
    stdin().read_to_end(&mut Vec::new())?;
    let total = net.internet().counts().total;
    println!("{}", json!({ "sessions": total.connections, "recipients": total.commands_of(Verb::Rcpt) }));
    Ok(())
}
