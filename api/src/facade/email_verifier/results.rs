//! `Results`: a page of a job's verdicts, by row.

use std::collections::HashMap;

use mailsonde_engine::{Category, Confidence};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::jobs::{
    extra::Extra,
    rows::outcomes::{Outcome, Said},
};

/// Which of a job's results are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultsPage {
    pub(crate) job: Uuid,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
    pub(crate) category: Option<Category>,
    pub(crate) include_email: bool,
}

/// The rows of a page.
#[derive(Debug)]
pub(crate) struct Selected {
    /// Rows that match the filter, on all pages.
    total: usize,
    outcomes: Vec<Outcome>,
}

impl Selected {
    /// `told`: what is told of the rows of a job, in their order.
    pub(crate) fn of<'s>(told: impl Iterator<Item = (u32, &'s Said)>, page: ResultsPage) -> Self {
        let ResultsPage { limit, offset, category, .. } = page;
        let number = |count: i64| usize::try_from(count).unwrap_or(usize::MAX);
        let page = number(offset)..number(offset).saturating_add(number(limit));
        let (mut total, mut outcomes) = (0, Vec::new());
        for (row, said) in told.filter(|(_, said)| category.is_none_or(|wanted| said.category == wanted)) {
            if page.contains(&total) {
                outcomes.push(Outcome { row, input: None, said: said.clone() });
            }
            total += 1;
        }
        Self { total, outcomes }
    }

    /// With the inputs of its rows.
    #[must_use]
    pub(crate) fn with(mut self, mut inputs: HashMap<u32, Box<str>>) -> Self {
        self.outcomes.iter_mut().for_each(|outcome| outcome.input = inputs.remove(&outcome.row));
        self
    }

    /// Their numbers.
    pub(crate) fn rows(&self) -> Vec<u32> {
        self.outcomes.iter().map(|outcome| outcome.row).collect()
    }
}

/// The page.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
pub(crate) struct Results<'a> {
    job_id: Uuid,
    /// Rows that match the filter, on all pages.
    total: usize,
    offset: i64,
    limit: i64,
    #[schema(value_type = Option<String>)]
    category_filter: Option<Category>,
    include_email: bool,
    results: Vec<Row<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct Row<'a> {
    /// From 1.
    row_number: u32,
    /// Where it is wanted, until the results expire.
    email: Option<&'a str>,
    #[schema(value_type = String)]
    category: Category,
    sub_category: Option<&'a str>,
    reason: Option<&'a str>,
    #[schema(value_type = f64, minimum = 0.0, maximum = 1.0)]
    confidence_score: Confidence,
    /// What stood beside the address, by the names of columns; nothing in a list of addresses, nor when the results have
    /// expired.
    #[schema(value_type = HashMap<String, String>)]
    #[serde(serialize_with = "in_order")]
    extra_columns: (&'a Extra, u32),
}

/// The columns of a row, in their order.
fn in_order<S: Serializer>((extra, row): &(&Extra, u32), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(extra.row(*row))
}

impl<'a> Results<'a> {
    /// `extra`: what stood beside the addresses of the page's rows.
    pub(crate) fn of(selected: &'a Selected, extra: &'a Extra, page: ResultsPage) -> Self {
        let ResultsPage { job, limit, offset, category, include_email } = page;
        Self {
            job_id: job,
            total: selected.total,
            offset,
            limit,
            category_filter: category,
            include_email,
            results: selected.outcomes.iter().map(|outcome| Row::of(outcome, extra, include_email)).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(outcome: &'a Outcome, extra: &'a Extra, include_email: bool) -> Self {
        let said = &outcome.said;
        Self {
            row_number: outcome.row,
            email: outcome.input.as_deref().filter(|_| include_email),
            category: said.category,
            sub_category: said.group.as_deref(),
            reason: said.reason.as_deref(),
            confidence_score: said.confidence,
            extra_columns: (extra, outcome.row),
        }
    }
}
