//! The prober: asks mail hosts about recipients until everybody has an answer.
//!
//! One per process. Recipients of all asks that go to the same mail hosts share a pool:
//!
//! | | |
//! |---|---|
//! | `pool` | its task opens sessions as they are wanted |
//! | `ledger` | what is known: who waits, who asked, what was heard; no waiting, no wires |
//! | `presence` | a session's place in its pool's ledger, cleared however the session ends |
//! | `connect` | how a session comes about, at which address, and what it means when none does |
//! | `visit` | what a session does: takes recipients along write by write, and hears what the host says |
//! | `tally` | how many recipients its next write may hold |

mod config;
mod connect;
mod hosts;
mod ledger;
mod pool;
mod presence;
mod tally;
mod visit;

use std::{sync::Arc, time::Duration};

use futures_util::future::select_ok;
use mailsonde_engine::{Answer, Answered, Answers, Ask, EgressId, Operator, ProbeFailure, Prober, Resolver};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

pub use self::config::{Config, ConfigError, OperatorConfig};
use self::pool::{Enrolled, Pools};
use crate::{
    budget::{Budget, BudgetKey, Ration, Usage},
    dialer::Dialer,
    egress::{EgressConfig, EgressPool, Outage},
    learned::{Learned, Lessons, Outbox},
    memory::Memory,
    random::Random,
    session::Identity,
    tls::Tls,
};

/// How long open sessions may take to say goodbye when the process ends.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Speaks SMTP with mail hosts. One per process: its budget, its sessions and its memory are the process's.
#[derive(Clone)]
pub struct SmtpProber(Arc<Shared>);

/// What several processes share.
#[derive(Clone, Default)]
pub struct Commons {
    /// Their sessions; none: each has all that the configuration allows.
    pub ration: Option<Arc<dyn Ration>>,
}

struct Shared {
    config: Config,
    egress: EgressPool,
    resolver: Arc<dyn Resolver>,
    tls: Arc<Tls>,
    budget: Budget,
    memory: Arc<Memory>,
    /// Where what was learned is told.
    outbox: Arc<Outbox>,
    random: Random,
    pools: Pools,
    /// Sessions, from the wait for their place to their farewell.
    sessions: watch::Sender<usize>,
    /// No session is to be kept for later.
    closing: watch::Sender<bool>,
}

impl SmtpProber {
    /// A prober that finds hosts through `resolver` and reaches them over TCP, or through the proxies of its identities.
    ///
    /// # Errors
    /// A setting that cannot be meant.
    pub fn new(config: Config, resolver: Arc<dyn Resolver>) -> Result<Self, ConfigError> {
        Self::sharing(config, resolver, Commons::default())
    }

    /// A prober that shares with those of other processes.
    ///
    /// # Errors
    /// A setting that cannot be meant.
    pub fn sharing(
        config: Config,
        resolver: Arc<dyn Resolver>,
        commons: Commons,
    ) -> Result<Self, ConfigError> {
        Self::assemble(config, resolver, commons, EgressConfig::dialer)
    }

    /// A prober that reaches hosts by other means.
    ///
    /// # Errors
    /// A setting that cannot be meant.
    pub fn with_dialers(
        config: Config,
        resolver: Arc<dyn Resolver>,
        dialer: impl Fn(&EgressConfig) -> Arc<dyn Dialer>,
    ) -> Result<Self, ConfigError> {
        Self::assemble(config, resolver, Commons::default(), dialer)
    }

    fn assemble(
        config: Config,
        resolver: Arc<dyn Resolver>,
        commons: Commons,
        dialer: impl Fn(&EgressConfig) -> Arc<dyn Dialer>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let hello =
            if config.hello_name.is_empty() { config::host_name() } else { config.hello_name.clone() };
        let general = Identity { hello: hello.into(), sender: config.mail_from.as_str().into() };
        let egress = EgressPool::new(general, &config.egress, config.port, dialer)?;
        let outbox = Arc::<Outbox>::default();
        Ok(Self(Arc::new(Shared {
            egress,
            resolver,
            tls: Arc::new(Tls::new(config.certificates)),
            budget: Budget::new(config.limits(), commons.ration, outbox.clone()),
            memory: Arc::new(Memory::new(&outbox)),
            outbox,
            random: Random::default(),
            pools: Pools::default(),
            sessions: watch::Sender::default(),
            closing: watch::Sender::default(),
            config,
        })))
    }

