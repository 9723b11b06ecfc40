//! Answers: to everybody who asked, once, and when asks end.

use std::mem;

use mailsonde_engine::{Answer, Answered, CatchAll, ProbeFailure, Reading, ReplyClass, Stop};

use super::{
    AskId, Ledger, State, TargetId,
    target::{Target, is_denial},
};

impl Ledger {
    /// The ask has reached its deadline, or whoever asked has gone: everybody who is still open is answered with the best
    /// of what was heard, and asked about no more unless others want to know.
    pub(in crate::prober) fn expire(&mut self, ask: AskId) {
        let ids = self.asks.get_mut(&ask).map(|asker| mem::take(&mut asker.targets)).unwrap_or_default();
        for id in ids {
            let Some(target) = self.targets.get(&id) else { continue };
            if target.is_wanted_by(ask) {
                let answer = self.best_of(target, true);
                self.answer_to(ask, id, &answer);
            }
        }
        self.wake_sessions();
    }

    /// The last word on a recipient for which no host is left. `late`: the deadline has passed.
    pub(super) fn conclude(&mut self, id: TargetId, late: bool) {
        if let Some(target) = self.targets.get(&id) {
            let answer = self.best_of(target, late);
            self.answer(id, &answer);
        }
    }

    pub(super) fn reply(&mut self, id: TargetId, reading: Box<Reading>, catch_all: Option<CatchAll>) {
        self.answer(id, &Answer::Replied { reading, catch_all });
    }

    /// Tells everybody who asked about the recipient.
    pub(super) fn answer(&mut self, id: TargetId, answer: &Answer) {
        let Some(target) = self.targets.remove(&id) else { return };
        self.by_address.remove(&target.address);
        let is_accepted =
            matches!(answer, Answer::Replied { reading, .. } if reading.class == ReplyClass::Accepted);
        for (ask, index) in target.askers {
            let Some(asker) = self.asks.get_mut(&ask) else { continue };
            asker.held -= usize::from(is_accepted && asker.held > 0);
            let is_satisfied = is_accepted && asker.stop == Stop::FirstAccepted;
            self.send(ask, index, answer.clone());
            if is_satisfied {
                self.decline_rest(ask);
            }
        }
    }

    /// One is enough: nobody else needs to be asked.
    fn decline_rest(&mut self, ask: AskId) {
        let ids = self.asks.get_mut(&ask).map(|asker| mem::take(&mut asker.targets)).unwrap_or_default();
        for id in ids {
            self.answer_to(ask, id, &Answer::Failed(ProbeFailure::NotProbed));
        }
    }

    /// Tells one ask about the recipient; others may go on waiting.
    fn answer_to(&mut self, ask: AskId, id: TargetId, answer: &Answer) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let mut indices = Vec::new();
        target.askers.retain(|(other, index)| {
            let is_own = *other == ask;
            if is_own {
                indices.push(*index);
            }
            !is_own
        });
        if target.askers.is_empty()
            && let Some(target) = self.targets.remove(&id)
        {
            self.by_address.remove(&target.address);
        }
        for index in indices {
            self.send(ask, index, answer.clone());
        }
    }

    fn send(&mut self, ask: AskId, recipient: usize, answer: Answer) {
        let Some(asker) = self.asks.get_mut(&ask) else { return };
        // Whoever asked may have gone; its task sees that by itself.
        let _ = asker.answers.send(Answered { recipient, answer, egress: self.egress });
        asker.open -= 1;
        if asker.open == 0 {
            self.asks.remove(&ask);
        }
    }

    /// Whether nobody has been asked about the recipient, and that is not for a host that does not answer.
    fn is_out_of_turn(&self, target: &Target) -> bool {
        let next = (0..self.hosts.len()).find(|host| !target.has_tried(*host));
        let mut sessions = self.sessions.values().filter(|visitor| Some(visitor.host) == next);
        let is_silent =
            sessions.clone().any(|visitor| visitor.is_dialling) && !sessions.any(|visitor| visitor.is_open);
        target.asked == 0 && target.failure.is_none() && !is_silent
    }

    /// The best of what was heard of a recipient.
    fn best_of(&self, target: &Target, late: bool) -> Answer {
        let hosts = self.hosts.len();
        let failure = match target.failure {
            None if late && self.is_out_of_turn(target) => ProbeFailure::NotItsTurn,
            Some(failure) if !late => failure,
            _ => ProbeFailure::Timeout,
        };
        let replied =
            |reading: &Reading| Answer::Replied { reading: reading.clone().into(), catch_all: None };
        match &target.state {
            State::Refused { reading, .. } => replied(reading),
            State::Accepted { reading, host, .. } => {
                let domain = self.hosts[*host].domains.get(target.address.domain());
                let delayed = domain.and_then(|domain| domain.delayed.clone());
                let reason = delayed.unwrap_or_else(|| failure.reason());
                Answer::Replied { reading: reading.clone(), catch_all: Some(CatchAll::Unknown { reason }) }
            }
            State::Open(Some(reading)) if !is_denial(reading) => replied(reading),
            State::Open(Some(reading)) if target.denials >= hosts => {
                replied(&Reading { agreed: hosts > 1, ..(**reading).clone() })
            }
            // One host that takes no mail says nothing about the others, which could not be asked.
            State::Open(_) => Answer::Failed(failure),
        }
    }
}
