//! The prober: asks mail hosts about recipients, host by host and session by session, until everybody has an answer.
//!
//! Plain: one session at a time for each ask. Pooling asks into shared sessions, learned limits that outlive an ask
//! and several egress identities are not here yet; [`Budget`] and `visit` are where they will go.

mod config;
mod domain;
mod hosts;
mod inquiry;
mod visit;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use mailsonde_engine::{Answers, Ask, ProbeFailure, Prober, Resolver};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

pub use self::config::{Config, ConfigError, OperatorConfig};
use self::{
    inquiry::Inquiry,
    visit::{Ended, Size, visit},
};
use crate::{
    budget::{Budget, BudgetKey, Grant},
    catch_all::CatchAllFacts,
    classify::Peer,
    dialer::Dialer,
    random::Random,
    session::{Break, Identity, Patience, Session},
};

/// Sessions with one host that may end before their time. Whoever hangs up three times means it.
const DROPS_PER_HOST_MAX: usize = 3;

/// Recipients of a session under the null sender: each costs a RSET, and Exim hangs up at the twelfth.
const NULL_SENDER_RECIPIENTS_MAX: usize = 9;

/// Speaks SMTP with mail hosts. One per process: its budget and its memory are the process's.
#[derive(Clone)]
pub struct SmtpProber(Arc<Shared>);

struct Shared {
    config: Config,
    identity: Arc<Identity>,
    resolver: Arc<dyn Resolver>,
    dialer: Arc<dyn Dialer>,
    budget: Budget,
    facts: CatchAllFacts,
    random: Random,
}

impl SmtpProber {
    /// A prober that finds hosts through `resolver` and reaches them through `dialer`.
    ///
    /// # Errors
    /// A setting that cannot be meant.
    pub fn new(
        config: Config,
        resolver: Arc<dyn Resolver>,
        dialer: Arc<dyn Dialer>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let hello =
            if config.hello_name.is_empty() { config::host_name() } else { config.hello_name.clone() };
        let identity = Arc::new(Identity { hello: hello.into(), sender: config.mail_from.as_str().into() });
        let own = |(id, operator): (&String, &OperatorConfig)| Some((id.clone(), operator.sessions_max?));
        let per_operator = config.operator.iter().filter_map(own).collect();
        let budget = Budget::new(config.sessions_max, config.sessions_per_mx_max, per_operator);
        let (facts, random) = (CatchAllFacts::default(), Random::default());
        Ok(Self(Arc::new(Shared { config, identity, resolver, dialer, budget, facts, random })))
    }
}

impl Prober for SmtpProber {
    /// Must be called inside a tokio runtime, whose timers and tasks it uses.
    fn ask(&self, ask: Ask) -> Answers {
        let (sender, answers) = mpsc::unbounded_channel();
        let shared = self.0.clone();
        tokio::spawn(async move {
            let gone = sender.clone();
            tokio::select! {
                biased;
                () = shared.answer(&ask, sender) => {}
                () = gone.closed() => {}
            }
        });
        answers
    }
}

impl Shared {
    /// Answers every recipient of the ask, at the latest at its deadline.
    async fn answer(&self, ask: &Ask, answers: mpsc::UnboundedSender<mailsonde_engine::Answered>) {
        let mut inquiry = Inquiry::new(ask, answers);
        for (index, recipient) in ask.recipients.iter().enumerate() {
            if self.config.is_never(recipient.domain()) {
                inquiry.decline(index, ProbeFailure::NotProbed);
            }
        }
        let in_time = Instant::now() < ask.deadline
            && timeout_at(ask.deadline, self.ask_hosts(ask, &mut inquiry)).await.is_ok();
        inquiry.finish(!in_time);
    }

    /// Asks the hosts one after the other, and once more where a bare refusal found no second voice.
    async fn ask_hosts(&self, ask: &Ask, inquiry: &mut Inquiry) {
        let key = BudgetKey::of(&ask.mx);
        for host in hosts::in_order(&ask.mx, &self.random) {
            inquiry.enter_host(&host.name, false);
            self.ask_host(&host.name, ask, &key, inquiry).await;
            if inquiry.is_done() {
                return;
            }
        }
        for host in inquiry.unconfirmed_hosts() {
            inquiry.enter_host(&host, true);
            self.ask_host(&host, ask, &key, inquiry).await;
        }
    }

