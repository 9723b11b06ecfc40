//! What webhooks tell of one row of a task, with `[tasks] webhook_each`: the row, and of which task it is.

use serde::Serialize;
use uuid::Uuid;

use super::{SOURCE, completed::Completed, email::Job, moment};
use crate::{jobs::rows::verdicts::Judged, store::jobs::JobRow, words::TasksVocabulary};

/// A row is known for good.
#[derive(Debug, Serialize)]
pub(crate) struct RowAlone<'a> {
    task: TaskOf,
    job: Job<'a>,
}

/// The task of a row.
#[derive(Debug, Serialize)]
struct TaskOf {
    id: Uuid,
    email_count: i32,
    /// `api_key`.
    source: &'static str,
    created_at: String,
}

impl<'a> Completed<RowAlone<'a>> {
    /// Of a row with its verdict. `job`: as it will be known, where this is its end.
    pub(crate) fn each(job: &JobRow, judged: &'a Judged, vocabulary: TasksVocabulary) -> Self {
        let alone = RowAlone {
            task: TaskOf {
                id: job.id,
                email_count: job.items,
                source: SOURCE,
                created_at: moment(job.created_at),
            },
            job: Job::of(job, judged.row, &judged.verdict.input, Some(judged), vocabulary),
        };
        Self::since(job.ended_at.unwrap_or(judged.verified_at), job, alone)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use jiff::Timestamp;
    use mailsonde_engine::{Address, Finding, MailHost, MailRoute, MailboxState, Policy, Subject, Verdict};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn job(source: &str) -> JobRow {
        JobRow {
            id: "550e8400-e29b-71d4-a716-446655440000".parse().unwrap(),
            client: Uuid::nil(),
            facade: super::super::WORD.into(),
            source: source.into(),
            filename: None,
            callback: None,
            is_told: false,
            state: "running".into(),
            pipeline: "tasks".into(),
            items: 3,
            done: 1,
            created_at: at("2025-01-01T12:00:01.9Z"),
            deadline_at: at("2025-01-02T12:00:00Z"),
            started_at: Some(at("2025-01-01T12:00:02Z")),
            ended_at: None,
            left_over: None,
            counts: None,
            expires_at: at("2025-02-01T12:00:00Z"),
            pruned_at: None,
            is_expired: false,
        }
    }

    fn judged() -> Judged {
        let mut subject = Subject::new("jane@example.com");
        let hosts = vec![MailHost { preference: 10, name: "mx.example.com".into() }];
        subject
            .note(&Arc::from("test"), Finding::Route(Arc::new(MailRoute::Mx { hosts, beside_null: false })));
        subject.note(&Arc::from("test"), Finding::ReverseDns);
        let mut verdict = Verdict::of(subject, Policy::default());
        verdict.address = Some(Address::new("jane", "example.com"));
        (verdict.judgement.mailbox, verdict.judgement.mailbox_reason) = (MailboxState::Accepted, None);
        let verified_at = at("2025-01-01T12:04:59.123Z");
        Judged { row: 1, verdict, verified_at, took: Duration::ZERO, is_final: true }
    }

    const ROW: &str = r#"{"id":"550e8400-e29b-81d4-8000-000001440000","task_id":"550e8400-e29b-71d4-a716-446655440000","email_address":"jane@example.com","status":"completed","email":{"id":"550e8400-e29b-81d4-8100-000001440000","email":"jane@example.com","status":"exists","is_role_based":false,"is_disposable":false,"has_mx_records":true,"has_reverse_dns":true,"domain_name":"example.com","host_name":"mx.example.com","server_type":"Unknown","is_catchall":false,"validated_at":"2025-01-01T12:04:59Z","unknown_reason":null,"needs_physical_verify":false},"created_at":"2025-01-01T12:00:01Z","updated_at":"2025-01-01T12:04:59Z"}"#;

    #[test]
    fn a_row_of_a_task_octet_by_octet() {
        for (source, upload) in
            [("batch", ""), ("file", r#""upload_id":"550e8400-e29b-71d4-a716-446655440000","#)]
        {
            let (job, judged) = (job(source), judged());
            let told = serde_json::to_string(&Completed::each(&job, &judged, TasksVocabulary::Seed)).unwrap();
            let expected = format!(
                r#"{{"event_type":"email_verification_completed","task_id":"550e8400-e29b-71d4-a716-446655440000",{upload}"completed_at":"2025-01-01T12:04:59Z","data":{{"task":{{"id":"550e8400-e29b-71d4-a716-446655440000","email_count":3,"source":"api_key","created_at":"2025-01-01T12:00:01Z"}},"job":{ROW}}}}}"#
            );
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_row_that_is_left_over_is_known_since_the_end() {
        let job = JobRow { ended_at: Some(at("2025-01-02T12:00:00.4Z")), ..job("batch") };
        let told = serde_json::to_value(Completed::each(&job, &judged(), TasksVocabulary::Seed)).unwrap();
        assert_eq!(told["completed_at"], "2025-01-02T12:00:00Z");
        assert_eq!(told["data"]["job"]["email"]["validated_at"], "2025-01-01T12:04:59Z");
    }
}
