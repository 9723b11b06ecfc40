//! The judge: findings in, one judgement out. Pure: no clock, no options but the [`Policy`], no memory.
//!
//! Two steps. First the state of the mailbox, from what this run saw of it. Then the category, by a list of rules of
//! which the first that matches wins; an opinion of a plugin with the authority to decide stands in that list at the
//! place of its category, after our own rule, unless it goes against an answer. Stages never decide, so what is right
//! or wrong about a verdict is here.

mod mailbox;
mod weighing;

use serde::{Deserialize, Serialize};

use self::mailbox::Mailbox;
pub use self::weighing::Weight;
use crate::{
    AliasType, CatchAll, Category, Confidence, Fault, Finding, Flags, HistoryFact, MailRoute, MailboxState,
    Opinion, ProbeFailure, RandomPattern, Reading, Reason, RiskSource, RoleType, Signal, SyntaxError, Tier,
    confidence::Evidence,
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
    /// What is judged.
    #[serde(skip_serializing_if = "Of::is_address")]
    pub of: Of,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            role: RolePolicy::Flag,
            random: RandomPolicy::Unproven,
            history_trust_days: 7,
            of: Of::Address,
        }
    }
}

impl Policy {
    /// The same, for whoever wants to know about the mailbox and nothing else.
    #[must_use]
    pub fn of_mailbox(self) -> Self {
        Self { of: Of::Mailbox, ..self }
    }
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The address: also what it looks like, and what lists and memories say of it.
    #[default]
    Address,
    /// The mailbox: what servers say of it. What the address is besides, is a flag and no category.
    Mailbox,
}

impl Of {
    #[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
    fn is_address(&self) -> bool {
        *self == Self::Address
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
    /// The observed cause, or the word of the plugin that decided; `None` for deliverable.
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
    /// What became of each opinion among the findings, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<Weight>,
}

/// The state of the mailbox alone.
pub(crate) fn mailbox_state<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    policy: Policy,
) -> MailboxState {
    Seen::of(findings).mailbox(policy).state
}

/// Judges what was found.
pub fn judge<'a>(findings: impl IntoIterator<Item = &'a Finding>, policy: Policy) -> Judgement {
    let seen = Seen::of(findings);
    let mailbox = seen.mailbox(policy);
    let (place, reason, confidence) = match policy.of {
        Of::Address => seen.first_rule(&mailbox, policy),
        Of::Mailbox => (mailbox.place(), mailbox.reason.clone(), mailbox.confidence),
    };
    let (opinions, decisive) = seen.weigh(place, &mailbox, policy);
    let (category, reason, confidence) = match decisive {
        Some(opinion) => weighing::ruling(opinion),
        None => (place.category(), reason, confidence),
    };
    Judgement {
        category,
        reason,
        confidence,
        mailbox: mailbox.state,
        mailbox_reason: mailbox.reason,
        flags: seen.flags(),
        suggestion: seen.suggestion().map(Into::into),
        opinions,
    }
}

/// Places of the decision list. Of all rules that match, the one at the earliest place wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Syntax,
    Duplicate,
    Disposable,
    Undeliverable,
    HighRisk,
    RiskyDomain,
    Unanswered,
    RandomPattern,
    AcceptAll,
    Risky,
    Deliverable,
    Unchecked,
}

