//! `JobItem`: one input of a job, and what came of it.

use jiff::Timestamp;
use mailsonde_engine::Reason;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    job::{JobType, Status},
    moment,
    result::IdentityResult,
    terms::Terms,
    words::{Outcome, RequestType, State},
};
use crate::{
    jobs::{item_id::item_id, rows::verdicts::Judged},
    store::jobs::JobRow,
};

/// An input of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ClientBackgroundJobItemResponse)]
pub(crate) struct JobItem {
    id: Uuid,
    /// Its place in the job, from 0.
    item_index: u32,
    status: ItemStatus,
    request_type: RequestType,
    input: ItemInput,
    pub(crate) result: Option<IdentityResult>,
    result_state: Option<State>,
    pub(crate) result_outcome: Option<Outcome>,
    resolved_address: Option<String>,
    pub(crate) provider: Option<String>,
    charge_micros: u32,
    /// Why nobody could say, in a word.
    error_message: Option<String>,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Where an item is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ItemStatus {
    Queued,
    Processing,
    Completed,
    Error,
    Canceled,
}

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
enum ItemInput {
    Person { full_name: String, email_domain: String },
    Email { email: String },
}

impl ItemInput {
    fn of(input: &str, asked: RequestType) -> Self {
        match (asked, input.split_once('\t')) {
            (RequestType::Finder, Some((full_name, email_domain))) => {
                Self::Person { full_name: full_name.to_owned(), email_domain: email_domain.to_owned() }
            }
            // Whoever was forgotten.
            (RequestType::Finder, None) => {
                Self::Person { full_name: input.to_owned(), email_domain: String::new() }
            }
            (RequestType::Probe, _) => Self::Email { email: input.to_owned() },
        }
    }
}

impl JobItem {
    /// An item of a job. `judged`: none where nobody knows yet.
    pub(crate) fn of(job: &JobRow, terms: &Terms, row: u32, input: &str, judged: Option<&Judged>) -> Self {
        let asked = JobType::of(job).asks();
        let waiting =
            if Status::of(job) == Status::Queued { ItemStatus::Queued } else { ItemStatus::Processing };
        let policy = terms.catchall(asked);
        let result = judged.map(|judged| IdentityResult::of(&judged.verdict, policy, None));
        let outcome = result.as_ref().map(|result| result.outcome);
        let reason = judged.and_then(|judged| judged.verdict.judgement.mailbox_reason.as_ref());
        let status = match (outcome, reason) {
            (None, _) => waiting,
            (Some(Outcome::Error), Some(Reason::Canceled)) => ItemStatus::Canceled,
            (Some(Outcome::Error), _) => ItemStatus::Error,
            (Some(Outcome::Found | Outcome::NotFound), _) => ItemStatus::Completed,
        };
        let completed_at = judged.map(|judged| judged.verified_at);
        Self {
            id: item_id(job.id, row),
            item_index: row.saturating_sub(1),
            status,
            request_type: asked,
            input: ItemInput::of(input, asked),
            result_state: result.as_ref().map(|result| result.state),
            result_outcome: outcome,
            resolved_address: result.as_ref().and_then(|result| result.address.clone()),
            provider: result.as_ref().and_then(|result| result.provider().map(str::to_owned)),
            charge_micros: outcome.map_or(0, |outcome| terms.charge(asked, outcome)),
            error_message: reason
                .filter(|_| outcome == Some(Outcome::Error))
                .map(|reason| reason.word().to_owned()),
            started_at: judged.map(|judged| moment(began(judged))),
            completed_at: completed_at.map(moment),
            created_at: moment(job.created_at),
            updated_at: moment(completed_at.unwrap_or(job.created_at)),
            result,
        }
    }
}

fn began(judged: &Judged) -> Timestamp {
    judged.verified_at.checked_sub(judged.took).unwrap_or(judged.verified_at)
}
