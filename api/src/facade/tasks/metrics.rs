//! What is told of many verdicts at once: of a task, of a day of it, and of all that a client had verified.

use jiff::{Timestamp, civil::Date};
use mailsonde_engine::Category;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use utoipa::ToSchema;
use uuid::Uuid;

use super::moment;
use crate::{
    store::{
        jobs::JobRow,
        task_lists::{DayOfClient, Sums},
    },
    words::TasksVocabulary,
};

/// How far rows are. They sum to their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = TaskJobStatus)]
pub(crate) struct JobStatus {
    pub(crate) pending: i64,
    pub(crate) processing: i64,
    pub(crate) completed: i64,
    /// None: who gets no answer has the status `unknown`.
    pub(crate) failed: i64,
}

/// Verdicts by status, which exclude each other; and two kinds of addresses, whatever their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub(crate) struct VerificationStatus {
    exists: i64,
    not_exists: i64,
    catchall: i64,
    invalid_syntax: i64,
    unknown: i64,
    role_based: i64,
    disposable_domain_emails: i64,
}

/// What is told of a task together.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct TaskMetrics {
    total_email_addresses: i64,
    job_status: JobStatus,
    /// The share of rows that are completed.
    #[schema(minimum = 0.0, maximum = 1.0)]
    progress: f64,
    progress_percent: i64,
    verification_status: VerificationStatus,
    last_verification_requested_at: String,
    last_verification_completed_at: Option<String>,
}

/// The same of a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct TaskDay {
    /// UTC.
    #[schema(format = Date)]
    pub(crate) date: String,
    #[serde(flatten)]
    pub(crate) metrics: TaskMetrics,
}

/// All that a client had verified by tasks.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct VerificationMetrics {
    user_id: Uuid,
    #[serde(flatten)]
    totals: Totals,
    last_verification_requested_at: Option<String>,
    last_verification_completed_at: Option<String>,
    /// Where both ends of a time are given: its days on which tasks were created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    series: Option<Vec<VerificationDay>>,
}

/// The same of tasks that were created on a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct VerificationDay {
    /// UTC.
    #[schema(format = Date)]
    date: String,
    #[serde(flatten)]
    totals: Totals,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = VerificationTotals)]
struct Totals {
    total_verifications: i64,
    total_tasks: i64,
    job_status: JobStatus,
    /// By the words of the vocabulary.
    #[schema(value_type = std::collections::HashMap<String, i64>)]
    verification_status: Statuses,
    total_catchall: i64,
    total_role_based: i64,
    total_disposable_domain_emails: i64,
}

/// Verdicts by status, in the words of a vocabulary.
#[derive(Debug, Clone, PartialEq)]
struct Statuses {
    vocabulary: TasksVocabulary,
    /// Those of all addresses.
    all: VerificationStatus,
    /// Those of disposable ones.
    disposable: VerificationStatus,
}

/// Verdicts by category, of jobs that are judged by the mailbox alone.
fn statuses(counts: &[i32]) -> VerificationStatus {
    let of = |category| {
        let place = Category::ALL.iter().position(|known| *known == category);
        place.and_then(|place| counts.get(place)).copied().map_or(0, i64::from)
    };
    let (exists, not_exists) = (of(Category::Deliverable), of(Category::Undeliverable));
    let (catchall, invalid_syntax) = (of(Category::AcceptAll), of(Category::InvalidSyntax));
    let all: i64 = counts.iter().copied().map(i64::from).sum();
    VerificationStatus {
        exists,
        not_exists,
        catchall,
        invalid_syntax,
        unknown: all - exists - not_exists - catchall - invalid_syntax,
        ..VerificationStatus::default()
    }
}

fn sum(counts: &[i32]) -> i64 {
    counts.iter().copied().map(i64::from).sum()
}

impl VerificationStatus {
    fn of(sums: &Sums) -> Self {
        Self {
            role_based: sums.role_based.into(),
            disposable_domain_emails: sum(&sums.disposable),
            ..statuses(&sums.counts)
        }
    }
}

impl JobStatus {
    /// Of so many rows. Those without a verdict are worked at, or `pending` are not yet.
    fn of(items: i64, pending: i64, sums: &Sums) -> Self {
        let completed = sum(&sums.counts);
        let left = (items - completed).max(0);
        let pending = pending.min(left);
        Self { pending, processing: left - pending, completed, failed: 0 }
    }
}