impl Place {
    fn category(self) -> Category {
        match self {
            Self::Syntax => Category::InvalidSyntax,
            Self::Duplicate => Category::Duplicate,
            Self::Disposable => Category::Disposable,
            Self::Undeliverable => Category::Undeliverable,
            Self::HighRisk => Category::HighRisk,
            Self::RiskyDomain | Self::Risky => Category::Risky,
            Self::Unanswered | Self::Unchecked => Category::Unknown,
            Self::RandomPattern => Category::RandomPattern,
            Self::AcceptAll => Category::AcceptAll,
            Self::Deliverable => Category::Deliverable,
        }
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
    /// Some reply says something of the mailbox itself, be it too weak to count.
    is_answered: bool,
    catch_all: Option<&'a CatchAll>,
    failed: Option<ProbeFailure>,
    bounced: Option<HistoryFact>,
    confirmed: bool,
    risk: Option<RiskSource>,
    fault: Option<&'a Fault>,
    opinions: Vec<&'a Opinion>,
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
                Finding::Reply(reading) => {
                    seen.reply = Some(reading);
                    seen.is_answered |= reading.class.unknown_reason().is_none();
                }
                Finding::CatchAll(catch_all) => seen.catch_all = Some(catch_all),
                Finding::ProbeFailed(failure) => seen.failed = Some(*failure),
                Finding::History(fact @ HistoryFact::HardBounce { .. }) => seen.bounced = Some(*fact),
                Finding::History(HistoryFact::Confirmed) => seen.confirmed = true,
                Finding::RiskList(source) => seen.risk = Some(*source),
                Finding::DuplicateOf(_) => seen.duplicate = true,
                Finding::Fault(fault) if fault.hides_the_mailbox() => seen.fault = Some(fault),
                Finding::Opinion(opinion) => seen.opinions.push(opinion),
                Finding::Fault(_)
                | Finding::Operator(_)
                | Finding::ReverseDns
                | Finding::DomainTrust(_)
                | Finding::Candidate(_)
                | Finding::Plugin(_) => {}
            }
        }
        seen
    }

    /// The decision list; the first rule that matches wins.
    fn first_rule(&self, mailbox: &Mailbox, policy: Policy) -> (Place, Option<Reason>, Confidence) {
        let sure = |evidence: Evidence| evidence.score(false, false);
        let by_mailbox = |place| (place, mailbox.reason.clone(), mailbox.confidence);
        let disposable = |reason, evidence| (Place::Disposable, Some(reason), sure(evidence));
        let risky = |place, reason| (place, Some(reason), sure(Evidence::Risky));

        if let Some(error) = self.syntax {
            return (Place::Syntax, Some(Reason::Syntax(error.reason)), Confidence::CERTAIN);
        }
        if self.duplicate {
            return (Place::Duplicate, Some(Reason::DuplicateOfRow), Confidence::CERTAIN);
        }
        if self.disposable == Some(Tier::Curated) {
            return disposable(Reason::DisposableDomain, Evidence::DisposableCurated);
        }
        if self.disposable_mx {
            return disposable(Reason::DisposableMx, Evidence::DisposableMx);
        }
        if mailbox.is_dead() {
            return by_mailbox(Place::Undeliverable);
        }
        if !mailbox.is_proven()
            && let Some(reason) = self.high_risk()
        {
            return (Place::HighRisk, Some(reason), sure(Evidence::HighRisk));
        }
        if self.typo_trap && self.domain_exists() {
            return risky(Place::RiskyDomain, Reason::TypoDomain);
        }
        if self.parked {
            return risky(Place::RiskyDomain, Reason::ParkedDomain);
        }
        if mailbox.state == MailboxState::Unanswered {
            return by_mailbox(Place::Unanswered);
        }
        if let Some(random) = self.random.filter(|random| random.is_random)
            && mailbox.may_be_random(policy)
        {
            let by_contribution = |a: &&Signal, b: &&Signal| a.contribution().total_cmp(&b.contribution());
            let reason = random.signals.iter().max_by(by_contribution).map(|s| Reason::Signal(s.signal));
            return (Place::RandomPattern, reason, Confidence::from_probability(random.confidence));
        }
        if mailbox.state == MailboxState::CatchAll {
            return by_mailbox(Place::AcceptAll);
        }
        if mailbox.state == MailboxState::Full {
            return by_mailbox(Place::Risky);
        }
        if self.disposable == Some(Tier::Broad) {
            return risky(Place::Risky, Reason::DisposableSuspected);
        }
        if mailbox.is_proven() && self.bounced.is_some() {
            return risky(Place::Risky, Reason::KnownBounceBefore);
        }
        if self.role.is_some() && policy.role == RolePolicy::Risky {
            return risky(Place::Risky, Reason::RoleBased);
        }
        by_mailbox(if mailbox.is_proven() { Place::Deliverable } else { Place::Unchecked })
    }

    fn high_risk(&self) -> Option<Reason> {
        match (self.bounced, self.risk) {
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
