//! `mailsonde csv`: a table in, the same table with columns of verdicts out. Both are files; no database is needed.
//! What was done is kept when it is interrupted, and the same command goes on from there.

mod feed;
mod result_file;
mod sniff;

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::mpsc::{self as rows, Receiver},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand};
use mailsonde_config::Settings;
use mailsonde_engine::Category;
use tokio::sync::mpsc;

use super::{
    Usage,
    args::PassArgs,
    pass::{BATCHES_WAITING_MAX, Ended, Pass, progress, tell_on_stderr},
};
use crate::{
    csv::{
        CsvError,
        intake::Terms,
        layout::Layout,
        table::{Changes, Table},
    },
    row,
    verify::{Order, Verified},
};
use feed::{Feed, Rows};
use result_file::{Origin, ResultFile};
use sniff::SniffArgs;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(super) struct CsvArgs {
    #[command(subcommand)]
    command: Option<CsvCommand>,
    /// The table: a file of comma-separated values, or separated by semicolons, tabulators or bars
    #[arg(value_name = "IN", required = true)]
    input: Option<PathBuf>,
    /// Where the table goes, with columns of verdicts behind its own
    #[arg(long, short, value_name = "OUT", required = true)]
    output: Option<PathBuf>,
    /// The column of addresses, by its name, or by its number from 1 [default: it is looked for]
    #[arg(long, value_name = "COLUMN")]
    column: Option<String>,
    /// Guard the table's own cells too against being run by a spreadsheet
    #[arg(long)]
    safe: bool,
    /// Write UTF-8, whatever the table is written in
    #[arg(long)]
    utf8: bool,
    /// Begin anew where an interrupted run could be gone on with
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    pass: PassArgs,
}

#[derive(Debug, Subcommand)]
enum CsvCommand {
    /// Say how a table is written, and what its columns are
    Sniff(SniffArgs),
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &CsvArgs) -> Result<()> {
    match (&args.command, &args.input, &args.output) {
        (Some(CsvCommand::Sniff(sniff)), ..) => sniff::run(sniff),
        (None, Some(input), Some(output)) => verify(config, args, input, output),
        (None, ..) => Err(Usage("a table and `-o OUT` are needed".into()).into()), // the parser says so before
    }
}

fn verify(config: Option<&Path>, args: &CsvArgs, input: &Path, output: &Path) -> Result<()> {
    let settings = Settings::load(config)?;
    let file = open(input)?;
    if output.canonicalize().is_ok_and(|output| input.canonicalize().is_ok_and(|input| input == output)) {
        return Err(Usage("IN and OUT are one file".into()).into());
    }
    let terms = Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: args.column.clone() };
    let (layout, digest) = feed::survey(&file, terms.clone()).map_err(|error| told_of(input, error))?;
    layout.checked().map_err(|error| told_of(input, error.into()))?;

    let pass = Pass::new(&settings, &args.pass, false)?;
    let mut result = ResultFile::open(output, args.origin(digest), args.restart)?;
    let mut table = Table::new(&layout, &row::columns(), Changes { safe: args.safe, utf8: args.utf8 });
    if result.rows() > 0 {
        tell_on_stderr(&format!("goes on behind row {} of {}", result.rows(), layout.rows));
    } else {
        let mut head = Vec::new();
        table.head(&layout, &mut head);
        result.begin(&head)?;
    }
    let bar = progress(true, Some(layout.rows), "rows").with_position(result.rows());
    bar.reset_eta();

    let signals = pass.signals()?;
    let (batches, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
    let (sent, waiting) = rows::channel();
    let feed = Feed::new(layout.encoding, result.rows(), batches, sent);
    let reader = thread::spawn(move || feed.send(&file, terms));
    let mut writer = Writer { table, waiting, buffer: Vec::new() };
    let ended = pass.run(receiver, Order::Submitted, signals.next(), |batch| {
        writer.write(batch, &mut result)?;
        bar.set_position(result.rows());
        Ok(())
    });
    bar.finish_and_clear();
    pass.leave();
    let read = reader.join().map_err(|_| anyhow!("reading the table panicked"));

    let stopped =
        format!("stopped behind row {} of {}; the same command goes on", result.rows(), layout.rows);
    result.save().context("keeping what is done")?;
    if ended.with_context(|| stopped.clone())? == Ended::Early {
        bail!(stopped);
    }
    if read?.with_context(|| stopped.clone())?.as_ref() != Some(&layout) || result.rows() != layout.rows {
        bail!("{} has changed while it was read", input.display());
    }
    let counts = result.finish()?;
    say(output, &layout, &counts)
}

impl CsvArgs {
    /// What a result must have come from, so that it can be gone on with.
    fn origin(&self, digest: String) -> Origin {
        Origin {
            sha256: digest,
            column: self.column.clone(),
            pipeline: self.pass.pipeline.clone(),
            switches: [
                ("offline", self.pass.offline),
                ("no-smtp", self.pass.no_smtp),
                ("no-typo", self.pass.no_typo),
                ("no-random", self.pass.no_random),
                ("domain-trust", self.pass.domain_trust),
                ("safe", self.safe),
                ("utf8", self.utf8),
            ]
            .into_iter()
            .filter(|(_, is_on)| *is_on)
            .map(|(name, _)| name.to_owned())
            .collect(),
            syntax_policy: self.pass.syntax_policy.map(|policy| format!("{policy:?}")),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    if !file.metadata()?.is_file() {
        return Err(Usage(format!("{}: no file that can be read twice", path.display())).into());
    }
    Ok(file)
}

/// What is wrong with a table is the caller's to mend.
fn told_of(path: &Path, error: anyhow::Error) -> anyhow::Error {
    if error.is::<CsvError>() {
        return Usage(format!("{}: {error}", path.display())).into();
    }
    error.context(path.display().to_string())
}

/// Joins verdicts with the rows that they are of.
struct Writer {
    table: Table,
    /// The rows of each batch, in order.
    waiting: Receiver<Rows>,
    buffer: Vec<u8>,
}

impl Writer {
    /// Writes a batch. One whose end is cut off is written as far as it goes.
    fn write(&mut self, batch: &Verified, result: &mut ResultFile) -> io::Result<()> {
        let rows = self.waiting.try_recv().map_err(io::Error::other)?;
        self.buffer.clear();
        for (row, verdict) in rows.iter().zip(&batch.verdicts) {
            let cells = row::cells(verdict, &batch.moment);
            let category = verdict.judgement.category;
            let earlier = row.duplicate_of.filter(|_| category == Category::Duplicate);
            let earlier = earlier.map(|row| row.to_string()).unwrap_or_default();
            let ours = cells.iter().map(String::as_str).chain([&*earlier]);
            self.table.row((row.content, row.end), row.cells, ours, &mut self.buffer);
        }
        let written = rows.iter().zip(&batch.verdicts);
        result.append(&self.buffer, written.map(|(_, verdict)| verdict.judgement.category.word()))
    }
}

/// What became of the rows, on standard output.
fn say(output: &Path, layout: &Layout, counts: &result_file::Counts) -> Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{}: {} rows", output.display(), layout.rows)?;
    for word in Category::ALL.iter().map(|category| category.word()) {
        if let Some(count) = counts.get(word) {
            writeln!(out, "  {count:>9} {word}")?;
        }
    }
    Ok(())
}
