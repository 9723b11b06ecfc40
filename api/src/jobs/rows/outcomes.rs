//! Outcomes: what lists tell of a job's rows. It names nobody, so it is kept when inputs and evidence are deleted.
//!
//! ```json
//! {"v":1,"said":[["deliverable",null,null,0.98],["undeliverable","null_mx","null_mx",0.99]],"rows":[0,1,null,0]}
//! ```
//!
//! Each distinct one stands in the text once. A row is the number of its own from 0, row 1 first; null is a row of which
//! there is nothing to tell.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};

use mailsonde_engine::{Category, Confidence, Judgement, Reason};
use serde::{Deserialize, Serialize};

use super::{RowsError, Version, verdicts::Judged};

/// What is told of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Its place in the job.
    pub(crate) row: u32,
    /// As it was submitted, while that is kept.
    pub(crate) input: Option<Box<str>>,
    pub(crate) said: Said,
}

/// What was found out, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Columns", into = "Columns")]
pub(crate) struct Said {
    pub(crate) category: Category,
    /// The word of the reason's group.
    pub(crate) group: Option<Box<str>>,
    /// The word of the reason.
    pub(crate) reason: Option<Box<str>>,
    pub(crate) confidence: Confidence,
}

impl Hash for Said {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { category, group, reason, confidence } = self;
        (category, group, reason, confidence.as_f64().to_bits()).hash(state);
    }
}

impl From<&Judgement> for Said {
    fn from(judgement: &Judgement) -> Self {
        let reason = judgement.reason.as_ref();
        Self {
            category: judgement.category,
            group: reason.map(Reason::group).map(Into::into),
            reason: reason.map(Reason::word).map(Into::into),
            confidence: judgement.confidence,
        }
    }
}

/// How [`Said`] is written.
#[derive(Serialize, Deserialize)]
struct Columns(Category, Option<Box<str>>, Option<Box<str>>, Confidence);

impl From<Columns> for Said {
    fn from(Columns(category, group, reason, confidence): Columns) -> Self {
        Self { category, group, reason, confidence }
    }
}

impl From<Said> for Columns {
    fn from(Said { category, group, reason, confidence }: Said) -> Self {
        Self(category, group, reason, confidence)
    }
}

impl From<Judged> for Outcome {
    fn from(judged: Judged) -> Self {
        let said = Said::from(&judged.verdict.judgement);
        Self { row: judged.row, input: Some(judged.verdict.input), said }
    }
}

#[derive(Serialize, Deserialize)]
struct Text {
    #[serde(rename = "v")]
    version: Version,
    said: Vec<Said>,
    rows: Vec<Option<u32>>,
}

/// The text of a job's outcomes, without their inputs. `items`: how many rows it has.
pub(crate) fn write(items: u32, outcomes: Vec<Outcome>) -> Vec<u8> {
    let mut rows = vec![None; usize::try_from(items).unwrap_or_default()];
    let (mut said, mut numbers) = (Vec::new(), HashMap::new());
    for outcome in outcomes {
        let json = serde_json::to_string(&outcome.said).expect("words and numbers are JSON");
        let number = *numbers.entry(json).or_insert_with(|| {
            said.push(outcome.said);
            u32::try_from(said.len() - 1).unwrap_or(u32::MAX)
        });
        let place = usize::try_from(outcome.row).unwrap_or_default().checked_sub(1);
        if let Some(row) = place.and_then(|place| rows.get_mut(place)) {
            *row = Some(number);
        }
    }
    serde_json::to_vec(&Text { version: Version, said, rows }).expect("words and numbers are JSON")
}

/// What is left of a job's rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// The distinct outcomes.
    pub(crate) said: Vec<Said>,
    /// The place of each row's own among them, row 1 first; none of a row of which there is nothing to tell.
    pub(crate) rows: Vec<Option<u32>>,
}

/// The outcomes of a text, each once.
pub(crate) fn read_left(text: &[u8]) -> Result<Left, RowsError> {
    let Text { said, rows, .. } = super::read(text)?;
    let leads = |number: u32| usize::try_from(number).is_ok_and(|number| number < said.len());
    for (row, number) in (1..).zip(&rows) {
        if number.is_some_and(|number| !leads(number)) {
            return Err(RowsError::Dangling(row));
        }
    }
    Ok(Left { said, rows })
}

/// The outcomes of a text, by row.
pub(crate) fn read(text: &[u8]) -> Result<Vec<Outcome>, RowsError> {
    let Left { said, rows } = read_left(text)?;
    let outcome = |(row, number): (u32, Option<u32>)| {
        let said = said.get(usize::try_from(number?).ok()?)?.clone();
        Some(Outcome { row, input: None, said })
    };
    Ok((1..).zip(rows).filter_map(outcome).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(row: u32, category: Category, reason: Option<&str>, probability: f64) -> Outcome {
        let confidence = Confidence::from_probability(probability);
        let reason: Option<Box<str>> = reason.map(Into::into);
        let said = Said { category, group: reason.clone(), reason, confidence };
        Outcome { row, input: Some("jane@example.com".into()), said }
    }

    #[test]
    fn each_is_written_once_and_nobody_is_named() {
        let outcomes = [
            outcome(1, Category::Deliverable, None, 0.98),
            outcome(2, Category::Undeliverable, Some("null_mx"), 0.99),
            outcome(4, Category::Deliverable, None, 0.98),
        ];
        let text = write(4, outcomes.to_vec());
        let expected = r#"{"v":1,"said":[["deliverable",null,null,0.98],["undeliverable","null_mx","null_mx",0.99]],"rows":[0,1,null,0]}"#;
        assert_eq!(String::from_utf8(text.clone()).unwrap(), expected);
        let without_input = outcomes.map(|outcome| Outcome { input: None, ..outcome });
        assert_eq!(read(&text).unwrap(), without_input);
        assert_eq!(read(&write(2, Vec::new())), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let dangling = br#"{"v":1,"said":[],"rows":[null,0]}"#;
        assert_eq!(read(dangling), Err(RowsError::Dangling(2)));
        assert_eq!(read(br#"{"v":2,"said":0,"rows":[]}"#), Err(RowsError::Newer(2)));
        assert!(matches!(read(b"{}"), Err(RowsError::Malformed { .. })));
    }
}
