//! The judge: findings in, one judgement out. Pure: no clock, no options but the [`Policy`], no memory.
//!
//! Two steps. First the state of the mailbox, from what this run saw of it. Then the category, by a list of rules of
//! which the first that matches wins. Stages never decide, so what is right or wrong about a verdict is here.

use serde::{Deserialize, Serialize};

use crate::{
    AliasType, CatchAll, CatchAllSource, Category, Confidence, Fault, FaultCause, Finding, Flags,
    HistoryFact, MailRoute, MailboxState, ProbeFailure, RandomPattern, Reading, Reason, ReplyClass,
    RiskSource, RoleType, Signal, Strength, SyntaxError, Tier, confidence::Evidence,
};

/// What an operator may choose about judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What a role address is.
    pub role: RolePolicy,
    /// When a random-looking local part decides.
    pub random: RandomPolicy,
    /// Days for which a remembered hard bounce stands in for a probe.
    pub history_trust_days: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { role: RolePolicy::Flag, random: RandomPolicy::Unproven, history_trust_days: 7 }
    }
}

/// What a role address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolePolicy {
    /// A flag beside the category.
    Flag,
    /// `risky · role_based`, where it would be deliverable.
    Risky,
}

/// When a random-looking local part decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RandomPolicy {
    /// When no answer proves the mailbox.
    Unproven,
    /// Even when the mailbox is proven.
    Always,
}

/// What the judge says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// One of the ten categories.
    pub category: Category,
    /// The observed cause; `None` for deliverable.
    pub reason: Option<Reason>,
    /// How probable the category's claim is.
    pub confidence: Confidence,
    /// What is known of the mailbox itself, whatever the category.
    pub mailbox: MailboxState,
    /// The cause behind the mailbox's state, where there is one.
    pub mailbox_reason: Option<Reason>,
    /// What the address is besides.
    pub flags: Flags,
    /// The domain that the writer may have meant.
    pub suggestion: Option<Box<str>>,
}

/// Judges what was found.
pub fn judge<'a>(findings: impl IntoIterator<Item = &'a Finding>, policy: Policy) -> Judgement {
    let seen = Seen::of(findings);
    let mailbox = seen.mailbox(policy);
    let (category, reason, confidence) = seen.category(mailbox, policy);
    Judgement {
        category,
        reason,
        confidence,
        mailbox: mailbox.state,
        mailbox_reason: mailbox.reason,
        flags: seen.flags(),
        suggestion: seen.suggestion().map(Into::into),
    }
}

/// The findings, sorted by what the rules ask for. Of two findings of a kind the later one counts.
#[derive(Default)]
struct Seen<'a> {
    syntax: Option<&'a SyntaxError>,
    duplicate: bool,
    suggestion: Option<&'a str>,
    typo_trap: bool,
    disposable: Option<Tier>,
    disposable_mx: bool,
    parked: bool,
    free_provider: bool,
    role: Option<RoleType>,
    alias: Option<AliasType>,
    random: Option<&'a RandomPattern>,
    route: Option<&'a MailRoute>,
    reply: Option<&'a Reading>,
    catch_all: Option<CatchAll>,
    failed: Option<ProbeFailure>,
    bounced_days_ago: Option<u32>,
    confirmed: bool,
    risk: Option<RiskSource>,
    fault: Option<&'a Fault>,
}

/// The mailbox's state, its cause, and how sure the claim is that follows from it.
#[derive(Clone, Copy)]
struct Mailbox {
    state: MailboxState,
    reason: Option<Reason>,
    confidence: Confidence,
}

impl Mailbox {
    fn new(state: MailboxState, reason: impl Into<Option<Reason>>, confidence: Confidence) -> Self {
        Self { state, reason: reason.into(), confidence }
    }

    fn unanswered(reason: Reason) -> Self {
        Self::new(MailboxState::Unanswered, reason, Confidence::NOTHING)
    }

