//! Egress: the identities under which probes leave. Each has an address, or a proxy, a name to greet with and a sender,
//! and its health is watched.
//!
//! The same hosts always see the same identity, since greylisting and reputation hang on it; only when that one is
//! down does another take over. Which connections are made, and when, is the prober's business.

mod health;
mod outage;
mod rendezvous;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::Hash,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mailsonde_engine::{EgressId, Operator};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::Instant;

pub use self::outage::Outage;
pub(crate) use self::rendezvous::stable_hash;
use self::{health::Health, outage::Way, rendezvous::score};
use crate::{
    budget::BudgetKey,
    dialer::{Dialer, EgressFault, Proxy, Socks5Dialer, TcpDialer},
    prober::ConfigError,
    session::Identity,
};

/// More tables than anybody has addresses for, and far fewer than there are ids.
const EGRESSES_MAX: usize = 1_000;

/// Name and id of the identity that needs no table.
const GENERAL: (&str, EgressId) = ("general", EgressId(0));

/// An identity under which probes leave: a table `[smtp.egress.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressConfig {
    /// The address to leave from. Absent: the system's choice.
    pub bind: Option<IpAddr>,
    /// The name in EHLO. Empty: the general one.
    pub hello_name: String,
    /// The sender. Empty: the general one.
    pub mail_from: String,
    /// Absent, or empty: none.
    #[serde(deserialize_with = "proxy_or_empty")]
    pub proxy: Option<Proxy>,
    /// Ids of the operators that it serves, and nobody else; they are served by no identity that does not name them.
    /// Empty: everybody whom no table names.
    pub operators: Vec<String>,
}

impl EgressConfig {
    /// The dialer that the table asks for.
    pub(crate) fn dialer(&self) -> Arc<dyn Dialer> {
        match &self.proxy {
            Some(proxy) => Arc::new(Socks5Dialer::new(proxy.clone(), self.bind)),
            None => Arc::new(TcpDialer::new(self.bind)),
        }
    }

    fn operators(&self, name: &str) -> Result<Vec<Operator>, ConfigError> {
        let operator = |(n, id): (usize, &String)| {
            Operator::by_id(id).ok_or_else(|| ConfigError {
                key: format!("egress.{name}.operators.{n}"),
                message: "no operator has this id".into(),
            })
        };
        self.operators.iter().enumerate().map(operator).collect()
    }
}

fn proxy_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Proxy>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}

/// One identity and its way out.
pub(crate) struct Egress {
    /// Of its table.
    pub(crate) name: Box<str>,
    /// Who we say that we are there.
    pub(crate) identity: Arc<Identity>,
    /// How connections leave.
    pub(crate) dialer: Arc<dyn Dialer>,
    id: EgressId,
    /// For its scores.
    hash: u64,
    is_proxied: bool,
    /// Whom it serves alone; empty for everybody whom no egress names.
    operators: Vec<Operator>,
    health: Mutex<Health>,
}

/// All identities.
///
/// Before each connection the prober asks [`EgressPool::may_try`], and afterwards it says how it went, with
/// [`EgressPool::connected`], [`EgressPool::failed`] or [`EgressPool::timed_out`].
#[derive(Debug)]
pub(crate) struct EgressPool {
    /// Never empty.
    egresses: Vec<Egress>,
    /// Port of the mail hosts.
    port: u16,
}

impl EgressPool {
    /// The identities of `tables`, by name, and where none of them serves everybody, the general one for the rest.
    /// `dialer` makes their ways out, [`EgressConfig::dialer`] in earnest.
    ///
    /// # Errors
    /// An operator that does not exist, or too many tables.
    pub(crate) fn new(
        general: Identity,
        tables: &BTreeMap<String, EgressConfig>,
        port: u16,
        dialer: impl Fn(&EgressConfig) -> Arc<dyn Dialer>,
    ) -> Result<Self, ConfigError> {
        if tables.len() > EGRESSES_MAX {
            let message = format!("expected at most {EGRESSES_MAX} tables");
            return Err(ConfigError { key: "egress".into(), message });
        }
        let mut egresses = Vec::with_capacity(tables.len() + 1);
        for ((name, table), id) in tables.iter().zip(ids(tables.keys())) {
            let or_general =
                |own: &str, general: &str| if own.is_empty() { general.into() } else { own.into() };
            let identity = Identity {
                hello: or_general(&table.hello_name, &general.hello),
                sender: or_general(&table.mail_from, &general.sender),
            };
            egresses.push(Egress::new((name, id), identity, table, dialer(table))?);
        }
        if !egresses.iter().any(|egress| egress.operators.is_empty()) {
            let table = EgressConfig::default();
            egresses.push(Egress::new(GENERAL, general, &table, dialer(&table))?);
        }
        Ok(Self { egresses, port })
    }

