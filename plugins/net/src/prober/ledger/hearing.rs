//! What replies do to the ledger: who is answered, who waits for another word, and what is learned of hosts and domains.

use std::mem;

use mailsonde_engine::{Answer, CatchAllSource, ProbeFailure, Reading, ReplyClass, Strength};

use super::{FRUITLESS_MAX, Item, Ledger, SessionId, State, TargetId, domain::verdict, target::is_denial};
use crate::memory::Rest;

/// Replies in a row that say nothing of any mailbox, after which a domain's host is taken to refuse us.
const MUTE_MAX: usize = 5;

/// Domains that were refused so in a row, after which the host is taken to refuse us whoever is asked about.
const MUTE_DOMAINS_MAX: usize = 3;

/// How often a recipient is asked about at one host when a session broke there, or our pace was refused.
const SETBACKS_MAX: usize = 3;

/// Why a recipient is to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::prober) enum Postponed {
    /// A limit that is not its own: it comes first next time.
    ByLimit,
    /// Perhaps for its sake: the others come first, and it is not asked for ever. What it is told in the end.
    Blamed(ProbeFailure),
}

impl Ledger {
    /// The reply about the first of those in flight.
    pub(in crate::prober) fn hear(&mut self, session: SessionId, reading: Box<Reading>) {
        let Some((host, item)) = self.land(session) else { return };
        if let Some(visitor) = self.sessions.get_mut(&session) {
            visitor.heard += 1;
        }
        self.hosts[host].fruitless = 0;
        self.hosts[host].heard += 1;
        self.hosts[host].rejected += usize::from(reading.code >= 400);
        match item {
            Item::Target(id) => {
                self.listen(host, id, &reading);
                self.hear_target(host, session, id, reading);
            }
            Item::Random(domain) => self.hear_random(host, session, &domain, &reading),
        }
    }

    /// The first of those in flight cannot be asked about.
    pub(in crate::prober) fn decline(&mut self, session: SessionId) {
        if let Some((_, Item::Target(id))) = self.land(session) {
            self.answer(id, &Answer::Failed(ProbeFailure::NotProbed));
        }
    }

    /// The first of those in flight got a reply that is not about it, or none. `true` when this is the first time.
    pub(in crate::prober) fn postpone(
        &mut self,
        session: SessionId,
        reading: Option<Box<Reading>>,
        why: Postponed,
    ) -> bool {
        let Some((host, item)) = self.land(session) else { return true };
        match item {
            Item::Target(id) => return self.postpone_target(host, session, id, reading, why),
            Item::Random(domain) => {
                let reason = reading.and_then(|reading| reading.class.unknown_reason());
                self.random_again(host, session, domain, reason);
            }
        }
        true
    }

    fn postpone_target(
        &mut self,
        host: usize,
        session: SessionId,
        id: TargetId,
        reading: Option<Box<Reading>>,
        why: Postponed,
    ) -> bool {
        let Some(target) = self.targets.get_mut(&id) else { return true };
        if let Some(reading) = reading {
            target.keep(reading);
        }
        let Postponed::Blamed(failure) = why else {
            if let Some(visitor) = self.sessions.get_mut(&session) {
                visitor.postponed.push(id);
            }
            return true;
        };
        let is_first = target.setbacks == 0;
        // Who lets us wait has had its time; others may fare better.
        target.setbacks = if failure == ProbeFailure::Timeout { SETBACKS_MAX } else { target.setbacks + 1 };
        if target.setbacks < SETBACKS_MAX {
            self.hosts[host].queue.push_back(id);
        } else {
            target.try_host(host);
            target.note_failure(failure);
            self.route(id);
        }
        is_first
    }

    /// The session broke off, perhaps with a last word. The first of those in flight may have been the cause; the others
    /// come first next time. `true` when it happens to that one for the first time.
    pub(in crate::prober) fn broke(
        &mut self,
        session: SessionId,
        reading: Option<Box<Reading>>,
        why: ProbeFailure,
    ) -> bool {
        let is_first = self.postpone(session, reading, Postponed::Blamed(why));
        let Some(visitor) = self.sessions.get(&session) else { return is_first };
        let (host, is_fruitless) = (visitor.host, visitor.heard == 0);
        if is_fruitless {
            self.hosts[host].fruitless += 1;
            if self.hosts[host].fruitless >= FRUITLESS_MAX {
                self.give_up_host(host, &Rest::Failed(why));
            }
        }
        is_first
    }

