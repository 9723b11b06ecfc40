//! `mailsonde bounces import`: what other programs know of mailboxes that refused mail, into the memory of ours.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use mailsonde_engine::HistorySource;

use super::{
    Usage,
    args::{BouncesCommand, BouncesImport},
    service::Service,
};
use crate::{
    bounces::{Bounce, Bounces, BouncesError, Row, Said, Times},
    store::{
        Store,
        history::{self, Refusal},
    },
};

/// Mailboxes that are remembered in one statement.
const BATCH: usize = 1000;

/// Lines without an address that are named.
const LINES_TOLD_MAX: usize = 10;

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &BouncesCommand) -> Result<()> {
    let BouncesCommand::Import(args) = command;
    let reader: Box<dyn Read> = if args.file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(&args.file);
        Box::new(opened.map_err(|error| Usage(format!("{}: {error}", args.file.display())))?)
    };
    let bounces = Bounces::open(BufReader::new(reader), times(args)).map_err(|error| match error {
        BouncesError::NoColumn => anyhow::Error::from(Usage(format!("{}: {error}", args.file.display()))),
        BouncesError::Read(error) => error.into(),
    })?;
    let service = Service::open(config)?;
    let tally = service.runtime.block_on(import(&service.store, bounces));
    service.close()?;
    Ok(tally?.write(&mut io::stdout().lock())?)
}

fn times(args: &BouncesImport) -> Times {
    let now = Timestamp::now();
    Times { unknown: args.seen.map_or(now, |seen| seen.min(now)), now }
}

/// Remembers whoever is gone, a batch at a time. A file that is read again changes nothing.
async fn import(store: &Store, bounces: impl Iterator<Item = io::Result<Row>>) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut batch = Vec::with_capacity(BATCH);
    for row in bounces {
        batch.extend(tally.count(row.context("reading the bounces")?));
        if batch.len() == BATCH {
            remember(store, &mut batch).await?;
        }
    }
    remember(store, &mut batch).await?;
    Ok(tally)
}

async fn remember(store: &Store, batch: &mut Vec<Refusal>) -> Result<()> {
    if !batch.is_empty() {
        history::remember(&store.worker().await?, store.keys(), batch).await?;
        batch.clear();
    }
    Ok(())
}

/// What was read.
#[derive(Debug, Default)]
struct Tally {
    gone: u64,
    passing: u64,
    about_us: u64,
    unclear: u64,
    /// The first lines without an address, and how many there are.
    no_address: (Vec<u64>, u64),
    /// The same of those with a date that cannot be read.
    no_date: (Vec<u64>, u64),
}

impl Tally {
    /// Counts a row, and returns what of it is to be remembered.
    fn count(&mut self, row: Row) -> Option<Refusal> {
        let tell = |(lines, count): &mut (Vec<u64>, u64)| {
            *count += 1;
            if lines.len() < LINES_TOLD_MAX {
                lines.push(row.line);
            }
        };
        match row.said {
            Said::Gone(Bounce { address, seen_at }) => {
                self.gone += 1;
                return Some(Refusal { address, source: HistorySource::Bounce, seen_at });
            }
            Said::Passing => self.passing += 1,
            Said::AboutUs => self.about_us += 1,
            Said::Unclear => self.unclear += 1,
            Said::NoAddress => tell(&mut self.no_address),
            Said::NoDate => tell(&mut self.no_date),
        }
        None
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut line = |count: u64, what: &str, lines: &[u64]| {
            if count == 0 && !what.starts_with("imported") {
                return Ok(());
            }
            let numbers: Vec<String> = lines.iter().map(u64::to_string).collect();
            let more = if count > LINES_TOLD_MAX as u64 { " …" } else { "" };
            let at =
                if lines.is_empty() { String::new() } else { format!(": line {}{more}", numbers.join(", ")) };
            writeln!(out, "{count:>9}  {what}{at}")
        };
        line(self.gone, "imported: the mailbox is gone", &[])?;
        line(self.passing, "left out: the mailbox may take mail another time", &[])?;
        line(self.about_us, "left out: the sender or the message was refused, not the mailbox", &[])?;
        line(self.unclear, "left out: nothing plain is said of the mailbox", &[])?;
        line(self.no_address.1, "without an address", &self.no_address.0)?;
        line(self.no_date.1, "with a date that cannot be read", &self.no_date.0)
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::Address;

    use super::*;

    #[test]
    fn what_was_read_is_told_with_the_lines_to_look_at() {
        let mut tally = Tally::default();
        let address = Address::new("jane", "example.org");
        let bounce = Bounce { address: address.clone(), seen_at: Timestamp::UNIX_EPOCH };
        let refusal = tally.count(Row { line: 1, said: Said::Gone(bounce) });
        let expected = Refusal { address, source: HistorySource::Bounce, seen_at: Timestamp::UNIX_EPOCH };
        assert_eq!(refusal, Some(expected));
        for line in 2..20 {
            assert_eq!(tally.count(Row { line, said: Said::NoAddress }), None);
        }
        for said in [Said::Passing, Said::Passing, Said::NoDate] {
            assert_eq!(tally.count(Row { line: 20, said }), None);
        }
        let mut out = Vec::new();
        tally.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "        1  imported: the mailbox is gone\n        \
             2  left out: the mailbox may take mail another time\n       \
             18  without an address: line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 …\n        \
             1  with a date that cannot be read: line 20\n"
        );
    }
}
