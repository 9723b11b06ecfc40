//! How the parts of verdicts stand in dictionaries, and are read from them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::Arc,
};

use mailsonde_engine::{
    CatchAll, Evidence, Finding, Judgement, MailHost, MailRoute, Policy, Reading, Reason, Recorded,
    WeighedOpinion,
};
use serde::{Deserialize, Serialize};

use super::dictionary::Entry;

/// Who judged, and how.
#[derive(Serialize, Deserialize)]
pub(super) struct Judge {
    pub(super) judge: u32,
    pub(super) policy: Policy,
}

/// A judgement. Plugins have words that are ours too, and are still theirs.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Said<J> {
    #[serde(flatten)]
    judgement: J,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    word_of_plugin: bool,
}

impl From<Said<Self>> for Judgement {
    fn from(said: Said<Self>) -> Self {
        let Said { mut judgement, word_of_plugin } = said;
        if word_of_plugin {
            judgement.reason = judgement.reason.map(|reason| Reason::Plugin(reason.word().into()));
        }
        judgement
    }
}

/// A finding that was read.
#[derive(Deserialize)]
#[serde(from = "Written")]
pub(super) struct Listed {
    pub(super) recorded: Recorded,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Mx(Mx<Arc<str>, Vec<(u16, Box<str>)>>),
    Whole(Recorded),
}

/// A route by MX records, in brief.
#[derive(Serialize, Deserialize)]
struct Mx<S, H> {
    stage: S,
    #[serde(rename = "mx")]
    hosts: H,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    beside_null: bool,
}

impl From<Written> for Listed {
    fn from(written: Written) -> Self {
        let recorded = match written {
            Written::Whole(recorded) => recorded,
            Written::Mx(Mx { stage, hosts, beside_null }) => {
                let host = |(preference, name)| MailHost { preference, name };
                let hosts = hosts.into_iter().map(host).collect();
                let finding = Finding::Route(Arc::new(MailRoute::Mx { hosts, beside_null }));
                Recorded { stage, finding }
            }
        };
        Self { recorded }
    }
}

impl Entry for Recorded {
    fn hint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        mem::discriminant(&self.finding).hash(&mut hasher);
        match &self.finding {
            Finding::SyntaxError(error) => error.reason.hash(&mut hasher),
            Finding::TypoSuggestion(domain) => domain.hash(&mut hasher),
            Finding::Role(role) => role.hash(&mut hasher),
            Finding::Alias(alias) => mem::discriminant(alias).hash(&mut hasher),
            Finding::RandomPattern(pattern) => pattern.confidence.to_bits().hash(&mut hasher),
            // Subjects of one domain share them: where they lie is as good a hint as what they say.
            Finding::Route(route) => Arc::as_ptr(route).addr().hash(&mut hasher),
            Finding::DomainTrust(trust) => Arc::as_ptr(trust).addr().hash(&mut hasher),
            Finding::Operator(operator) => operator.id().hash(&mut hasher),
            Finding::Reply(reading) => (reading.class, reading.code, &reading.rule).hash(&mut hasher),
            Finding::CatchAll(CatchAll::Unknown { reason }) => reason.hash(&mut hasher),
            Finding::CatchAll(CatchAll::Yes { .. }) => true.hash(&mut hasher),
            Finding::ProbeFailed(failure) => failure.hash(&mut hasher),
            Finding::DuplicateOf(row) => row.hash(&mut hasher),
            Finding::Opinion(opinion) => opinion.reason.hash(&mut hasher),
            Finding::Plugin(fact) => fact.key.hash(&mut hasher),
            _ => {}
        }
        hasher.finish()
    }

    fn is_like(&self, other: &Self) -> bool {
        self.stage == other.stage
            && match (&self.finding, &other.finding) {
                (Finding::Reply(one), Finding::Reply(another)) => {
                    without_words(one) == without_words(another)
                }
                (one, another) => one == another,
            }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.finding {
            Finding::Reply(reading) => {
                let reading = Reading { text: "".into(), host: "".into(), ..(**reading).clone() };
                let finding = Finding::Reply(Box::new(reading));
                append(out, &Self { stage: self.stage.clone(), finding });
            }
            Finding::Route(route) => match &**route {
                MailRoute::Mx { hosts, beside_null } => {
                    let hosts: Vec<_> = hosts.iter().map(|host| (host.preference, &host.name)).collect();
                    append(out, &Mx { stage: &self.stage, hosts, beside_null: *beside_null });
                }
                _ => append(out, self),
            },
            _ => append(out, self),
        }
    }
}

/// A reading but for its text and its host, which stand in the row.
fn without_words(reading: &Reading) -> impl PartialEq {
    let Reading { class, strength, rule, stage, code, enhanced, agreed, text: _, host: _ } = reading;
    (*class, *strength, &**rule, *stage, *code, *enhanced, *agreed)
}

impl Entry for Judgement {
    fn hint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let flags = &self.flags;
        let bits = [flags.is_disposable, flags.is_free_provider, flags.is_catch_all, flags.is_random];
        (self.category, self.mailbox, &self.reason, &self.suggestion, bits, flags.role).hash(&mut hasher);
        flags.alias.map(|alias| mem::discriminant(&alias)).hash(&mut hasher);
        hasher.finish()
    }

    fn is_like(&self, other: &Self) -> bool {
        self == other
    }

    fn write(&self, out: &mut Vec<u8>) {
        let word_of_plugin = matches!(self.reason, Some(Reason::Plugin(_)));
        append(out, &Said { judgement: self, word_of_plugin });
    }
}

/// Who judged, and how; what was found is not of this entry.
impl Entry for Evidence {
    fn hint(&self) -> u64 {
        self.judge.into()
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.judge, self.policy) == (other.judge, other.policy)
    }

    fn write(&self, out: &mut Vec<u8>) {
        append(out, &Judge { judge: self.judge, policy: self.policy });
    }
}

impl Entry for [WeighedOpinion] {
    fn hint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for told in self {
            (&told.stage, told.weight).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn is_like(&self, other: &Self) -> bool {
        self == other
    }

    fn write(&self, out: &mut Vec<u8>) {
        append(out, self);
    }
}

impl Entry for str {
    fn hint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn is_like(&self, other: &Self) -> bool {
        self == other
    }

    fn write(&self, out: &mut Vec<u8>) {
        append(out, self);
    }
}

fn append(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("findings and judgements have texts for keys");
}