    /// Nothing can be delivered; an answer too weak to say so is no answer.
    fn dead(state: MailboxState, reason: Reason, confidence: Confidence) -> Self {
        if confidence < Confidence::UNDELIVERABLE_MIN {
            return Self::unanswered(Reason::BlockedByServer);
        }
        Self::new(state, reason, confidence)
    }

    fn is_dead(self) -> bool {
        use MailboxState::{Disabled, NoDomain, NoMail, NoMailHost, NonAsciiUnsupported, NotFound};
        matches!(self.state, NotFound | Disabled | NoDomain | NoMailHost | NoMail | NonAsciiUnsupported)
    }
}

impl<'a> Seen<'a> {
    fn of(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut seen = Self::default();
        for finding in findings {
            match finding {
                Finding::SyntaxError(error) => seen.syntax = Some(error),
                Finding::TypoSuggestion(domain) => seen.suggestion = Some(domain),
                Finding::TypoTrap => seen.typo_trap = true,
                Finding::Disposable(tier) => seen.disposable = Some(*tier),
                Finding::DisposableMx => seen.disposable_mx = true,
                Finding::Parked => seen.parked = true,
                Finding::FreeProvider => seen.free_provider = true,
                Finding::Role(role) => seen.role = Some(*role),
                Finding::Alias(alias) => seen.alias = Some(*alias),
                Finding::RandomPattern(pattern) => seen.random = Some(pattern),
                Finding::Route(route) => seen.route = Some(route),
                Finding::Reply(reading) => seen.reply = Some(reading),
                Finding::CatchAll(catch_all) => seen.catch_all = Some(*catch_all),
                Finding::ProbeFailed(failure) => seen.failed = Some(*failure),
                Finding::History(HistoryFact::HardBounce { age_days }) => {
                    seen.bounced_days_ago = Some(*age_days);
                }
                Finding::History(HistoryFact::Confirmed) => seen.confirmed = true,
                Finding::RiskList(source) => seen.risk = Some(*source),
                Finding::DuplicateOf(_) => seen.duplicate = true,
                Finding::Fault(fault) if hides_the_mailbox(fault) => seen.fault = Some(fault),
                Finding::Fault(_) | Finding::Operator(_) | Finding::DomainTrust(_) => {}
            }
        }
        seen
    }

    /// What this run, or else a fresh memory, says of the mailbox.
    fn mailbox(&self, policy: Policy) -> Mailbox {
        use MailboxState::{Invalid, NoDomain, NoMail, NoMailHost, NotFound, Unchecked};
        let gone = |state, reason| Mailbox::dead(state, reason, Evidence::DomainGone.score(false, false));
        if self.syntax.is_some() {
            return Mailbox::new(Invalid, None, Confidence::CERTAIN);
        }
        match self.route {
            Some(MailRoute::NoDomain) => return gone(NoDomain, Reason::DomainNotFound),
            Some(MailRoute::NoMail) => return gone(NoMailHost, Reason::NoMxRecord),
            Some(MailRoute::NullMx) => return gone(NoMail, Reason::NullMx),
            Some(MailRoute::Mx { .. } | MailRoute::Implicit | MailRoute::Unanswered { .. }) | None => {}
        }
        if let Some(reading) = self.reply {
            return self.by_reply(reading);
        }
        match (self.failed, self.fault, self.bounced_days_ago) {
            (Some(ProbeFailure::MxWithoutAddress), ..) => gone(NoMailHost, Reason::NoMxRecord),
            (Some(ProbeFailure::DnsFailure) | None, Some(fault), _) => {
                Mailbox::unanswered(fault_reason(fault.cause))
            }
            (Some(failure), ..) if failure != ProbeFailure::NotProbed => {
                Mailbox::unanswered(failure.reason())
            }
            (_, _, Some(days)) if days < policy.history_trust_days => {
                Mailbox::dead(NotFound, Reason::MailboxNotFound, Evidence::RefusedByCode.score(false, false))
            }
            _ => Mailbox::new(Unchecked, Reason::NoSmtpCheck, Confidence::NOTHING),
        }
    }

