//! Whom to ask next: which recipients a session takes along in its next write, and when a session more is wanted.

use mailsonde_engine::{Address, Stop};
use tokio::time::Instant;

use super::{AskId, Host, Item, Ledger, SLOW, SessionId, State, Target, TargetId};
use crate::{
    catch_all::random_recipient,
    prober::tally::{Outlook, REJECTS_MAX},
    random::Random,
};

/// Recipients of an ask that is satisfied by the first accepted one, asked about at the same time: each of them may be
/// one too many.
const CANDIDATES_MAX: usize = 3;

/// So few recipients take the random one along at once, for a round trip less. More of them wait until somebody is
/// accepted, since it is one more to be refused.
const EAGER_MAX: usize = 3;

/// More recipients than ever wait.
const NO_END: usize = 1 << 40;

/// What a session still has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::prober) struct Room {
    pub(in crate::prober) targets: usize,
    /// Of random recipients, which do not count as targets but will be refused.
    pub(in crate::prober) randoms: usize,
    /// Of both together.
    pub(in crate::prober) answers: usize,
    /// Many may leave in one write.
    pub(in crate::prober) pipelines: bool,
}

/// What a session takes along.
#[derive(Debug, Default)]
pub(in crate::prober) struct Taken {
    pub(in crate::prober) addresses: Vec<Address>,
    /// How many of them are random ones.
    pub(in crate::prober) extras: usize,
}

impl Host {
    /// Recipients that a session gets through, by what is known of the host.
    fn capacity(&self) -> usize {
        (REJECTS_MAX * self.heard).checked_div(self.rejected).unwrap_or(NO_END)
    }
}

impl Ledger {
    /// Takes along whom the session has room for. Recipients come before random ones, which matter only where somebody
    /// was accepted.
    pub(in crate::prober) fn take(&mut self, session: SessionId, room: Room, random: &Random) -> Taken {
        self.end_window(session);
        let Some(visitor) = self.sessions.get_mut(&session) else { return Taken::default() };
        visitor.is_open = true;
        let host = visitor.host;
        let mut items = self.second_looks(host, session, room.targets);
        if room.pipelines {
            // Who was accepted has waited longer than whoever is not asked about.
            items.extend(self.due_randoms(host, room.randoms));
            let randoms = items.len();
            let targets = self.take_targets(host, room.targets);
            items.extend(targets.iter().map(|id| Item::Target(*id)));
            if randoms < room.randoms && items.len() < room.answers {
                items.extend(self.eager_random(host, session, &targets));
            }
        } else if items.is_empty() {
            let urgent = if room.randoms > 0 { self.urgent_random(host) } else { None };
            items.extend(
                urgent.or_else(|| self.take_targets(host, room.targets.min(1)).pop().map(Item::Target)),
            );
            if items.is_empty() {
                items.extend(self.due_randoms(host, room.randoms.min(1)));
            }
        }
        self.fly(session, host, items, random)
    }

    /// What a session finds at its host; `None` when nobody waits there.
    pub(in crate::prober) fn outlook(&self, session: SessionId) -> Option<Outlook> {
        let visitor = self.sessions.get(&session)?;
        let host = &self.hosts[visitor.host];
        let again = host.again.iter().filter(|id| self.may_look_again(**id, session)).count();
        let targets = self.expected(host) + again + visitor.postponed.len();
        let randoms = host.randoms.iter().filter(|name| self.is_random_wanted(host, name)).count();
        let Host { heard, rejected, .. } = *host;
        (targets + randoms > 0).then_some(Outlook { heard, rejected, randoms, targets })
    }

    /// A host that one more session would serve, of which there may be `max`. The first one comes at once; further ones
    /// when those that are open will have been refused too often before everybody is asked, or somebody has to wait:
    /// else most hosts answer one session faster than several.
    pub(in crate::prober) fn wants_session(&self, max: usize) -> Option<usize> {
        let now = Instant::now();
        (0..self.hosts.len()).find(|position| {
            let host = &self.hosts[*position];
            let sessions = || self.sessions.iter().filter(|(_, visitor)| visitor.host == *position);
            let newest = sessions().max_by_key(|(id, _)| **id);
            let Some((newest, visitor)) = newest else {
                let is_random_due = host.randoms.iter().any(|name| self.is_random_wanted(host, name));
                let looks_again = host.again.iter().any(|id| self.targets.contains_key(id));
                return is_random_due || looks_again || self.queued(host).next().is_some();
            };
            let needs_newer =
                |id: &TargetId| self.targets.contains_key(id) && !self.may_look_again(*id, *newest);
            let looks_again = host.again.iter().any(needs_newer);
            let Some(first) = self.queued(host).next() else { return looks_again };
            let open = sessions().count();
            // Who waits for a greeting waits for no better one.
            let is_slow = visitor.is_open && now - first.since >= SLOW && now - visitor.arrived >= SLOW;
            let is_too_much = || self.expected(host) > open * host.capacity();
            looks_again || (open < max && (is_slow || is_too_much()))
        })
    }

