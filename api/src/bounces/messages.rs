//! Messages that report failed deliveries (RFC 3464): the part `message/delivery-status` of each, one message alone or
//! many in an mbox.
//!
//! Only parts of the message itself are looked at. What a report brings along of the message that did not arrive was
//! written by others, and may well look like a report.

use std::{collections::VecDeque, mem};

use super::{Row, Said, Times, address, date, diagnosis::Diagnosis, lines::Line, told};

/// The fields that are kept, the first of each name.
const FIELDS: &[&str] = &[
    "content-type",
    "date",
    "arrival-date",
    "final-recipient",
    "original-recipient",
    "action",
    "status",
    "diagnostic-code",
    "remote-mta",
    "last-attempt-date",
];

/// Octets of one field, its folded lines together.
const FIELD_OCTETS_MAX: usize = 16 * 1024;

/// The types of parts that hold reports.
const REPORTS: &[&str] = &["message/delivery-status", "message/global-delivery-status"];

/// As lines that part messages have them.
const WEEKDAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Where in a message a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among the fields of the message.
    Head,
    /// In a part that is of no interest, or between parts.
    Elsewhere,
    /// Among the fields of a part.
    PartHead,
    /// In a report.
    Report,
}

/// Reads messages line by line.
#[derive(Debug)]
pub(super) struct Messages {
    is_mbox: bool,
    /// Whether the last line was empty: only then may a line begin the next message.
    is_after_empty: bool,
    message: Option<Message>,
}

#[derive(Debug)]
struct Message {
    first_line: u64,
    place: Place,
    fields: Fields,
    boundary: Option<String>,
    /// When it was written, and when the message arrived that it reports on.
    dates: Vec<String>,
    has_report: bool,
}

/// Fields until an empty line.
#[derive(Debug, Default)]
struct Fields {
    first_line: u64,
    kept: Vec<(&'static str, String)>,
    /// The last line's field is among them, so that a folded line goes on with it.
    is_kept: bool,
}

impl Messages {
    /// Whether a file with this first line holds messages.
    pub(super) fn begin(line: &str) -> Option<Self> {
        let is_mbox = is_separator(line);
        let is_field =
            line.split_once(':').is_some_and(|(name, value)| is_name(name) && value.starts_with([' ', '\t']));
        (is_mbox || is_field).then_some(Self { is_mbox, is_after_empty: true, message: None })
    }

    /// Reads a line.
    pub(super) fn hear(&mut self, line: &Line, times: Times, rows: &mut VecDeque<Row>) {
        let is_separator = self.is_mbox && self.is_after_empty && is_separator(&line.text);
        self.is_after_empty = line.text.is_empty();
        if is_separator {
            self.end(times, rows);
            self.message = Some(Message::new(line.number));
            return;
        }
        self.message.get_or_insert_with(|| Message::new(line.number)).hear(line, times, rows);
    }

    /// There is nothing more to read.
    pub(super) fn end(&mut self, times: Times, rows: &mut VecDeque<Row>) {
        let Some(mut message) = self.message.take() else { return };
        message.close(times, rows);
        if !message.has_report {
            rows.push_back(Row { line: message.first_line, said: Said::NoAddress });
        }
    }
}

impl Message {
    fn new(first_line: u64) -> Self {
        Self {
            first_line,
            place: Place::Head,
            fields: Fields::default(),
            boundary: None,
            dates: Vec::new(),
            has_report: false,
        }
    }

    fn hear(&mut self, line: &Line, times: Times, rows: &mut VecDeque<Row>) {
        if self.place != Place::Head && self.is_boundary(&line.text) {
            self.close(times, rows);
            self.place = Place::PartHead;
        } else if line.text.trim().is_empty() {
            self.close(times, rows);
        } else if self.place != Place::Elsewhere {
            self.fields.push(line);
        }
    }

    /// A group of fields has ended: with an empty line, its part, or the message.
    fn close(&mut self, times: Times, rows: &mut VecDeque<Row>) {
        let fields = mem::take(&mut self.fields);
        let kind = fields.get("content-type").unwrap_or_default();
        let is_report = REPORTS.iter().any(|report| starts_with(kind, report));
        match self.place {
            Place::Elsewhere => {}
            Place::Report => self.report(&fields, times, rows),
            Place::PartHead if is_report => self.place = Place::Report,
            Place::PartHead => self.place = Place::Elsewhere,
            Place::Head => {
                self.dates.extend(fields.get("date").map(str::to_owned));
                self.boundary = parameter(kind, "boundary");
                self.place = if is_report { Place::Report } else { Place::Elsewhere };
            }
        }
    }

