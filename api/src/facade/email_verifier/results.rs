//! `Results`: a page of a job's verdicts, by row.

use mailsonde_engine::{Category, Confidence};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::jobs::rows::outcomes::Outcome;

/// Which of a job's results are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultsPage {
    pub(crate) job: Uuid,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
    pub(crate) category: Option<Category>,
    pub(crate) include_email: bool,
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
    extra_columns: Extra,
}

/// What stood beside the address: nothing, in a list of addresses.
#[derive(Debug, Serialize, ToSchema)]
struct Extra {}

impl<'a> Results<'a> {
    /// `outcomes`: by row.
    pub(crate) fn of(outcomes: &'a [Outcome], page: ResultsPage) -> Self {
        let ResultsPage { job, limit, offset, category, include_email } = page;
        let matches = |outcome: &&Outcome| category.is_none_or(|wanted| outcome.said.category == wanted);
        let matching = || outcomes.iter().filter(matches);
        let number = |count: i64| usize::try_from(count).unwrap_or(usize::MAX);
        let rows = matching().skip(number(offset)).take(number(limit));
        Self {
            job_id: job,
            total: matching().count(),
            offset,
            limit,
            category_filter: category,
            include_email,
            results: rows.map(|outcome| Row::of(outcome, include_email)).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(outcome: &'a Outcome, include_email: bool) -> Self {
        let said = &outcome.said;
        Self {
            row_number: outcome.row,
            email: outcome.input.as_deref().filter(|_| include_email),
            category: said.category,
            sub_category: said.group.as_deref(),
            reason: said.reason.as_deref(),
            confidence_score: said.confidence,
            extra_columns: Extra {},
        }
    }
}
