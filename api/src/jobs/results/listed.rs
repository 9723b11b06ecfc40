//! What lists tell of a job's rows, in so few octets that a whole job stands in memory: what is said of many is said once,
//! and inputs stay where they are until somebody wants those of a page.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use mailsonde_engine::FaultCause;
use uuid::Uuid;

use super::{Items, items_of, open_chunk, walk::each_chunk, without_answer};
use crate::{
    jobs::{
        aside::aside,
        rows::{
            RowsError,
            outcomes::{self, Said},
            verdicts::brief,
        },
    },
    store::{
        Store, StoreError,
        jobs::{self, End, JobRow, KeptChunk, chunkwise},
        keys::{Keyring, Row},
    },
};

/// Nothing is told of a row.
const NONE: u32 = u32::MAX;

/// The input of a row stands in no chunk that can be opened.
const NOWHERE: i32 = -1;

/// A row. What it says stands elsewhere.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// The place of what is said of it.
    said: u32,
    /// The chunk in which its input stands.
    chunk: i32,
    /// Nothing better will come.
    is_final: bool,
}

/// 100,000 rows shall need little more than 1 MB.
const _: () = assert!(size_of::<Record>() <= 12);

impl Record {
    const NOTHING: Self = Self { said: NONE, chunk: NOWHERE, is_final: false };
}

/// What there is to tell of a job's rows.
#[derive(Debug)]
pub(crate) struct Listed {
    job: Uuid,
    /// Distinct outcomes.
    said: Vec<Said>,
    /// Row 1 comes first.
    records: Vec<Record>,
    /// Inputs are told.
    has_inputs: bool,
}

impl Listed {
    /// Of a job as it is known; nothing, where it was deleted meanwhile. While it runs, rows without a verdict are left
    /// out. When its results have expired, nobody's input is told.
    pub(crate) async fn of(store: &Store, job: &JobRow) -> Result<Option<Self>, StoreError> {
        if job.pruned_at.is_none() {
            let gathering = each_chunk(store, job.id, Gathering::new(job), Gathering::open).await?;
            // What was deleted meanwhile is not told as if it had never been there.
            match jobs::job(&store.request().await?, job.id).await? {
                None => return Ok(None),
                Some(still) if still.pruned_at.is_none() => {
                    return Ok(Some(gathering.finish(!job.is_expired)));
                }
                Some(_) => {}
            }
        }
        let (keys, job) = (store.keys().clone(), job.id);
        let sealed = chunkwise::outcomes(&store.request().await?, job).await?;
        aside(move || Self::left(&keys, job, sealed.as_deref()).map(Some)).await
    }

    /// What is left of a job whose verdicts are deleted.
    fn left(keys: &Keyring, job: Uuid, sealed: Option<&[u8]>) -> Result<Self, StoreError> {
        let nothing = Self { job, said: Vec::new(), records: Vec::new(), has_inputs: false };
        let Some(sealed) = sealed else { return Ok(nothing) };
        let outcomes::Left { said, rows } = outcomes::read_left(&keys.open(Row::Outcomes { job }, sealed)?)?;
        let record =
            |said: Option<u32>| Record { said: said.unwrap_or(NONE), chunk: NOWHERE, is_final: true };
        Ok(Self { said, records: rows.into_iter().map(record).collect(), ..nothing })
    }

    /// Rows of which something is told, in their order.
    pub(crate) fn told(&self) -> impl Iterator<Item = (u32, &Said)> {
        (1..)
            .zip(&self.records)
            .filter_map(|(row, record)| Some((row, self.said.get(usize::try_from(record.said).ok()?)?)))
    }