    /// The last `count` of those in flight were not written after all.
    pub(in crate::prober) fn unwritten(&mut self, session: SessionId, count: usize) {
        let Some(visitor) = self.sessions.get(&session) else { return };
        for item in visitor.in_flight.iter().rev().take(count) {
            if let Item::Target(id) = item
                && let Some(target) = self.targets.get_mut(id)
            {
                target.asked -= 1;
            }
        }
        self.abandon(session, count);
    }

    /// The last `count` of those in flight will not be answered.
    pub(super) fn abandon(&mut self, session: SessionId, count: usize) {
        let Some(visitor) = self.sessions.get_mut(&session) else { return };
        let host = visitor.host;
        let left = visitor.in_flight.len().saturating_sub(count);
        for item in visitor.in_flight.split_off(left).into_iter().rev() {
            self.put_back(host, item);
        }
    }

    /// All in flight were answered, or will not be: who was postponed waits again, and who was accepted hears whether
    /// everybody is, where that is known.
    pub(in crate::prober) fn end_window(&mut self, session: SessionId) {
        let Some(visitor) = self.sessions.get_mut(&session) else { return };
        let host = visitor.host;
        for id in mem::take(&mut visitor.postponed).into_iter().rev() {
            self.put_back(host, Item::Target(id));
        }
        self.drop_vain_looks(host);
        for name in self.hosts[host].waiting.clone() {
            if self.hosts[host].domain(&name).is_asked {
                continue;
            }
            if let Some(known) = self.known(host, &name, session) {
                self.settle(host, &name, &known);
            } else {
                self.hosts[host].domain(&name).is_asked = true;
                self.hosts[host].randoms.push_back(name);
            }
        }
    }

    /// A second look can confirm a refusal only where somebody was accepted after it. When nobody is left to be, there
    /// is nothing to wait for.
    fn drop_vain_looks(&mut self, host: usize) {
        if !self.hosts[host].queue.is_empty() {
            return;
        }
        for id in mem::take(&mut self.hosts[host].again) {
            let Some(target) = self.targets.get(&id) else { continue };
            let accepted_at = self.hosts[host].domain(target.address.domain()).accepted_at;
            if matches!(target.state, State::Refused { at, .. } if accepted_at <= at) {
                self.conclude(id, false);
            } else {
                self.hosts[host].again.push_back(id);
            }
        }
    }

    /// Takes the first of those in flight.
    fn land(&mut self, session: SessionId) -> Option<(usize, Item)> {
        let visitor = self.sessions.get_mut(&session)?;
        let item = visitor.in_flight.pop_front()?;
        Some((visitor.host, item))
    }

    pub(super) fn put_back(&mut self, host: usize, item: Item) {
        match item {
            Item::Target(id) => match self.targets.get(&id).map(|target| &target.state) {
                Some(State::Refused { host: first, .. }) if *first == host => {
                    self.hosts[host].again.push_back(id);
                }
                Some(_) => self.queue_again(host, id),
                None => {}
            },
            Item::Random(domain) => self.hosts[host].randoms.push_front(domain),
        }
    }

    /// First in its host's queue, unless the host has been given up meanwhile.
    fn queue_again(&mut self, host: usize, id: TargetId) {
        let Some(target) = self.targets.get(&id) else { return };
        match self.memory.resting(self.egress, &self.hosts[host].name, target.address.domain()) {
            Some(why) => self.move_on(id, host, &why),
            None => self.hosts[host].queue.push_front(id),
        }
    }

