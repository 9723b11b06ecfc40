//! Names of receivers, resolved by ourselves at the moment of the connection: what was checked is what is dialled. One
//! address that is not public spoils the name: whoever mixes them wants to be dialled where he should not be.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use mailsonde_engine::{Lookup, RecordData, RecordKind, Resolver};
use mailsonde_net::Destinations;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Addresses of a name that are dialled, at most.
const ADDRESSES_MAX: usize = 8;

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    /// An address of it is not public.
    #[error("blocked address")]
    Blocked,
    /// It has none.
    #[error("the host's name has no address")]
    NoAddress,
    /// Nobody says.
    #[error("the host's name was not answered for")]
    NoAnswer,
}

/// The resolver of the requests.
pub(super) struct Checked {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) destinations: Destinations,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, destinations) = (self.resolver.clone(), self.destinations);
        Box::pin(async move {
            let name = name.as_str();
            let name = name.strip_suffix('.').unwrap_or(name);
            let found = addresses(&*resolver, destinations, name).await?;
            // The port is the request's.
            let found = found.into_iter().take(ADDRESSES_MAX).map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// All addresses of a name, which are all allowed.
///
/// # Errors
/// None is known, or one is not allowed.
pub(super) async fn addresses(
    resolver: &dyn Resolver,
    destinations: Destinations,
    name: &str,
) -> Result<Vec<IpAddr>, NameError> {
    let (v4, v6) =
        tokio::join!(resolver.lookup(name, RecordKind::A), resolver.lookup(name, RecordKind::Aaaa));
    let mut found = Vec::new();
    let mut is_answered = true;
    for lookup in [v4, v6] {
        match lookup {
            Lookup::Found(records) => found.extend(records.iter().filter_map(address)),
            Lookup::NoData | Lookup::NoDomain => {}
            Lookup::Failed(_) => is_answered = false,
        }
    }
    if found.iter().any(|address| !destinations.allow(*address)) {
        return Err(NameError::Blocked);
    }
    match (found.is_empty(), is_answered) {
        (false, _) => Ok(found),
        (true, true) => Err(NameError::NoAddress),
        (true, false) => Err(NameError::NoAnswer),
    }
}

fn address(record: &RecordData) -> Option<IpAddr> {
    match record {
        RecordData::Address(address) => Some(*address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Names, *};

    #[tokio::test]
    async fn both_families_are_asked_and_none_may_be_inside() {
        let of = async |all: &[&str]| addresses(&Names::new(all), Destinations::Public, "a.example").await;
        assert_eq!(of(&["2606:4700::1", "8.8.8.8"]).await.unwrap().len(), 2);
        assert_eq!(of(&["8.8.8.8", "fd00::1"]).await, Err(NameError::Blocked));
        assert_eq!(of(&[]).await, Err(NameError::NoAddress));
        let any = addresses(&Names::new(&["127.0.0.1"]), Destinations::Any, "a.example").await;
        assert_eq!(any.unwrap(), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}
