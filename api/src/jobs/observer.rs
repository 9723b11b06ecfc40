//! What mail hosts bear, as the sessions of this process found it: told to the store now and then, so that jobs to come
//! are planned with it.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use mailsonde_net::{SmtpProber, Usage, UsageOf};
use tokio::{sync::watch, time::timeout};

use super::{
    capacity::{DOMAIN, Site, of_store, to_store},
    plan::{
        capacity::{Capacity, Heard},
        cut::MIXED,
    },
};
use crate::store::{Shared, StoreError, capacity};

/// What was used up and is told already, by whom it was of.
pub(super) struct Observer {
    store: Shared,
    site: Site,
    told: HashMap<UsageOf, Usage>,
}

impl Observer {
    pub(super) fn new(store: Shared, site: Site) -> Self {
        Self { store, site, told: HashMap::new() }
    }

    /// Tells the store what a prober uses, until that ends, and a last time then.
    pub(super) async fn watch(
        mut self,
        prober: SmtpProber,
        every: Duration,
        mut ended: watch::Receiver<bool>,
    ) {
        let mut is_over = false;
        while !is_over {
            // An error means that nobody is there to tell of the end.
            is_over = timeout(every, ended.wait_for(|ended| *ended)).await.is_ok();
            if let Err(error) = self.tell(prober.usage()).await {
                // It is told the next time.
                tracing::debug!("what mail hosts bear is not told to others: {error}");
            }
        }
    }

    /// Tells what is new.
    async fn tell(&mut self, usage: Vec<Usage>) -> Result<(), StoreError> {
        for usage in usage {
            let before = self.told.get(&usage.of);
            let capacity = self.site.of(name(usage.of));
            if let Some(heard) = heard(&usage, before, capacity) {
                self.learn(usage.of, heard).await?;
                self.told.insert(usage.of, usage);
            }
        }
        Ok(())
    }

    async fn learn(&self, of: UsageOf, heard: Heard) -> Result<(), StoreError> {
        let operator = name(of);
        let assumed = self.site.of(operator);
        let mut client = self.store.worker().await?;
        let fresh = to_store(assumed.memory(), Timestamp::UNIX_EPOCH);
        capacity::learn(&mut client, operator, fresh, |now, memory| {
            let mut capacity = assumed.clone().remembering(of_store(memory));
            capacity.hear(now, heard);
            to_store(capacity.memory(), now)
        })
        .await
    }
}

/// Under which name the store keeps it.
fn name(of: UsageOf) -> &'static str {
    match of {
        UsageOf::Operator(id) => id,
        UsageOf::Many => DOMAIN,
        UsageOf::Few => MIXED,
    }
}

/// What was heard since the last time; none where nobody was asked about. Sessions or a pace that were refused count as if
/// all configured sessions had been at it, and slower: that is what a plan has to reckon with.
fn heard(usage: &Usage, before: Option<&Usage>, capacity: &Capacity) -> Option<Heard> {
    let since = |count: &dyn Fn(&Usage) -> u64| to_f64(count(usage) - before.map_or(0, count));
    let asks = since(&|usage| usage.asked);
    let time = usage.time.saturating_sub(before.map_or(Duration::ZERO, |before| before.time));
    if asks <= 0.0 || time.is_zero() {
        return None;
    }
    let by_sessions = time.as_secs_f64() / usage.bears.max(f64::MIN_POSITIVE);
    let by_pace = usage.pace.map_or(0.0, |pace| asks * 60.0 * capacity.sessions / to_f64(pace.max(1) as u64));
    Some(Heard { asks, again: since(&|usage| usage.put_off), session_seconds: by_sessions.max(by_pace) })
}

