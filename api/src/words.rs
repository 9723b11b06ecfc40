//! One verdict, three vocabularies. The Email Verifier facade shows the category; the other two products speak of the
//! mailbox itself, so they read its state. The table is the contract's.

use mailsonde_engine::MailboxState;

/// `state` and `outcome` of a Relentless Identity result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relentless {
    /// `deliverable` or `undeliverable`. On an error it says nothing: clients branch on the outcome first.
    pub state: &'static str,
    /// `found`, `not_found` or `error`.
    pub outcome: &'static str,
}

impl Relentless {
    const FOUND: Self = Self { state: "deliverable", outcome: "found" };
    const NOT_FOUND: Self = Self { state: "undeliverable", outcome: "not_found" };
    const ERROR: Self = Self { state: "undeliverable", outcome: "error" };

    /// The words for a mailbox.
    pub fn of(mailbox: MailboxState) -> Self {
        match mailbox {
            MailboxState::Accepted | MailboxState::CatchAllConfirmed => Self::FOUND,
            MailboxState::NotFound
            | MailboxState::Disabled
            | MailboxState::NoDomain
            | MailboxState::NoMailHost
            | MailboxState::NoMail
            | MailboxState::NonAsciiUnsupported
            | MailboxState::Invalid => Self::NOT_FOUND,
            MailboxState::CatchAll
            | MailboxState::Full
            | MailboxState::Unanswered
            | MailboxState::Unchecked => Self::ERROR,
        }
    }
}

/// The generation of words that a tasks client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TasksVocabulary {
    /// `exists`, `not_exists`, …: the documented page.
    Seed,
    /// `valid`, `invalid`, … and `disposable_domain`: in use since February 2026.
    Y2026,
}

