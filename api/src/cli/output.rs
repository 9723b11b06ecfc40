//! Verdicts on standard output, in the format that was asked for.

use std::io::{self, Write};

use anstream::AutoStream;
use serde::Serialize;

use super::{args::Format, explain, human};
use crate::{
    row,
    verification::{Shape, Verification},
    verify::Verified,
};

/// Writes verdicts as they come.
pub(super) struct Output {
    format: Format,
    explain: bool,
    numbered: bool,
    /// `--format json` for one address prints an object, not an array of one.
    single: bool,
    out: Box<dyn Write>,
    written: u64,
}

/// A JSON line of `--as-completed`.
#[derive(Serialize)]
struct Numbered<'a> {
    row: u64,
    #[serde(flatten)]
    verification: Verification<'a>,
}

impl Output {
    /// Prepares standard output; the header of a CSV is written at once.
    pub(super) fn new(format: Format, explain: bool, numbered: bool, single: bool) -> io::Result<Self> {
        let stdout = io::stdout().lock();
        // Colour codes are for people; the other formats go out as they are, and fast.
        let out: Box<dyn Write> = match format {
            Format::Human => Box::new(AutoStream::auto(stdout)),
            _ => Box::new(io::BufWriter::with_capacity(64 * 1024, stdout)),
        };
        let mut output = Self { format, explain, numbered, single, out, written: 0 };
        if format == Format::Csv {
            let mut writer = csv::Writer::from_writer(&mut output.out);
            writer.write_record(["email"].into_iter().chain(row::COLUMNS)).map_err(io::Error::other)?;
            writer.flush()?;
        }
        Ok(output)
    }

    /// Writes a batch, and hands it on: a reader of the pipe sees it now.
    pub(super) fn write(&mut self, batch: &Verified) -> io::Result<()> {
        match self.format {
            Format::Human => self.human(batch)?,
            Format::Json => self.json(batch)?,
            Format::Jsonl => self.jsonl(batch)?,
            Format::Csv => self.csv(batch)?,
        }
        self.out.flush()
    }

    /// Closes what is open.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if self.format == Format::Json && !self.single {
            self.out.write_all(if self.written == 0 { b"[]\n" } else { b"\n]\n" })?;
        }
        self.out.flush()?;
        Ok(self.written)
    }

    fn shape(&self) -> Shape {
        Shape { include_email: true, explain: self.explain }
    }

    fn human(&mut self, batch: &Verified) -> io::Result<()> {
        for (row, verdict) in (batch.first_row..).zip(&batch.verdicts) {
            let row = self.numbered.then_some(row);
            human::write_line(&mut self.out, row, verdict)?;
            if self.explain {
                explain::write_trace(&mut self.out, verdict, &batch.reports)?;
            }
            self.written += 1;
        }
        Ok(())
    }

    fn json(&mut self, batch: &Verified) -> io::Result<()> {
        for verdict in &batch.verdicts {
            let object = Verification::of(verdict, batch.moment, self.shape());
            let text = serde_json::to_string_pretty(&object)?;
            if self.single {
                writeln!(self.out, "{text}")?;
            } else {
                self.out.write_all(if self.written == 0 { b"[\n" } else { b",\n" })?;
                self.out.write_all(text.as_bytes())?;
            }
            self.written += 1;
        }
        Ok(())
    }

    fn jsonl(&mut self, batch: &Verified) -> io::Result<()> {
        for (row, verdict) in (batch.first_row..).zip(&batch.verdicts) {
            let verification = Verification::of(verdict, batch.moment, self.shape());
            if self.numbered {
                serde_json::to_writer(&mut self.out, &Numbered { row, verification })?;
            } else {
                serde_json::to_writer(&mut self.out, &verification)?;
            }
            self.out.write_all(b"\n")?;
            self.written += 1;
        }
        Ok(())
    }

    fn csv(&mut self, batch: &Verified) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        for verdict in &batch.verdicts {
            let cells = row::cells(verdict, &batch.moment);
            let record = std::iter::once(&*verdict.input).chain(cells.iter().map(String::as_str));
            writer.write_record(record).map_err(io::Error::other)?;
            self.written += 1;
        }
        writer.flush()
    }
}
