//! `mailsonde verify`: inputs in, verdicts out, streaming.

use std::{
    fmt,
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
    sync::Arc,
    thread,
};

use anstream::eprintln;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use mailsonde_config::Settings;
use mailsonde_engine::{Finding, ProbeFailure, Recorded};
use mailsonde_net::{Outage, SmtpProber};
use tokio::sync::mpsc;

use super::{
    Usage,
    args::{Format, VerifyArgs},
    human::FAINT,
    input,
    output::Output,
    pipeline_named,
};
use crate::{
    assembly::{self, Assembled, Choice, Parts, STAGES},
    reload::keep_plugins_fresh,
    verify::{Inputs, Order, Verified, Verifier},
};

/// Batches that may wait between the reader and the pipeline.
const BATCHES_WAITING_MAX: usize = 2;

/// No mail host can be reached from here: nothing would come of going on.
#[derive(Debug, thiserror::Error)]
#[error("{0}; `--no-smtp` verifies without asking mail servers")]
struct Unreachable(Outage);

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &VerifyArgs) -> Result<()> {
    let source = Source::of(args)?;
    let settings = Settings::load(config)?;
    let parts = Parts::new(&settings)?.with_syntax_policy(args.syntax_policy);
    let verifier = Arc::new(verifier(&settings, &parts, args)?);
    let is_single = matches!(&source, Source::Arguments(addresses) if addresses.len() == 1);
    let mut output = Output::new(args.format, args.explain, args.as_completed, is_single)?;
    let order = if args.as_completed { Order::Completed } else { Order::Submitted };
    let progress = progress(source.len());

    let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
    let reader = thread::spawn(move || source.send(&sender));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let plugins = parts.plugins();
    if !plugins.is_empty() {
        let _within = runtime.enter();
        tokio::spawn(keep_plugins_fresh(plugins));
    }
    let streamed = runtime.block_on(verifier.stream(receiver, order, |batch| {
        let outage = parts.smtp().and_then(SmtpProber::outage);
        let batch = if outage.is_some() { before_outage(batch) } else { batch };
        progress.inc(batch.verdicts.len() as u64);
        output.write(&batch)?;
        outage.map_or(Ok(()), |outage| Err(io::Error::other(Unreachable(outage))))
    }));
    progress.finish_and_clear();
    if let Some(prober) = parts.smtp() {
        runtime.block_on(prober.close());
    }
    // A reader that waits for a terminal cannot be joined once nobody wants its lines.
    streamed?;
    reader.join().map_err(|_| anyhow::anyhow!("reading the input panicked"))??;
    output.finish()?;
    // A name server that is still silent must not hold the process.
    runtime.shutdown_background();
    Ok(())
}

/// The verdicts up to the first one for which nobody could be asked. Those whose servers stayed silent before that was
/// known are no better.
fn before_outage(mut batch: Verified) -> Verified {
    use ProbeFailure::{EgressDown, NotItsTurn, Timeout};
    let is_cut = |recorded: &Recorded| {
        matches!(recorded.finding, Finding::ProbeFailed(EgressDown | NotItsTurn | Timeout))
    };
    let first = batch.verdicts.iter().position(|verdict| verdict.evidence.findings.iter().any(is_cut));
    batch.verdicts.truncate(first.unwrap_or(usize::MAX));
    batch
}

fn verifier(settings: &Settings, parts: &Parts<'_>, args: &VerifyArgs) -> Result<Verifier> {
    let choice = Choice {
        ask_anybody: !args.offline,
        check_smtp: !args.no_smtp,
        suggest_typo: !args.no_typo,
        check_random: !args.no_random,
        check_domain_trust: args.domain_trust,
    };
    let left_out = choice.skips(settings)?;
    let skips: Vec<&str> = left_out.iter().map(String::as_str).collect();
    let stages = pipeline_named(settings, &args.pipeline)?.stages;
    let Assembled { pipeline, bereft } = assembly::assemble(settings, parts, &args.pipeline, &skips)?;
    if args.explain {
        let is_plugin = |name: &&String| !STAGES.iter().any(|kind| kind.name == **name);
        for plugin in left_out.iter().filter(is_plugin).filter(|name| stages.contains(name)) {
            tell_on_stderr(&format!("`{plugin}` is left out: it asks DNS"));
        }
        for lost in &bereft {
            tell_on_stderr(lost);
        }
    }
    let verifier = Verifier::new(pipeline, assembly::policy(settings)?, args.deadline);
    Ok(verifier.with_patience(args.patience))
}

#[allow(clippy::print_stderr)] // what is told beside the verdicts
fn tell_on_stderr(text: &impl fmt::Display) {
    eprintln!("{FAINT}{text}{FAINT:#}");
}

/// Where the addresses come from.
enum Source {
    Arguments(Vec<String>),
    /// Lines, and how many there are where that is known.
    Lines(Box<dyn Read + Send>, Option<u64>),
}

impl Source {
    fn of(args: &VerifyArgs) -> Result<Self> {
        if args.as_completed && !matches!(args.format, Format::Jsonl | Format::Human) {
            return Err(
                Usage("--as-completed prints row numbers, which only jsonl and human have".into()).into()
            );
        }
        if let Some(path) = &args.input {
            let file = File::open(path).map_err(|error| Usage(format!("{}: {error}", path.display())))?;
            return Ok(Self::Lines(Box::new(file), input::count_lines(path)));
        }
        match args.addresses.as_slice() {
            [] if io::stdin().is_terminal() => {
                Err(Usage("no address: name one, or `-` to type them, or --input FILE".into()).into())
            }
            [] => Ok(Self::Lines(Box::new(io::stdin()), None)),
            [dash] if dash == "-" => Ok(Self::Lines(Box::new(io::stdin()), None)),
            addresses if addresses.iter().any(|address| address == "-") => {
                Err(Usage("`-` reads standard input and stands alone".into()).into())
            }
            addresses => {
                Ok(Self::Arguments(addresses.iter().map(|address| address.trim().to_owned()).collect()))
            }
        }
    }

    /// How many inputs there are, where that is known.
    fn len(&self) -> Option<u64> {
        match self {
            Self::Arguments(addresses) => Some(addresses.len() as u64),
            Self::Lines(_, len) => *len,
        }
    }

    /// Sends the inputs in batches, until they end or nobody wants them.
    fn send(self, batches: &mpsc::Sender<Inputs>) -> Result<()> {
        match self {
            Self::Arguments(inputs) => {
                // Arguments are few: the system limits them to a fraction of what a batch may hold of memory.
                let _ = batches.blocking_send(Inputs { first_row: 1, inputs });
                Ok(())
            }
            Self::Lines(reader, _) => input::send_lines(reader, batches).context("reading the addresses"),
        }
    }
}

/// How far it is, on standard error, when somebody watches and the results go elsewhere. A bar where the end is known.
fn progress(len: Option<u64>) -> ProgressBar {
    let is_watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
    if !is_watched || len == Some(1) {
        return ProgressBar::hidden();
    }
    let template = match len {
        Some(_) => "{wide_bar} {human_pos}/{human_len} addresses, {rate} a second, {eta} left",
        None => "{spinner} {human_pos} addresses, {rate} a second, {elapsed}",
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Nothing can be done about a terminal that takes no text.
            let _ = write!(out, "{:.0}", state.per_sec());
        });
    ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr()).with_style(style)
}
