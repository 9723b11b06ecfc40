//! What webhooks tell of a task that has ended: its sums, and its rows where these are not too many. What tells of one row
//! alone is in `each`.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    email::Job,
    metrics::{JobStatus, TaskMetrics, VerificationStatus},
    moment,
};
use crate::{
    jobs::rows::verdicts::Judged,
    store::{jobs::JobRow, task_lists::Sums},
    words::TasksVocabulary,
};

/// Rows of a task that are told with its end. Those of larger ones are fetched: a message is held in memory, and is sent
/// again where it is not taken.
pub(crate) const ROWS_MAX: i32 = 1_000;

/// Something of a task is known for good.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the product's names")]
pub(crate) struct Completed<D> {
    event_type: &'static str,
    task_id: Uuid,
    /// The task's own: where it was made from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_id: Option<Uuid>,
    completed_at: String,
    data: D,
}

impl<D> Completed<D> {
    /// Since then.
    pub(super) fn since(at: Timestamp, job: &JobRow, data: D) -> Self {
        Self {
            event_type: "email_verification_completed",
            task_id: job.id,
            upload_id: (!job.is_of_list()).then_some(job.id),
            completed_at: moment(at),
            data,
        }
    }
}

/// All of it is.
#[derive(Debug, Serialize)]
pub(crate) struct Whole<'a> {
    stats: Stats,
    jobs: Vec<Job<'a>>,
    /// Where they are to be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs_url: Option<String>,
}

#[derive(Debug, Serialize)]
struct Stats {
    total_email_addresses: i64,
    job_status: JobStatus,
    verification_status: VerificationStatus,
}

impl<'a> Completed<Whole<'a>> {
    /// Of a task as it will be known. `rows`: all of them, the first one first; none where there are too many.
    pub(crate) fn of(
        job: &JobRow,
        sums: &Sums,
        rows: Option<&'a [Judged]>,
        vocabulary: TasksVocabulary,
    ) -> Self {
        let (total_email_addresses, job_status, verification_status) = TaskMetrics::of(job, sums).parts();
        let told =
            |judged: &'a Judged| Job::of(job, judged.row, &judged.verdict.input, Some(judged), vocabulary);
        let whole = Whole {
            stats: Stats { total_email_addresses, job_status, verification_status },
            jobs: rows.unwrap_or_default().iter().rev().map(told).collect(),
            jobs_url: rows.is_none().then(|| format!("/api/v1/tasks/{}/jobs", job.id)),
        };
        Self::since(job.ended_at.unwrap_or(job.created_at), job, whole)
    }
}
