//! How often one may ask: a bucket for each key, which empties with requests and fills with time. And how that is told, in
//! the headers of every answer.

use std::{fmt, io::Write as _, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::{config::HttpConfig, shape::seconds_up};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDARD: HeaderName = HeaderName::from_static("ratelimit");

/// The name of buckets of addresses.
pub(super) const ADDRESS: &str = "address";

/// Characters of a header's text, at most.
const TEXT_MAX: usize = 64;

/// A bucket: how much it holds, and how soon one more is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Requests at once.
    pub(super) burst: u32,
    /// Until one more may come.
    pub(super) spacing: Duration,
    /// Under which name the headers know it.
    name: &'static str,
    /// The headers that say the same in every answer.
    limit: HeaderValue,
    policy: HeaderValue,
}

/// How full a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbers {
    bucket: Arc<Bucket>,
    remaining: u32,
    /// Until it is full.
    full_in: Duration,
}

impl Bucket {
    /// `per_minute` and `burst` are one at least.
    pub(super) fn new(name: &'static str, per_minute: u32, burst: u32) -> Arc<Self> {
        let spacing = Duration::from_mins(1) / per_minute;
        let window = seconds_up(spacing * burst);
        let policy = value(format_args!("\"{name}\";q={burst};w={window}"));
        Arc::new(Self { burst, spacing, name, limit: value(format_args!("{burst}")), policy })
    }

    /// The bucket so long before it is full.
    pub(super) fn full_in(self: &Arc<Self>, full_in: Duration) -> Numbers {
        let missing = full_in.as_nanos().div_ceil(self.spacing.as_nanos().max(1));
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        Numbers { bucket: self.clone(), remaining: self.burst.saturating_sub(missing), full_in }
    }
}

impl Numbers {
    /// Whether they are those of an address that asks, not of a key.
    pub(super) fn is_of_address(&self) -> bool {
        self.bucket.name == ADDRESS
    }

    /// Writes the headers: three that clients of the products read, and two of
    /// draft-ietf-httpapi-ratelimit-headers-11.
    pub(super) fn write(&self, headers: &mut HeaderMap, now: Timestamp) {
        let Self { bucket, remaining, full_in } = self;
        let (name, full_in_s) = (bucket.name, seconds_up(*full_in));
        let now_up = now.as_second() + i64::from(now.subsec_nanosecond() > 0);
        let full_at = now_up.saturating_add_unsigned(full_in_s);
        headers.insert(LIMIT, bucket.limit.clone());
        headers.insert(REMAINING, value(format_args!("{remaining}")));
        headers.insert(RESET, value(format_args!("{full_at}")));
        headers.insert(POLICY, bucket.policy.clone());
        headers.insert(STANDARD, value(format_args!("\"{name}\";r={remaining};t={full_in_s}")));
    }
}

/// A header's value: a name and numbers, written without room on the heap but for the value's own.
fn value(text: fmt::Arguments<'_>) -> HeaderValue {
    let mut room = [0; TEXT_MAX];
    let mut free = &mut room[..];
    // Three numbers at most, which fit.
    let _ = free.write_fmt(text);
    let written = TEXT_MAX - free.len();
    HeaderValue::from_bytes(&room[..written]).unwrap_or(HeaderValue::from_static("0"))
}

/// Buckets of keys.
pub(crate) struct Limiter<C: Clock = MonotonicClock> {
    buckets: RateLimiter<Uuid, DashMapStateStore<Uuid>, C, StateInformationMiddleware>,
    clock: C,
    bucket: Arc<Bucket>,
}

impl Limiter {
    /// As configured.
    pub(crate) fn new(config: &HttpConfig) -> Self {
        Self::with_clock(config, MonotonicClock)
    }
}