    /// When somebody will have waited so long that a session more may be wanted.
    pub(in crate::prober) fn slow_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let at = |(position, host): (usize, &Host)| {
            let newest = self.sessions.values().filter(|visitor| visitor.host == position).map(|v| v.arrived);
            let first = self.queued(host).next()?.since;
            Some(newest.max().map_or(first, |newest| newest.max(first)) + SLOW)
        };
        self.hosts.iter().enumerate().filter_map(at).filter(|at| *at > now).min()
    }

    /// Whether another session is at work with the host.
    pub(in crate::prober) fn is_served(&self, host: usize, but: SessionId) -> bool {
        self.sessions.iter().any(|(id, visitor)| *id != but && visitor.host == host && visitor.heard > 0)
    }

    /// Nobody is served by the session, now or soon.
    pub(in crate::prober) fn is_abandoned(&self, session: SessionId) -> bool {
        let Some(visitor) = self.sessions.get(&session) else { return true };
        let serves = |item: &Item| match item {
            Item::Target(id) => self.targets.contains_key(id),
            Item::Random(name) => self.is_random_wanted(&self.hosts[visitor.host], name),
        };
        !visitor.in_flight.iter().any(serves) && self.outlook(session).is_none()
    }

    /// Whether somebody still waits for what a random recipient tells, or will when he comes back.
    fn is_random_wanted(&self, host: &Host, name: &str) -> bool {
        host.domains.get(name).is_some_and(|domain| {
            domain.is_greylisting || domain.waiting.iter().any(|id| self.targets.contains_key(id))
        })
    }

    /// Recipients that wait for the host and could be asked about now.
    fn queued<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Target> {
        let live = host.queue.iter().filter_map(|id| self.targets.get(id));
        live.filter(|target| !self.is_held(target, &[]))
    }

    /// Recipients that will be asked about at the host, as far as one can tell: of candidates, the next ones.
    fn expected(&self, host: &Host) -> usize {
        let is_candidate = |target: &&Target| target.askers.iter().all(|(ask, _)| self.wants_one(*ask));
        let all = self.queued(host).count();
        let candidates = self.queued(host).filter(is_candidate).count();
        all - candidates + candidates.min(CANDIDATES_MAX)
    }

    /// Whether the ask is satisfied by the first accepted recipient.
    fn wants_one(&self, ask: AskId) -> bool {
        self.asks.get(&ask).is_some_and(|asker| asker.stop == Stop::FirstAccepted)
    }

    /// Whoever wants it waits to hear whether an accepted one is proven, or has enough candidates in flight, those that
    /// are being taken along included.
    fn is_held(&self, target: &Target, taken: &[TargetId]) -> bool {
        target.askers.iter().all(|(ask, _)| {
            self.wants_one(*ask)
                && (self.asks.get(ask).is_some_and(|asker| asker.held > 0)
                    || self.in_flight_of(*ask, taken) >= CANDIDATES_MAX)
        })
    }

    /// Recipients of the ask that are in flight, or are being taken along.
    fn in_flight_of(&self, ask: AskId, taken: &[TargetId]) -> usize {
        let flying = self.sessions.values().flat_map(|visitor| &visitor.in_flight);
        let flying = flying.filter_map(|item| match item {
            Item::Target(id) => Some(id),
            Item::Random(_) => None,
        });
        let is_of = |id: &&TargetId| self.targets.get(*id).is_some_and(|target| target.is_wanted_by(ask));
        flying.chain(taken).filter(is_of).count()
    }

    fn take_targets(&mut self, host: usize, max: usize) -> Vec<TargetId> {
        let mut taken: Vec<TargetId> = Vec::new();
        let mut passed = Vec::new();
        while taken.len() < max {
            let Some(id) = self.hosts[host].queue.pop_front() else { break };
            let Some(target) = self.targets.get(&id) else { continue };
            if self.is_held(target, &taken) {
                passed.push(id);
            } else {
                taken.push(id);
            }
        }
        passed.into_iter().rev().for_each(|id| self.hosts[host].queue.push_front(id));
        // One transaction serves many that do not need SMTPUTF8, and some operators want one for each domain.
        let rank = |id: &TargetId| {
            self.targets.get(id).map(|target| (target.address.is_smtputf8(), target.address.domain()))
        };
        taken.sort_by(|a, b| rank(a).cmp(&rank(b)));
        taken
    }

    /// Recipients whose refusal wants a second look.
    fn second_looks(&mut self, host: usize, session: SessionId, max: usize) -> Vec<Item> {
        let again = std::mem::take(&mut self.hosts[host].again);
        let mut items = Vec::new();
        for id in again.into_iter().filter(|id| self.targets.contains_key(id)) {
            if items.len() < max && self.may_look_again(id, session) {
                items.push(Item::Target(id));
            } else {
                self.hosts[host].again.push_back(id);
            }
        }
        items
    }

    fn may_look_again(&self, id: TargetId, session: SessionId) -> bool {
        self.targets.get(&id).is_some_and(
            |target| matches!(target.state, State::Refused { session: first, .. } if first < session),
        )
    }

    /// A random recipient that comes before everybody else: somebody has waited since an earlier session, or needs no
    /// other recipient once this one has told.
    fn urgent_random(&mut self, host: usize) -> Option<Item> {
        let is_urgent = |name: &str| {
            let waiting = self.hosts[host].domains.get(name).map(|domain| &domain.waiting);
            waiting.into_iter().flatten().filter_map(|id| self.targets.get(id)).any(|target| {
                let is_late = matches!(&target.state, State::Accepted { session, .. }
                    if !self.sessions.contains_key(session));
                is_late || target.askers.iter().any(|(ask, _)| self.wants_one(*ask))
            })
        };
        let position = self.hosts[host].randoms.iter().position(|name| is_urgent(name))?;
        self.hosts[host].randoms.remove(position).map(Item::Random)
    }

    /// Up to `max` random recipients that are due. Those for whom nobody waits any more are forgotten.
    fn due_randoms(&mut self, host: usize, max: usize) -> Vec<Item> {
        let mut due = Vec::new();
        while due.len() < max {
            let Some(name) = self.hosts[host].randoms.pop_front() else { break };
            if self.is_random_wanted(&self.hosts[host], &name) {
                due.push(Item::Random(name));
            } else {
                self.hosts[host].domain(&name).is_asked = false;
            }
        }
        due
    }

    /// The random recipient for a few targets of one domain about which nothing is known.
    fn eager_random(&mut self, host: usize, session: SessionId, targets: &[TargetId]) -> Option<Item> {
        let first = self.targets.get(targets.first()?)?;
        let name: Box<str> = first.address.domain().into();
        let is_alone = targets.len() <= EAGER_MAX
            && targets.iter().all(|id| self.targets.get(id).is_some_and(|t| t.address.domain() == &*name))
            && self.queued(&self.hosts[host]).next().is_none();
        if !is_alone || self.hosts[host].accepts_all || self.known(host, &name, session).is_some() {
            return None;
        }
        let domain = self.hosts[host].domain(&name);
        if std::mem::replace(&mut domain.is_asked, true) {
            return None;
        }
        Some(Item::Random(name))
    }

    fn fly(&mut self, session: SessionId, host: usize, items: Vec<Item>, random: &Random) -> Taken {
        let mut taken = Taken::default();
        let mut flying = Vec::with_capacity(items.len());
        for item in items {
            let address = match &item {
                Item::Target(id) => self.targets.get_mut(id).map(|target| {
                    target.asked += 1;
                    target.address.clone()
                }),
                Item::Random(domain) => Some(self.random_at(host, domain, random)),
            };
            taken.extras += usize::from(!matches!(item, Item::Target(_)));
            if let Some(address) = address {
                taken.addresses.push(address);
                flying.push(item);
            }
        }
        if let Some(visitor) = self.sessions.get_mut(&session) {
            visitor.in_flight.extend(flying);
        }
        taken
    }

    /// Somebody at the domain who does not exist: the same one as before, where the host has put him off.
    fn random_at(&mut self, host: usize, name: &str, random: &Random) -> Address {
        let Host { domains, name: host, .. } = &mut self.hosts[host];
        let known = || self.memory.random(name, host).unwrap_or_else(|| random_recipient(random, name));
        match domains.get_mut(name) {
            Some(domain) => domain.random.get_or_insert_with(known).clone(),
            None => known(),
        }
    }
}
