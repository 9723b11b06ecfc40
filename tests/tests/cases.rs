//! Every folder of `tests/cases`: a mail internet, addresses, and what the program has to say about them.
//!
//! A folder holds `zone`, `hosts.toml` (both as `mailsonde-lab` reads them) and `case.toml`:
//!
//! ```toml
//! about = "One sentence: what the case is about."
//! args = ["--patience", "5s"]               # further arguments of `verify`, if any
//! seconds_max = 3                           # how long it may take; 10 unless it says
//! status = 1                                # how it has to end, if not well; then answers may be missing
//! stderr = "no mail server can be reached"  # a part of the one line that it has to say about that
//! config.smtp.reply_timeout = "1s"          # configuration, if any
//! count.total = { connections = 1, rcpt = "<=3" }
//! count."mx.a.test".connections = 0
//! [[expect]]
//! address = "jane@a.test"                   # or several: "member{1..30}@a.test"
//! category = "deliverable"                  # whatever is left out may be anything
//! reason = ""                               # "" for none
//! evidence = "250 2.1.5 Ok"                 # a part of it, which takes `--explain`
//! ```
//!
//! Adding a bug is adding a folder. No case may breach the protocol or come near DATA, so none has to say so.
//! `CASE=name` runs only those whose names contain it.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use mailsonde_lab::{Counts, Internet, Tally, Verb, Violations};
use mailsonde_tests::{
    mailsonde::{Mailsonde, Run},
    range,
};
use serde::Deserialize;
use serde_json::Value;

/// Cases that run at the same time. They mostly wait.
const AT_ONCE: usize = 8;

/// How long a case may take that does not say, in seconds.
const SECONDS_MAX: u64 = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default)]
    args: Vec<String>,
    seconds_max: Option<u64>,
    #[serde(default)]
    status: i32,
    stderr: Option<String>,
    #[serde(default)]
    config: toml::Table,
    /// By host name, or `total`; then by the name of a count.
    #[serde(default)]
    count: BTreeMap<String, BTreeMap<String, Bound>>,
    expect: Vec<Expect>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    address: String,
    category: Option<String>,
    /// `""` for none.
    reason: Option<String>,
    catch_all: Option<bool>,
    mx_records: Option<Vec<String>>,
    /// `""` for none.
    provider: Option<String>,
    evidence: Option<String>,
}

/// `3` or `"<=3"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Bound {
    Exactly(u64),
    Compared(String),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::Compared(text) => f.write_str(text),
        }
    }
}

impl Bound {
    fn holds(&self, count: u64) -> Result<bool> {
        let compared = match self {
            Self::Exactly(wanted) => return Ok(count == *wanted),
            Self::Compared(text) => text,
        };
        let number = |text: &str| text.trim().parse::<u64>().with_context(|| format!("bound {compared}"));
        if let Some(most) = compared.strip_prefix("<=") {
            return Ok(count <= number(most)?);
        }
        let least = compared.strip_prefix(">=").with_context(|| format!("bound {compared}: no <= or >="))?;
        Ok(count >= number(least)?)
    }
}

impl Expect {
    /// One for each number of `{1..30}`, or itself alone.
    fn expanded(self) -> Result<Vec<Self>> {
        let addresses = range::expanded(&self.address)?;
        Ok(addresses.into_iter().map(|address| Self { address, ..self.clone() }).collect())
    }

    /// What is not as expected.
    fn differences(&self, said: &Value) -> Vec<String> {
        let domain = &said["details"]["domain"];
        let text = |value: &Option<String>| {
            value.as_ref().map(|text| if text.is_empty() { Value::Null } else { text.as_str().into() })
        };
        let mut differences: Vec<_> = [
            ("category", text(&self.category), &said["category"]),
            ("reason", text(&self.reason), &said["reason"]),
            ("provider", text(&self.provider), &domain["provider"]),
            ("is_catch_all", self.catch_all.map(Value::from), &domain["is_catch_all"]),
            ("mx_records", self.mx_records.clone().map(Value::from), &domain["mx_records"]),
        ]
        .into_iter()
        .filter_map(|(what, wanted, actual)| Some((what, wanted.filter(|wanted| wanted != actual)?, actual)))
        .map(|(what, wanted, actual)| format!("{}: {what} is {actual}, not {wanted}", self.address))
        .collect();
        if let Some(part) = &self.evidence
            && !said["evidence"].to_string().contains(part)
        {
            differences.push(format!("{}: {part} is not in {}", self.address, said["evidence"]));
        }
        differences
    }
}