    /// The inputs of some rows, while they are told. A row that cannot be opened has an empty one.
    pub(crate) async fn inputs(
        &self,
        store: &Store,
        rows: &[u32],
    ) -> Result<HashMap<u32, Box<str>>, StoreError> {
        let (job, mut inputs) = (self.job, HashMap::new());
        if !self.has_inputs {
            return Ok(inputs);
        }
        let mut of_chunks: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for row in rows {
            let record = self.records.get(place(*row)).copied().unwrap_or(Record::NOTHING);
            of_chunks.entry(record.chunk).or_default().push(*row);
        }
        for row in of_chunks.remove(&NOWHERE).unwrap_or_default() {
            inputs.insert(row, Box::default());
        }
        for (no, rows) in of_chunks {
            let sealed = chunkwise::items(&store.request().await?, job, no).await?;
            // They were deleted meanwhile, and are told as after that.
            let Some(sealed) = sealed else { return Ok(HashMap::new()) };
            let keys = store.keys().clone();
            let found = aside(move || {
                let mut items = items_of(&keys, job, no, &sealed)?;
                let input = |row| Some((row, items.remove(&row)?.input));
                Ok::<Vec<_>, StoreError>(rows.into_iter().filter_map(input).collect())
            });
            inputs.extend(found.await?);
        }
        Ok(inputs)
    }
}

/// What is told so far.
struct Gathering {
    job: Uuid,
    ended: Option<End>,
    said: HashMap<Said, u32>,
    records: Vec<Record>,
    /// A chunk could not be opened, and nobody knows which rows it has.
    is_lost: bool,
}

impl Gathering {
    fn new(job: &JobRow) -> Self {
        Self {
            job: job.id,
            ended: job.end(),
            said: HashMap::new(),
            records: vec![Record::NOTHING; usize::try_from(job.items).unwrap_or_default()],
            is_lost: false,
        }
    }

    /// Takes what a chunk tells of its rows. Chunks come in their order: a later verdict comes in place of an earlier one.
    fn open(&mut self, keys: &Keyring, chunk: &KeptChunk) -> Result<(), StoreError> {
        let (job, ended) = (self.job, self.ended);
        let opened = open_chunk(keys, job, chunk, ended, |text, items| self.read(chunk.no, text, items))?;
        self.is_lost |= opened.is_lost;
        for (row, record) in opened.verdicts {
            if let Some(known) = self.records.get_mut(place(row)) {
                *known = record;
            }
        }
        if let Some(cause) = opened.cause {
            let record = self.without_answer(cause, chunk.no);
            for row in opened.rest.into_keys() {
                if let Some(known) = self.records.get_mut(place(row)).filter(|known| known.said == NONE) {
                    *known = record;
                }
            }
        }
        Ok(())
    }

    /// What a text of verdicts tells of its rows.
    fn read(&mut self, chunk: i32, text: &[u8], items: &Items) -> Result<Vec<(u32, Record)>, RowsError> {
        let brief::Briefs { judgements, rows } = brief::read(text)?;
        let said: Vec<u32> = judgements.iter().map(|judgement| self.number(judgement.into())).collect();
        let record = |brief: brief::Brief| {
            items.get(&brief.row).ok_or(RowsError::NoInput(brief.row))?;
            Ok((brief.row, Record { said: said[brief.judgement], chunk, is_final: brief.is_final }))
        };
        rows.into_iter().map(record).collect()
    }

    /// All rows that nobody got to for the same reason are told the same.
    fn without_answer(&mut self, cause: FaultCause, chunk: i32) -> Record {
        let judged = without_answer(0, Box::default(), cause, Timestamp::default());
        let said = self.number((&judged.verdict.judgement).into());
        Record { said, chunk, is_final: true }
    }

    /// The place of what is said.
    fn number(&mut self, said: Said) -> u32 {
        let next = u32::try_from(self.said.len()).unwrap_or(NONE);
        *self.said.entry(said).or_insert(next)
    }

    fn finish(mut self, has_inputs: bool) -> Listed {
        if self.is_lost {
            let lost = self.without_answer(FaultCause::Error, NOWHERE);
            self.records.iter_mut().filter(|record| record.said == NONE).for_each(|record| *record = lost);
        }
        if self.ended.is_none() {
            // Something better may come.
            self.records
                .iter_mut()
                .filter(|record| !record.is_final)
                .for_each(|record| *record = Record::NOTHING);
        }
        let mut said: Vec<(Said, u32)> = self.said.into_iter().collect();
        said.sort_unstable_by_key(|(_, place)| *place);
        let said = said.into_iter().map(|(said, _)| said).collect();
        Listed { job: self.job, said, records: self.records, has_inputs }
    }
}

/// Where a row stands. Row 1 comes first; there is none before it.
fn place(row: u32) -> usize {
    usize::try_from(row).unwrap_or_default().wrapping_sub(1)
}
