//! `Email`: what is known of an address, and `Job`: a row of a task, with it once there is something to know.

use jiff::Timestamp;
use mailsonde_engine::{Evidence, Finding, MailRoute, MailboxState, Operator, Reason, Verdict};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::moment;
use crate::{
    jobs::{
        item_id::{email_id, item_id},
        rows::verdicts::Judged,
    },
    store::jobs::JobRow,
    words::TasksVocabulary,
};

/// The type of servers that nobody knows.
const UNKNOWN_SERVER: &str = "Unknown";

/// The status of who was not answered, in either vocabulary.
const UNKNOWN: &str = "unknown";

/// A row of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TaskJob)]
pub(crate) struct Job<'a> {
    pub(crate) id: Uuid,
    pub(crate) task_id: Uuid,
    /// As it was submitted.
    pub(crate) email_address: &'a str,
    /// `pending`, `processing`, `completed` or `failed`.
    pub(crate) status: &'static str,
    /// Left out until something is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) email: Option<Email<'a>>,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
}

/// What is known of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TaskEmail)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
pub(crate) struct Email<'a> {
    id: Uuid,
    /// As it was submitted.
    email: &'a str,
    /// `exists`, `not_exists`, `catchall`, `invalid_syntax` or `unknown`; by the vocabulary of 2026 `valid`, `invalid`,
    /// `catchall`, `invalid_syntax`, `disposable_domain` or `unknown`.
    status: &'static str,
    is_role_based: bool,
    is_disposable: bool,
    has_mx_records: bool,
    /// The first address of the best mail server that has one has a name.
    has_reverse_dns: bool,
    /// Empty where it is no address.
    domain_name: &'a str,
    /// The mail server that answered, or else the best one; empty where there is none.
    host_name: &'a str,
    /// Whose servers they are, or `Unknown`.
    server_type: &'static str,
    is_catchall: bool,
    #[schema(format = DateTime)]
    validated_at: String,
    /// Where the status is `unknown`.
    unknown_reason: Option<&'a str>,
    /// Only a message that is delivered could tell.
    needs_physical_verify: bool,
}

/// What the evidence of a verdict says of the mail servers.
#[derive(Default)]
struct Servers<'a> {
    route: Option<&'a MailRoute>,
    operator: Option<Operator>,
    heard: Option<&'a str>,
    has_name: bool,
}

impl<'a> Servers<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut servers = Self::default();
        for finding in evidence.findings() {
            match finding {
                Finding::Route(route) => servers.route = Some(route),
                Finding::Operator(operator) => servers.operator = Some(*operator),
                Finding::Reply(reading) => servers.heard = Some(&reading.host),
                Finding::ReverseDns => servers.has_name = true,
                _ => {}
            }
        }
        servers
    }

    /// The one that answered, or else the best.
    fn host(&self, domain: &'a str) -> &'a str {
        match (self.heard, self.route) {
            (Some(host), _) => host,
            (None, Some(MailRoute::Mx { hosts, .. })) => hosts.first().map_or("", |host| &host.name),
            (None, Some(MailRoute::Implicit)) => domain,
            (None, _) => "",
        }
    }
}

impl<'a> Job<'a> {
    /// Of a row of a job. `judged`: its verdict, where it has one.
    pub(crate) fn of(
        job: &JobRow,
        row: u32,
        input: &'a str,
        judged: Option<&'a Judged>,
        vocabulary: TasksVocabulary,
    ) -> Self {
        let email = |judged: &'a Judged| {
            Email::of(email_id(job.id, row), &judged.verdict, judged.verified_at, vocabulary)
        };
        let status = match (judged, job.started_at) {
            (Some(_), _) => "completed",
            (None, Some(_)) => "processing",
            (None, None) => "pending",
        };
        let updated_at = judged.map(|judged| judged.verified_at).or(job.started_at);
        Self {
            id: item_id(job.id, row),
            task_id: job.id,
            email_address: input,
            status,
            email: judged.map(email),
            created_at: moment(job.created_at),
            updated_at: moment(updated_at.unwrap_or(job.created_at)),
        }
    }
}

impl<'a> Email<'a> {
    /// Of a verdict that was reached then.
    pub(crate) fn of(id: Uuid, verdict: &'a Verdict, at: Timestamp, vocabulary: TasksVocabulary) -> Self {
        let judgement = &verdict.judgement;
        let servers = Servers::of(&verdict.evidence);
        let domain = verdict.address.as_ref().map_or("", |address| address.domain());
        let status = vocabulary.status(judgement.mailbox, judgement.flags.is_disposable);
        let reason = judgement.mailbox_reason.as_ref().filter(|_| status == UNKNOWN);
        Self {
            id,
            email: &verdict.input,
            status,
            is_role_based: judgement.flags.role.is_some(),
            is_disposable: judgement.flags.is_disposable,
            has_mx_records: matches!(servers.route, Some(MailRoute::Mx { .. })),
            has_reverse_dns: servers.has_name,
            domain_name: domain,
            host_name: servers.host(domain),
            server_type: servers.operator.map_or(UNKNOWN_SERVER, |operator| operator.row().server_type),
            is_catchall: judgement.flags.is_catch_all,
            validated_at: moment(at),
            unknown_reason: reason.map(Reason::word),
            needs_physical_verify: needs_message(judgement.mailbox, judgement.mailbox_reason.as_ref()),
        }
    }
}

