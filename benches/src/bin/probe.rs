//! What probing costs, counted by the simulated mail internet. Prints one JSON object.
//!
//! `cost UNKNOWN`, `flight`: the binary against the internet on loopback. `leaks`: the prober of this process against
//! the same. `goodput`, `greylist`: in memory, where half an hour passes at once.

#![allow(clippy::print_stdout)] // the figures are its output
#![allow(clippy::cast_precision_loss)] // counts of a benchmark fit

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use mailsonde::{Inputs, Parts, Verifier};
use mailsonde_benches::lab::{Way, addresses, domains};
use mailsonde_config::Settings;
use mailsonde_engine::{BATCH_MAX, Category, Policy, Verdict};
use mailsonde_lab::{Greylist, Host, Internet, Limits, Net, Pace, Tally, Tarpit, Verb, Window};
use mailsonde_net::SmtpConfig;
use serde_json::{Value, json};

/// Of the internet on loopback.
const RTT: Duration = Duration::from_millis(50);

/// Probes in flight at once, and sessions opened and closed.
const MANY: usize = 10_000;

/// What the strict server of `goodput` bears.
const SESSIONS_BORNE: u64 = 5;
const RECIPIENTS_BORNE: u64 = 60;

/// Recipients of `goodput`: half an hour's.
const RECIPIENTS: usize = 1_800;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let figures = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cost", binary, unknown] => cost(binary, unknown.parse()?)?,
        ["flight", binary] => flight(binary)?,
        ["leaks"] => leaks()?,
        ["goodput"] => paused(goodput())?,
        ["greylist"] => paused(greylist())?,
        _ => bail!("probe cost BINARY UNKNOWN | flight BINARY | leaks | goodput | greylist"),
    };
    println!("{figures}");
    Ok(())
}

/// 1,000 addresses at ten domains with a mail server each.
fn cost(binary: &str, unknown: usize) -> Result<Value> {
    const COUNT: usize = 1_000;
    let net = domains(10, |_| Host::default())?.with_rtt(RTT).listen()?;
    let began = Instant::now();
    let (output, _) = run(binary, &net, &[], &addresses(COUNT, 10, unknown, 1))?;
    let seconds = began.elapsed().as_secs_f64();
    let answered = answered(&output, unknown * COUNT / 100)?;
    // What is counted at the end of a session comes a moment after the program's.
    let counts = settled(net.internet());
    let per_address = |count: u64| count as f64 / COUNT as f64;
    Ok(json!({
        "connections": per_address(counts.connections),
        "commands": per_address(counts.commands_total()),
        "round_trips": per_address(counts.round_trips),
        "dns_queries": per_address(net.internet().counts().dns_queries()),
        "answered": answered,
        "seconds": seconds,
    }))
}

/// As many addresses, each with a mail server of its own, all at once.
fn flight(binary: &str) -> Result<Value> {
    // So slow that all of them are open before the first one ends.
    let tarpit = Tarpit { rcpt: Duration::from_secs(9), ..Tarpit::default() };
    let net = crowd(tarpit)?.listen()?;
    let sessions = MANY.to_string();
    let settings = [("MAILSONDE_SMTP__SESSIONS_MAX", &*sessions), ("MAILSONDE_SMTP__KEEP_WARM", "0s")];
    let (output, peak_kib) = run(binary, &net, &settings, &addresses(MANY, MANY, 0, 1))?;
    let counts = settled(net.internet());
    Ok(json!({
        "peak_mib": peak_kib / 1024,
        "sessions_most": counts.sessions_most,
        "answered": answered(&output, 0)?,
    }))
}

