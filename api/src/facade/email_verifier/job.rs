//! `JobStatus`: how far a job is, what came of it, and until when.

use mailsonde_engine::Category;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::moment;
use crate::store::jobs::{End, JobRow};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JobStatus<'a> {
    job_id: Uuid,
    /// `pending`, `processing`, `completed` or `cancelled`.
    status: &'static str,
    /// What it was made from: `batch`, a list, or `csv`, a file.
    source_type: &'a str,
    total_count: i32,
    /// Items with a verdict.
    processed_count: i32,
    stats: Stats,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
    webhook_url: Option<&'a str>,
    /// Somebody took it.
    webhook_sent: bool,
    result_file_expires_at: Option<String>,
    error_message: Option<&'a str>,
    original_filename: Option<&'a str>,
    download_url: Option<String>,
}

/// A job in a list of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JobSummary {
    job_id: Uuid,
    /// See [`JobStatus`].
    status: &'static str,
    /// See [`JobStatus`].
    source_type: String,
    original_filename: Option<String>,
    total_count: i32,
    /// Items with a verdict.
    processed_count: i32,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
}

impl JobSummary {
    /// Of this job. `original_filename`: of the file that it was made from.
    pub(crate) fn of(job: &JobRow, original_filename: Option<String>) -> Self {
        Self {
            job_id: job.id,
            status: status(job),
            source_type: job.source.clone(),
            original_filename,
            total_count: job.items,
            // Of one that has ended, everybody has a verdict, if only that there was no time.
            processed_count: if job.ended_at.is_some() { job.items } else { job.done },
            created_at: moment(job.created_at),
            started_at: job.started_at.map(moment),
            completed_at: job.ended_at.map(moment),
        }
    }
}

/// Verdicts by category. Those of categories are exclusive, and sum to `processed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
struct Stats {
    total: i32,
    processed: i32,
    deliverable: i32,
    undeliverable: i32,
    risky: i32,
    disposable: i32,
    unknown: i32,
    duplicate: i32,
    invalid_syntax: i32,
    random_pattern: i32,
    high_risk: i32,
    accept_all: i32,
}

impl<'a> JobStatus<'a> {
    /// `counts`: verdicts by category, of a job that has not ended those so far. `webhook_url`: as it was submitted.
    /// `original_filename`: of the file that it was made from.
    pub(crate) fn of(
        job: &'a JobRow,
        counts: &[i32],
        webhook_url: Option<&'a str>,
        original_filename: Option<&'a str>,
    ) -> Self {
        let stats = Stats::of(job.items, counts);
        let is_completed = matches!(job.end(), Some(End::Done | End::DeadlinePassed));
        let has_results = is_completed && !job.has_expired();
        Self {
            job_id: job.id,
            status: status(job),
            source_type: &job.source,
            total_count: job.items,
            processed_count: stats.processed,
            stats,
            created_at: moment(job.created_at),
            started_at: job.started_at.map(moment),
            completed_at: job.ended_at.map(moment),
            webhook_url,
            webhook_sent: job.is_told,
            result_file_expires_at: is_completed.then(|| moment(job.expires_at)),
            error_message: None,
            original_filename,
            download_url: has_results.then(|| format!("/api/v1/jobs/{}/download", job.id)),
        }
    }
}

/// Paused jobs are being processed too: the product does not know them.
pub(crate) fn status(job: &JobRow) -> &'static str {
    match (job.end(), job.started_at) {
        (Some(End::Canceled), _) => "cancelled",
        (Some(End::Done | End::DeadlinePassed), _) => "completed",
        (None, Some(_)) => "processing",
        (None, None) => "pending",
    }
}

