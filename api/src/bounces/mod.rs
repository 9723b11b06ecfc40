//! Bounces: which mailboxes refused mail for good, as files of other programs say it. Pure: lines in, rows out, in
//! memory that does not grow with the file.
//!
//! Three kinds of files, told apart by their first line: addresses, one a line; tables (CSV and its kin) whose header
//! names a column of addresses; and messages with reports of failed deliveries (RFC 3464), alone or in an mbox. A
//! refusal of the *sender* says nothing of the mailbox, and nor does a mailbox that is full today: only what speaks
//! plainly of the mailbox is kept.

mod date;
mod diagnosis;
mod lines;
mod messages;
mod table;

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use jiff::Timestamp;
use mailsonde_builtin::syntax;
use mailsonde_engine::Address;

use self::{diagnosis::Meaning, lines::Lines, messages::Messages, table::Table};

pub(crate) use self::date::read as date;

/// What a row of the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it begins, from 1.
    pub(crate) line: u64,
    /// What it says.
    pub(crate) said: Said,
}

/// What a row says of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It refused mail for good.
    Gone(Bounce),
    /// It may take mail another time.
    Passing,
    /// Somebody did not want the sender, or the message.
    AboutUs,
    /// Nothing that is plain enough.
    Unclear,
    /// There is no address in it.
    NoAddress,
    /// It has a date that cannot be read.
    NoDate,
}

/// A mailbox that refused mail for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounce {
    pub(crate) address: Address,
    pub(crate) seen_at: Timestamp,
}

/// Why a file is none of the three kinds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BouncesError {
    #[error("the first line names no column of addresses (email, address, recipient …), and is no address")]
    NoColumn,
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// When rows were seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Rows without a date.
    pub(crate) unknown: Timestamp,
    /// Nothing is seen later than this.
    pub(crate) now: Timestamp,
}

/// The rows of a file.
pub(crate) struct Bounces<R> {
    lines: Lines<R>,
    form: Form,
    times: Times,
    /// Read and not yet handed out: one message may report on many.
    due: VecDeque<Row>,
}

enum Form {
    List,
    Table(Table),
    Messages(Messages),
    End,
}

impl<R: BufRead> Bounces<R> {
    /// Looks at the first line that says something.
    ///
    /// # Errors
    /// What cannot be read, or is no such file.
    pub(crate) fn open(reader: R, times: Times) -> Result<Self, BouncesError> {
        let mut lines = Lines::new(reader);
        let form = loop {
            let Some(line) = lines.next()? else { break Form::List };
            if line.text.trim().is_empty() {
                continue;
            }
            if let Some(messages) = Messages::begin(&line.text) {
                lines.push_back(line);
                break Form::Messages(messages);
            }
            if let Some(table) = Table::with_header(&line.text) {
                break Form::Table(table);
            }
            if address(&line.text).is_none() && table::has_columns(&line.text) {
                return Err(BouncesError::NoColumn);
            }
            lines.push_back(line);
            break Form::List;
        };
        Ok(Self { lines, form, times, due: VecDeque::new() })
    }

    /// Reads on until there is a row to hand out, or nothing left.
    fn read(&mut self) -> io::Result<()> {
        while self.due.is_empty() {
            let is_over = match &mut self.form {
                Form::End => return Ok(()),
                Form::List => match self.lines.next()? {
                    Some(line) if line.text.trim().is_empty() => false,
                    Some(line) => {
                        let said = listed(&line.text, self.times);
                        self.due.push_back(Row { line: line.number, said });
                        false
                    }
                    None => true,
                },
                Form::Table(table) => match table.next(&mut self.lines, self.times)? {
                    Some(row) => {
                        self.due.push_back(row);
                        false
                    }
                    None => true,
                },
                Form::Messages(messages) => {
                    let line = self.lines.next()?;
                    match &line {
                        Some(line) => messages.hear(line, self.times, &mut self.due),
                        None => messages.end(self.times, &mut self.due),
                    }
                    line.is_none()
                }
            };
            if is_over {
                self.form = Form::End;
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Bounces<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<io::Result<Row>> {
        match self.read() {
            Ok(()) => self.due.pop_front().map(Ok),
            Err(error) => {
                self.form = Form::End;
                Some(Err(error))
            }
        }
    }
}

/// Whoever stands in a list of bounces bounced.
fn listed(text: &str, times: Times) -> Said {
    address(text).map_or(Said::NoAddress, |address| told(address, Meaning::Gone, times.unknown, times))
}

/// An address as people and programs write it.
fn address(text: &str) -> Option<Address> {
    let text = text.trim().trim_matches(['"', '\'']).trim();
    let text = text.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(text);
    syntax::parse(text, syntax::Policy::default()).ok()
}

fn told(address: Address, meaning: Meaning, seen_at: Timestamp, times: Times) -> Said {
    match meaning {
        Meaning::Gone => Said::Gone(Bounce { address, seen_at: seen_at.min(times.now) }),
        Meaning::Passing => Said::Passing,
        Meaning::AboutUs => Said::AboutUs,
        Meaning::Unclear => Said::Unclear,
    }
}

#[cfg(test)]
mod tests;
