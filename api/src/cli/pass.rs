//! A pass of many inputs through a pipeline: what `verify` and `csv` have in common.

use std::{
    fmt,
    io::{self, IsTerminal},
    sync::Arc,
};

use anstream::eprintln;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use mailsonde_config::Settings;
use mailsonde_engine::{Finding, ProbeFailure, Recorded};
use mailsonde_net::{Outage, SmtpProber};
use tokio::{runtime::Runtime, sync::mpsc};

use super::{args::PassArgs, human::FAINT, pipeline_named, signals::Signals};
use crate::{
    assembly::{self, Assembled, Choice, Parts, STAGES},
    reload::keep_plugins_fresh,
    verify::{Marked, Order, Verified, Verifier},
};

/// Batches that may wait between the reader and the pipeline.
pub(super) const BATCHES_WAITING_MAX: usize = 2;

/// No mail host can be reached from here: nothing would come of going on.
#[derive(Debug, thiserror::Error)]
#[error("{0}; `--no-smtp` verifies without asking mail servers")]
struct Unreachable(Outage);

/// A pipeline, with what it is made of and runs in.
pub(super) struct Pass<'s> {
    parts: Parts<'s>,
    verifier: Arc<Verifier>,
    runtime: Runtime,
}

/// How a pass ended that nothing was wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// All inputs have their verdicts.
    Whole,
    /// It was told to end.
    Early,
}

impl<'s> Pass<'s> {
    /// `explain`: say on standard error what is left out, and why.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub(super) fn new(settings: &'s Settings, args: &PassArgs, explain: bool) -> Result<Self> {
        let parts = Parts::new(settings)?.with_syntax_policy(args.syntax_policy);
        let verifier = verifier(settings, &parts, args, explain)?;
        Self::of(parts, verifier)
    }

    /// With a pipeline that was made of these parts.
    ///
    /// # Errors
    /// The system gives us no threads.
    pub(super) fn of(parts: Parts<'s>, verifier: Verifier) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { parts, verifier: Arc::new(verifier), runtime })
    }

    /// SIGINT and SIGTERM, from now on.
    ///
    /// # Errors
    /// The system does not let us.
    pub(super) fn signals(&self) -> io::Result<Signals> {
        let _within = self.runtime.enter();
        Signals::new()
    }

    /// Verifies batches as they arrive, hands each to `sink`, and takes leave of mail servers. Ends early when
    /// `until` does: what is in flight is dropped then.
    ///
    /// # Errors
    /// Those of `sink`; or no mail server can be reached.
    pub(super) fn run(
        &self,
        batches: mpsc::Receiver<impl Into<Marked>>,
        order: Order,
        until: impl Future<Output = ()>,
        mut sink: impl FnMut(&Verified) -> io::Result<()>,
    ) -> io::Result<Ended> {
        let plugins = self.parts.plugins();
        if !plugins.is_empty() {
            let _within = self.runtime.enter();
            tokio::spawn(keep_plugins_fresh(plugins));
        }
        let stream = self.verifier.clone().stream(batches, order, |batch| {
            let outage = self.parts.smtp().and_then(SmtpProber::outage);
            let batch = if outage.is_some() { before_outage(batch) } else { batch };
            sink(&batch)?;
            outage.map_or(Ok(()), |outage| Err(io::Error::other(Unreachable(outage))))
        });
        let ended = self.runtime.block_on(async {
            tokio::select! {
                streamed = stream => streamed.map(|()| Ended::Whole),
                () = until => Ok(Ended::Early),
            }
        });
        if let Some(prober) = self.parts.smtp() {
            self.runtime.block_on(prober.close());
        }
        ended
    }

    /// Nothing is left to be done. A name server that is still silent must not hold the process.
    pub(super) fn leave(self) {
        self.runtime.shutdown_background();
    }
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

fn verifier(settings: &Settings, parts: &Parts<'_>, args: &PassArgs, explain: bool) -> Result<Verifier> {
    let left_out = args.choice().skips(settings)?;
    let skips: Vec<&str> = left_out.iter().map(String::as_str).collect();
    let stages = pipeline_named(settings, &args.pipeline)?.stages;
    let Assembled { pipeline, bereft } = assembly::assemble(settings, parts, &args.pipeline, &skips)?;
    if explain {
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

impl PassArgs {
    /// What is to be done, of what the pipeline can do.
    pub(super) fn choice(&self) -> Choice {
        Choice {
            ask_anybody: !self.offline,
            check_smtp: !self.no_smtp,
            suggest_typo: !self.no_typo,
            check_random: !self.no_random,
            check_domain_trust: self.domain_trust,
        }
    }
}

/// A line beside the verdicts.
#[allow(clippy::print_stderr)]
pub(super) fn tell_on_stderr(text: &impl fmt::Display) {
    eprintln!("{FAINT}{text}{FAINT:#}");
}

/// How far it is, on standard error, when somebody watches. A bar where the end is known. `what`: what is counted.
pub(super) fn progress(is_watched: bool, len: Option<u64>, what: &str) -> ProgressBar {
    if !is_watched || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match len {
        Some(_) => {
            format!("{{wide_bar}} {{human_pos}}/{{human_len}} {what}, {{rate}} a second, {{eta}} left")
        }
        None => format!("{{spinner}} {{human_pos}} {what}, {{rate}} a second, {{elapsed}}"),
    };
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Nothing can be done about a terminal that takes no text.
            let _ = write!(out, "{:.0}", state.per_sec());
        });
    ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr()).with_style(style)
}