    /// Why nobody can be reached at present, if so: outbound connections are blocked, or every proxy is down.
    pub fn outage(&self) -> Option<Outage> {
        self.0.egress.outage()
    }

    /// Whether there is a session for work at an operator's hosts, under any identity that serves it: then one is there,
    /// or comes at once. Always so where nothing is shared, and for an operator that nobody knows.
    ///
    /// # Errors
    /// How long to put the work off. Meanwhile a session is asked for.
    pub async fn may_begin(&self, operator: &str) -> Result<(), Duration> {
        let Some(operator) = Operator::by_id(operator) else { return Ok(()) };
        let key = BudgetKey::Operator(operator.id());
        let shares: Vec<_> =
            self.0.egress.of_operator(operator).iter().map(|id| self.0.budget.share(*id, &key)).collect();
        let asked = shares.iter().map(|share| Box::pin(share.may_begin()));
        match select_ok(asked).await {
            Ok(_) => Ok(()),
            Err(wait) => Err(wait),
        }
    }

    /// What is learned from now on.
    pub fn learned(&self) -> Lessons {
        self.0.outbox.listen()
    }

    /// Takes in what another process has learned, which holds for `life` from now. It is not told on.
    pub fn teach(&self, learned: Learned, life: Duration) {
        self.0.budget.take_in(&learned.0);
        self.0.memory.take_in(life, learned.0);
    }

    /// What was asked of whom so far, and what it took.
    pub fn usage(&self) -> Vec<Usage> {
        self.0.budget.usage()
    }

    /// Sessions that are open, about to be opened, or about to end.
    pub fn sessions(&self) -> usize {
        *self.0.sessions.borrow()
    }

    /// Takes leave of every host that nobody waits for any more, and keeps no session from here on.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        // A host that does not even take a farewell gets none.
        let _ = timeout(CLOSE_MAX, self.0.sessions.subscribe().wait_for(|open| *open == 0)).await;
        let _ = timeout(CLOSE_MAX, self.0.budget.close()).await;
    }
}

impl Prober for SmtpProber {
    /// Must be called inside a tokio runtime, whose timers and tasks it uses.
    fn ask(&self, ask: Ask) -> Answers {
        let (sender, answers) = mpsc::unbounded_channel();
        let shared = &self.0;
        let failed = |recipient, failure, egress| {
            // The receiver is still in our hands.
            let _ = sender.send(Answered { recipient, answer: Answer::Failed(failure), egress });
        };
        let operator = ask.mx.first().and_then(|host| Operator::of_host(&host.name));
        let earlier = ask.egress.and_then(|id| shared.egress.retry(id));
        let Some(egress) = earlier.or_else(|| shared.egress.choose(&ask.mx, operator)) else {
            let all = 0..ask.recipients.len();
            all.for_each(|index| failed(index, ProbeFailure::EgressDown, EgressId::default()));
            return answers;
        };
        let mut recipients = Vec::with_capacity(ask.recipients.len());
        for (index, address) in ask.recipients.into_iter().enumerate() {
            if shared.config.is_never(address.domain()) {
                failed(index, ProbeFailure::NotProbed, egress);
            } else if Instant::now() >= ask.deadline {
                failed(index, ProbeFailure::NotItsTurn, egress);
            } else {
                recipients.push((index, address));
            }
        }
        if !recipients.is_empty() {
            let key = (ask.mx, egress);
            let enrolled = shared.pools.enroll(shared, key, &recipients, ask.stop, sender.clone());
            tokio::spawn(watch_over(enrolled, sender, ask.deadline));
        }
        answers
    }
}

/// Ends an ask at its deadline, or when whoever asked has gone.
async fn watch_over(enrolled: Enrolled, asker: mpsc::UnboundedSender<Answered>, deadline: Instant) {
    let Enrolled { pool, ask, done } = enrolled;
    tokio::select! {
        biased;
        _ = done => return,
        () = asker.closed() => {}
        () = sleep_until(deadline) => {}
    }
    pool.ledger().expire(ask);
    pool.changed();
}

impl Shared {
    /// Counts a session until the returned value is dropped.
    fn count_session(self: &Arc<Self>) -> OpenSession {
        self.sessions.send_modify(|open| *open += 1);
        OpenSession(self.clone())
    }
}

struct OpenSession(Arc<Shared>);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.sessions.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests;
