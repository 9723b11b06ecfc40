//! `Job`: how far a job is, what came of it, and until when it is known.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_engine::Category;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    moment,
    terms::Terms,
    words::{CatchAllPolicy, RequestType},
};
use crate::store::{
    StoreError,
    jobs::{End, JobRow},
};

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ClientBackgroundJobResponse)]
#[expect(clippy::struct_field_names, reason = "the product's names")]
pub(crate) struct Job {
    id: Uuid,
    job_type: JobType,
    status: Status,
    #[schema(format = DateTime)]
    deadline_at: String,
    #[schema(minimum = 0)]
    estimated_runtime_seconds: u32,
    #[schema(format = DateTime)]
    scheduled_start_at: String,
    callback_url: Option<String>,
    callback_status: CallbackStatus,
    #[schema(minimum = 0)]
    callback_attempts: i32,
    callback_last_error: Option<String>,
    requested_count: i32,
    /// `success_count`, `not_found_count` and `error_count` together.
    completed_count: i32,
    success_count: i32,
    not_found_count: i32,
    error_count: i32,
    /// Held until the job ends.
    reserved_amount_micros: i64,
    /// What it has cost so far.
    actual_amount_micros: i64,
    progress_percent: f64,
    summary: Summary,
    /// Nothing yet.
    #[schema(value_type = Object)]
    metadata: BTreeMap<String, String>,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// When its items are deleted; none before it has ended.
    #[schema(format = DateTime)]
    history_expires_at: Option<String>,
    #[schema(format = DateTime)]
    results_pruned_at: Option<String>,
    artifact_available: bool,
    artifact_json_url: Option<String>,
    #[schema(minimum = 0)]
    artifact_size_bytes: Option<u32>,
    #[schema(format = DateTime)]
    artifact_uploaded_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What is done with its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobType {
    FinderBatch,
    ProbeBatch,
}

impl JobType {
    const ALL: [Self; 2] = [Self::FinderBatch, Self::ProbeBatch];

    /// Its word, by which the store knows what a job was made from.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::FinderBatch => "finder_batch",
            Self::ProbeBatch => "probe_batch",
        }
    }

    /// The type of a job.
    pub(crate) fn of(job: &JobRow) -> Self {
        Self::ALL.into_iter().find(|known| known.word() == job.source).unwrap_or(Self::ProbeBatch)
    }

    /// What is asked of each of its items.
    pub(crate) fn asks(self) -> RequestType {
        match self {
            Self::FinderBatch => RequestType::Finder,
            Self::ProbeBatch => RequestType::Probe,
        }
    }
}

/// Where a job is in its life. None of ours fails as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Queued,
    Processing,
    Completed,
    #[expect(dead_code, reason = "a word of the product")]
    Failed,
    Canceled,
}

impl Status {
    /// Paused jobs are being processed too: the product does not know them.
    pub(crate) fn of(job: &JobRow) -> Self {
        match (job.end(), job.started_at) {
            (Some(End::Canceled), _) => Self::Canceled,
            (Some(End::Done | End::DeadlinePassed), _) => Self::Completed,
            (None, Some(_)) => Self::Processing,
            (None, None) => Self::Queued,
        }
    }
}

/// How far a client was told of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallbackStatus {
    None,
    Pending,
    Delivered,
    Failed,
}

/// Where a job's end is told, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Callback {
    url: Option<String>,
    status: CallbackStatus,
    attempts: i32,
    last_error: Option<String>,
}

impl Callback {
    /// Nobody was told yet. `url`: where somebody is to be.
    pub(crate) fn untold(url: Option<String>) -> Self {
        let status = if url.is_some() { CallbackStatus::Pending } else { CallbackStatus::None };
        Self { url, status, attempts: 0, last_error: None }
    }

    /// Somebody was tried to be told. `state`: the store's word.
    pub(crate) fn told(url: Option<String>, state: &str, attempts: i32, last_error: Option<String>) -> Self {
        let status = match state {
            "delivered" => CallbackStatus::Delivered,
            "failed" => CallbackStatus::Failed,
            _ => CallbackStatus::Pending,
        };
        Self { url, status, attempts, last_error }
    }
}

