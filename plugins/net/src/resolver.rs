//! DNS look-ups: the engine's [`Resolver`] on hickory, with one cache for the process and one question at a time.
//!
//! Names are absolute: no search domains, no `/etc/hosts`. Special names (RFC 6761) are asked like all others, since
//! only the configured server knows whether it is a laboratory. hickory carries the messages (ids, source ports,
//! retransmission, TCP after truncation); what a response means is read in `answer`, what is kept is in `cache`.
//! DNSSEC is the configured server's affair: what it finds bogus arrives as SERVFAIL.

mod answer;
mod cache;
#[cfg(test)]
mod name_server;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU8,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    config::{NameServerConfig, ResolverOpts},
    net::{
        NetError,
        runtime::TokioRuntimeProvider,
        xfer::{DnsHandle, FirstAnswer},
    },
    proto::{
        op::{DnsRequestOptions, Query},
        rr::Name,
    },
};
use mailsonde_engine::{BoxFuture, Lookup, LookupFailure, RecordKind, Resolver};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::timeout};

use self::{
    answer::{Reply, Said, Trail},
    cache::{Cache, Kept, Question, Ttl},
};

/// Queries that wait for name servers at the same time, for the whole process. A query that is never answered holds
/// three sockets (hickory sends it three times, each from a port of its own), and 1,024 open files are a usual limit.
const QUERIES_IN_FLIGHT_MAX: usize = 256;

/// `[dns]`: which name servers are asked, how patiently, and how long answers are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Recursive name servers, with a port or without (53): `9.9.9.9`, `127.0.0.1:5300`, `[::1]:53`.
    /// Empty: those of the system's resolv.conf.
    pub servers: Vec<String>,
    /// How long one try may take, truncation and TCP included.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Tries for one question, each at the next server; where there is one, at that one. At least 1.
    pub attempts: NonZeroU8,
    /// Answers that are kept, of ordinary size (up to 1 KiB); larger ones count for more.
    pub cache_entries: u64,
    /// No answer is kept for less, whatever its TTL says: a batch must not ask twice.
    #[serde(with = "humantime_serde")]
    pub ttl_min: Duration,
    /// No answer is kept for longer.
    #[serde(with = "humantime_serde")]
    pub ttl_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: NonZeroU8::MIN.saturating_add(2),
            cache_entries: 100_000,
            ttl_min: Duration::from_secs(30),
            ttl_max: Duration::from_hours(24),
        }
    }
}

/// Why a resolver cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolverError {
    /// An entry of `servers` is no address.
    #[error(
        "`{0}` is no name server: an IP address is needed, with a port or without, such as `9.9.9.9` or `[::1]:53`"
    )]
    Server(String),
    /// `ttl_min` is above `ttl_max`.
    #[error("ttl_min is longer than ttl_max")]
    TtlRange,
    /// The system names no name servers.
    #[error("the system's resolv.conf gives no name server: {0}")]
    System(Box<NetError>),
    /// hickory could not be set up.
    #[error("the DNS client cannot be set up: {0}")]
    Client(Box<NetError>),
}

/// A [`Resolver`] that asks recursive name servers and remembers.
///
/// - Equal questions at the same time cause one query; the cache is shared by all that share the resolver.
/// - Positive answers are kept for the least TTL of their records and aliases, within `ttl_min` to `ttl_max`;
///   negative ones for what their SOA says (RFC 2308), within the same bounds and at most 15 minutes; failures for
///   5 seconds, so that a thousand subjects of a dead domain wait once, and a retry a minute later asks again.
/// - CNAMEs are followed, 8 at most, and only records of the asked kind at the end of the chain count: what else a
///   response holds is neither believed nor kept.
pub struct HickoryResolver {
    servers: Vec<NameServerPool<TokioRuntimeProvider>>,
    /// The server that answered last is asked first.
    first: AtomicUsize,
    timeout: Duration,
    attempts: usize,
    cache: Cache,
    in_flight: Semaphore,
    counters: Counters,
}

impl HickoryResolver {
    /// A resolver that opens no socket before it is asked.
    pub fn new(config: &Config) -> Result<Self, ResolverError> {
        let ttl = Ttl::new(config.ttl_min, config.ttl_max).ok_or(ResolverError::TtlRange)?;
        let mut options = ResolverOpts::default();
        options.timeout = config.timeout;
        options.num_concurrent_reqs = 1;
        options.max_active_requests = QUERIES_IN_FLIGHT_MAX;
        let tls = TlsConfig::new().map_err(|error| ResolverError::Client(Box::new(error)))?;
        let context = Arc::new(PoolContext::new(options, tls));
        // A pool for each server: a pool of several would take the first SERVFAIL for the answer.
        let pool =
            |server| NameServerPool::from_config([server], context.clone(), TokioRuntimeProvider::default());
        Ok(Self {
            servers: name_servers(&config.servers)?.into_iter().map(pool).collect(),
            first: AtomicUsize::new(0),
            timeout: config.timeout,
            attempts: config.attempts.get().into(),
            cache: Cache::new(config.cache_entries, ttl),
            in_flight: Semaphore::new(QUERIES_IN_FLIGHT_MAX),
            counters: Counters::default(),
        })
    }

