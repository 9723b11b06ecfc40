//! What is told of each row of a job, in so few octets that a whole job stands in memory: most rows say what others say
//! too, word for word.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::row::{self, COLUMNS, Said};

/// Cells of ours in a row: those of a verdict, and the row in which its mailbox stood first.
pub(super) const CELLS: usize = COLUMNS.len() + 1;

/// Nothing is told of a row, or nothing is suggested for it.
pub(super) const NONE: u32 = u32::MAX;

/// A row. What it says stands elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// When its verdict was reached, in milliseconds.
    pub(super) verified_at: i64,
    /// The place of what is said of it.
    pub(super) said: u32,
    /// The place of what is suggested.
    pub(super) suggestion: u32,
    /// The row in which its mailbox stood first; 0 where that is this one.
    pub(super) duplicate_of: u32,
}

/// The records of 100,000 rows shall need no more than 3 MB. Suggestions come to that: some 90 octets each.
const _: () = assert!(size_of::<Record>() <= 32);

impl Record {
    /// Of a row of which nothing is told.
    pub(super) const NOTHING: Self = Self { verified_at: 0, said: NONE, suggestion: NONE, duplicate_of: 0 };
}

/// What is told of a job's rows.
#[derive(Debug)]
pub(super) struct Told {
    /// Row 1 comes first.
    pub(super) records: Vec<Record>,
    /// The cells of distinct judgements.
    pub(super) said: Vec<Said>,
    /// The cells of suggestions. Few rows have one.
    pub(super) suggestions: Vec<String>,
    /// The inputs of a list; none, where the rows stand in a table.
    pub(super) inputs: Vec<Box<str>>,
}

/// Cells that are written anew for each row, kept for their memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    moment: String,
    first: String,
}

impl Told {
    /// How many rows there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// Whether anything is told of a row.
    pub(super) fn is_told(&self, row: u32) -> bool {
        self.record(row).said != NONE
    }

    /// The input of a row of a list.
    pub(super) fn input(&self, row: u32) -> &str {
        entry(&self.inputs, row.wrapping_sub(1)).map_or("", |input| input)
    }

    /// Our cells of a row: empty ones, where nothing is told of it.
    pub(super) fn cells<'t>(&'t self, row: u32, scratch: &'t mut Scratch) -> [&'t str; CELLS] {
        let record = self.record(row);
        let Some(said) = entry(&self.said, record.said) else { return [""; CELLS] };
        scratch.moment.clear();
        scratch.first.clear();
        if let Ok(moment) = Timestamp::from_millisecond(record.verified_at) {
            // A string takes all.
            let _ = write!(scratch.moment, "{moment:.0}");
        }
        if record.duplicate_of > 0 {
            let _ = write!(scratch.first, "{}", record.duplicate_of);
        }
        let suggestion = entry(&self.suggestions, record.suggestion).map_or("", String::as_str);
        let cells = row::in_order(said.each_ref().map(String::as_str), suggestion, &scratch.moment);
        let mut all = [&*scratch.first; CELLS];
        all[..COLUMNS.len()].copy_from_slice(&cells);
        all
    }

    fn record(&self, row: u32) -> Record {
        entry(&self.records, row.wrapping_sub(1)).copied().unwrap_or(Record::NOTHING)
    }
}

fn entry<T>(list: &[T], place: u32) -> Option<&T> {
    list.get(usize::try_from(place).ok()?)
}