impl Stats {
    fn of(total: i32, counts: &[i32]) -> Self {
        let of = |category| {
            let place = Category::ALL.iter().position(|known| *known == category);
            place.and_then(|place| counts.get(place).copied()).unwrap_or_default()
        };
        Self {
            total,
            processed: counts.iter().sum(),
            deliverable: of(Category::Deliverable),
            undeliverable: of(Category::Undeliverable),
            risky: of(Category::Risky),
            disposable: of(Category::Disposable),
            unknown: of(Category::Unknown),
            duplicate: of(Category::Duplicate),
            invalid_syntax: of(Category::InvalidSyntax),
            random_pattern: of(Category::RandomPattern),
            high_risk: of(Category::HighRisk),
            accept_all: of(Category::AcceptAll),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn job() -> JobRow {
        JobRow {
            id: "f47ac10b-58cc-4372-a567-0e02b2c3d479".parse().unwrap(),
            client: Uuid::nil(),
            facade: "email-verifier".into(),
            source: "batch".into(),
            filename: None,
            callback: None,
            is_told: false,
            state: "running".into(),
            pipeline: "verify".into(),
            items: 250,
            done: 0,
            created_at: at("2026-06-10T09:10:00.9Z"),
            deadline_at: at("2026-06-11T09:10:00.9Z"),
            started_at: None,
            ended_at: None,
            left_over: None,
            counts: None,
            expires_at: at("2026-06-17T09:10:40.2Z"),
            pruned_at: None,
            is_expired: false,
        }
    }

    fn ended() -> JobRow {
        let started_at = Some(at("2026-06-10T09:10:02Z"));
        let ended_at = Some(at("2026-06-10T09:10:40.2Z"));
        let counts = Some(vec![198, 31, 12, 4, 3, 2, 0, 0, 0, 0]);
        JobRow { state: "completed".into(), started_at, ended_at, counts, ..job() }
    }

    fn written(job: &JobRow) -> String {
        let counts = job.counts.clone().unwrap_or_default();
        let url = Some("https://your-app.example.com/webhooks/ev");
        serde_json::to_string(&JobStatus::of(job, &counts, url, None)).unwrap()
    }

    const COMPLETED: &str = r#"{"job_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","status":"completed","source_type":"batch","total_count":250,"processed_count":250,"stats":{"total":250,"processed":250,"deliverable":198,"undeliverable":31,"risky":12,"disposable":4,"unknown":3,"duplicate":2,"invalid_syntax":0,"random_pattern":0,"high_risk":0,"accept_all":0},"created_at":"2026-06-10T09:10:00Z","started_at":"2026-06-10T09:10:02Z","completed_at":"2026-06-10T09:10:40Z","webhook_url":"https://your-app.example.com/webhooks/ev","webhook_sent":false,"result_file_expires_at":"2026-06-17T09:10:40Z","error_message":null,"original_filename":null,"download_url":"/api/v1/jobs/f47ac10b-58cc-4372-a567-0e02b2c3d479/download"}"#;

    #[test]
    fn a_completed_job_octet_by_octet() {
        assert_eq!(written(&ended()), COMPLETED);
    }

    #[test]
    fn a_job_that_has_not_ended_has_no_end() {
        let status = written(&job());
        for part in [
            r#""status":"pending""#,
            r#""total":250,"processed":0"#,
            r#""started_at":null,"completed_at":null"#,
            r#""result_file_expires_at":null"#,
            r#""download_url":null"#,
        ] {
            assert!(status.contains(part), "{part}: {status}");
        }
        let begun = JobRow { started_at: ended().started_at, ..job() };
        assert_eq!(super::status(&begun), "processing");
        assert_eq!(super::status(&JobRow { state: "paused".into(), ..begun }), "processing");
    }

    #[test]
    fn results_are_there_until_they_expire_and_only_of_what_was_completed() {
        let expired = written(&JobRow { is_expired: true, is_told: true, ..ended() });
        assert!(expired.contains(r#""webhook_sent":true,"result_file_expires_at":"2026-06-17T09:10:40Z""#));
        assert!(expired.contains(r#""download_url":null"#));
        let canceled = JobRow { state: "canceled".into(), left_over: Some("canceled".into()), ..ended() };
        let canceled = written(&canceled);
        assert!(canceled.contains(r#""status":"cancelled""#), "{canceled}");
        assert!(
            canceled.contains(r#""result_file_expires_at":null"#)
                && canceled.contains(r#""download_url":null"#)
        );
        let late = JobRow { left_over: Some("deadline_passed".into()), ..ended() };
        assert_eq!(super::status(&late), "completed");
    }

    #[test]
    fn what_a_job_was_made_from_is_told() {
        let job = JobRow { source: "csv".into(), ..job() };
        let name = "list.csv";
        let told = serde_json::to_value(JobStatus::of(&job, &[], None, Some(name))).unwrap();
        assert_eq!((&told["source_type"], &told["original_filename"]), (&"csv".into(), &name.into()));
        let listed = serde_json::to_value(JobSummary::of(&job, Some(name.into()))).unwrap();
        assert_eq!((&listed["source_type"], &listed["original_filename"]), (&"csv".into(), &name.into()));
    }
}