    /// Learns from a reply what it says of the host and the domain, whoever still wants to hear it.
    fn listen(&mut self, host: usize, id: TargetId, reading: &Reading) {
        let Some(name) = self.targets.get(&id).map(|target| Box::<str>::from(target.address.domain())) else {
            return;
        };
        if !is_mute(reading) {
            self.hosts[host].muted = 0;
            self.hosts[host].domain(&name).mute = 0;
            return;
        }
        let domain = self.hosts[host].domain(&name);
        domain.mute += 1;
        if domain.mute < MUTE_MAX {
            return;
        }
        domain.mute = 0;
        let why = Rest::Refused(Box::new(reading.clone()));
        self.hosts[host].muted += 1;
        if self.hosts[host].muted >= MUTE_DOMAINS_MAX {
            self.give_up_host(host, &why);
        } else {
            self.give_up_domain(host, &name, &why);
        }
    }

    fn hear_target(&mut self, host: usize, session: SessionId, id: TargetId, reading: Box<Reading>) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        target.try_host(host);
        if matches!(target.state, State::Refused { .. }) {
            return self.confirm(host, id, reading);
        }
        match reading.class {
            ReplyClass::Accepted => self.accept(host, session, id, reading),
            ReplyClass::NoSuchMailbox | ReplyClass::Disabled => self.refuse(host, session, id, reading),
            ReplyClass::Greylisted => {
                let name: Box<str> = target.address.domain().into();
                self.reply(id, reading, None);
                self.introduce_random(host, session, name);
            }
            ReplyClass::Full | ReplyClass::Unclear => self.reply(id, reading, None),
            _ => {
                target.keep(reading);
                self.route(id);
            }
        }
    }

    fn accept(&mut self, host: usize, session: SessionId, id: TargetId, reading: Box<Reading>) {
        let at = self.new_id();
        let Some(target) = self.targets.get_mut(&id) else { return };
        let accepts_all = self.hosts[host].accepts_all;
        let domain = self.hosts[host].domain(target.address.domain());
        domain.accepted += 1;
        domain.accepted_at = at;
        if accepts_all {
            let catch_all = verdict(true, CatchAllSource::Operator);
            return self.reply(id, reading, Some(catch_all));
        }
        domain.waiting.push(id);
        self.hosts[host].waiting.insert(target.address.domain().into());
        target.state = State::Accepted { reading, host, session };
        for (ask, _) in &target.askers {
            if let Some(asker) = self.asks.get_mut(ask) {
                asker.held += 1;
            }
        }
    }

    fn refuse(&mut self, host: usize, session: SessionId, id: TargetId, reading: Box<Reading>) {
        let at = self.new_id();
        let Some(target) = self.targets.get_mut(&id) else { return };
        let domain = self.hosts[host].domain(target.address.domain());
        domain.unknown += usize::from(reading.class == ReplyClass::NoSuchMailbox);
        if reading.strength == Strength::Bare {
            target.state = State::Refused { reading, host, session, at };
            self.route(id);
        } else {
            self.reply(id, reading, None);
        }
    }

    /// A second reply about a recipient that was refused without a word. From the same host it counts only where it has
    /// accepted somebody else since: a host that refuses us, by then, says it twice.
    fn confirm(&mut self, host: usize, id: TargetId, second: Box<Reading>) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let State::Refused { reading: first, host: first_host, at, .. } =
            mem::replace(&mut target.state, State::Open(None))
        else {
            return;
        };
        let accepted_at = self.hosts[host].domain(target.address.domain()).accepted_at;
        let is_agreed = first_host != host || accepted_at > at;
        match second.class {
            ReplyClass::Accepted => self.answer(id, &Answer::Failed(ProbeFailure::Inconsistent)),
            ReplyClass::NoSuchMailbox | ReplyClass::Disabled => {
                let mut stronger = if second.strength < first.strength { second } else { first };
                stronger.agreed = is_agreed;
                self.reply(id, stronger, None);
            }
            _ => self.reply(id, first, None),
        }
    }
}

/// Says nothing of the mailbox, and would say the same of another.
fn is_mute(reading: &Reading) -> bool {
    use ReplyClass::{Blocked, Policy, ProtocolError, Temporary, TlsRequired};
    matches!(reading.class, Blocked | Policy | ProtocolError | Temporary | TlsRequired) && !is_denial(reading)
}