impl TaskMetrics {
    /// Of a task.
    pub(crate) fn of(job: &JobRow, sums: &Sums) -> Self {
        let items = i64::from(job.items);
        let has_begun = job.started_at.is_some() || job.ended_at.is_some();
        let job_status = JobStatus::of(items, if has_begun { 0 } else { items }, sums);
        Self::with(items, job_status, job.created_at, sums)
    }

    /// Of what was verified on a day: nothing else is of it.
    pub(crate) fn of_day(job: &JobRow, sums: &Sums) -> Self {
        let items = sum(&sums.counts);
        Self::with(items, JobStatus::of(items, 0, sums), job.created_at, sums)
    }

    fn with(items: i64, job_status: JobStatus, asked_at: Timestamp, sums: &Sums) -> Self {
        let (done, all) = (job_status.completed, items.max(1));
        Self {
            total_email_addresses: items,
            progress: share(done, all),
            progress_percent: done * 100 / all,
            job_status,
            verification_status: VerificationStatus::of(sums),
            last_verification_requested_at: moment(asked_at),
            last_verification_completed_at: sums.told_at.map(moment),
        }
    }
}

impl TaskMetrics {
    /// What is told of it without when: how many rows, how far they are, and what they are.
    pub(crate) fn parts(self) -> (i64, JobStatus, VerificationStatus) {
        (self.total_email_addresses, self.job_status, self.verification_status)
    }
}

#[expect(clippy::cast_precision_loss, reason = "rows of a task are far fewer than 2^53")]
fn share(done: i64, all: i64) -> f64 {
    // To four decimals: what clients show.
    (done as f64 / all as f64 * 10_000.0).floor() / 10_000.0
}

impl VerificationMetrics {
    /// `days`: those of the time that is asked for. `with_series`: they are told too.
    pub(crate) fn of(
        client: Uuid,
        days: &[DayOfClient],
        with_series: bool,
        vocabulary: TasksVocabulary,
    ) -> Self {
        let mut totals = Totals::none(vocabulary);
        for day in days {
            totals.add(day);
        }
        let of_day = |day: &DayOfClient| {
            let mut totals = Totals::none(vocabulary);
            totals.add(day);
            VerificationDay { date: date(day.day), totals }
        };
        Self {
            user_id: client,
            totals,
            last_verification_requested_at: days.iter().map(|day| day.asked_at).max().map(moment),
            last_verification_completed_at: days.iter().filter_map(|day| day.sums.told_at).max().map(moment),
            series: with_series.then(|| days.iter().map(of_day).collect()),
        }
    }
}

/// A day as clients read it.
pub(crate) fn date(day: Date) -> String {
    day.to_string()
}

impl Totals {
    fn none(vocabulary: TasksVocabulary) -> Self {
        let none = VerificationStatus::default();
        Self {
            total_verifications: 0,
            total_tasks: 0,
            job_status: JobStatus::default(),
            verification_status: Statuses { vocabulary, all: none, disposable: none },
            total_catchall: 0,
            total_role_based: 0,
            total_disposable_domain_emails: 0,
        }
    }

    fn add(&mut self, day: &DayOfClient) {
        let status = JobStatus::of(day.items, day.pending, &day.sums);
        let (all, disposable) = (VerificationStatus::of(&day.sums), statuses(&day.sums.disposable));
        self.total_verifications += day.items;
        self.total_tasks += day.tasks;
        self.job_status.pending += status.pending;
        self.job_status.processing += status.processing;
        self.job_status.completed += status.completed;
        self.verification_status.all.add(all);
        self.verification_status.disposable.add(disposable);
        self.total_catchall += all.catchall;
        self.total_role_based += all.role_based;
        self.total_disposable_domain_emails += all.disposable_domain_emails;
    }
}

