//! The ledger of a pool: who is asked about at one MX set, by whom, what was heard, and who is to be asked next.
//!
//! No waiting and no wires here. Recipients of all asks are pooled: an address that two ask about is asked once. Every
//! recipient of every ask is answered exactly once: when an answer is final, or when the ask ends, with the best of
//! what was heard.
//!
//! The way of a recipient:
//!
//! ```text
//!              route                  take                    hear
//!   add ─▶ (next host) ─▶ queue ───────────────▶ in flight ──────────▶ answer: told of a mailbox
//!               ▲           ▲                      │  │  │
//!               │           └── postponed ◀────────┘  │  ├─▶ Accepted ── waits for a random recipient ─▶ answer
//!               │               (limit, break)        │  └─▶ Refused by three digits ── next host, or `again` ─▶ answer
//!               └──── no word on the mailbox ◀────────┘
//!          exhausted: no host is left ─▶ conclude: the best of what was heard
//! ```

mod answers;
mod domain;
mod hearing;
mod randoms;
mod taking;
mod target;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use mailsonde_engine::{Address, Answered, EgressId, ProbeFailure, Stop};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use self::{
    domain::Domain,
    target::{State, Target},
};
pub(super) use self::{
    hearing::Postponed,
    taking::{Room, Taken},
};
use crate::memory::{Memory, Rest};

/// Sessions with one host that may end before their time with nothing answered. Whoever hangs up three times means it.
const FRUITLESS_MAX: usize = 3;

/// Domains of a host of which something is known, before those are forgotten that nobody waits for.
const DOMAINS_MAX: usize = 10_000;

/// How long a host rests that could not be reached, or that was busy.
pub(super) const REST: Duration = Duration::from_mins(1);

/// A recipient that has waited this long would be served better by a session more.
pub(super) const SLOW: Duration = Duration::from_secs(1);

pub(super) type TargetId = u64;
pub(super) type AskId = u64;
pub(super) type SessionId = u64;

/// See the module.
pub(super) struct Ledger {
    hosts: Vec<Host>,
    targets: HashMap<TargetId, Target>,
    by_address: HashMap<Address, TargetId>,
    asks: HashMap<AskId, Asker>,
    sessions: HashMap<SessionId, Visitor>,
    next_id: u64,
    egress: EgressId,
    memory: Arc<Memory>,
    /// How long a host rests that refused to speak with us.
    cool_down: Duration,
}

/// A mail host, and what waits for it.
struct Host {
    name: Arc<str>,
    /// Its operator is known to accept everybody.
    accepts_all: bool,
    queue: VecDeque<TargetId>,
    /// Recipients whose bare refusal wants a second look, in another session.
    again: VecDeque<TargetId>,
    /// Domains whose accepted recipients wait for a random one.
    randoms: VecDeque<Box<str>>,
    domains: HashMap<Box<str>, Domain>,
    /// Those whose accepted recipients wait to be told whether everybody is.
    waiting: BTreeSet<Box<str>>,
    /// Sessions in a row that ended before their time with nothing answered.
    fruitless: usize,
    /// Domains that were refused an answer altogether, with nothing told in between.
    muted: usize,
    /// Recipients answered, and how many of them were refused.
    heard: usize,
    rejected: usize,
}

/// Who asked.
struct Asker {
    answers: mpsc::UnboundedSender<Answered>,
    stop: Stop,
    targets: Vec<TargetId>,
    /// Recipients without an answer.
    open: usize,
    /// Accepted recipients that wait for the random one.
    held: usize,
    /// Dropped when the last answer is sent.
    _done: oneshot::Sender<()>,
}

/// A session, from the moment it is wanted to its end.
struct Visitor {
    host: usize,
    /// What was written and is not answered, in order.
    in_flight: VecDeque<Item>,
    /// Recipients that are to be asked again.
    postponed: Vec<TargetId>,
    /// Answers since it came.
    heard: usize,
    arrived: Instant,
    /// It has its place, and tries to reach the host.
    is_dialling: bool,
    /// It has taken somebody along: the host has greeted.
    is_open: bool,
    wake: Arc<Notify>,
}

