//! `make demo`: every kind of verdict for those who cannot reach anybody's port 25.
//!
//! Starts the simulated mail internet of `tests/demo` on loopback and lets mailsonde verify what its `situations` hold:
//! lines of arguments, under a line that says what to expect. With `--stay` the internet remains until Enter or Ctrl-C,
//! for everybody's own attempts. Nothing leaves this machine.

use std::{
    io::{self, IsTerminal as _, Write},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use mailsonde_lab::{Internet, Net, Tally};
use mailsonde_tests::{mailsonde::Mailsonde, range};

const ZONE: &str = include_str!("../../demo/zone");
const HOSTS: &str = include_str!("../../demo/hosts.toml");
const SITUATIONS: &str = include_str!("../../demo/situations");

/// Nobody wants to wait for those who never answer as long as in earnest.
const IMPATIENCE: [(&str, &str); 2] =
    [("MAILSONDE_SMTP__CONNECT_TIMEOUT", "1s"), ("MAILSONDE_SMTP__REPLY_TIMEOUT", "2s")];

/// Of many verdicts, so many are shown.
const SHOWN_MAX: usize = 3;

/// The last QUIT may still be on its way when the program has ended, but not longer than this.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

fn main() -> Result<()> {
    let stay = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--stay") => true,
        Some(other) => bail!("{other}: the only option is --stay"),
    };
    let mut out = io::stdout().lock();
    let program = Mailsonde::path();
    let net = Internet::parse(ZONE, HOSTS)?.listen()?;
    writeln!(out, "A simulated mail internet is up on loopback, its name server at {}.", net.dns())?;
    for line in SITUATIONS.lines() {
        match line.strip_prefix('#') {
            Some(situation) => writeln!(out, "\n#{situation}")?,
            None => show(&mut out, &net, line)?,
        }
    }
    if stay {
        writeln!(out, "\nIt stays until you press Enter. To use it from another terminal:\n")?;
        for (name, value) in environment(&net) {
            writeln!(out, "export {name}='{value}'")?;
        }
        writeln!(out, "{} verify --explain jane.doe@known.test", program.display())?;
        io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

/// Runs `mailsonde verify` with these arguments, and says what that cost the mail servers.
fn show(out: &mut impl Write, net: &Net, line: &str) -> Result<()> {
    let mut args = vec!["verify".to_owned()];
    for arg in line.split_whitespace() {
        args.extend(range::expanded(arg)?);
    }
    // Of many addresses the verdicts are enough.
    let explain = if line.contains('{') { "" } else { " --explain" };
    args.extend(explain.split_whitespace().map(str::to_owned));
    writeln!(out, "$ mailsonde verify{explain} {line}")?;

    let colour = io::stdout().is_terminal().then_some(("CLICOLOR_FORCE", "1"));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let before = tally(net);
    let started = Instant::now();
    let run = Mailsonde::new(&args).env(environment(net)).env(colour).run()?;
    let took = started.elapsed();
    let lines: Vec<_> = run.stdout.lines().collect();
    let shown = if explain.is_empty() { lines.len().min(SHOWN_MAX) } else { lines.len() };
    for line in &lines[..shown] {
        writeln!(out, "{line}")?;
    }
    if shown < lines.len() {
        writeln!(out, "  … {} more", lines.len() - shown)?;
    }
    write!(out, "{}", run.stderr)?;
    let (connections, commands, round_trips) = cost(&before, &tally(net));
    writeln!(
        out,
        "  (connections {connections}, commands {commands}, round trips {round_trips}; {:.2} s)",
        took.as_secs_f64()
    )?;
    Ok(())
}

/// Where the internet is, and how long to wait there.
fn environment(net: &Net) -> impl Iterator<Item = (String, String)> {
    let impatience = IMPATIENCE.map(|(name, value)| (name.to_owned(), value.to_owned()));
    net.environment().into_iter().chain(impatience)
}

/// What was counted, once everybody has left.
fn tally(net: &Net) -> Tally {
    let started = Instant::now();
    loop {
        let tally = net.internet().counts().total;
        if tally.sessions_open == 0 || started.elapsed() > FAREWELL_MAX {
            return tally;
        }
        sleep(Duration::from_millis(1));
    }
}

/// Connections, commands and round trips between two counts.
fn cost(before: &Tally, after: &Tally) -> (u64, u64, u64) {
    (
        after.connections - before.connections,
        after.commands_total() - before.commands_total(),
        after.round_trips - before.round_trips,
    )
}