#[test]
fn every_case_is_as_it_says() {
    let only = std::env::var("CASE").unwrap_or_default();
    let folders = folders(&only).expect("the cases");
    assert!(!folders.is_empty(), "no case has {only} in its name");
    Mailsonde::path(); // built before anything is timed
    let (waiting, failed) = (Mutex::new(folders.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(folder) = { waiting.lock().unwrap().next() } {
                    let name = folder.file_name().unwrap_or_default().to_string_lossy();
                    if let Err(error) = run(folder) {
                        failed.lock().unwrap().push(format!("{name}: {error:#}"));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    assert!(failed.is_empty(), "{} of {} cases:\n\n{}", failed.len(), folders.len(), failed.join("\n\n"));
}

fn folders(only: &str) -> Result<Vec<PathBuf>> {
    let all = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|folder| folder.to_string_lossy().contains(only)).collect())
}

/// Runs one case.
fn run(folder: &Path) -> Result<()> {
    let read = |name| fs::read_to_string(folder.join(name)).with_context(|| format!("its {name}"));
    let mut case: Case = toml::from_str(&read("case.toml")?).context("its case.toml")?;
    let expects = case.expect.into_iter().map(Expect::expanded).collect::<Result<Vec<_>>>()?;
    case.expect = expects.into_iter().flatten().collect();
    let net = Internet::parse(&read("zone")?, &read("hosts.toml")?)?.listen()?;
    let args: Vec<_> = ["verify", "--format", "jsonl", "-"]
        .into_iter()
        .chain(case.args.iter().map(String::as_str))
        .collect();
    let started = Instant::now();
    let run = Mailsonde::new(&args)
        .env(net.environment())
        .env(environment(&case.config))
        .stdin(case.expect.iter().flat_map(|expect| [&*expect.address, "\n"]).collect::<String>())
        .run()?;
    let took = started.elapsed();
    let said = said(&case, &run)?;
    let mut wrong = differences(&case, &said, &net.internet().counts())?;
    if took.as_secs() >= case.seconds_max.unwrap_or(SECONDS_MAX) {
        wrong.push(format!("it took {took:.1?}"));
    }
    ensure!(wrong.is_empty(), "{}\n  {}", case.about, wrong.join("\n  "));
    Ok(())
}

/// The answers of a run that ended as it has to.
fn said(case: &Case, run: &Run) -> Result<Vec<Value>> {
    ensure!(run.status.code() == Some(case.status), "the program: {}: {}", run.status, run.stderr);
    if let Some(part) = &case.stderr {
        let is_the_line = run.stderr.lines().count() == 1 && run.stderr.contains(part);
        ensure!(is_the_line, "not one line with {part:?}: {}", run.stderr);
    }
    run.stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// Keys of the configuration as the environment has them.
fn environment(config: &toml::Table) -> Vec<(String, String)> {
    fn add(prefix: &str, table: &toml::Table, variables: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.to_uppercase());
            match value {
                toml::Value::Table(table) => add(&format!("{name}__"), table, variables),
                toml::Value::String(text) => variables.push((name, text.clone())),
                other => variables.push((name, other.to_string())),
            }
        }
    }
    let mut variables = Vec::new();
    add("MAILSONDE_", config, &mut variables);
    variables
}

/// Everything that is not as the case says.
fn differences(case: &Case, said: &[Value], counts: &Counts) -> Result<Vec<String>> {
    let emails = said.iter().map(|it| it["email"].as_str().unwrap_or_default());
    let answered = if case.status == 0 { case.expect.len() } else { said.len().min(case.expect.len()) };
    ensure!(
        emails.eq(case.expect[..answered].iter().map(|expect| &*expect.address)),
        "not one answer each, in order: {said:#?}"
    );
    let mut wrong: Vec<_> =
        case.expect.iter().zip(said).flat_map(|(expect, said)| expect.differences(said)).collect();
    if counts.total.violations != Violations::default() {
        wrong.push(format!("the protocol was breached: {:?}", counts.total.violations));
    }
    for (host, bounds) in &case.count {
        for (what, bound) in bounds {
            let count = count(counts, host, what)?;
            if !bound.holds(count)? {
                wrong.push(format!("{host}: {what} is {count}, not {bound}"));
            }
        }
    }
    Ok(wrong)
}

/// The count of that name.
fn count(counts: &Counts, host: &str, what: &str) -> Result<u64> {
    if host == "dns" {
        return Ok(match what {
            "queries" => counts.dns_queries(),
            name => counts.dns.iter().filter(|((asked, _), _)| asked == name).map(|(_, times)| times).sum(),
        });
    }
    let tally: &Tally = match host {
        "total" => &counts.total,
        host => counts.hosts.get(host).with_context(|| format!("count of {host}, which is no host"))?,
    };
    let of = |verb| tally.commands_of(verb);
    Ok(match what {
        "connections" => tally.connections,
        "sessions_most" => tally.sessions_most,
        "commands" => tally.commands_total(),
        "ehlo" => of(Verb::Ehlo),
        "mail" => of(Verb::Mail),
        "rcpt" => of(Verb::Rcpt),
        "rset" => of(Verb::Rset),
        "starttls" => of(Verb::StartTls),
        "round_trips" => tally.round_trips,
        "accepted" => tally.accepted,
        "rejected" => tally.rejected,
        "refused_for_rate" => tally.refused_for_rate,
        "handshakes" => tally.handshakes,
        other => bail!("nothing is counted as {other}"),
    })
}