/// What came of a job's items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct Summary {
    total: i32,
    found: i32,
    not_found: i32,
    errors: i32,
    unique_domains: u32,
    /// How many items each operator of mail hosts has; none before the job has ended.
    providers: BTreeMap<String, u32>,
}

/// What is written down of a job that ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Closing {
    /// How many items each operator of mail hosts has.
    pub(crate) providers: BTreeMap<String, u32>,
    /// Octets of the artifact.
    pub(crate) artifact_size: Option<u32>,
}

impl Closing {
    /// As it is kept.
    pub(crate) fn write(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Refused(error.to_string().into()))
    }

    /// What was kept.
    pub(crate) fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text)
            .map_err(|_| StoreError::Unread("the end of a job is not what it was".into()))
    }
}

/// How many items came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) found: i32,
    pub(crate) not_found: i32,
    pub(crate) errors: i32,
}

impl Counts {
    /// Of verdicts by category, which of such a job tell the mailbox's state alone.
    pub(crate) fn of(counts: &[i32], policy: CatchAllPolicy) -> Self {
        let mut told = Self::default();
        for (category, count) in Category::ALL.into_iter().zip(counts) {
            *match category {
                Category::Deliverable => &mut told.found,
                Category::Undeliverable | Category::InvalidSyntax => &mut told.not_found,
                Category::AcceptAll => match policy {
                    CatchAllPolicy::Review => &mut told.errors,
                    CatchAllPolicy::Deliverable => &mut told.found,
                    CatchAllPolicy::Undeliverable => &mut told.not_found,
                },
                _ => &mut told.errors,
            } += count;
        }
        told
    }

    fn completed(self) -> i32 {
        self.found + self.not_found + self.errors
    }
}

impl Job {
    /// `counts`: verdicts by category, of a job that has not ended those so far. `closing`: none before it has ended.
    pub(crate) fn of(
        job: &JobRow,
        terms: &Terms,
        counts: &[i32],
        callback: Callback,
        closing: Option<Closing>,
    ) -> Self {
        let job_type = JobType::of(job);
        let counts = Counts::of(counts, terms.catchall(job_type.asks()));
        let has_ended = job.ended_at.is_some();
        let has_artifact = has_ended && !job.has_expired();
        let closing = closing.unwrap_or_default();
        let held = if has_ended { 0 } else { terms.reserved(job_type.asks(), job.items) };
        Self {
            id: job.id,
            job_type,
            status: Status::of(job),
            deadline_at: moment(job.deadline_at),
            estimated_runtime_seconds: terms.estimate_seconds,
            scheduled_start_at: moment(job.created_at),
            callback_url: callback.url,
            callback_status: callback.status,
            callback_attempts: callback.attempts,
            callback_last_error: callback.last_error,
            requested_count: job.items,
            completed_count: counts.completed(),
            success_count: counts.found,
            not_found_count: counts.not_found,
            error_count: counts.errors,
            reserved_amount_micros: held,
            actual_amount_micros: terms.actual(job_type.asks(), counts),
            progress_percent: percent(counts.completed(), job.items),
            summary: Summary {
                total: job.items,
                found: counts.found,
                not_found: counts.not_found,
                errors: counts.errors,
                unique_domains: terms.unique_domains,
                providers: closing.providers,
            },
            metadata: BTreeMap::new(),
            started_at: job.started_at.map(moment),
            completed_at: job.ended_at.map(moment),
            history_expires_at: has_ended.then(|| moment(job.expires_at)),
            results_pruned_at: job.pruned_at.map(moment),
            artifact_available: has_artifact,
            artifact_json_url: has_artifact.then(|| format!("/client/jobs/{}/results.json", job.id)),
            artifact_size_bytes: closing.artifact_size.filter(|_| has_artifact),
            artifact_uploaded_at: job.ended_at.filter(|_| has_artifact).map(moment),
            created_at: moment(job.created_at),
            updated_at: moment(updated_at(job)),
        }
    }
}

fn updated_at(job: &JobRow) -> Timestamp {
    job.pruned_at.or(job.ended_at).or(job.started_at).unwrap_or(job.created_at)
}

/// To one decimal.
fn percent(part: i32, whole: i32) -> f64 {
    if whole == 0 { 100.0 } else { (f64::from(part) / f64::from(whole) * 1000.0).round() / 10.0 }
}