    /// What was asked and answered since the start.
    pub fn stats(&self) -> ResolverStats {
        let Counters { queries, hits, server_failures, refusals, timeouts, unreachable } = &self.counters;
        ResolverStats {
            queries: queries.load(Relaxed),
            hits: hits.load(Relaxed),
            server_failures: server_failures.load(Relaxed),
            refusals: refusals.load(Relaxed),
            timeouts: timeouts.load(Relaxed),
            unreachable: unreachable.load(Relaxed),
            entries: self.cache.len(),
        }
    }

    /// Asks until the question is answered, along its aliases.
    async fn resolve(&self, question: &Question) -> Kept {
        let mut name = match absolute(&question.name) {
            Ok(name) => name,
            Err(lookup) => return self.cache.keep(lookup, None),
        };
        let mut trail = Trail::default();
        loop {
            let said = match self.ask(&name, question.kind).await {
                Ok(reply) => answer::read(&reply, &name, question.kind, &mut trail),
                Err(failure) => Said::Answer(Lookup::Failed(failure), None),
            };
            match said {
                Said::Alias(target) => name = target,
                Said::Answer(lookup, ttl_seconds) => {
                    if let Lookup::Failed(failure) = lookup {
                        self.counters.failed(failure);
                    }
                    return self.cache.keep(lookup, ttl_seconds);
                }
            }
        }
    }

    /// Puts one question to the servers in turn, until one of them says something about it.
    async fn ask(&self, name: &Name, kind: RecordKind) -> Result<Reply, LookupFailure> {
        let query = Query::query(name.clone(), answer::record_type(kind));
        let first = self.first.load(Relaxed);
        let mut failure = LookupFailure::Unreachable;
        for attempt in 0..self.attempts {
            let server = (first + attempt) % self.servers.len();
            // The semaphore is never closed, so there always is a permit in the end.
            let _permit = self.in_flight.acquire().await;
            self.counters.queries.fetch_add(1, Relaxed);
            let sent = self.servers[server].lookup(query.clone(), DnsRequestOptions::default());
            let outcome = timeout(self.timeout, sent.first_answer()).await.unwrap_or(Err(NetError::Timeout));
            match answer::reply(outcome, &query) {
                Ok(reply) => {
                    self.first.store(server, Relaxed);
                    return Ok(reply);
                }
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }
}

impl Resolver for HickoryResolver {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            let question = Question::new(name, kind);
            let (lookup, is_fresh) = self.cache.get_or(question.clone(), self.resolve(&question)).await;
            if !is_fresh {
                self.counters.hits.fetch_add(1, Relaxed);
            }
            lookup
        })
    }
}

/// Figures for metrics, counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ResolverStats {
    /// Queries handed to a name server, each try and each alias for itself (not hickory's retransmissions).
    pub queries: u64,
    /// Look-ups answered from the cache, or by another caller's query.
    pub hits: u64,
    /// Look-ups that ended in SERVFAIL.
    pub server_failures: u64,
    /// Look-ups that ended in REFUSED.
    pub refusals: u64,
    /// Look-ups that nobody answered in time.
    pub timeouts: u64,
    /// Look-ups whose servers could not be reached or made no sense.
    pub unreachable: u64,
    /// Answers in the cache now, about.
    pub entries: u64,
}

#[derive(Default)]
struct Counters {
    queries: AtomicU64,
    hits: AtomicU64,
    server_failures: AtomicU64,
    refusals: AtomicU64,
    timeouts: AtomicU64,
    unreachable: AtomicU64,
}

impl Counters {
    fn failed(&self, failure: LookupFailure) {
        let counter = match failure {
            LookupFailure::ServerFailure => &self.server_failures,
            LookupFailure::Refused => &self.refusals,
            LookupFailure::Timeout => &self.timeouts,
            LookupFailure::Unreachable => &self.unreachable,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// The configured servers, or else the system's.
fn name_servers(servers: &[String]) -> Result<Vec<NameServerConfig>, ResolverError> {
    if servers.is_empty() {
        let (system, _) = hickory_resolver::system_conf::read_system_conf()
            .map_err(|error| ResolverError::System(Box::new(error)))?;
        return match system.name_servers() {
            [] => Err(ResolverError::System(Box::new(NetError::NoConnections))),
            servers => Ok(servers.to_vec()),
        };
    }
    servers.iter().map(|text| name_server(text).ok_or_else(|| ResolverError::Server(text.clone()))).collect()
}

fn name_server(text: &str) -> Option<NameServerConfig> {
    let bare = |text: &str| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    let bracketed = || bare(text.strip_prefix('[')?.strip_suffix(']')?);
    let address = text.parse().ok().or_else(|| bare(text)).or_else(bracketed)?;
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    Some(server)
}

/// The name as DNS has it, or what is known of it without asking: an address is no name, labels of 64 octets cannot
/// exist, and what cannot be written in a question stays unknown.
fn absolute(name: &str) -> Result<Name, Lookup> {
    if name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
        return Err(Lookup::NoDomain);
    }
    if !name.is_ascii() || name.contains('\\') {
        return Err(Lookup::Failed(LookupFailure::Unreachable));
    }
    Name::from_labels(name.split('.').map(str::as_bytes)).map_err(|_| Lookup::NoDomain)
}

#[cfg(test)]
mod tests;