/// Whom a command asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Target(TargetId),
    /// Somebody at this domain who does not exist.
    Random(Box<str>),
}

impl Ledger {
    /// For these hosts, in the order of trying.
    pub(super) fn new(
        hosts: impl IntoIterator<Item = (Arc<str>, bool)>,
        egress: EgressId,
        memory: Arc<Memory>,
        cool_down: Duration,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().map(|(name, accepts_all)| Host::new(name, accepts_all)).collect(),
            targets: HashMap::new(),
            by_address: HashMap::new(),
            asks: HashMap::new(),
            sessions: HashMap::new(),
            next_id: 0,
            egress,
            memory,
            cool_down,
        }
    }

    /// Takes in an ask. The receiver ends when its last answer is sent.
    pub(super) fn enroll(
        &mut self,
        recipients: &[(usize, Address)],
        stop: Stop,
        answers: mpsc::UnboundedSender<Answered>,
    ) -> (AskId, oneshot::Receiver<()>) {
        let (done, is_done) = oneshot::channel();
        let ask = self.new_id();
        let asker =
            Asker { answers, stop, targets: Vec::new(), open: recipients.len(), held: 0, _done: done };
        if !recipients.is_empty() {
            self.asks.insert(ask, asker);
        }
        // Domain by domain, as some operators want a transaction for each; those that need SMTPUTF8 last.
        let mut order: Vec<&(usize, Address)> = recipients.iter().collect();
        order.sort_by_key(|(_, address)| (address.is_smtputf8(), address.domain()));
        for (index, address) in order {
            self.add(ask, *index, address);
        }
        (ask, is_done)
    }

    fn add(&mut self, ask: AskId, index: usize, address: &Address) {
        let known = self.by_address.get(address).copied();
        let id = known.unwrap_or_else(|| self.new_id());
        if let Some(asker) = self.asks.get_mut(&ask) {
            asker.targets.push(id);
        }
        let target = self.targets.entry(id).or_insert_with(|| Target::new(address.clone()));
        target.askers.push((ask, index));
        if known.is_some() {
            let is_accepted = matches!(target.state, State::Accepted { .. });
            if let Some(asker) = self.asks.get_mut(&ask) {
                asker.held += usize::from(is_accepted);
            }
            return;
        }
        self.by_address.insert(address.clone(), id);
        self.route(id);
    }

    /// Lets the recipient wait for the next host that has not been asked about it, or concludes.
    fn route(&mut self, id: TargetId) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        target.since = Instant::now();
        for (position, host) in self.hosts.iter_mut().enumerate() {
            if target.has_tried(position) {
                continue;
            }
            match self.memory.resting(self.egress, &host.name, target.address.domain()) {
                Some(why) => target.try_without(position, &why),
                None => return host.queue.push_back(id),
            }
        }
        self.exhausted(id);
    }

    /// Every host has been tried.
    fn exhausted(&mut self, id: TargetId) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        match &target.state {
            State::Refused { host, .. } if !target.second_look => {
                target.second_look = true;
                self.hosts[*host].again.push_back(id);
            }
            _ => self.conclude(id, false),
        }
    }

    /// Nobody is asked about at this host any more, for a while.
    pub(super) fn give_up_host(&mut self, host: usize, why: &Rest) {
        let time = self.rest_time(why);
        self.memory.rest(self.egress, &self.hosts[host].name, None, time, why.clone());
        for id in mem::take(&mut self.hosts[host].queue) {
            self.move_on(id, host, why);
        }
        for id in mem::take(&mut self.hosts[host].again) {
            self.conclude(id, false);
        }
        self.forget_randoms(host);
        for name in self.hosts[host].waiting.clone() {
            self.give_up_random(host, &name, why);
        }
        self.hosts[host].fruitless = 0;
    }

    /// Nobody waits any more for what they would tell.
    fn forget_randoms(&mut self, host: usize) {
        for name in mem::take(&mut self.hosts[host].randoms) {
            let domain = self.hosts[host].domain(&name);
            (domain.is_asked, domain.is_greylisting) = (false, false);
        }
    }

    /// One domain is not asked about at this host any more, for a while.
    fn give_up_domain(&mut self, host: usize, domain: &str, why: &Rest) {
        let time = self.rest_time(why);
        self.memory.rest(self.egress, &self.hosts[host].name, Some(domain), time, why.clone());
        let targets = &self.targets;
        let is_of = |id: &TargetId| targets.get(id).is_some_and(|target| target.address.domain() == domain);
        let (moved, kept): (VecDeque<_>, _) =
            mem::take(&mut self.hosts[host].queue).into_iter().partition(is_of);
        self.hosts[host].queue = kept;
        for id in moved {
            self.move_on(id, host, why);
        }
    }

    /// The next host, please.
    fn move_on(&mut self, id: TargetId, host: usize, why: &Rest) {
        if let Some(target) = self.targets.get_mut(&id) {
            target.try_without(host, why);
            self.route(id);
        }
    }

    fn rest_time(&self, why: &Rest) -> Duration {
        match why {
            Rest::Refused(reading) if reading.code >= 500 => self.cool_down,
            _ => REST,
        }
    }

    /// Nobody can be asked about anything: our side is at fault.
    pub(super) fn fail_all(&mut self, failure: ProbeFailure) {
        for position in 0..self.hosts.len() {
            self.forget_randoms(position);
        }
        let ids: Vec<TargetId> = self.targets.keys().copied().collect();
        for id in ids {
            if let Some(target) = self.targets.get_mut(&id) {
                target.note_failure(failure);
                self.conclude(id, false);
            }
        }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_idle(&self) -> bool {
        self.targets.is_empty() && self.sessions.is_empty()
    }

    /// Whether a recipient waits for a session.
    pub(super) fn is_waiting(&self) -> bool {
        self.hosts.iter().any(|host| host.queue.len() + host.again.len() + host.randoms.len() > 0)
    }

    /// Whether any session is open, or about to be.
    pub(super) fn has_sessions(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Registers a session with a host.
    pub(super) fn arrive(&mut self, host: usize) -> (SessionId, Arc<Notify>) {
        let id = self.new_id();
        let wake = Arc::new(Notify::new());
        let visitor = Visitor {
            host,
            in_flight: VecDeque::new(),
            postponed: Vec::new(),
            heard: 0,
            arrived: Instant::now(),
            is_dialling: false,
            is_open: false,
            wake: wake.clone(),
        };
        self.sessions.insert(id, visitor);
        (id, wake)
    }

    /// The session has its place and tries to reach its host.
    pub(super) fn dials(&mut self, session: SessionId) {
        if let Some(visitor) = self.sessions.get_mut(&session) {
            visitor.is_dialling = true;
        }
    }

    /// A session is over, in whatever way; who was not answered waits again.
    pub(super) fn leave(&mut self, session: SessionId) {
        self.end_window(session);
        self.abandon(session, usize::MAX);
        self.sessions.remove(&session);
    }

    pub(super) fn host_name(&self, host: usize) -> Arc<str> {
        self.hosts[host].name.clone()
    }

    /// Wakes every session that may have something to do, or nothing any more.
    pub(super) fn wake_sessions(&self) {
        self.sessions.values().for_each(|visitor| visitor.wake.notify_one());
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Host {
    fn new(name: Arc<str>, accepts_all: bool) -> Self {
        Self {
            name,
            accepts_all,
            queue: VecDeque::new(),
            again: VecDeque::new(),
            randoms: VecDeque::new(),
            domains: HashMap::new(),
            waiting: BTreeSet::new(),
            fruitless: 0,
            muted: 0,
            heard: 0,
            rejected: 0,
        }
    }

    fn domain(&mut self, name: &str) -> &mut Domain {
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(name) {
            self.domains.retain(|_, domain| domain.is_asked || !domain.waiting.is_empty());
        }
        self.domains.entry(name.into()).or_default()
    }
}
