//! `mailsonde csv sniff`: how a table is written, and what its columns are.

use std::{
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

use super::super::{
    args::JobFormat,
    human::{CARE, FAINT, escaped},
};
use crate::csv::{
    CsvError,
    encoding::Encoding,
    intake::{Intake, Terms},
    layout::{Layout, Quoting},
    sniff::Delimiter,
};

/// Octets read at once.
const READ_OCTETS: usize = 256 * 1024;

#[derive(Debug, Args)]
pub(super) struct SniffArgs {
    /// The table; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
    format: JobFormat,
}

/// What is told of a table.
#[derive(Serialize)]
struct Sniffed<'a> {
    encoding: Encoding,
    delimiter: Delimiter,
    /// Nothing where no cell is quoted.
    quote: Option<char>,
    has_header: bool,
    email_column: Option<&'a str>,
    columns: &'a [String],
    rows: u64,
    /// Why it could not be worked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &SniffArgs) -> Result<()> {
    let (layout, problem) = sniff(&args.file)?;
    let sniffed = Sniffed {
        encoding: layout.encoding,
        delimiter: layout.delimiter,
        quote: (layout.quoting != Quoting::Never).then_some('"'),
        has_header: layout.header.is_some(),
        email_column: layout.email.and_then(|column| layout.names.get(column)).map(String::as_str),
        columns: &layout.names,
        rows: layout.rows,
        problem: problem.map(|problem| problem.to_string()),
    };
    match args.format {
        JobFormat::Json => Ok(writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&sniffed)?)?),
        JobFormat::Human => sniffed.say(),
    }
}

/// The layout of a table, and what is wrong with it.
fn sniff(path: &Path) -> Result<(Layout, Option<CsvError>)> {
    let is_stdin = path == Path::new("-");
    let mut reader: Box<dyn io::Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(super::open(path)?) };
    let mut intake = Intake::new(Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None });
    let mut buffer = vec![0; READ_OCTETS];
    let read = loop {
        match reader.read(&mut buffer).with_context(|| path.display().to_string())? {
            0 => break intake.finish(&mut |_| Ok(())),
            len => {
                if let Err(error) = intake.push(&buffer[..len], &mut |_| Ok(())) {
                    break Err(error);
                }
            }
        }
    };
    let layout = intake.layout();
    let problem = read.and_then(|()| layout.checked().map(drop)).err();
    Ok((layout, problem))
}

impl Sniffed<'_> {
    fn say(&self) -> Result<()> {
        let mut out = anstream::stdout().lock();
        let delimiter = match self.delimiter {
            Delimiter::Comma => "comma",
            Delimiter::Semicolon => "semicolon",
            Delimiter::Tab => "tabulator",
            Delimiter::Bar => "bar",
        };
        let header = if self.has_header { "the first row" } else { "none" };
        let email = self.email_column.map_or_else(|| "none".into(), escaped);
        let columns: Vec<String> = self.columns.iter().map(|name| escaped(name)).collect();
        for (what, text) in [
            ("encoding", self.encoding.label()),
            ("delimiter", delimiter),
            ("quotes", if self.quote.is_some() { "\"" } else { "none" }),
            ("header", header),
            ("addresses", &email),
            ("columns", &columns.join(", ")),
            ("rows", &self.rows.to_string()),
        ] {
            writeln!(out, "{FAINT}{what:<10}{FAINT:#} {text}")?;
        }
        if let Some(problem) = &self.problem {
            writeln!(out, "{CARE}{problem}{CARE:#}")?;
        }
        Ok(())
    }
}