    /// A group of a report: first the message's, then one for each recipient.
    fn report(&mut self, fields: &Fields, times: Times, rows: &mut VecDeque<Row>) {
        let Some(recipient) = fields.get("final-recipient").or_else(|| fields.get("original-recipient"))
        else {
            // The message's own group comes before those of its recipients, and tells more than when it was written.
            if !self.has_report
                && let Some(arrival) = fields.get("arrival-date")
            {
                self.dates.truncate(1);
                self.dates.insert(0, arrival.to_owned());
            }
            return;
        };
        self.has_report = true;
        let recipient = recipient.split_once(';').map_or(recipient, |(_, address)| address);
        let said = address(recipient).map_or(Said::NoAddress, |address| {
            let mut diagnosis = Diagnosis::default();
            ["action", "status", "diagnostic-code"]
                .into_iter()
                .filter_map(|name| fields.get(name))
                .for_each(|value| diagnosis.hear(value));
            let host = fields.get("remote-mta").map(host);
            let meaning = diagnosis.meaning(&address, host.as_deref());
            let last = fields.get("last-attempt-date").into_iter();
            let mut dates = last.chain(self.dates.iter().map(String::as_str));
            let seen_at = dates.find_map(date::read).unwrap_or(times.unknown);
            told(address, meaning, seen_at, times)
        });
        rows.push_back(Row { line: fields.first_line, said });
    }

    fn is_boundary(&self, line: &str) -> bool {
        let after = line.strip_prefix("--").zip(self.boundary.as_deref());
        after.and_then(|(rest, boundary)| rest.strip_prefix(boundary)).is_some_and(|rest| {
            let rest = rest.trim_end();
            rest.is_empty() || rest == "--"
        })
    }
}

impl Fields {
    fn push(&mut self, line: &Line) {
        if line.text.starts_with([' ', '\t']) {
            if self.is_kept
                && let Some((_, value)) = self.kept.last_mut()
                && value.len() + line.text.len() <= FIELD_OCTETS_MAX
            {
                value.push(' ');
                value.push_str(line.text.trim());
            }
            return;
        }
        let Some((name, value)) = line.text.split_once(':') else { return };
        let known = FIELDS.iter().find(|known| name.trim_end().eq_ignore_ascii_case(known));
        let fresh = known.filter(|known| self.get(known).is_none());
        self.is_kept = fresh.is_some();
        if let Some(name) = fresh {
            if self.kept.is_empty() {
                self.first_line = line.number;
            }
            self.kept.push((name, value.trim().to_owned()));
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }
}

/// Whether a line of an mbox parts two messages: `From jane@example.org Wed Jun 10 09:10:01 2026`. In messages such lines
/// are escaped, if the program that wrote the file was careful.
fn is_separator(line: &str) -> bool {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    line.starts_with("From ") && words.nth(2).is_some_and(|day| WEEKDAYS.contains(&day))
}

/// Whether this is the name of a field (RFC 5322 §3.6.8).
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

fn starts_with(value: &str, prefix: &str) -> bool {
    value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A parameter of a field, such as `boundary="…"` (RFC 2045 §5.1).
fn parameter(value: &str, name: &str) -> Option<String> {
    let text = value.match_indices(';').find_map(|(at, _)| {
        let (key, text) = value[at + 1..].split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| text.trim_start())
    })?;
    let (text, ends) = match text.strip_prefix('"') {
        Some(quoted) => (quoted, &['"'][..]),
        None => (text, &[';', ' ', '\t'][..]),
    };
    text.split(ends).next().map(str::to_owned)
}

/// `dns; mx.example.org (192.0.2.1)` as a name.
fn host(value: &str) -> String {
    let name = value.split_once(';').map_or(value, |(_, name)| name).trim();
    let name = name.split([' ', '(', '[', ':']).next().unwrap_or_default();
    name.trim_end_matches('.').to_ascii_lowercase()
}