impl Email<'_> {
    /// What it says, but for its id, in the order of its keys.
    pub(crate) fn cells(&self) -> [Box<str>; 13] {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        [
            self.email,
            self.status,
            flag(self.is_role_based),
            flag(self.is_disposable),
            flag(self.has_mx_records),
            flag(self.has_reverse_dns),
            self.domain_name,
            self.host_name,
            self.server_type,
            flag(self.is_catchall),
            &self.validated_at,
            self.unknown_reason.unwrap_or_default(),
            flag(self.needs_physical_verify),
        ]
        .map(Box::from)
    }
}

/// The domain accepts everybody, or its server says nothing to whoever only asks.
fn needs_message(mailbox: MailboxState, reason: Option<&Reason>) -> bool {
    match mailbox {
        MailboxState::CatchAll => true,
        MailboxState::Unanswered => reason == Some(&Reason::BlockedByServer),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailsonde_engine::{
        Address, CatchAll, CatchAllSource, DialogueStage, MailHost, Policy, Reading, ReplyClass, RoleType,
        Strength, Subject,
    };

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn verdict(findings: impl IntoIterator<Item = Finding>) -> Verdict {
        let mut subject = Subject::new("jane@example.com");
        for finding in findings {
            subject.note(&Arc::from("test"), finding);
        }
        Verdict {
            address: Some(Address::new("jane", "example.com")),
            ..Verdict::of(subject, Policy::default())
        }
    }

    fn route() -> Finding {
        let host = |preference, name: &str| MailHost { preference, name: name.into() };
        let hosts = vec![host(10, "best.example.com"), host(20, "mx.example.com")];
        Finding::Route(Arc::new(MailRoute::Mx { hosts, beside_null: false }))
    }

    fn reply(class: ReplyClass) -> Finding {
        Finding::Reply(Box::new(Reading {
            class,
            strength: Strength::Code,
            rule: "test".into(),
            stage: DialogueStage::Rcpt,
            code: 250,
            enhanced: None,
            text: "".into(),
            host: "mx.example.com".into(),
            agreed: false,
        }))
    }

    fn accepted() -> [Finding; 4] {
        let catch_all = CatchAll::No { source: CatchAllSource::Session };
        [route(), reply(ReplyClass::Accepted), Finding::CatchAll(catch_all), Finding::ReverseDns]
    }

    fn email(verdict: &Verdict) -> Email<'_> {
        let id = "750e8400-e29b-41d4-a716-446655440000".parse().unwrap();
        Email::of(id, verdict, at("2025-01-01T12:04:59.7Z"), TasksVocabulary::Seed)
    }

    #[test]
    fn a_job_octet_by_octet() {
        let verdict = verdict(accepted());
        let job = Job {
            id: "650e8400-e29b-41d4-a716-446655440000".parse().unwrap(),
            task_id: "550e8400-e29b-41d4-a716-446655440000".parse().unwrap(),
            email_address: "jane@example.com",
            status: "completed",
            email: Some(email(&verdict)),
            created_at: moment(at("2025-01-01T12:00:01Z")),
            updated_at: moment(at("2025-01-01T12:05:00Z")),
        };
        assert_eq!(
            serde_json::to_string(&job).unwrap(),
            r#"{"id":"650e8400-e29b-41d4-a716-446655440000","task_id":"550e8400-e29b-41d4-a716-446655440000","email_address":"jane@example.com","status":"completed","email":{"id":"750e8400-e29b-41d4-a716-446655440000","email":"jane@example.com","status":"exists","is_role_based":false,"is_disposable":false,"has_mx_records":true,"has_reverse_dns":true,"domain_name":"example.com","host_name":"mx.example.com","server_type":"Unknown","is_catchall":false,"validated_at":"2025-01-01T12:04:59Z","unknown_reason":null,"needs_physical_verify":false},"created_at":"2025-01-01T12:00:01Z","updated_at":"2025-01-01T12:05:00Z"}"#
        );
        let waiting = serde_json::to_value(Job { status: "pending", email: None, ..job }).unwrap();
        assert!(waiting.get("email").is_none(), "{waiting}");
    }

    #[test]
    fn what_is_unknown_has_a_reason_and_what_is_known_has_none() {
        for (findings, status, reason, needs_message) in [
            (vec![route(), reply(ReplyClass::Policy)], "unknown", Some("blocked_by_server"), true),
            (vec![route(), reply(ReplyClass::Greylisted)], "unknown", Some("greylisted"), false),
            (vec![route(), reply(ReplyClass::Full)], "unknown", Some("mailbox_full"), false),
            (vec![route(), reply(ReplyClass::NoSuchMailbox)], "not_exists", None, false),
            (vec![Finding::Route(Arc::new(MailRoute::NoDomain))], "not_exists", None, false),
        ] {
            let verdict = verdict(findings);
            let told = email(&verdict);
            assert_eq!((told.status, told.unknown_reason), (status, reason));
            assert_eq!(told.needs_physical_verify, needs_message, "{status} {reason:?}");
        }
        let everybody = Finding::CatchAll(CatchAll::Yes { source: CatchAllSource::Session });
        let verdict = verdict([route(), reply(ReplyClass::Accepted), everybody]);
        let told = email(&verdict);
        assert_eq!((told.status, told.is_catchall, told.needs_physical_verify), ("catchall", true, true));
    }

    #[test]
    fn the_best_server_is_told_where_none_answered() {
        let silent = verdict([route(), Finding::Role(RoleType::Info)]);
        assert_eq!((email(&silent).host_name, email(&silent).is_role_based), ("best.example.com", true));
        let implicit = verdict([Finding::Route(Arc::new(MailRoute::Implicit))]);
        assert_eq!((email(&implicit).host_name, email(&implicit).has_mx_records), ("example.com", false));
        let nobody = Verdict::of(Subject::new("nobody"), Policy::default());
        assert_eq!((email(&nobody).domain_name, email(&nobody).host_name), ("", ""));
    }
}