impl TasksVocabulary {
    /// `status` of an email object.
    pub fn status(self, mailbox: MailboxState, is_disposable: bool) -> &'static str {
        if self == Self::Y2026 && is_disposable {
            return "disposable_domain";
        }
        let (exists, not_exists) = match self {
            Self::Seed => ("exists", "not_exists"),
            Self::Y2026 => ("valid", "invalid"),
        };
        match mailbox {
            MailboxState::Accepted => exists,
            MailboxState::CatchAll | MailboxState::CatchAllConfirmed => "catchall",
            MailboxState::NotFound
            | MailboxState::Disabled
            | MailboxState::NoDomain
            | MailboxState::NoMailHost
            | MailboxState::NoMail
            | MailboxState::NonAsciiUnsupported => not_exists,
            MailboxState::Invalid => "invalid_syntax",
            MailboxState::Full | MailboxState::Unanswered | MailboxState::Unchecked => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailsonde_engine::{
        CatchAll, CatchAllSource, DialogueStage, Finding, HistoryFact, LookupFailure, MailHost, MailRoute,
        Policy, ProbeFailure, RandomPattern, Reading, Reason, ReplyClass, Signal, SignalName, Strength,
        SyntaxError, SyntaxReason, Tier, judge,
    };

    use super::*;

    fn mx() -> Finding {
        let host = MailHost { preference: 10, name: "mx.example.org".into() };
        Finding::Route(Arc::new(MailRoute::Mx { hosts: vec![host], beside_null: false }))
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
            host: "mx.example.org".into(),
            agreed: false,
        }))
    }

    fn catch_all(is: bool) -> Finding {
        let source = CatchAllSource::Session;
        Finding::CatchAll(if is { CatchAll::Yes { source } } else { CatchAll::No { source } })
    }

    fn random() -> Finding {
        let signal = Signal { signal: SignalName::NoVowels, value: 1.0, threshold: 0.5, weight: 1.0 };
        Finding::RandomPattern(RandomPattern {
            confidence: 0.98,
            entropy: 3.0,
            is_random: true,
            signals: vec![signal],
        })
    }

    /// Findings; then Email Verifier category and cause, Relentless state and outcome, both tasks vocabularies.
    type Row = (Vec<Finding>, &'static str, &'static str, &'static str, &'static str);

    fn mailbox_rows() -> Vec<Row> {
        let route = |route: MailRoute| vec![Finding::Route(Arc::new(route))];
        let answered = |class| vec![mx(), reply(class)];
        let accepted = |is_catch_all| vec![mx(), reply(ReplyClass::Accepted), catch_all(is_catch_all)];
        let mut confirmed = accepted(true);
        confirmed.push(Finding::History(HistoryFact::Confirmed));
        vec![
            (accepted(false), "deliverable", "deliverable/found", "exists", "valid"),
            (
                answered(ReplyClass::NoSuchMailbox),
                "undeliverable mailbox_not_found",
                "undeliverable/not_found",
                "not_exists",
                "invalid",
            ),
            (
                route(MailRoute::NoDomain),
                "undeliverable domain_not_found",
                "undeliverable/not_found",
                "not_exists",
                "invalid",
            ),
            (
                route(MailRoute::NoMail),
                "undeliverable no_mx_record",
                "undeliverable/not_found",
                "not_exists",
                "invalid",
            ),
            (
                route(MailRoute::NullMx),
                "undeliverable null_mx",
                "undeliverable/not_found",
                "not_exists",
                "invalid",
            ),
            (accepted(true), "accept_all catch_all", "undeliverable/error", "catchall", "catchall"),
            (confirmed, "deliverable", "deliverable/found", "catchall", "catchall"),
            (answered(ReplyClass::Full), "risky mailbox_full", "undeliverable/error", "unknown", "unknown"),
            (
                answered(ReplyClass::Disabled),
                "undeliverable mailbox_disabled",
                "undeliverable/not_found",
                "not_exists",
                "invalid",
            ),
        ]
    }

    fn other_rows() -> Vec<Row> {
        let unanswered = |finding| vec![mx(), finding];
        let disposable = |mut findings: Vec<Finding>| {
            findings.push(Finding::Disposable(Tier::Curated));
            findings
        };
        let servfail =
            Finding::Route(Arc::new(MailRoute::Unanswered { failure: LookupFailure::ServerFailure }));
        let error = SyntaxError { reason: SyntaxReason::NoAt, message: "There is no @.".into() };
        let accepted = || vec![mx(), reply(ReplyClass::Accepted), catch_all(false)];
        let mut random_accepted = vec![mx(), reply(ReplyClass::Accepted), catch_all(true)];
        random_accepted.push(random());
        let mut bounced = accepted();
        bounced[1] = reply(ReplyClass::NoSuchMailbox);
        vec![
            (
                disposable(accepted()),
                "disposable disposable_domain",
                "deliverable/found",
                "exists",
                "disposable_domain",
            ),
            (
                disposable(vec![mx(), reply(ReplyClass::NoSuchMailbox)]),
                "disposable disposable_domain",
                "undeliverable/not_found",
                "not_exists",
                "disposable_domain",
            ),
            (
                unanswered(Finding::ProbeFailed(ProbeFailure::Timeout)),
                "unknown timeout",
                "undeliverable/error",
                "unknown",
                "unknown",
            ),
            (
                unanswered(reply(ReplyClass::Greylisted)),
                "unknown greylisted",
                "undeliverable/error",
                "unknown",
                "unknown",
            ),
            (
                unanswered(reply(ReplyClass::Blocked)),
                "unknown blocked_by_server",
                "undeliverable/error",
                "unknown",
                "unknown",
            ),
            (
                vec![servfail, Finding::ProbeFailed(ProbeFailure::DnsFailure)],
                "unknown dns_failure",
                "undeliverable/error",
                "unknown",
                "unknown",
            ),
            (
                vec![Finding::SyntaxError(error)],
                "invalid_syntax no_at",
                "undeliverable/not_found",
                "invalid_syntax",
                "invalid_syntax",
            ),
            (random_accepted, "random_pattern no_vowels", "undeliverable/error", "catchall", "catchall"),
            (
                vec![Finding::History(HistoryFact::HardBounce { age_days: 1 })],
                "undeliverable mailbox_not_found",
                "undeliverable/not_found",
                "not_exists",
                "invalid",
            ),
            (bounced, "undeliverable mailbox_not_found", "undeliverable/not_found", "not_exists", "invalid"),
        ]
    }

    #[test]
    fn every_column_of_the_contract() {
        for (findings, email_verifier, relentless, seed, y2026) in
            mailbox_rows().into_iter().chain(other_rows())
        {
            let judged = judge(&findings, Policy::default());
            let Relentless { state, outcome } = Relentless::of(judged.mailbox);
            let cause = judged.reason.map(Reason::word).map(|word| format!(" {word}")).unwrap_or_default();
            let tasks = |words: TasksVocabulary| words.status(judged.mailbox, judged.flags.is_disposable);
            assert_eq!(format!("{}{cause}", judged.category.word()), email_verifier);
            assert_eq!(format!("{state}/{outcome}"), relentless, "{email_verifier}");
            assert_eq!(tasks(TasksVocabulary::Seed), seed, "{email_verifier}");
            assert_eq!(tasks(TasksVocabulary::Y2026), y2026, "{email_verifier}");
        }
    }
}
