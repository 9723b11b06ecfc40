//! Verifies the addresses on standard input with check-if-email-exists, for comparison with mailsonde.
//!
//! All by SMTP: no headless browser, no Gravatar, no Have I Been Pwned, no operator's web pages. The library
//! resolves names through `/etc/resolv.conf`, so where this must not reach the world, that file has to say so.

use std::io::{self, BufWriter, Write};
use std::time::Instant;

use anyhow::Result;
use check_if_email_exists::smtp::verif_method::{
    HotmailB2CVerifMethod, VerifMethod, VerifMethodSmtpConfig, YahooVerifMethod,
};
use check_if_email_exists::{CheckEmailInput, CheckEmailOutput, check_email};
use clap::Parser;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

#[derive(Parser)]
struct Arguments {
    /// Addresses at a time; the library opens a connection for each.
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    #[arg(long, default_value_t = 25)]
    port: u16,
    /// What it calls itself in EHLO.
    #[arg(long)]
    hello_name: String,
    /// What it gives in MAIL FROM.
    #[arg(long)]
    mail_from: String,
}

/// A JSON line per address as it is known, then one with the seconds from the first question to the last answer.
#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let method = by_smtp(&arguments);
    let addresses: Vec<String> = io::stdin().lines().collect::<io::Result<_>>()?;
    let began = Instant::now();
    let mut answers = stream::iter(addresses)
        .map(|address| {
            let input = CheckEmailInput {
                to_email: address,
                verif_method: method.clone(),
                ..CheckEmailInput::default()
            };
            // A task each, so that all cores serve it.
            tokio::spawn(async move { check_email(&input).await })
        })
        .buffer_unordered(arguments.concurrency);
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(answer) = answers.next().await {
        writeln!(out, "{}", in_short(&answer?))?;
    }
    writeln!(out, "{}", json!({ "seconds": began.elapsed().as_secs_f64() }))?;
    Ok(out.flush()?)
}

fn by_smtp(arguments: &Arguments) -> VerifMethod {
    let smtp = VerifMethodSmtpConfig {
        from_email: arguments.mail_from.clone(),
        hello_name: arguments.hello_name.clone(),
        smtp_port: arguments.port,
        ..VerifMethodSmtpConfig::default()
    };
    VerifMethod {
        // The constructor leaves these two to browsers.
        hotmailb2c: HotmailB2CVerifMethod::Smtp(smtp.clone()),
        yahoo: YahooVerifMethod::Smtp(smtp.clone()),
        ..VerifMethod::new_with_same_config_for_all(
            None,
            smtp.hello_name,
            smtp.from_email,
            smtp.smtp_port,
            smtp.smtp_timeout,
            smtp.retries,
        )
    }
}

/// `is_deliverable` is null where there was no answer, and `error` says why.
fn in_short(output: &CheckEmailOutput) -> Value {
    json!({
        "address": output.input,
        "reachable": output.is_reachable,
        "is_deliverable": output.smtp.as_ref().ok().map(|smtp| smtp.is_deliverable),
        "error": output.smtp.as_ref().err().map(ToString::to_string),
    })
}