impl VerificationStatus {
    fn add(&mut self, other: Self) {
        self.exists += other.exists;
        self.not_exists += other.not_exists;
        self.catchall += other.catchall;
        self.invalid_syntax += other.invalid_syntax;
        self.unknown += other.unknown;
        self.role_based += other.role_based;
        self.disposable_domain_emails += other.disposable_domain_emails;
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { vocabulary, all, disposable } = self;
        let mut map = serializer.serialize_map(None)?;
        match vocabulary {
            TasksVocabulary::Seed => {
                map.serialize_entry("exists", &all.exists)?;
                map.serialize_entry("not_exists", &all.not_exists)?;
                map.serialize_entry("catchall", &all.catchall)?;
                map.serialize_entry("invalid_syntax", &all.invalid_syntax)?;
                map.serialize_entry("unknown", &all.unknown)?;
            }
            TasksVocabulary::Y2026 => {
                let disposable_in_all = disposable.exists
                    + disposable.not_exists
                    + disposable.catchall
                    + disposable.invalid_syntax
                    + disposable.unknown;
                map.serialize_entry("valid", &(all.exists - disposable.exists))?;
                map.serialize_entry("invalid", &(all.not_exists - disposable.not_exists))?;
                map.serialize_entry("catchall", &(all.catchall - disposable.catchall))?;
                map.serialize_entry("invalid_syntax", &(all.invalid_syntax - disposable.invalid_syntax))?;
                map.serialize_entry("disposable_domain", &disposable_in_all)?;
                map.serialize_entry("unknown", &(all.unknown - disposable.unknown))?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil;
    use serde_json::json;

    use super::*;

    fn counts(of: &[(Category, i32)]) -> Vec<i32> {
        let count = |known: &Category| of.iter().find(|(category, _)| category == known).map_or(0, |of| of.1);
        Category::ALL.iter().map(count).collect()
    }

    fn sums() -> Sums {
        let all = [
            (Category::Deliverable, 5),
            (Category::Undeliverable, 4),
            (Category::AcceptAll, 3),
            (Category::InvalidSyntax, 2),
            (Category::Unknown, 1),
            (Category::Risky, 1),
        ];
        let told_at = Some("2025-01-01T12:04:59Z".parse().unwrap());
        let disposable = counts(&[(Category::Deliverable, 2), (Category::Unknown, 1)]);
        Sums { counts: counts(&all), role_based: 6, disposable, told_at }
    }

    fn day() -> DayOfClient {
        let asked_at = "2025-01-01T12:00:00Z".parse().unwrap();
        DayOfClient { day: civil::date(2025, 1, 1), tasks: 2, items: 20, pending: 3, sums: sums(), asked_at }
    }

    #[test]
    fn statuses_sum_to_what_is_completed_in_either_vocabulary() {
        for (vocabulary, expected) in [
            (
                TasksVocabulary::Seed,
                json!({ "exists": 5, "not_exists": 4, "catchall": 3, "invalid_syntax": 2, "unknown": 2 }),
            ),
            (
                TasksVocabulary::Y2026,
                json!({ "valid": 3, "invalid": 4, "catchall": 3, "invalid_syntax": 2, "disposable_domain": 3, "unknown": 1 }),
            ),
        ] {
            let told = VerificationMetrics::of(Uuid::nil(), &[day()], true, vocabulary);
            let told = serde_json::to_value(told).unwrap();
            assert_eq!(told["verification_status"], expected);
            let words = told["verification_status"].as_object().unwrap();
            assert_eq!(words.values().map(|count| count.as_i64().unwrap()).sum::<i64>(), 16);
            assert_eq!(told["series"][0]["verification_status"], expected);
            let status = json!({ "pending": 3, "processing": 1, "completed": 16, "failed": 0 });
            assert_eq!(told["job_status"], status);
        }
    }

    #[test]
    fn days_add_up_to_the_whole_and_stand_there_only_where_they_are_wanted() {
        let told = VerificationMetrics::of(Uuid::nil(), &[day(), day()], false, TasksVocabulary::Seed);
        let told = serde_json::to_value(told).unwrap();
        assert_eq!((&told["total_verifications"], &told["total_tasks"]), (&json!(40), &json!(4)));
        assert_eq!(
            (&told["total_role_based"], &told["total_disposable_domain_emails"]),
            (&json!(12), &json!(6))
        );
        assert!(told.get("series").is_none(), "{told}");
        let nothing = VerificationMetrics::of(Uuid::nil(), &[], true, TasksVocabulary::Seed);
        let nothing = serde_json::to_value(nothing).unwrap();
        assert_eq!(
            (&nothing["series"], &nothing["last_verification_requested_at"]),
            (&json!([]), &json!(null))
        );
    }
}
