//! The random recipient, who cannot exist: what is heard of him, and who has waited for it.

use std::mem;

use mailsonde_engine::{CatchAll, CatchAllSource, Reading, Reason, ReplyClass};

use super::{Ledger, SessionId, State, domain::verdict};
use crate::memory::Rest;

impl Ledger {
    /// Whether the domain accepts everybody at this host, if that is known and beyond doubt.
    pub(super) fn known(&mut self, host: usize, name: &str, session: SessionId) -> Option<CatchAll> {
        let host = &mut self.hosts[host];
        if let Some(known) = host.domain(name).known(session) {
            return Some(known);
        }
        let accepts_all = self.memory.catch_all.recall(name, &host.name)?;
        if host.domain(name).contradicts(accepts_all) {
            self.memory.catch_all.forget(name, &host.name);
            return None;
        }
        Some(verdict(accepts_all, CatchAllSource::Cache))
    }

    /// The host puts strangers off: the random recipient had better come along now, to be known when the others are.
    pub(super) fn introduce_random(&mut self, host: usize, session: SessionId, name: Box<str>) {
        let is_needless = self.hosts[host].accepts_all
            || self.memory.random(&name, &self.hosts[host].name).is_some()
            || self.known(host, &name, session).is_some();
        let domain = self.hosts[host].domain(&name);
        if !is_needless && !domain.is_asked {
            (domain.is_asked, domain.is_greylisting) = (true, true);
            self.hosts[host].randoms.push_back(name);
        }
    }

    pub(super) fn hear_random(&mut self, host: usize, session: SessionId, name: &str, reading: &Reading) {
        let domain = self.hosts[host].domain(name);
        domain.is_greylisting = false;
        let (random, heard) = (domain.random.take(), domain.hear_random(reading));
        // Who was put off is known when he comes back; another one would be put off again.
        let kept = random.filter(|_| reading.code < 500 && reading.code >= 400);
        self.memory.keep_random(name, &self.hosts[host].name, kept);
        match heard {
            Some(known) => {
                let accepts_all = matches!(known, CatchAll::Yes { .. });
                // A refusal of whatever cause may be of this session alone.
                if !matches!(known, CatchAll::Unknown { .. }) && reading.class != ReplyClass::Unclear {
                    self.memory.catch_all.remember(name, &self.hosts[host].name, accepts_all);
                }
                self.learn(host, name, session, &known);
            }
            // A second one will tell.
            None => self.hosts[host].randoms.push_back(name.into()),
        }
    }

    /// The random recipient got no answer.
    pub(super) fn random_again(
        &mut self,
        host: usize,
        session: SessionId,
        name: Box<str>,
        reason: Option<Reason>,
    ) {
        if self.hosts[host].domain(&name).delay(reason.clone()) {
            self.hosts[host].randoms.push_back(name);
        } else {
            let reason = reason.unwrap_or(Reason::Timeout);
            self.learn(host, &name, session, &CatchAll::Unknown { reason });
        }
    }

    /// Nobody who does not exist can be asked about at this host any more.
    pub(super) fn give_up_random(&mut self, host: usize, name: &str, why: &Rest) {
        let reason = match why {
            Rest::Failed(failure) => failure.reason(),
            Rest::Refused(reading) => reading.class.unknown_reason().unwrap_or(Reason::Timeout),
        };
        // No session's: it is not remembered.
        self.learn(host, name, SessionId::MAX, &CatchAll::Unknown { reason });
    }

    /// A random recipient has told, or will not.
    fn learn(&mut self, host: usize, name: &str, session: SessionId, known: &CatchAll) {
        self.hosts[host].domain(name).learn(known.clone(), session);
        self.settle(host, name, known);
    }

    /// The domain's accepted recipients have waited for this. Those of the session that learned it heard it there.
    pub(super) fn settle(&mut self, host: usize, name: &str, known: &CatchAll) {
        self.hosts[host].waiting.remove(name);
        for id in mem::take(&mut self.hosts[host].domain(name).waiting) {
            let Some(target) = self.targets.get_mut(&id) else { continue };
            let State::Accepted { reading, session: accepted_in, .. } =
                mem::replace(&mut target.state, State::Open(None))
            else {
                continue;
            };
            let heard = self.hosts[host].domain(name).known(accepted_in).unwrap_or_else(|| known.clone());
            self.reply(id, reading, Some(heard));
        }
    }
}
