//! Between the engine's words and the interface's: subjects on their way in, outcomes on their way out. What a guest
//! returns is checked here, before anything of it becomes a finding.

use std::ops::Range;

use mailsonde_engine::{
    Authority, Batch, Category, Finding, Opinion, Outcome, PluginFact, Subject, SubjectId,
};

use crate::{
    CallFault, Description,
    bindings::exports::mailsonde::stage::plugin as wit,
    limits::{FACTS_MAX, FACTS_OCTETS_MAX, REASON_OCTETS_MAX},
};

/// Subjects of a call, with the texts of the facts that are handed over.
pub(crate) struct Handed<'b> {
    subjects: Vec<&'b Subject>,
    /// Of each subject, which of `facts` are its own.
    ranges: Vec<Range<usize>>,
    facts: Vec<(&'b str, Range<usize>)>,
    /// The values, one after the other.
    text: String,
}

impl<'b> Handed<'b> {
    /// What a plugin gets to see of these subjects.
    pub(crate) fn of(batch: &'b Batch, ids: &[SubjectId], description: &Description) -> Self {
        let subjects: Vec<_> = ids.iter().map(|id| batch.subject(*id)).collect();
        let mut handed = Self { ranges: Vec::new(), facts: Vec::new(), text: String::new(), subjects };
        if description.reads_nothing() {
            return handed;
        }
        for subject in handed.subjects.clone() {
            let first = handed.facts.len();
            for finding in subject.findings().filter(|finding| description.may_see(finding.key())) {
                let begin = handed.text.len();
                finding.value_json(&mut handed.text);
                handed.facts.push((finding.key(), begin..handed.text.len()));
            }
            handed.ranges.push(first..handed.facts.len());
        }
        handed
    }

    /// The facts of all subjects, each subject's in a list of its own.
    pub(crate) fn facts(&self) -> Vec<wit::FactParam<'_>> {
        let fact = |(key, value): &(&'b str, Range<usize>)| (*key, &self.text[value.clone()]);
        self.facts.iter().map(fact).map(|(key, value)| wit::FactParam { key, value }).collect()
    }

    /// The subjects as the guest gets them, their facts from [`Handed::facts`].
    pub(crate) fn subjects<'h>(&'h self, facts: &'h [wit::FactParam<'h>]) -> Vec<wit::Subject<'h>> {
        let of = |(position, subject): (usize, &&'b Subject)| wit::Subject {
            input: subject.input(),
            address: subject
                .address()
                .map(|address| wit::Address { local: address.local(), domain: address.domain() }),
            facts: self.ranges.get(position).map_or(&[], |range| &facts[range.clone()]),
        };
        self.subjects.iter().enumerate().map(of).collect()
    }
}

/// What a guest said of one subject, as findings, if it may say that.
pub(crate) fn outcome(
    said: wit::Outcome,
    description: &Description,
    authority: Authority,
) -> Result<Outcome, CallFault> {
    let mut outcome = Outcome::default();
    if said.facts.len() > FACTS_MAX {
        return Err(garbage(format!(
            "{} facts of one subject, and {FACTS_MAX} are allowed",
            said.facts.len()
        )));
    }
    let octets: usize = said.facts.iter().map(|fact| fact.key.len() + fact.value.len()).sum();
    if octets > FACTS_OCTETS_MAX {
        return Err(garbage(format!(
            "facts of {octets} octets of one subject, and {FACTS_OCTETS_MAX} are allowed"
        )));
    }
    for fact in said.facts {
        // Its own words are not repeated: they may hold an address.
        if !description.writes.contains(&fact.key) {
            return Err(garbage("a fact that its description does not list".into()));
        }
        let value = serde_json::from_str(&fact.value)
            .map_err(|_| garbage(format!("a value of `{}` that is no JSON", fact.key)))?;
        outcome.found(Finding::Plugin(PluginFact { key: fact.key.into(), value }));
    }
    if let Some(opinion) = said.opinion {
        outcome.found(Finding::Opinion(checked(&opinion, authority)?));
    }
    Ok(outcome)
}

fn checked(opinion: &wit::Opinion, authority: Authority) -> Result<Opinion, CallFault> {
    if !(0.0..=1.0).contains(&opinion.score) {
        return Err(garbage(format!("a score of {}, which is not between 0 and 1", opinion.score)));
    }
    if !is_word(&opinion.reason) {
        return Err(garbage("a reason that is no word of lower-case letters, digits and underscores".into()));
    }
    let category = category(opinion.category);
    Ok(Opinion { category, reason: opinion.reason.as_str().into(), score: opinion.score, authority })
}

fn is_word(reason: &str) -> bool {
    reason.len() <= REASON_OCTETS_MAX
        && reason.starts_with(|first: char| first.is_ascii_lowercase())
        && reason.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn category(category: wit::Category) -> Category {
    match category {
        wit::Category::Deliverable => Category::Deliverable,
        wit::Category::Undeliverable => Category::Undeliverable,
        wit::Category::Risky => Category::Risky,
        wit::Category::Disposable => Category::Disposable,
        wit::Category::Unknown => Category::Unknown,
        wit::Category::RandomPattern => Category::RandomPattern,
        wit::Category::HighRisk => Category::HighRisk,
        wit::Category::AcceptAll => Category::AcceptAll,
    }
}

fn garbage(what: String) -> CallFault {
    CallFault::Garbage(what)
}
