//! One verdict, three vocabularies. The Email Verifier facade shows the category; the other two products speak of the
//! mailbox itself, so they read its state. The table is the contract's.

use mailsonde_engine::MailboxState;
use serde::Deserialize;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TasksVocabulary {
    /// `exists`, `not_exists`, …: the documented page.
    #[serde(rename = "seed")]
    Seed,
    /// `valid`, `invalid`, … and `disposable_domain`: in use since February 2026.
    #[serde(rename = "2026")]
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
        CatchAll, CatchAllSource, DialogueStage, Finding, HistoryFact, HistorySource, LookupFailure,
        MailHost, MailRoute, Policy, ProbeFailure, RandomPattern, Reading, ReplyClass, Signal, SignalName,
        Strength, SyntaxError, SyntaxReason, Tier, judge,
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

    /// Relentless state and outcome, and the tasks status of the documented page and of 2026.
    type Words = (&'static str, &'static str, &'static str);

    const FOUND: Words = ("deliverable/found", "exists", "valid");
    const GONE: Words = ("undeliverable/not_found", "not_exists", "invalid");
    const ERROR: Words = ("undeliverable/error", "unknown", "unknown");
    const CATCH_ALL: Words = ("undeliverable/error", "catchall", "catchall");

    /// The table of the contract: findings, the Email Verifier's category and cause, and the others' words.
    fn rows() -> Vec<(Vec<Finding>, &'static str, Words)> {
        let route = |route: MailRoute| Finding::Route(Arc::new(route));
        let answered = |class| vec![mx(), reply(class)];
        let accepted = |is_catch_all| vec![mx(), reply(ReplyClass::Accepted), catch_all(is_catch_all)];
        let with = |mut findings: Vec<Finding>, finding| {
            findings.push(finding);
            findings
        };
        let disposable = || Finding::Disposable(Tier::Curated);
        let confirmed = Finding::History(HistoryFact::Confirmed);
        let bounced =
            Finding::History(HistoryFact::HardBounce { age_days: 1, source: HistorySource::Bounce });
        let failed = |failure| Finding::ProbeFailed(failure);
        let servfail = route(MailRoute::Unanswered { failure: LookupFailure::ServerFailure });
        let syntax = Finding::SyntaxError(SyntaxError {
            reason: SyntaxReason::NoAt,
            message: "There is no @.".into(),
        });
        let invalid = ("undeliverable/not_found", "invalid_syntax", "invalid_syntax");
        vec![
            (accepted(false), "deliverable", FOUND),
            (answered(ReplyClass::NoSuchMailbox), "undeliverable mailbox_not_found", GONE),
            (vec![route(MailRoute::NoDomain)], "undeliverable domain_not_found", GONE),
            (vec![route(MailRoute::NoMail)], "undeliverable no_mx_record", GONE),
            (vec![route(MailRoute::NullMx)], "undeliverable null_mx", GONE),
            (accepted(true), "accept_all catch_all", CATCH_ALL),
            (with(accepted(true), confirmed), "deliverable", ("deliverable/found", "catchall", "catchall")),
            (answered(ReplyClass::Full), "risky mailbox_full", ERROR),
            (answered(ReplyClass::Disabled), "undeliverable mailbox_disabled", GONE),
            (
                with(accepted(false), disposable()),
                "disposable disposable_domain",
                ("deliverable/found", "exists", "disposable_domain"),
            ),
            (
                with(answered(ReplyClass::NoSuchMailbox), disposable()),
                "disposable disposable_domain",
                ("undeliverable/not_found", "not_exists", "disposable_domain"),
            ),
            (vec![mx(), failed(ProbeFailure::Timeout)], "unknown timeout", ERROR),
            (answered(ReplyClass::Greylisted), "unknown greylisted", ERROR),
            (answered(ReplyClass::Temporary), "unknown rate_limited_by_server", ERROR),
            (answered(ReplyClass::Blocked), "unknown blocked_by_server", ERROR),
            (vec![servfail, failed(ProbeFailure::DnsFailure)], "unknown dns_failure", ERROR),
            (vec![syntax], "invalid_syntax no_at", invalid),
            (with(accepted(true), random()), "random_pattern no_vowels", CATCH_ALL),
            (vec![random()], "random_pattern no_vowels", ERROR),
            (vec![bounced], "undeliverable mailbox_not_found", GONE),
        ]
    }

    #[test]
    fn every_column_of_the_contract() {
        for (findings, email_verifier, words) in rows() {
            let judged = judge(&findings, Policy::default());
            let cause =
                judged.reason.as_ref().map(|reason| format!(" {}", reason.word())).unwrap_or_default();
            assert_eq!(format!("{}{cause}", judged.category.word()), email_verifier);
            let Relentless { state, outcome } = Relentless::of(judged.mailbox);
            let tasks = |words: TasksVocabulary| words.status(judged.mailbox, judged.flags.is_disposable);
            let told =
                (format!("{state}/{outcome}"), tasks(TasksVocabulary::Seed), tasks(TasksVocabulary::Y2026));
            assert_eq!((&*told.0, told.1, told.2), words, "{email_verifier}");
        }
    }
}
