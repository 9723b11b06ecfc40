//! What was asked of whom, and what it took: counted as it happens, for whoever plans with it. Nothing here limits
//! anything.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::BudgetKey;

/// With so many recipients, a session is one of a domain that has many: a domain of which there are few has never a
/// quarter of that.
const MANY_MIN: u64 = 25;

/// Whom usage is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UsageOf {
    /// An operator, by its id.
    Operator(&'static str),
    /// Hosts of nobody known, in sessions that asked about many recipients.
    Many,
    /// Hosts of nobody known, in sessions that asked about few, most of whose time goes into coming and going.
    Few,
}

/// What was used up so far, since the prober began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Of whom.
    pub of: UsageOf,
    /// Recipients that were asked about and not sent away; random ones are not counted.
    pub asked: u64,
    /// How many of them the host wants to hear of again later.
    pub put_off: u64,
    /// How long sessions were at it, all of them together; without the time for which one was kept in case somebody asks.
    pub time: Duration,
    /// Which part of the configured sessions is borne now, by what was learned.
    pub bears: f64,
    /// Recipients a minute that are borne now, in all processes together, where a limit was met.
    pub pace: Option<usize>,
}

/// The meters of a process.
#[derive(Debug, Default)]
pub(super) struct Meters(Mutex<HashMap<UsageOf, Arc<Meter>>>);

/// Counts of one of them.
#[derive(Debug, Default)]
pub(super) struct Meter {
    asked: AtomicU64,
    put_off: AtomicU64,
    micros: AtomicU64,
}

/// Where the sessions of one share are counted.
#[derive(Debug, Clone)]
pub(super) enum Metered {
    Operator(Arc<Meter>),
    Hosts { many: Arc<Meter>, few: Arc<Meter> },
}

/// A session's time and recipients, which are counted in as it goes, and at last when it is dropped.
#[derive(Debug)]
pub(crate) struct Stint {
    metered: Metered,
    /// None: nobody waits.
    since: Option<Instant>,
    asked: u64,
    put_off: u64,
    /// Recipients asked about since it began.
    total: u64,
}

impl Meters {
    pub(super) fn of(&self, key: &BudgetKey) -> Metered {
        let mut meters = self.lock();
        let mut of = |of| meters.entry(of).or_default().clone();
        match key {
            BudgetKey::Operator(id) => Metered::Operator(of(UsageOf::Operator(id))),
            BudgetKey::Hosts(_) => Metered::Hosts { many: of(UsageOf::Many), few: of(UsageOf::Few) },
        }
    }

    /// All that was used; what is borne is for others to say.
    pub(super) fn read(&self) -> Vec<Usage> {
        let read = |(of, meter): (&UsageOf, &Arc<Meter>)| Usage {
            of: *of,
            asked: meter.asked.load(Relaxed),
            put_off: meter.put_off.load(Relaxed),
            time: Duration::from_micros(meter.micros.load(Relaxed)),
            bears: 1.0,
            pace: None,
        };
        let mut all: Vec<Usage> = self.lock().iter().map(read).collect();
        all.retain(|usage| !usage.time.is_zero());
        all.sort_unstable_by_key(|usage| usage.of);
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UsageOf, Arc<Meter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter {
    fn add(&self, asked: u64, put_off: u64, time: Duration) {
        self.asked.fetch_add(asked, Relaxed);
        self.put_off.fetch_add(put_off, Relaxed);
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or_default(), Relaxed);
    }
}

impl Stint {
    /// Begins now.
    pub(super) fn new(metered: Metered) -> Self {
        Self { metered, since: Some(Instant::now()), asked: 0, put_off: 0, total: 0 }
    }

    /// So many recipients are asked about.
    pub(crate) fn asks(&mut self, recipients: usize) {
        self.asked += recipients as u64;
        self.total += recipients as u64;
    }

    /// Of those that were asked about, some were sent away unheard, and some are to come again later.
    pub(crate) fn heard(&mut self, sent_away: usize, put_off: usize) {
        self.asked = self.asked.saturating_sub(sent_away as u64);
        self.put_off += put_off as u64;
        if matches!(self.metered, Metered::Operator(_)) {
            // A session may last for long.
            self.settle();
        }
    }

    /// Nobody waits.
    pub(crate) fn pause(&mut self) {
        self.settle();
        self.since = None;
    }

    /// Somebody waits again.
    pub(crate) fn go_on(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn settle(&mut self) {
        let meter = match &self.metered {
            Metered::Hosts { many, .. } if self.total >= MANY_MIN => many,
            Metered::Operator(meter) | Metered::Hosts { few: meter, .. } => meter,
        };
        let now = Instant::now();
        // What is kept for nobody does not count.
        let time = self.since.as_mut().map_or(Duration::ZERO, |since| now - std::mem::replace(since, now));
        meter.add(std::mem::take(&mut self.asked), std::mem::take(&mut self.put_off), time);
    }
}

impl Drop for Stint {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailsonde_engine::MailHost;
    use tokio::time::advance;

    const GOOGLE: BudgetKey = BudgetKey::Operator("google");

    fn hosts() -> BudgetKey {
        BudgetKey::of(&Arc::from([MailHost { preference: 10, name: "mx.example.org".into() }]))
    }

    fn read(meters: &Meters) -> Vec<(UsageOf, u64, u64, u64)> {
        let read = |usage: &Usage| (usage.of, usage.asked, usage.put_off, usage.time.as_secs());
        meters.read().iter().map(read).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_operators_sessions_are_counted_while_they_last() {
        let meters = Meters::default();
        let mut stint = Stint::new(meters.of(&GOOGLE));
        assert_eq!(read(&meters), []);
        advance(Duration::from_secs(2)).await;
        stint.asks(9);
        stint.heard(1, 3);
        assert_eq!(read(&meters), [(UsageOf::Operator("google"), 8, 3, 2)]);
        advance(Duration::from_secs(1)).await;
        drop(stint);
        assert_eq!(read(&meters), [(UsageOf::Operator("google"), 8, 3, 3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_for_nobody_takes_no_time() {
        for key in [GOOGLE, hosts()] {
            let meters = Meters::default();
            let mut stint = Stint::new(meters.of(&key));
            advance(Duration::from_secs(1)).await;
            stint.pause();
            advance(Duration::from_secs(5)).await;
            stint.go_on();
            advance(Duration::from_secs(2)).await;
            stint.asks(1);
            stint.heard(0, 0);
            stint.pause();
            assert_eq!(meters.read()[0].time, Duration::from_secs(3), "and all of it is counted by now");
            advance(Duration::from_secs(5)).await;
            drop(stint);
            assert_eq!(meters.read()[0].time, Duration::from_secs(3));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_recipients_at_a_host_are_another_thing_than_many() {
        let meters = Meters::default();
        for asked in [3, 40] {
            let mut stint = Stint::new(meters.of(&hosts()));
            advance(Duration::from_secs(4)).await;
            stint.asks(asked);
        }
        assert_eq!(read(&meters), [(UsageOf::Many, 40, 0, 4), (UsageOf::Few, 3, 0, 4)]);
    }
}
