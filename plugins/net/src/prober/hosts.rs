//! Which hosts of an MX set are tried, in which order, and at which addresses (RFC 5321 §5.1).

use std::{collections::HashSet, net::IpAddr};

use mailsonde_engine::{
    HOST_ADDRESSES_MAX, Lookup, MX_HOSTS_MAX, MailHost, ProbeFailure, RecordData, RecordKind, Resolver,
};

use crate::{destination::Destinations, random::Random};

/// The hosts in the order in which they are tried: by preference, and at random among equals, so that their owner's
/// load is spread and no host decides alone.
pub(super) fn in_order(mx: &[MailHost], random: &Random) -> Vec<MailHost> {
    let mut hosts: Vec<_> = mx.to_vec();
    random.shuffle(&mut hosts);
    // A stable sort keeps the random order among equals.
    hosts.sort_by_key(|host| host.preference);
    // A host that is named twice has one voice.
    let mut seen = HashSet::new();
    hosts.retain(|host| seen.insert(host.name.clone()));
    hosts.truncate(MX_HOSTS_MAX);
    hosts
}

/// The addresses of a host that may be dialled, both families in turn.
///
/// # Errors
/// Why there is none.
pub(super) async fn addresses(
    host: &str,
    resolver: &dyn Resolver,
    destinations: Destinations,
) -> Result<Vec<IpAddr>, ProbeFailure> {
    if !is_name_allowed(host, destinations) {
        return Err(ProbeFailure::MxNotAllowed);
    }
    let (v4, v6) =
        futures_util::join!(resolver.lookup(host, RecordKind::A), resolver.lookup(host, RecordKind::Aaaa));
    // RFC 2181 §10.3: an MX names a host, not an alias. Where an alias leads is its owner's to change.
    if [&v4, &v6].into_iter().any(is_alias) {
        return Err(ProbeFailure::MxNotAllowed);
    }
    let failed = [&v4, &v6].into_iter().any(|answer| matches!(answer, Lookup::Failed(_)));
    let found = in_turn(&ips(&v4), &ips(&v6));
    if found.is_empty() {
        return Err(if failed { ProbeFailure::DnsFailure } else { ProbeFailure::MxWithoutAddress });
    }
    let mut allowed: Vec<_> = found.into_iter().filter(|address| destinations.allow(*address)).collect();
    allowed.truncate(HOST_ADDRESSES_MAX);
    if allowed.is_empty() { Err(ProbeFailure::MxNotAllowed) } else { Ok(allowed) }
}

/// An MX record must hold a name; some hold an address, and some a name that means the asker's own machine.
fn is_name_allowed(host: &str, destinations: Destinations) -> bool {
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_local = host == "localhost" || host.ends_with(".localhost");
    !is_address && (!is_local || destinations == Destinations::Any)
}

fn is_alias(answer: &Lookup) -> bool {
    matches!(answer, Lookup::Found(records) if records.contains(&RecordData::Alias))
}

fn ips(answer: &Lookup) -> Vec<IpAddr> {
    let Lookup::Found(records) = answer else { return Vec::new() };
    let address = |record: &RecordData| if let RecordData::Address(ip) = record { Some(*ip) } else { None };
    records.iter().filter_map(address).collect()
}

/// One of each in turn, as one family may be unreachable from here.
fn in_turn(first: &[IpAddr], second: &[IpAddr]) -> Vec<IpAddr> {
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|at| [first.get(at), second.get(at)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Net;
    use mailsonde_engine::LookupFailure;

    fn host(preference: u16, name: &str) -> MailHost {
        MailHost { preference, name: name.into() }
    }

    #[test]
    fn order_is_by_preference_and_random_among_equals() {
        let mx = [host(20, "late"), host(10, "a"), host(10, "b")];
        let random = Random::default();
        let mut firsts = std::collections::HashSet::new();
        for _ in 0..200 {
            let order = in_order(&mx, &random);
            assert_eq!(&*order[2].name, "late");
            firsts.insert(order[0].name.clone());
        }
        assert_eq!(firsts.len(), 2);
        let many: Vec<_> = (0..500).map(|n| host(n, &format!("x{n}"))).collect();
        assert_eq!(in_order(&many, &random).len(), MX_HOSTS_MAX);
        assert_eq!(in_order(&[host(10, "x"), host(20, "x")], &random).len(), 1, "one host has one voice");
    }

    async fn found(net: Net, name: &str, destinations: Destinations) -> Result<Vec<String>, ProbeFailure> {
        let addresses = addresses(name, &net, destinations).await?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn both_families_in_turn_and_not_too_many() {
        let net = (1..9).fold(Net::default(), |net, n| {
            net.name("mx", &format!("9.9.9.{n}")).name("mx", &format!("2a00::{n}"))
        });
        assert_eq!(
            found(net, "mx", Destinations::Public).await.unwrap(),
            ["9.9.9.1", "2a00::1", "9.9.9.2", "2a00::2"]
        );
    }

    #[tokio::test]
    async fn no_address_is_told_from_no_answer() {
        let failed = Lookup::Failed(LookupFailure::ServerFailure);
        let empty = || Net::default().lookup("mx", &Lookup::NoData);
        assert_eq!(found(empty(), "mx", Destinations::Public).await, Err(ProbeFailure::MxWithoutAddress));
        assert_eq!(found(empty(), "gone", Destinations::Public).await, Err(ProbeFailure::MxWithoutAddress));
        let net = Net::default().lookup("mx", &failed);
        assert_eq!(found(net, "mx", Destinations::Public).await, Err(ProbeFailure::DnsFailure));
        let half = Net::default().lookup("mx", &failed).name("mx", "9.9.9.9");
        assert_eq!(found(half, "mx", Destinations::Public).await.unwrap(), ["9.9.9.9"]);
    }

    #[tokio::test]
    async fn an_alias_is_no_host() {
        let records = [RecordData::Address("9.9.9.9".parse().unwrap()), RecordData::Alias];
        let net = Net::default().lookup("mx", &Lookup::Found(records.into()));
        assert_eq!(found(net, "mx", Destinations::Public).await, Err(ProbeFailure::MxNotAllowed));
    }

    #[tokio::test]
    async fn private_addresses_literals_and_localhost_are_not_allowed() {
        let net = || Net::default().name("mx", "10.0.0.1").name("mx", "::1").name("127.0.0.1", "9.9.9.9");
        for name in ["mx", "127.0.0.1", "[2a00::1]", "localhost", "mail.localhost"] {
            assert_eq!(
                found(net(), name, Destinations::Public).await,
                Err(ProbeFailure::MxNotAllowed),
                "{name}"
            );
        }
        assert_eq!(found(net(), "mx", Destinations::Any).await.unwrap(), ["10.0.0.1", "::1"]);
        assert_eq!(found(net(), "127.0.0.1", Destinations::Any).await, Err(ProbeFailure::MxNotAllowed));
        let mixed = net().name("mx", "9.9.9.9");
        assert_eq!(found(mixed, "mx", Destinations::Public).await.unwrap(), ["9.9.9.9"]);
    }
}
