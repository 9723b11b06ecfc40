//! How a session with a host comes about: at which of its addresses, through which of our identities, and what it means
//! when it does not.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use mailsonde_engine::ProbeFailure;
use tokio::time::{Instant, timeout};

use super::{hosts, presence::Presence};
use crate::{
    classify::Peer,
    dialer::Stream,
    egress::Egress,
    memory::Rest,
    session::{Break, Session, StartTls, Terms},
};

/// Opens a session with the host of `presence`. `None` when that is not to be: the host is given up then, or left to
/// other sessions.
pub(super) async fn connect(presence: &Presence) -> Option<Session> {
    let pool = presence.pool();
    let (shared, egress) = (&pool.shared, pool.egress());
    let host = presence.host_name();
    let mut addresses = match hosts::addresses(&host, &*shared.resolver, shared.config.destinations).await {
        Ok(addresses) => addresses,
        Err(failure) => {
            presence.give_up_host(&Rest::Failed(failure));
            return None;
        }
    };
    if let Some(good) = shared.memory.address(&host) {
        addresses.sort_by_key(|address| *address != good);
    }
    let mut failure = ProbeFailure::ConnectionRefused;
    let began = Instant::now();
    for address in addresses {
        match open(presence, address, began).await {
            Ok(session) => {
                shared.memory.answered_at(&host, address);
                return Some(session);
            }
            Err(Break::Refused(reading)) => {
                give_up(presence, &Rest::Refused(reading));
                return None;
            }
            Err(broken) => failure = more_telling(failure, broken.failure()),
        }
    }
    if !shared.egress.is_down(egress) {
        give_up(presence, &Rest::Failed(failure));
    } else if !presence.has_company() {
        // The host is not to blame.
        pool.ledger().fail_all(ProbeFailure::EgressDown);
    }
    None
}

/// No session came about. Where others are at work with the host, it was one too many, and they go on. Those of other
/// processes are not seen at work; only what the host itself says is put down to them.
fn give_up(presence: &Presence, why: &Rest) {
    let is_refused = matches!(why, Rest::Refused(_));
    let has_company = presence.has_company() || (is_refused && presence.share().is_shared());
    if !(has_company && presence.share().too_many_sessions()) {
        presence.give_up_host(why);
    }
}

async fn open(presence: &Presence, address: IpAddr, began: Instant) -> Result<Session, Break> {
    let pool = presence.pool();
    let shared = &pool.shared;
    let egress = shared.egress.get(pool.egress());
    let peer = Peer::named(&presence.host_name()).hearing_from(&egress.identity.sender);
    let terms = |starttls| Terms {
        identity: egress.identity.clone(),
        reply_timeout: shared.config.reply_timeout,
        starttls,
        tls: shared.tls.clone(),
        manners: presence.manners(),
    };
    let wanted = shared.config.starttls;
    let stream = dial(presence, egress, address, began).await?;
    match Session::open(stream, peer.clone(), terms(wanted)).await {
        // What was offered does not work: better in clear than not at all.
        Err(Break::Tls) if wanted == StartTls::IfOffered => {
            let stream = dial(presence, egress, address, began).await?;
            Session::open(stream, peer, terms(StartTls::Never)).await
        }
        opened => opened,
    }
}

async fn dial(
    presence: &Presence,
    egress: &Egress,
    address: IpAddr,
    began: Instant,
) -> Result<Stream, Break> {
    let pool = presence.pool();
    let (shared, id) = (&pool.shared, pool.egress());
    let dial = egress.dialer.dial(SocketAddr::new(address, shared.config.port));
    match timeout(shared.config.connect_timeout, dial).await {
        Ok(Ok(stream)) => {
            shared.egress.connected(id);
            Ok(stream)
        }
        Ok(Err(error)) => {
            shared.egress.failed(id, &pool.budget_key, began, &error);
            let is_late = error.kind() == io::ErrorKind::TimedOut;
            Err(if is_late { Break::Timeout } else { Break::Unreachable })
        }
        Err(_) => {
            shared.egress.timed_out(id, &pool.budget_key, began);
            Err(Break::Timeout)
        }
    }
}

/// A host that did not answer at one address says more than one that refused at another.
fn more_telling(one: ProbeFailure, other: ProbeFailure) -> ProbeFailure {
    if other == ProbeFailure::ConnectionRefused { one } else { other }
}