    /// The identity that these hosts see: the first by their scores among those that serve the operator and are up.
    /// One that is down is given out once a minute, to whoever is to try it. `None` while all of them are down.
    pub(crate) fn choose(&self, hosts: impl Hash, operator: Option<Operator>) -> Option<EgressId> {
        let hosts = stable_hash(hosts);
        loop {
            let open = self.serving(operator).filter(|egress| egress.health().is_open());
            let first = open.max_by_key(|egress| (score(hosts, egress.hash), egress.id.0))?;
            // Somebody else may have taken the trial meanwhile: then the next one is first.
            if first.health().enter() {
                return Some(first.id);
            }
        }
    }

    /// The identities under which an operator's hosts are asked.
    pub(crate) fn of_operator(&self, operator: Operator) -> Vec<EgressId> {
        self.serving(Some(operator)).map(|egress| egress.id).collect()
    }

    fn serving(&self, operator: Option<Operator>) -> impl Iterator<Item = &Egress> {
        let names_it =
            move |egress: &Egress| operator.is_some_and(|operator| egress.operators.contains(&operator));
        let is_named = self.egresses.iter().any(names_it);
        let serves =
            move |egress: &&Egress| if is_named { names_it(egress) } else { egress.operators.is_empty() };
        self.egresses.iter().filter(serves)
    }

    /// The identity of an earlier attempt, if it still exists and is not down.
    pub(crate) fn retry(&self, id: EgressId) -> Option<EgressId> {
        self.find(id).filter(|egress| egress.health().enter()).map(|egress| egress.id)
    }

    /// The identity with this id, which the pool has given out; any other id is as good as the first.
    pub(crate) fn get(&self, id: EgressId) -> &Egress {
        self.find(id).unwrap_or(&self.egresses[0])
    }

    /// Whether a connection may leave now. Of an identity that is down, those of the trial that has begun may, until
    /// the first of them has failed.
    pub(crate) fn may_try(&self, id: EgressId) -> bool {
        self.find(id).is_some_and(|egress| egress.health().may_leave())
    }

    /// Whether connections get nowhere there.
    pub(crate) fn is_down(&self, id: EgressId) -> bool {
        self.find(id).is_some_and(|egress| egress.health().cause().is_some())
    }

    /// A connection came about.
    pub(crate) fn connected(&self, id: EgressId) {
        if let Some(egress) = self.find(id) {
            egress.health().answered();
        }
    }

    /// The caller, who began to try hosts of `key` at `began`, has waited long enough for a connection.
    pub(crate) fn timed_out(&self, id: EgressId, key: &BudgetKey, began: Instant) {
        if let Some(egress) = self.find(id) {
            egress.health().unanswered(key, began);
        }
    }

    /// What the dialer's error, for a host of `key` tried since `began`, says of the way out.
    pub(crate) fn failed(&self, id: EgressId, key: &BudgetKey, began: Instant, error: &io::Error) {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, PermissionDenied, TimedOut};
        let Some(egress) = self.find(id) else { return };
        match (EgressFault::of(error), error.kind()) {
            (Some(fault), _) => egress.health().fault(fault),
            (None, ConnectionRefused) => egress.health().answered(),
            // Firewalls that answer in place of the host say one of these.
            (None, TimedOut | HostUnreachable | PermissionDenied) => egress.health().unanswered(key, began),
            // A network out of reach is as a rule an address family that we have not; the rest is ours.
            _ => {}
        }
    }

    /// Why nobody can be asked, when every identity is down.
    pub(crate) fn outage(&self) -> Option<Outage> {
        let way = |egress: &Egress| {
            let cause = egress.health().cause()?;
            Some(Way { name: egress.name.clone(), is_proxied: egress.is_proxied, cause })
        };
        let ways = self.egresses.iter().map(way).collect::<Option<Vec<_>>>()?;
        Some(Outage { port: self.port, ways })
    }

    fn find(&self, id: EgressId) -> Option<&Egress> {
        self.egresses.iter().find(|egress| egress.id == id)
    }
}

impl Egress {
    fn new(
        (name, id): (&str, EgressId),
        identity: Identity,
        table: &EgressConfig,
        dialer: Arc<dyn Dialer>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            name: name.into(),
            identity: Arc::new(identity),
            dialer,
            id,
            hash: stable_hash(name),
            is_proxied: table.proxy.is_some(),
            operators: table.operators(name)?,
            health: Mutex::default(),
        })
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// An id for each name, from the name alone unless two names meet, which among ten names is one case in a thousand:
/// then the later one by alphabet draws again.
fn ids<'a>(names: impl Iterator<Item = &'a String>) -> Vec<EgressId> {
    let mut taken = BTreeSet::from([GENERAL.1.0]);
    let mut draw = |name: &String| {
        let drawn = (0_u32..).map(|n| {
            let [a, b, ..] = stable_hash((name, n)).to_be_bytes();
            u16::from_be_bytes([a, b])
        });
        let mut free = drawn.filter(|id| taken.insert(*id));
        EgressId(free.next().unwrap_or_default())
    };
    names.map(&mut draw).collect()
}

#[cfg(test)]
mod tests;
