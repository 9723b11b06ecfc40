//! Verdicts of a chunk, without their inputs, which stand with the items.
//!
//! Verdicts of one chunk are much alike. Each distinct finding and judgement stands in the text once, and rows refer
//! to it by its number from 0:
//!
//! ```json
//! {"v":1,"at":1767225600000,
//!  "judges":[{"judge":1,"policy":{…}}],"judgements":[{…}],"opinions":[],"findings":[{…},…],"texts":["5.1.1 <rcpt> …"],
//!  "rows":[[1,1,0,[0,1,[2,0,0]],842,0,9],…]}
//! ```
//!
//! A row is its number, its address (see `columns`), judgement, findings, milliseconds until it was reached,
//! milliseconds between `at` and then, and its last slot; an object follows where there is something rare to tell, and
//! takes whatever later versions know of a row.
//!
//! A finding is written as it is in evidence, but for the two kinds that differ most. Mail hosts of a domain are
//! `{"stage":"dns","mx":[[10,"mx.example.com"]]}`. A reply is written without its host and its text, and is
//! `[finding, host, text]` in the row: the host as its place in the row's route, or by name; the text by number.
//!
//! Of a person the candidate is kept that speaks for the person, and no other.
//!
//! Two things are not kept: the text of a reply that accepts the recipient, which says nothing more than its code, and
//! what is past [`TEXT_OCTETS_MAX`] of other texts. The judge reads neither, so the evidence still leads to the same
//! judgement.

pub(crate) mod brief;
mod columns;
mod dictionary;
mod entries;

use std::{mem, time::Duration};

use jiff::Timestamp;
use mailsonde_engine::{
    Evidence, Finding, Judgement, MailHost, MailRoute, Reading, Recorded, ReplyClass, Verdict, WeighedOpinion,
};
use serde::Deserialize;

use self::{
    columns::{Columns, Found, Host, Rare, Resolved},
    dictionary::Dictionary,
    entries::{Judge, Listed, Said},
};
use super::{RowsError, Version};

/// Octets of a reply's text that are kept: enough for its first sentence, and so few that a probed row has at most 256
/// octets on average, even where each row has a domain of its own.
const TEXT_OCTETS_MAX: usize = 128;

/// A row's verdict.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Its place in the job.
    pub(crate) row: u32,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// When it was reached; kept to the millisecond.
    pub(crate) verified_at: Timestamp,
    /// How long that took; kept to the millisecond.
    pub(crate) took: Duration,
    /// Whether nothing better will come. It will where a server asked us to come back.
    pub(crate) is_final: bool,
}

/// The text of verdicts.
pub(crate) fn write(verdicts: &[Judged]) -> Vec<u8> {
    let mut writer = Writer { at: verdicts.first().map_or(0, millis), ..Writer::default() };
    for judged in verdicts {
        writer.row(judged);
    }
    writer.finish()
}

/// The verdicts of a text. `input` has the inputs that they were reached for, by row.
pub(crate) fn read(text: &[u8], input: impl Fn(u32) -> Option<Box<str>>) -> Result<Vec<Judged>, RowsError> {
    let mut text: Text = super::read(text)?;
    let rows = mem::take(&mut text.rows);
    rows.into_iter()
        .map(|columns| {
            let row = columns.0;
            text.row(columns, input(row).ok_or(RowsError::NoInput(row))?)
        })
        .collect()
}

fn millis(judged: &Judged) -> i64 {
    judged.verified_at.as_millisecond()
}

/// What is kept of a reply's text.
fn kept_text(reading: &Reading) -> &str {
    match reading.class {
        ReplyClass::Accepted => "",
        _ => &reading.text[..reading.text.floor_char_boundary(TEXT_OCTETS_MAX)],
    }
}

/// A text in the making.
#[derive(Default)]
struct Writer<'a> {
    at: i64,
    judges: Dictionary<'a, Evidence>,
    judgements: Dictionary<'a, Judgement>,
    opinions: Dictionary<'a, [WeighedOpinion]>,
    findings: Dictionary<'a, Recorded>,
    texts: Dictionary<'a, str>,
    rows: Vec<u8>,
    /// Of the row that is written; kept for its memory.
    found: Vec<Found<&'a str>>,
}

impl<'a> Writer<'a> {
    fn row(&mut self, judged: &'a Judged) {
        let Verdict { input, address, judgement, evidence, last_slot, .. } = &judged.verdict;
        let mut found = mem::take(&mut self.found);
        found.clear();
        for (at, recorded) in evidence.findings.iter().enumerate() {
            found.push(self.found(recorded, &evidence.findings[..at]));
        }
        let rare = Rare {
            provisional: !judged.is_final,
            judge: self.judges.number(evidence),
            opinions: (!evidence.opinions.is_empty()).then(|| self.opinions.number(&evidence.opinions)),
        };
        let columns = Columns(
            judged.row,
            Resolved::of(address.as_ref(), input),
            self.judgements.number(judgement),
            &*found,
            u64::try_from(judged.took.as_millis()).unwrap_or(u64::MAX),
            millis(judged) - self.at,
            *last_slot,
            rare,
        );
        if !self.rows.is_empty() {
            self.rows.push(b',');
        }
        serde_json::to_writer(&mut self.rows, &columns).expect("numbers and texts are JSON");
        self.found = found;
    }

