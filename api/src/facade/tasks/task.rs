//! `Task`: a job as its clients see it, and what it was made from.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{SOURCE, metrics::TaskMetrics, moment};
use crate::store::{
    jobs::{End, JobRow},
    task_lists::Sums,
};

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Task {
    id: Uuid,
    user_id: Uuid,
    webhook_url: Option<String>,
    is_file_backed: bool,
    /// Where it was made from one.
    file: Option<File>,
    /// `api_key`.
    source: &'static str,
    created_at: String,
    updated_at: String,
    /// Where one task is asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    times: Option<Times>,
    metrics: TaskMetrics,
}

/// When it was worked at.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct Times {
    started_at: Option<String>,
    finished_at: Option<String>,
}

/// The file that a task was made from.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = TaskFile)]
pub(crate) struct File {
    /// The task's: a file is one task.
    pub(crate) upload_id: Uuid,
    pub(crate) task_id: Uuid,
    pub(crate) filename: String,
    pub(crate) email_count: i32,
    /// `processing`, `completed` or `failed`.
    pub(crate) status: &'static str,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl File {
    /// Of a task that was made from one of this name.
    pub(crate) fn of(job: &JobRow, filename: Option<String>, sums: &Sums) -> Option<Self> {
        (!job.is_of_list()).then(|| Self {
            upload_id: job.id,
            task_id: job.id,
            filename: filename.unwrap_or_default(),
            email_count: job.items,
            status: match job.end() {
                None => "processing",
                Some(End::Done | End::DeadlinePassed) => "completed",
                Some(End::Canceled) => "failed",
            },
            created_at: moment(job.created_at),
            updated_at: updated_at(job, sums),
        })
    }
}

impl Task {
    /// `webhook_url` and `filename`: as they were submitted.
    pub(crate) fn of(
        job: &JobRow,
        sums: &Sums,
        webhook_url: Option<String>,
        filename: Option<String>,
    ) -> Self {
        Self {
            id: job.id,
            user_id: job.client,
            webhook_url,
            is_file_backed: !job.is_of_list(),
            file: File::of(job, filename, sums),
            source: SOURCE,
            created_at: moment(job.created_at),
            updated_at: updated_at(job, sums),
            times: None,
            metrics: TaskMetrics::of(job, sums),
        }
    }

    /// With the times of its work.
    #[must_use]
    pub(crate) fn with_times(self, job: &JobRow) -> Self {
        let times = Times { started_at: job.started_at.map(moment), finished_at: job.ended_at.map(moment) };
        Self { times: Some(times), ..self }
    }
}

/// When something was last written down of it.
fn updated_at(job: &JobRow, sums: &Sums) -> String {
    moment(sums.told_at.or(job.started_at).unwrap_or(job.created_at))
}