    /// Asks one host at the first of its addresses that answers.
    async fn ask_host(&self, host: &str, ask: &Ask, key: &BudgetKey, inquiry: &mut Inquiry) {
        if !inquiry.has_work() {
            return;
        }
        let addresses = match hosts::addresses(host, &*self.resolver, self.config.destinations).await {
            Ok(addresses) => addresses,
            Err(failure) => return inquiry.note_failure(failure),
        };
        let peer = Peer::named(host).hearing_from(&self.identity.sender);
        for address in addresses {
            match self.ask_address(address, &peer, ask, key, inquiry).await {
                Ok(()) => return,
                Err(failure) => inquiry.note_failure(failure),
            }
        }
    }

    /// Holds sessions at one address until nothing is left to ask there.
    ///
    /// # Errors
    /// Why not even the first session came about: another address may do better.
    async fn ask_address(
        &self,
        address: IpAddr,
        peer: &Peer,
        ask: &Ask,
        key: &BudgetKey,
        inquiry: &mut Inquiry,
    ) -> Result<(), ProbeFailure> {
        let accepts_all = peer.operator.is_some_and(|operator| operator.row().accepts_all);
        let mut size = self.session_size();
        let mut drops = 0;
        for round in 0.. {
            let Some(grant) = self.budget.acquire(key).await else { return Err(ProbeFailure::Timeout) };
            let mut session = match self.open(address, peer, ask.deadline).await {
                Ok(session) => session,
                Err(Break::Refused(reading)) => {
                    inquiry.refuse_all(&reading);
                    return Ok(());
                }
                Err(broken) if round == 0 => return Err(broken.failure()),
                Err(broken) => {
                    inquiry.note_failure(broken.failure());
                    return Ok(());
                }
            };
            inquiry.enter_session();
            let ended = visit(&mut session, inquiry, size, accepts_all, &self.random, &self.facts).await;
            take_leave(session, grant);
            match ended {
                Ended::Finished | Ended::Over => return Ok(()),
                Ended::Full => {}
                Ended::Limited { answered } => size.learned_max = Some(answered),
                Ended::Dropped { answered } => {
                    drops += 1;
                    if drops == DROPS_PER_HOST_MAX {
                        inquiry.note_failure(ProbeFailure::Disconnected);
                        return Ok(());
                    }
                    // At the first recipient it is no limit.
                    size.learned_max = Some(answered).filter(|max| *max > 0).or(size.learned_max);
                }
            }
        }
        Ok(())
    }

    async fn open(&self, address: IpAddr, peer: &Peer, deadline: Instant) -> Result<Session, Break> {
        let dial = self.dialer.dial(SocketAddr::new(address, self.config.port));
        let stream = match timeout(self.config.connect_timeout, dial).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() != io::ErrorKind::TimedOut => return Err(Break::Unreachable),
            Ok(Err(_)) | Err(_) => return Err(Break::Timeout),
        };
        let patience = Patience { reply: self.config.reply_timeout, until: deadline };
        Session::open(stream, peer.clone(), self.identity.clone(), patience).await
    }

    fn session_size(&self) -> Size {
        let max = self.config.recipients_per_session_max;
        let targets_max =
            if self.identity.sender.is_empty() { max.min(NULL_SENDER_RECIPIENTS_MAX) } else { max };
        Size { targets_max, learned_max: None }
    }
}

impl Break {
    /// What it means for recipients that were not asked.
    fn failure(&self) -> ProbeFailure {
        match self {
            Self::Timeout => ProbeFailure::Timeout,
            Self::Unreachable => ProbeFailure::ConnectionRefused,
            Self::Disconnected | Self::Refused(_) => ProbeFailure::Disconnected,
            Self::Protocol(_) => ProbeFailure::ProtocolError,
            Self::Unwritable => ProbeFailure::NotProbed,
        }
    }
}

/// Says goodbye while others go on; the session counts until it is said.
fn take_leave(session: Session, grant: Grant) {
    tokio::spawn(async move {
        session.quit().await;
        drop(grant);
    });
}

#[cfg(test)]
mod tests;
