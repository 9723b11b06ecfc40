//! Failed authentication: an address that shows keys that let nobody in is listened to for a while no longer. Networks, not
//! addresses, where somebody may have as many of those as they like.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    config::HttpConfig,
    rate::{ADDRESS, Bucket, Numbers},
};

/// Networks that are known at the same time: some 8 MB. What comes beyond them shares one bucket.
const NETWORKS_MAX: usize = 100_000;

/// All that are too many.
const THE_REST: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Who has failed how often.
pub(crate) struct Failed {
    bucket: Arc<Bucket>,
    /// When each bucket will be full again.
    full_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Failed {
    /// As configured.
    pub(crate) fn new(config: &HttpConfig) -> Self {
        let per_minute = config.failures_per_minute.get();
        Self { bucket: Bucket::new(ADDRESS, per_minute, per_minute), full_at: Mutex::default() }
    }

    /// How long this address has to wait before anybody looks at its key, if it must.
    pub(super) fn wait(&self, peer: IpAddr) -> Option<Duration> {
        let missing = self.full_in(peer);
        // Without room for one more failure.
        let most = self.bucket.spacing * (self.bucket.burst - 1);
        missing.checked_sub(most).filter(|wait| !wait.is_zero())
    }

    /// One failure of this address.
    pub(super) fn count(&self, peer: IpAddr) {
        let now = Instant::now();
        let mut full_at = self.full_at();
        let network = known_as(&mut full_at, network(peer), now);
        let full = full_at.entry(network).or_insert(now);
        *full = (*full).max(now) + self.bucket.spacing;
    }

    /// How many failures are left to an address.
    pub(super) fn numbers(&self, peer: IpAddr) -> Numbers {
        self.bucket.full_in(self.full_in(peer))
    }

    fn full_in(&self, peer: IpAddr) -> Duration {
        let full_at = self.full_at();
        if full_at.is_empty() {
            return Duration::ZERO;
        }
        let known = full_at
            .get(&network(peer))
            .or_else(|| if full_at.len() < NETWORKS_MAX { None } else { full_at.get(&THE_REST) });
        known.map_or(Duration::ZERO, |full| full.saturating_duration_since(Instant::now()))
    }

    fn full_at(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which name a network is counted. Those that are forgiven make room.
fn known_as(full_at: &mut HashMap<IpAddr, Instant>, network: IpAddr, now: Instant) -> IpAddr {
    if full_at.len() < NETWORKS_MAX || full_at.contains_key(&network) {
        return network;
    }
    full_at.retain(|_, full| *full > now);
    if full_at.len() < NETWORKS_MAX { network } else { THE_REST }
}

/// An IPv4 address; of IPv6 the half that a provider gives to one customer.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn failed() -> Failed {
        Failed::new(&HttpConfig { failures_per_minute: 60.try_into().unwrap(), ..HttpConfig::of_tests() })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_too_often_waits() {
        let failed = failed();
        let (peer, neighbour) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..60 {
            assert_eq!(failed.wait(peer), None);
            failed.count(peer);
        }
        assert_eq!(failed.wait(peer), Some(Duration::from_secs(1)));
        assert_eq!(failed.wait(neighbour), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(failed.wait(peer), None);
        failed.count(peer);
        assert_eq!(failed.wait(peer), Some(Duration::from_secs(1)));
        advance(Duration::from_mins(2)).await;
        assert_eq!(failed.numbers(peer), failed.bucket.full_in(Duration::ZERO), "all is forgiven");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_customer() {
        let failed = failed();
        for last in 0..60 {
            failed.count(address(&format!("2001:db8:0:1::{last:x}")));
        }
        assert!(failed.wait(address("2001:db8:0:1:ffff::1")).is_some());
        assert!(failed.wait(address("2001:db8:0:2::1")).is_none());
        assert!(failed.wait(address("::ffff:192.0.2.1")).is_none());
        for _ in 0..60 {
            failed.count(address("::ffff:192.0.2.1"));
        }
        assert!(failed.wait(address("192.0.2.1")).is_some(), "the same address, written otherwise");
    }

    #[tokio::test(start_paused = true)]
    async fn many_networks_take_no_more_room_than_there_is() {
        let failed = failed();
        for number in 0..NETWORKS_MAX + 500 {
            failed.count(IpAddr::V4(u32::try_from(number).unwrap().into()));
        }
        assert_eq!(failed.full_at().len(), NETWORKS_MAX + 1);
        assert!(failed.wait(address("10.9.8.7")).is_some(), "those beyond share a bucket");
        advance(Duration::from_mins(10)).await;
        failed.count(address("10.9.8.7"));
        assert_eq!(failed.full_at().len(), 1, "who is forgiven makes room");
    }
}