/// Nobody asks about so many that it matters.
#[allow(clippy::cast_precision_loss)]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use mailsonde_config::Settings;

    use super::*;
    use crate::{jobs::config::JobsConfig, store::testing};

    const GOOGLE: UsageOf = UsageOf::Operator("google");

    fn usage(of: UsageOf, asked: u64, seconds: u64) -> Usage {
        let time = Duration::from_secs(seconds);
        Usage { of, asked, put_off: asked / 10, time, bears: 1.0, pace: None }
    }

    fn site() -> Site {
        let settings = Settings::load(None).unwrap();
        let jobs: JobsConfig = settings.section("jobs").unwrap();
        Site::new(&settings, &jobs).unwrap()
    }

    fn ten_sessions() -> Capacity {
        Capacity::assumed(10.0, 5.0, 0.0)
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (before, now) = (usage(GOOGLE, 100, 20), usage(GOOGLE, 160, 50));
        let heard = heard(&now, Some(&before), &ten_sessions()).unwrap();
        assert_eq!((heard.asks, heard.again, heard.session_seconds), (60.0, 6.0, 30.0));
        assert!(super::heard(&now, Some(&now), &ten_sessions()).is_none());
    }

    #[test]
    fn limits_that_were_met_count_as_slowness() {
        let fewer = Usage { bears: 0.2, ..usage(GOOGLE, 100, 20) };
        assert_eq!(heard(&fewer, None, &ten_sessions()).unwrap().session_seconds, 100.0);
        // Ten sessions, of which each asks about six in a minute.
        let paced = Usage { pace: Some(60), ..usage(GOOGLE, 100, 20) };
        assert_eq!(heard(&paced, None, &ten_sessions()).unwrap().session_seconds, 1_000.0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_several_processes_hear_at_once_is_heard_as_if_by_one() {
        let store = Arc::new(testing::store().await);
        let worker = || {
            let store = store.clone();
            tokio::spawn(async move {
                let mut observer = Observer::new(store, site());
                for round in 1..=20 {
                    let many =
                        [usage(GOOGLE, 10 * round, 20 * round), usage(UsageOf::Few, 10 * round, 40 * round)];
                    observer.tell(many.into()).await.unwrap();
                }
            })
        };
        let workers = [worker(), worker(), worker()];
        for worker in workers {
            worker.await.unwrap();
        }
        let kept = capacity::all(&store.worker().await.unwrap()).await.unwrap();
        let mut names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["google", MIXED]);
        let site = site();
        for (operator, seconds) in [("google", 20.0), (MIXED, 40.0)] {
            let mut alone = site.of(operator).clone();
            for _ in 0..60 {
                let heard = Heard { asks: 10.0, again: 1.0, session_seconds: seconds };
                alone.hear(Timestamp::UNIX_EPOCH, heard);
            }
            let together = site.heard(&kept, 1).of(operator).memory();
            let alone = alone.memory();
            for (one, other) in [
                (together.usual, alone.usual),
                (together.lately, alone.lately),
                (together.again, alone.again),
            ] {
                assert!((one - other).abs() < 1e-9, "{together:?} {alone:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_slow_hour_is_known_to_whoever_plans() {
        let store = Arc::new(testing::store().await);
        let mut observer = Observer::new(store.clone(), site());
        // An hour of all sessions with Google, and all with hosts of nobody known, at one recipient in ten seconds.
        let slow = [usage(GOOGLE, 3_600, 36_000), usage(UsageOf::Many, 720, 7_200)];
        observer.tell(slow.into()).await.unwrap();
        let kept = capacity::all(&store.worker().await.unwrap()).await.unwrap();
        let (site, now) = (site(), Timestamp::now());
        let heard = site.heard(&kept, 1);
        for operator in ["google", "example.com"] {
            let assumed = site.heard(&[], 1).of(operator).supply(now);
            let supply = heard.of(operator).supply(now);
            assert!(supply.first < assumed.first / 10.0 && supply.seconds > 2_600.0, "{supply:?}");
            let later = heard.of(operator).supply(now + SignedDuration::from_hours(2));
            assert!(later.first > assumed.first / 2.0, "{later:?}");
        }
        assert_eq!(heard.of("microsoft").memory(), site.of("microsoft").memory());
    }
}