    fn by_reply(&self, reading: &Reading) -> Mailbox {
        use MailboxState::{Disabled, Full, NoMail, NonAsciiUnsupported, NotFound};
        let refused = match reading.strength {
            Strength::Operator => Evidence::RefusedByOperatorRule,
            Strength::Code => Evidence::RefusedByCode,
            Strength::Text => Evidence::RefusedByText,
            Strength::Bare => Evidence::RefusedBare,
        }
        .score(reading.agreed, false);
        match reading.class {
            ReplyClass::Accepted => self.accepted(),
            ReplyClass::NoSuchMailbox | ReplyClass::NoSuchDomain => {
                Mailbox::dead(NotFound, Reason::MailboxNotFound, refused)
            }
            ReplyClass::Disabled => Mailbox::dead(Disabled, Reason::MailboxDisabled, refused),
            ReplyClass::NotAcceptingMail => Mailbox::dead(NoMail, Reason::DomainNotAcceptingMail, refused),
            ReplyClass::NonAsciiUnsupported => {
                Mailbox::dead(NonAsciiUnsupported, Reason::NonAsciiUnsupported, refused)
            }
            ReplyClass::Full => Mailbox::new(Full, Reason::MailboxFull, Evidence::Risky.score(false, false)),
            other => Mailbox::unanswered(other.unknown_reason().unwrap_or(Reason::ProtocolError)),
        }
    }

    /// An accepted recipient proves a mailbox only where another one was refused.
    fn accepted(&self) -> Mailbox {
        let implicit = matches!(self.route, Some(MailRoute::Implicit));
        match self.catch_all {
            Some(CatchAll::Yes { .. }) if self.confirmed => {
                let confidence = Evidence::CatchAllConfirmed.score(false, implicit);
                Mailbox::new(MailboxState::CatchAllConfirmed, None, confidence)
            }
            Some(CatchAll::Yes { source }) => {
                let reason = match source {
                    CatchAllSource::Operator => Reason::OperatorAcceptsAll,
                    CatchAllSource::Session | CatchAllSource::Cache => Reason::CatchAll,
                };
                Mailbox::new(MailboxState::CatchAll, reason, Evidence::RandomAccepted.score(false, false))
            }
            Some(CatchAll::No { source }) => {
                let evidence = match source {
                    CatchAllSource::Session => Evidence::AcceptedRandomRefused,
                    CatchAllSource::Cache | CatchAllSource::Operator => Evidence::AcceptedRandomRefusedBefore,
                };
                Mailbox::new(MailboxState::Accepted, None, evidence.score(false, implicit))
            }
            Some(CatchAll::Unknown { reason }) => Mailbox::unanswered(reason),
            None => {
                Mailbox::unanswered(self.fault.map_or(Reason::InconsistentAnswers, |f| fault_reason(f.cause)))
            }
        }
    }

