//! What becomes of plugins' opinions. One may decide; what a mail server said of the mailbox itself weighs more than any.

use serde::{Deserialize, Serialize};

use super::{Mailbox, Of, Place, Policy, Seen};
use crate::{Authority, Category, Confidence, MailboxState, Opinion, Reason};

/// What became of an opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// It may only advise, and stands in the evidence.
    Advised,
    /// It goes against an answer, is too unsure to call a mailbox dead, or is about something that is no address.
    Barred,
    /// The opinion of an earlier stage took part instead.
    Overruled,
    /// It took part, and an earlier rule of the judge matched.
    Outranked,
    /// The verdict is this opinion.
    Decided,
}

impl<'a> Seen<'a> {
    /// Weighs every opinion, given the place at which our own rules decide, and tells which one decides instead.
    /// The first that may decide and is not barred takes part; later ones do not.
    pub(super) fn weigh(
        &self,
        place: Place,
        mailbox: &Mailbox,
        policy: Policy,
    ) -> (Vec<Weight>, Option<&'a Opinion>) {
        let mut weights = Vec::with_capacity(self.opinions.len());
        let mut has_entered = false;
        let mut decisive = None;
        for &opinion in &self.opinions {
            weights.push(match self.place(opinion, mailbox, policy) {
                _ if opinion.authority == Authority::Advise => Weight::Advised,
                None => Weight::Barred,
                Some(_) if has_entered => Weight::Overruled,
                Some(its_place) => {
                    has_entered = true;
                    if its_place < place {
                        decisive = Some(opinion);
                        Weight::Decided
                    } else {
                        Weight::Outranked
                    }
                }
            });
        }
        (weights, decisive)
    }

    /// The place of an opinion in the decision list, or none where it is barred.
    fn place(&self, opinion: &Opinion, mailbox: &Mailbox, policy: Policy) -> Option<Place> {
        use MailboxState::{Accepted, CatchAll, CatchAllConfirmed, Invalid, Unanswered, Unchecked};
        let state = mailbox.state;
        // What is told of the mailbox alone is what servers say.
        if policy.of == Of::Mailbox {
            return None;
        }
        let (place, may_enter) = match opinion.category {
            Category::Disposable => (Place::Disposable, true),
            // A reply that is too weak to call the mailbox dead is not made stronger by somebody who did not ask.
            Category::Undeliverable => {
                let is_sure = score(opinion) >= Confidence::UNDELIVERABLE_MIN;
                (Place::Undeliverable, is_sure && (mailbox.is_dead() || !self.is_answered))
            }
            Category::HighRisk => (Place::HighRisk, !mailbox.is_proven()),
            Category::Unknown => (Place::Unanswered, matches!(state, Unanswered | Unchecked)),
            Category::RandomPattern => (Place::RandomPattern, mailbox.may_be_random(policy)),
            Category::AcceptAll => (Place::AcceptAll, matches!(state, CatchAll | Unanswered | Unchecked)),
            Category::Risky => (Place::Risky, true),
            Category::Deliverable => {
                (Place::Deliverable, matches!(state, Accepted | CatchAllConfirmed | Unchecked))
            }
            Category::InvalidSyntax | Category::Duplicate => return None,
        };
        (may_enter && state != Invalid).then_some(place)
    }
}

/// The verdict that an opinion is.
pub(super) fn ruling(opinion: &Opinion) -> (Category, Option<Reason>, Confidence) {
    let reason = || Some(Reason::Plugin(opinion.reason.clone()));
    match opinion.category {
        Category::Deliverable => (Category::Deliverable, None, score(opinion)),
        Category::Unknown => (Category::Unknown, reason(), Confidence::NOTHING),
        category => (category, reason(), score(opinion)),
    }
}

fn score(opinion: &Opinion) -> Confidence {
    Confidence::from_probability(opinion.score)
}