/// As many sessions of this process, a thousand at a time; what is left when they are gone.
fn leaks() -> Result<Value> {
    let net = crowd(Tarpit::default())?.listen()?;
    let mut environment = net.environment();
    environment.push(("MAILSONDE_SMTP__SESSIONS_MAX".into(), "1000".into()));
    let environment: Vec<_> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
    let settings = Settings::from_parts("", &environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let open = || fs::read_dir("/proc/self/fd").map(Iterator::count);
    let parts = Parts::new(&settings)?;
    let pipeline = mailsonde::pipeline(&settings, &parts, "verify", &["domain-trust"])?;
    let verifier = Verifier::new(pipeline, Policy::default(), Duration::from_mins(5));
    let all = addresses(MANY, MANY, 0, 1);
    let run = |addresses: &[String]| {
        let inputs = Inputs { first_row: 1, inputs: addresses.to_vec() };
        runtime.block_on(async {
            verifier.verify(inputs).await;
            // Without a session that is kept.
            while parts.smtp().is_some_and(|smtp| smtp.sessions() > 0) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    };
    // The first one opens what stays open: the resolver's sockets, the runtime's.
    run(&all[..1]);
    let (before, tasks_before) = (open()?, runtime.metrics().num_alive_tasks());
    all[1..].chunks(BATCH_MAX).for_each(run);
    settled(net.internet());
    Ok(json!({
        "sessions": net.internet().counts().total.connections,
        "descriptors_left": open()?.saturating_sub(before),
        "tasks_left": runtime.metrics().num_alive_tasks().saturating_sub(tasks_before),
    }))
}

/// A server that bears five sessions and sixty recipients a minute, and a user who allows more.
async fn goodput() -> Result<Value> {
    let pace = Pace { recipients: RECIPIENTS_BORNE, window: Window::Sliding, ..Pace::default() };
    let limits = Limits { sessions: Some(SESSIONS_BORNE), pace: Some(pace), ..Limits::default() };
    let internet =
        Arc::new(domains(1, |_| Host { limits: limits.clone(), ..Host::default() })?.with_rtt(RTT));
    let config = SmtpConfig { sessions_per_mx_max: 20, ..config() };
    let pipeline = Way(internet.clone()).pipeline(config)?;
    let verifier = Verifier::new(pipeline, Policy::default(), Duration::from_hours(10));
    let began = tokio::time::Instant::now();
    let all = addresses(RECIPIENTS, 1, 0, 1);
    let first_minute = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        internet.counts().total
    };
    let whole = async {
        let mut verdicts: Vec<Verdict> = Vec::new();
        for inputs in all.chunks(BATCH_MAX) {
            verdicts.extend(verifier.verify(Inputs { first_row: 1, inputs: inputs.to_vec() }).await.verdicts);
        }
        (verdicts, began.elapsed())
    };
    let (first, (verdicts, took)) = tokio::join!(first_minute, whole);
    let total = internet.counts().total;
    let minutes = (took.as_secs_f64() - 60.0) / 60.0;
    let share = |tally: &Tally| tally.refused_for_rate as f64 / (tally.accepted + tally.rejected) as f64;
    Ok(json!({
        "goodput": (total.accepted - first.accepted) as f64 / minutes / RECIPIENTS_BORNE as f64,
        "refused": share(&total),
        "sessions_most": total.sessions_most,
        "minutes": took.as_secs_f64() / 60.0,
        "deliverable": share_of(&verdicts, Category::Deliverable),
    }))
}

/// Servers that want strangers to come back after five minutes.
async fn greylist() -> Result<Value> {
    let greylist = Greylist { delay: Duration::from_mins(5), ..Greylist::default() };
    let host = move |_| Host { greylist: Some(greylist.clone()), ..Host::default() };
    let internet = Arc::new(domains(10, host)?.with_rtt(RTT));
    let pipeline = Way(internet.clone()).pipeline(config())?;
    let verifier = Verifier::new(pipeline, Policy::default(), Duration::from_mins(1))
        .with_patience(Duration::from_mins(30));
    let all = addresses(500, 10, 20, 1);
    let count = all.len();
    let verdicts = verifier.verify(Inputs { first_row: 1, inputs: all }).await.verdicts;
    let total = internet.counts().total;
    Ok(json!({
        "resolved": 1.0 - share_of(&verdicts, Category::Unknown),
        "tries": total.commands_of(Verb::Rcpt) as f64 / count as f64,
        "deliverable": share_of(&verdicts, Category::Deliverable),
    }))
}

fn paused(scenario: impl Future<Output = Result<Value>>) -> Result<Value> {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(scenario)
}

fn config() -> SmtpConfig {
    SmtpConfig {
        hello_name: "probe.lab.test".into(),
        mail_from: "probe@lab.test".into(),
        destinations: mailsonde_net::Destinations::Any,
        ..SmtpConfig::default()
    }
}

/// [`MANY`] domains with a mail host each, all of them names of one server.
fn crowd(tarpit: Tarpit) -> Result<Internet> {
    let domain = |n| format!("d{n}.test MX 10 mx{n}.test\nmx{n}.test HOST mx.test");
    let zone: Vec<_> = (0..MANY).map(domain).collect();
    let host = Host { accepts: vec!["user*".into()], tarpit, ..Host::default() };
    Ok(Internet::new(&zone.join("\n"), BTreeMap::from([("mx.test".into(), host)]))?.with_rtt(RTT))
}

/// Runs the binary over the addresses; its output and its peak of resident memory in KiB.
fn run(
    binary: &str,
    net: &Net,
    settings: &[(&str, &str)],
    addresses: &[String],
) -> Result<(Vec<Value>, u64)> {
    let mut child = Command::new(binary)
        .args(["verify", "--format", "jsonl", "--deadline", "5m", "-"])
        .envs(net.environment())
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| binary.to_owned())?;
    let mut stdin = child.stdin.take().context("its standard input")?;
    let lines = addresses.join("\n");
    let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let status = format!("/proc/{}/status", child.id());
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        // The kernel keeps the peak; only what comes within the last moment is missed.
        while let Some(now) = fs::read_to_string(&status).ok().and_then(|status| peak_of(&status)) {
            peak = now;
            thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{binary}: {}", output.status);
    writer.join().map_err(|_| anyhow::anyhow!("writing the addresses"))??;
    let peak = watcher.join().map_err(|_| anyhow::anyhow!("watching the memory"))?;
    let lines = String::from_utf8(output.stdout)?;
    Ok((lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?, peak))
}

/// `None` when the process has no memory any more.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// The share of right answers: `user…` deliverable, `gone…` undeliverable. Fails when the numbers do not fit.
fn answered(output: &[Value], unknown: usize) -> Result<f64> {
    let is_right = |it: &&Value| {
        let is_known = it["email"].as_str().is_some_and(|email| email.starts_with("user"));
        it["category"] == if is_known { "deliverable" } else { "undeliverable" }
    };
    let gone = output.iter().filter(|it| it["email"].as_str().is_some_and(|e| e.starts_with("gone"))).count();
    ensure!(gone == unknown, "{gone} unknown recipients, not {unknown}");
    Ok(output.iter().filter(is_right).count() as f64 / output.len() as f64)
}

fn share_of(verdicts: &[Verdict], category: Category) -> f64 {
    verdicts.iter().filter(|verdict| verdict.judgement.category == category).count() as f64
        / verdicts.len() as f64
}

/// The counts, once every session has ended.
fn settled(internet: &Internet) -> Tally {
    for _ in 0..500 {
        if internet.counts().total.sessions_open == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    internet.counts().total
}
