//! `cache`: values that outlive a call, of one plugin, each client's apart. In memory, bounded, and never shared.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, sync::Cache as Entries};
use wasmtime::Result;

use crate::{
    bindings::mailsonde::stage::cache::{self, Entry},
    grants::Allowance,
    limits::{
        CACHE_ENTRY_OCTETS, CACHE_KEY_OCTETS_MAX, CACHE_OCTETS_MAX, CACHE_TTL_MAX, CACHE_VALUE_OCTETS_MAX,
    },
    state::State,
};

/// Who asked, where several clients share the service.
pub(crate) type Client = Option<Arc<str>>;

/// All that one plugin keeps.
#[derive(Clone)]
pub struct Cache(Entries<(Client, Box<str>), Kept>);

#[derive(Clone)]
struct Kept {
    value: Arc<str>,
    ttl: Duration,
}

/// The part of it that is one client's.
pub(crate) struct CacheView {
    cache: Cache,
    client: Client,
}

impl Cache {
    pub(crate) fn new() -> Self {
        let octets = |(client, key): &(Client, Box<str>), kept: &Kept| {
            let texts = client.as_ref().map_or(0, |client| client.len()) + key.len() + kept.value.len();
            let all = texts + CACHE_ENTRY_OCTETS;
            u32::try_from(all).unwrap_or(u32::MAX)
        };
        Self(Entries::builder().max_capacity(CACHE_OCTETS_MAX).weigher(octets).expire_after(ByTtl).build())
    }

    /// What is kept for a client under a key.
    pub fn get(&self, client: Option<&Arc<str>>, key: &str) -> Option<Arc<str>> {
        self.0.get(&(client.cloned(), key.into())).map(|kept| kept.value)
    }

    /// Keeps a value for a client. False when it is larger than an entry may be.
    pub fn set(&self, client: Option<&Arc<str>>, key: &str, value: &str, ttl: Duration) -> bool {
        if key.len() > CACHE_KEY_OCTETS_MAX || value.len() > CACHE_VALUE_OCTETS_MAX {
            return false;
        }
        let kept = Kept { value: value.into(), ttl: ttl.min(CACHE_TTL_MAX) };
        self.0.insert((client.cloned(), key.into()), kept);
        true
    }

    pub(crate) fn view(&self, client: Client) -> CacheView {
        CacheView { cache: self.clone(), client }
    }
}

impl cache::Host for State {
    fn get_many(&mut self, keys: Vec<String>) -> Result<Vec<Option<String>>> {
        self.host_call_about(keys.len())?;
        let allowance = Allowance::new();
        let get = |key: &String| {
            let Some(view) = &self.cache else { return Ok(None) };
            let Some(value) = view.cache.get(view.client.as_ref(), key) else { return Ok(None) };
            allowance.take(value.len())?;
            Ok(Some(value.as_ref().to_owned()))
        };
        keys.iter().map(get).collect()
    }

    fn set_many(&mut self, entries: Vec<Entry>) -> Result<u32> {
        self.host_call_about(entries.len())?;
        let Some(view) = &self.cache else { return Ok(0) };
        let is_kept = |entry: &&Entry| {
            let ttl = Duration::from_secs(entry.ttl.into());
            view.cache.set(view.client.as_ref(), &entry.key, &entry.value, ttl)
        };
        Ok(u32::try_from(entries.iter().filter(is_kept).count()).unwrap_or(u32::MAX))
    }
}

/// Each entry lives as long as it was given.
struct ByTtl;

impl Expiry<(Client, Box<str>), Kept> for ByTtl {
    fn expire_after_create(&self, _: &(Client, Box<str>), kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(
        &self,
        _: &(Client, Box<str>),
        kept: &Kept,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_see_their_own_entries() {
        let cache = Cache::new();
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        assert!(cache.set(Some(&one), "key", "value", Duration::from_mins(1)));
        assert_eq!(cache.get(Some(&one), "key").as_deref(), Some("value"));
        assert_eq!(cache.get(Some(&other), "key"), None);
        assert_eq!(cache.get(None, "key"), None);
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let cache = Cache::new();
        let long = "x".repeat(CACHE_VALUE_OCTETS_MAX + 1);
        assert!(!cache.set(None, "key", &long, Duration::from_mins(1)));
        assert!(!cache.set(None, &long[..=CACHE_KEY_OCTETS_MAX], "value", Duration::from_mins(1)));
        assert!(cache.set(None, &long[..CACHE_KEY_OCTETS_MAX], &long[1..], Duration::from_mins(1)));
    }

    #[test]
    fn many_small_entries_take_no_more_room_than_few_large_ones() {
        let cache = Cache::new();
        for number in 0..200_000 {
            assert!(cache.set(None, &number.to_string(), "", Duration::from_mins(1)));
        }
        cache.0.run_pending_tasks();
        let entries = usize::try_from(cache.0.entry_count()).unwrap();
        assert!(entries > 10_000 && (entries * CACHE_ENTRY_OCTETS) as u64 <= CACHE_OCTETS_MAX, "{entries}");
    }

    #[test]
    fn an_entry_without_time_is_gone_at_once() {
        let cache = Cache::new();
        assert!(cache.set(None, "key", "value", Duration::ZERO));
        assert_eq!(cache.get(None, "key"), None);
    }
}