    /// The decision list; the first rule that matches wins.
    fn category(&self, mailbox: Mailbox, policy: Policy) -> (Category, Option<Reason>, Confidence) {
        use MailboxState::{Accepted, CatchAll, CatchAllConfirmed, Full, Unanswered, Unchecked};
        let state = mailbox.state;
        let is_proven = matches!(state, Accepted | CatchAllConfirmed);
        let sure = |evidence: Evidence| evidence.score(false, false);
        let by_mailbox = |category| (category, mailbox.reason, mailbox.confidence);
        let risky = |reason| (Category::Risky, Some(reason), sure(Evidence::Risky));
        let high_risk = |reason| (Category::HighRisk, Some(reason), sure(Evidence::HighRisk));

        if let Some(error) = self.syntax {
            return (Category::InvalidSyntax, Some(Reason::Syntax(error.reason)), Confidence::CERTAIN);
        }
        if self.duplicate {
            return (Category::Duplicate, Some(Reason::DuplicateOfRow), Confidence::CERTAIN);
        }
        if self.disposable == Some(Tier::Curated) {
            return (Category::Disposable, Some(Reason::DisposableDomain), sure(Evidence::DisposableCurated));
        }
        if self.disposable_mx {
            return (Category::Disposable, Some(Reason::DisposableMx), sure(Evidence::DisposableMx));
        }
        if mailbox.is_dead() {
            return by_mailbox(Category::Undeliverable);
        }
        if !is_proven && let Some(reason) = self.high_risk() {
            return high_risk(reason);
        }
        if self.typo_trap && self.domain_exists() {
            return risky(Reason::TypoDomain);
        }
        if self.parked {
            return risky(Reason::ParkedDomain);
        }
        if state == Unanswered {
            return by_mailbox(Category::Unknown);
        }
        if let Some(random) = self.random.filter(|random| random.is_random) {
            let is_open = matches!(state, CatchAll | Unchecked) || policy.random == RandomPolicy::Always;
            if is_open {
                let by_contribution =
                    |a: &&Signal, b: &&Signal| a.contribution().total_cmp(&b.contribution());
                let reason = random.signals.iter().max_by(by_contribution).map(|s| Reason::Signal(s.signal));
                return (Category::RandomPattern, reason, Confidence::from_probability(random.confidence));
            }
        }
        if state == CatchAll {
            return by_mailbox(Category::AcceptAll);
        }
        if state == Full {
            return by_mailbox(Category::Risky);
        }
        if self.disposable == Some(Tier::Broad) {
            return risky(Reason::DisposableSuspected);
        }
        if is_proven && self.bounced_days_ago.is_some() {
            return risky(Reason::KnownBounceBefore);
        }
        if self.role.is_some() && policy.role == RolePolicy::Risky {
            return risky(Reason::RoleBased);
        }
        if is_proven {
            return by_mailbox(Category::Deliverable);
        }
        by_mailbox(Category::Unknown)
    }

    fn high_risk(&self) -> Option<Reason> {
        match (self.bounced_days_ago, self.risk) {
            (_, Some(RiskSource::SpamTrap)) => Some(Reason::SpamTrap),
            (_, Some(RiskSource::ComplaintSource)) => Some(Reason::ComplaintSource),
            (Some(_), None) => Some(Reason::KnownHardBounce),
            (None, None) => None,
        }
    }

    /// DNS has seen the domain in this run.
    fn domain_exists(&self) -> bool {
        match self.route {
            Some(MailRoute::Mx { .. } | MailRoute::Implicit | MailRoute::NullMx | MailRoute::NoMail) => true,
            Some(MailRoute::NoDomain | MailRoute::Unanswered { .. }) | None => false,
        }
    }

    /// A domain that takes mail is no slip of the pen, unless it is known to live on slips.
    fn suggestion(&self) -> Option<&'a str> {
        let takes_mail = matches!(self.route, Some(MailRoute::Mx { .. } | MailRoute::Implicit));
        self.suggestion.filter(|_| self.typo_trap || !takes_mail)
    }

    fn flags(&self) -> Flags {
        Flags {
            is_disposable: self.disposable.is_some() || self.disposable_mx,
            is_free_provider: self.free_provider,
            is_catch_all: matches!(self.catch_all, Some(CatchAll::Yes { .. })),
            is_random: self.random.is_some_and(|random| random.is_random),
            role: self.role,
            alias: self.alias,
        }
    }
}

/// Only the loss of an answer about the mailbox makes it unknown; a lost flag does not.
fn hides_the_mailbox(fault: &Fault) -> bool {
    fault.lost.iter().any(|key| matches!(&**key, "dns.route" | "smtp.reply"))
}

fn fault_reason(cause: FaultCause) -> Reason {
    match cause {
        FaultCause::Deadline => Reason::Timeout,
        FaultCause::RequestDeadline => Reason::DeadlinePassed,
        FaultCause::Canceled => Reason::Canceled,
        FaultCause::Error | FaultCause::Panic | FaultCause::Unsettled => Reason::StageFault,
    }
}
