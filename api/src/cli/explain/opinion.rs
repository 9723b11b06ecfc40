//! What plugins hold an address to be, and what the judge made of it, in words for a person.

use mailsonde_engine::{
    Category, Confidence, Finding, MailboxState, Opinion, Verdict, WeighedOpinion, Weight,
};

use crate::cli::human::escaped;

/// A phrase for each opinion among the findings, in their order.
pub(super) fn opinion_phrases(verdict: &Verdict) -> impl Iterator<Item = String> {
    let opinions = verdict.evidence.findings().filter_map(|finding| match finding {
        Finding::Opinion(opinion) => Some(opinion),
        _ => None,
    });
    opinions.zip(&verdict.evidence.opinions).map(|(opinion, weighed)| {
        let Opinion { category, reason, score, .. } = opinion;
        let outcome = outcome(opinion, weighed, verdict);
        format!("holds it to be {} ({}), {score:.2}: {outcome}", category.word(), escaped(reason))
    })
}

fn outcome(opinion: &Opinion, weighed: &WeighedOpinion, verdict: &Verdict) -> String {
    match weighed.weight {
        Weight::Advised => "advised only".into(),
        Weight::Barred => format!("set aside, {}", objection(opinion, verdict)),
        Weight::Overruled => {
            format!("overruled by {}", weighed.overruled_by.as_deref().unwrap_or("an earlier stage"))
        }
        Weight::Outranked => "another rule came first".into(),
        Weight::Decided => "decided".into(),
    }
}

/// What speaks against an opinion that was barred.
fn objection(opinion: &Opinion, verdict: &Verdict) -> &'static str {
    let is_unsure = Confidence::from_probability(opinion.score) < Confidence::UNDELIVERABLE_MIN;
    match (verdict.judgement.mailbox, opinion.category) {
        (MailboxState::Invalid, _) => "it is no address",
        (_, Category::Undeliverable) if is_unsure => "too unsure to call a mailbox dead",
        (MailboxState::Unanswered, Category::Deliverable) => "the server was asked and did not say so",
        _ if verdict.evidence.findings().any(|finding| matches!(finding, Finding::Reply(_))) => {
            "against what the server said"
        }
        _ => "against what was found",
    }
}
