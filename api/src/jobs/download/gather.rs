//! The first pass: chunk after chunk is opened, and what is told of its rows is kept. Which word a row gets that has no
//! verdict is decided in `results`, for lists and for files alike.

use std::collections::HashMap;

use jiff::Timestamp;
use mailsonde_engine::{Category, FaultCause, Judgement};
use uuid::Uuid;

use super::told::{NONE, Record, Told};
use crate::{
    jobs::{
        results::{Items, open_chunk, walk::each_chunk, without_answer},
        rows::{RowsError, verdicts::brief},
    },
    row::{self, Said},
    store::{
        Shared, StoreError,
        jobs::{End, JobRow, KeptChunk},
        keys::Keyring,
    },
    verification::Suggestion,
};

/// What there is to tell of a job that has ended. `of_list`: its rows are inputs that stand nowhere else.
pub(super) async fn gather(
    store: &Shared,
    job: &JobRow,
    end: End,
    of_list: bool,
) -> Result<Told, StoreError> {
    let gathering = Gathering::new(job, end, of_list);
    Ok(each_chunk(store, job.id, gathering, Gathering::open).await?.finish())
}

/// What is told so far.
struct Gathering {
    job: Uuid,
    end: End,
    /// When those were given up who have no verdict.
    ended_at: Timestamp,
    records: Vec<Record>,
    said: HashMap<Said, u32>,
    suggestions: Vec<String>,
    /// None, where they are not wanted.
    inputs: Vec<Box<str>>,
    /// A chunk could not be opened, and nobody knows which rows it has.
    is_lost: bool,
}

impl Gathering {
    fn new(job: &JobRow, end: End, of_list: bool) -> Self {
        let rows = usize::try_from(job.items).unwrap_or_default();
        Self {
            job: job.id,
            end,
            ended_at: job.ended_at.unwrap_or_default(),
            records: vec![Record::NOTHING; rows],
            said: HashMap::new(),
            suggestions: Vec::new(),
            inputs: vec![Box::default(); if of_list { rows } else { 0 }],
            is_lost: false,
        }
    }

    /// Takes what a chunk tells of its rows. Chunks come in their order: a later verdict comes in place of an earlier one.
    fn open(&mut self, keys: &Keyring, chunk: &KeptChunk) -> Result<(), StoreError> {
        let (job, end) = (self.job, self.end);
        let opened = open_chunk(keys, job, chunk, Some(end), |text, items| self.read(text, items))?;
        self.is_lost |= opened.is_lost;
        for (row, record) in opened.verdicts {
            self.put(row, record);
        }
        if let Some(cause) = opened.cause {
            let record = self.without_answer(cause);
            for (row, item) in opened.rest {
                self.keep(row, &item.input);
                if self.records.get(place(row)).is_some_and(|known| known.said == NONE) {
                    self.put(row, record);
                }
            }
        }
        Ok(())
    }

    /// What a text of verdicts tells of its rows.
    fn read(&mut self, text: &[u8], items: &Items) -> Result<Vec<(u32, Record)>, RowsError> {
        let brief::Briefs { judgements, rows } = brief::read(text)?;
        let said: Vec<u32> = judgements.iter().map(|judgement| self.number(judgement)).collect();
        let record = |brief: brief::Brief| {
            let item = items.get(&brief.row).ok_or(RowsError::NoInput(brief.row))?;
            self.keep(brief.row, &item.input);
            let judgement = &judgements[brief.judgement];
            let suggestion = judgement.suggestion.as_deref();
            let duplicate_of = item.duplicate_of.filter(|_| judgement.category == Category::Duplicate);
            let record = Record {
                verified_at: brief.verified_at.as_millisecond(),
                said: said[brief.judgement],
                suggestion: suggestion.map_or(NONE, |domain| self.suggest(domain, &item.input)),
                duplicate_of: duplicate_of.unwrap_or_default(),
            };
            Ok((brief.row, record))
        };
        rows.into_iter().map(record).collect()
    }

    /// All rows that nobody got to for the same reason are told the same.
    fn without_answer(&mut self, cause: FaultCause) -> Record {
        let judged = without_answer(0, Box::default(), cause, self.ended_at);
        let said = self.number(&judged.verdict.judgement);
        Record { verified_at: judged.verified_at.as_millisecond(), said, ..Record::NOTHING }
    }

    /// The place of what a judgement says.
    fn number(&mut self, judgement: &Judgement) -> u32 {
        let next = u32::try_from(self.said.len()).unwrap_or(NONE);
        *self.said.entry(row::said(judgement)).or_insert(next)
    }

    /// The place of a suggestion.
    fn suggest(&mut self, domain: &str, input: &str) -> u32 {
        let place = u32::try_from(self.suggestions.len()).unwrap_or(NONE);
        self.suggestions.push(row::suggested(Suggestion::at(domain, input)));
        place
    }

    fn keep(&mut self, row: u32, input: &str) {
        if let Some(kept) = self.inputs.get_mut(place(row)) {
            *kept = input.into();
        }
    }

    fn put(&mut self, row: u32, record: Record) {
        if let Some(known) = self.records.get_mut(place(row)) {
            *known = record;
        }
    }

    fn finish(mut self) -> Told {
        if self.is_lost {
            let lost = self.without_answer(FaultCause::Error);
            self.records.iter_mut().filter(|record| record.said == NONE).for_each(|record| *record = lost);
        }
        let mut said: Vec<(Said, u32)> = self.said.into_iter().collect();
        said.sort_unstable_by_key(|(_, place)| *place);
        Told {
            records: self.records,
            said: said.into_iter().map(|(said, _)| said).collect(),
            suggestions: self.suggestions,
            inputs: self.inputs,
        }
    }
}

/// Where a row stands. Row 1 comes first; there is none before it.
fn place(row: u32) -> usize {
    usize::try_from(row).unwrap_or_default().wrapping_sub(1)
}