impl<C: Clock + Clone> Limiter<C> {
    fn with_clock(config: &HttpConfig, clock: C) -> Self {
        let quota = Quota::per_minute(config.requests_per_minute).allow_burst(config.burst);
        let buckets = RateLimiter::new(quota, DashMapStateStore::default(), clock.clone());
        let bucket = Bucket::new("key", config.requests_per_minute.get(), config.burst.get());
        Self { buckets, clock, bucket }
    }

    /// One request of this key. Returns how many more may come.
    ///
    /// # Errors
    /// It may not, before this time is over.
    pub(super) fn take(&self, key: Uuid) -> Result<Numbers, (Duration, Numbers)> {
        match self.buckets.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let missing = self.bucket.burst.saturating_sub(remaining);
                Ok(Numbers { bucket: self.bucket.clone(), remaining, full_in: self.bucket.spacing * missing })
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let full_in = wait + self.bucket.spacing * (self.bucket.burst - 1);
                Err((wait, Numbers { bucket: self.bucket.clone(), remaining: 0, full_in }))
            }
        }
    }

    /// Forgets the buckets that are full: those of keys that nobody has used for a while.
    pub(crate) fn sweep(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(clock: &FakeRelativeClock) -> Limiter<FakeRelativeClock> {
        let config = HttpConfig {
            requests_per_minute: 600.try_into().unwrap(),
            burst: 100.try_into().unwrap(),
            ..HttpConfig::of_tests()
        };
        Limiter::with_clock(&config, clock.clone())
    }

    fn headers(numbers: &Numbers) -> Vec<String> {
        let mut headers = HeaderMap::new();
        numbers.write(&mut headers, Timestamp::from_second(1_000).unwrap());
        [LIMIT, REMAINING, RESET, POLICY, STANDARD]
            .map(|name| headers[name].to_str().unwrap().to_owned())
            .to_vec()
    }

    #[test]
    fn a_burst_then_one_in_a_tenth_of_a_second() {
        let clock = FakeRelativeClock::default();
        let limiter = limiter(&clock);
        let (key, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = limiter.take(key).unwrap();
        assert_eq!(headers(&first), ["100", "99", "1001", "\"key\";q=100;w=10", "\"key\";r=99;t=1"]);
        for left in (0..99).rev() {
            assert_eq!(limiter.take(key).unwrap().remaining, left);
        }
        let (wait, numbers) = limiter.take(key).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(headers(&numbers), ["100", "0", "1010", "\"key\";q=100;w=10", "\"key\";r=0;t=10"]);
        assert_eq!(limiter.take(other).unwrap().remaining, 99, "each key has its own");
        clock.advance(Duration::from_millis(99));
        assert_eq!(limiter.take(key).unwrap_err().0, Duration::from_millis(1));
        clock.advance(Duration::from_millis(1));
        assert_eq!(limiter.take(key).unwrap().remaining, 0);
        assert!(limiter.take(key).is_err());
        // In a minute, a minute's requests, and not one more than the burst at once.
        clock.advance(Duration::from_hours(1));
        let served = (0..1_000).filter(|_| limiter.take(key).is_ok()).count();
        assert_eq!(served, 100);
    }

    #[test]
    fn buckets_that_are_full_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limiter = limiter(&clock);
        for key in 0..1_000 {
            limiter.take(Uuid::from_u128(key)).unwrap();
        }
        limiter.sweep();
        assert_eq!(limiter.buckets.len(), 1_000);
        clock.advance(Duration::from_secs(1));
        limiter.sweep();
        assert_eq!(limiter.buckets.len(), 0);
    }

    #[test]
    fn a_second_begins_where_it_is_whole() {
        let mut headers = HeaderMap::new();
        let bucket = Bucket::new("address", 60, 60);
        let now = Timestamp::from_millisecond(1_500).unwrap();
        bucket.full_in(Duration::ZERO).write(&mut headers, now);
        assert_eq!((&headers[RESET], &headers[REMAINING]), (&HeaderValue::from(2), &HeaderValue::from(60)));
    }
}