    /// A finding of a row, given those before it.
    fn found(&mut self, recorded: &'a Recorded, before: &[Recorded]) -> Found<&'a str> {
        let number = self.findings.number(recorded);
        let Finding::Reply(reading) = &recorded.finding else { return Found::Plain(number) };
        let host = match route(before).iter().position(|host| *host.name == *reading.host) {
            Some(place) => Host::OfRoute(place),
            None => Host::Named(&*reading.host),
        };
        match kept_text(reading) {
            "" => Found::Reply(number, host),
            text => Found::ReplyWith(number, host, self.texts.number(text)),
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut text = format!(r#"{{"v":{},"at":{}"#, super::VERSION, self.at).into_bytes();
        let lists = [
            ("judges", self.judges.into_json()),
            ("judgements", self.judgements.into_json()),
            ("opinions", self.opinions.into_json()),
            ("findings", self.findings.into_json()),
            ("texts", self.texts.into_json()),
            ("rows", self.rows),
        ];
        text.reserve(lists.iter().map(|(name, list)| name.len() + list.len() + 6).sum());
        for (name, list) in lists {
            text.extend_from_slice(format!(r#","{name}":["#).as_bytes());
            text.extend_from_slice(&list);
            text.push(b']');
        }
        text.push(b'}');
        text
    }
}

/// A row that was read.
type Row = Columns<Box<str>, Vec<Found<Box<str>>>>;

/// A text that was read.
#[derive(Deserialize)]
struct Text {
    #[serde(rename = "v")]
    _version: Version,
    at: i64,
    judges: Vec<Judge>,
    judgements: Vec<Said<Judgement>>,
    opinions: Vec<Vec<WeighedOpinion>>,
    findings: Vec<Listed>,
    texts: Vec<Box<str>>,
    rows: Vec<Row>,
}

impl Text {
    fn row(&self, columns: Row, input: Box<str>) -> Result<Judged, RowsError> {
        let Columns(row, resolved, judgement, found, took, since, last_slot, rare) = columns;
        let mut findings = Vec::with_capacity(found.len());
        for found in found {
            let recorded = self.recorded(found, &findings).ok_or(RowsError::Dangling(row))?;
            findings.push(recorded);
        }
        let opinions = match rare.opinions {
            Some(number) => entry(&self.opinions, number).ok_or(RowsError::Dangling(row))?.clone(),
            None => Vec::new(),
        };
        let Judge { judge, policy } = *entry(&self.judges, rare.judge).ok_or(RowsError::Dangling(row))?;
        let judgement = entry(&self.judgements, judgement).ok_or(RowsError::Dangling(row))?.clone().into();
        let address = resolved.address(&input).map_err(|_| RowsError::NoAddress(row))?;
        let verified_at = self.at.checked_add(since).and_then(|at| Timestamp::from_millisecond(at).ok());
        Ok(Judged {
            row,
            verdict: Verdict {
                input,
                address,
                judgement,
                evidence: Evidence { judge, policy, findings, opinions },
                last_slot,
                candidates: Vec::new(),
            },
            verified_at: verified_at.ok_or(RowsError::Dangling(row))?,
            took: Duration::from_millis(took),
            is_final: !rare.provisional,
        })
    }

    /// A finding of a row, given those before it.
    fn recorded(&self, found: Found<Box<str>>, before: &[Recorded]) -> Option<Recorded> {
        let (number, host, text) = match found {
            Found::Plain(number) => return Some(entry(&self.findings, number)?.recorded.clone()),
            Found::Reply(number, host) => (number, host, ""),
            Found::ReplyWith(number, host, text) => (number, host, &**entry(&self.texts, text)?),
        };
        let mut recorded = entry(&self.findings, number)?.recorded.clone();
        let Finding::Reply(reading) = &mut recorded.finding else { return None };
        reading.text = text.into();
        reading.host = match host {
            Host::OfRoute(place) => route(before).get(place)?.name.clone().into(),
            Host::Named(name) => name.into(),
        };
        Some(recorded)
    }
}

fn entry<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

/// The mail hosts of the first route.
fn route(findings: &[Recorded]) -> &[MailHost] {
    let route = findings.iter().find_map(|recorded| match &recorded.finding {
        Finding::Route(route) => Some(&**route),
        _ => None,
    });
    match route {
        Some(MailRoute::Mx { hosts, .. }) => hosts,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
