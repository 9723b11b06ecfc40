//! Tables of bounces: a header that names the columns, and a row a bounce.
//!
//! Columns are known by their names, of which every service has its own. What they say is heard whatever the column
//! is called, so that a status may stand where others have a reason.

use std::io::{self, BufRead};

use csv::StringRecord;
use jiff::Timestamp;

use super::{
    Row, Said, Times, address, date,
    diagnosis::{Diagnosis, Meaning},
    lines::{Line, Lines},
    told,
};

/// Octets of a row: with quotes it may run over many lines, and with a quote too many to the end of the file.
const ROW_OCTETS_MAX: usize = 64 * 1024;

/// What may stand between columns.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// Names of columns in lower case and without signs; of several that a table has, the first counts.
const ADDRESS: &[&str] = &[
    "email",
    "emailaddress",
    "finalrecipient",
    "recipient",
    "recipientemail",
    "recipientaddress",
    "rcpt",
    "rcptto",
    "bouncedaddress",
    "bouncedrecipient",
    "bouncedemail",
    "address",
    "originalrecipient",
    "to",
    "mail",
    "user",
];
const DATE: &[&str] = &[
    "bouncedat",
    "bouncedate",
    "lastattemptdate",
    "timestamp",
    "date",
    "datetime",
    "time",
    "createdat",
    "created",
    "seenat",
    "occurredat",
    "eventtime",
    "eventdate",
    "arrivaldate",
];
const HOST: &[&str] = &["remotemta", "mxhost", "mx", "remotehost", "host"];

/// Columns that say why; all that a table has are heard.
const WHY: &[&str] = &[
    "status",
    "statuscode",
    "enhancedcode",
    "enhancedstatus",
    "enhancedstatuscode",
    "code",
    "errorcode",
    "smtpcode",
    "dsn",
    "dsnstatus",
    "dsndiag",
    "diagnostic",
    "diagnosticcode",
    "reason",
    "bouncereason",
    "error",
    "errormessage",
    "message",
    "response",
    "smtpresponse",
    "smtpreply",
    "reply",
    "description",
    "details",
    "detail",
    "type",
    "bouncetype",
    "bouncesubtype",
    "subtype",
    "class",
    "bounceclass",
    "bounceclassification",
    "classification",
    "category",
    "bouncecat",
    "severity",
    "event",
    "action",
    "result",
];

/// Which columns a table has, by position.
#[derive(Debug)]
pub(super) struct Table {
    delimiter: u8,
    address: usize,
    date: Option<usize>,
    host: Option<usize>,
    why: Vec<usize>,
}

/// Whether a line is several columns.
pub(super) fn has_columns(line: &str) -> bool {
    line.contains(DELIMITERS)
}

impl Table {
    /// The table that begins with this header, if it names a column of addresses.
    pub(super) fn with_header(header: &str) -> Option<Self> {
        let count = |delimiter: &char| header.matches(*delimiter).count();
        let delimiter = DELIMITERS.into_iter().rev().max_by_key(count).and_then(|c| u8::try_from(c).ok())?;
        let names: Vec<String> = fields(header, delimiter)?.iter().map(plain).collect();
        let position = |known: &[&str]| known.iter().find_map(|name| names.iter().position(|n| n == name));
        let why = names.iter().enumerate().filter(|(_, name)| WHY.contains(&&***name));
        Some(Self {
            delimiter,
            address: position(ADDRESS)?,
            date: position(DATE),
            host: position(HOST),
            why: why.map(|(position, _)| position).collect(),
        })
    }

    /// The next row.
    pub(super) fn next(&self, lines: &mut Lines<impl BufRead>, times: Times) -> io::Result<Option<Row>> {
        let Some((line, record)) = next_record(lines)? else { return Ok(None) };
        let said =
            fields(&record, self.delimiter).map_or(Said::NoAddress, |fields| self.read(&fields, times));
        Ok(Some(Row { line, said }))
    }

    fn read(&self, fields: &StringRecord, times: Times) -> Said {
        let field = |position: usize| fields.get(position).map(str::trim).unwrap_or_default();
        let Some(address) = address(field(self.address)) else { return Said::NoAddress };
        let Some(seen_at) = self.seen_at(fields, times) else { return Said::NoDate };
        let meaning = if self.why.is_empty() {
            // A list of bounces with columns that say nothing of why.
            Meaning::Gone
        } else {
            let mut diagnosis = Diagnosis::default();
            self.why.iter().for_each(|position| diagnosis.hear(field(*position)));
            let host = self.host.map(field).filter(|host| !host.is_empty());
            diagnosis.meaning(&address, host)
        };
        told(address, meaning, seen_at, times)
    }

    fn seen_at(&self, fields: &StringRecord, times: Times) -> Option<Timestamp> {
        match self.date.and_then(|position| fields.get(position)).map(str::trim) {
            None | Some("") => Some(times.unknown),
            Some(written) => date::read(written),
        }
    }
}

/// The next row that is not empty, and the number of its first line. Where a quote is not closed in time, its line is
/// a row by itself.
fn next_record(lines: &mut Lines<impl BufRead>) -> io::Result<Option<(u64, String)>> {
    let first = loop {
        match lines.next()? {
            None => return Ok(None),
            Some(line) if line.text.trim().is_empty() => {}
            Some(line) => break line,
        }
    };
    let mut record = first.text.clone();
    let mut quotes = count_quotes(&first.text);
    let mut more: Vec<Line> = Vec::new();
    while quotes % 2 == 1 {
        let next = lines.next()?;
        let is_open_end = next.is_none() || record.len() > ROW_OCTETS_MAX;
        more.extend(next);
        if is_open_end {
            more.into_iter().rev().for_each(|line| lines.push_back(line));
            return Ok(Some((first.number, first.text)));
        }
        let line = &more[more.len() - 1].text;
        quotes += count_quotes(line);
        record.push('\n');
        record.push_str(line);
    }
    Ok(Some((first.number, record)))
}

fn count_quotes(text: &str) -> usize {
    text.matches('"').count()
}

fn fields(record: &str, delimiter: u8) -> Option<StringRecord> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader =
        reader.has_headers(false).flexible(true).delimiter(delimiter).from_reader(record.as_bytes());
    reader.records().next()?.ok()
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}
