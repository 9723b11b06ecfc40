//! What a simulated day is made of.

/// A simulated day.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything that is drawn comes from it.
    pub seed: u64,
    /// The installation.
    pub site: Site,
    /// Its clients.
    pub population: Population,
    /// What goes wrong.
    pub faults: Faults,
}

/// An installation.
#[derive(Debug, Clone)]
pub struct Site {
    /// Worker processes.
    pub workers: usize,
    /// Chunks that one of them works at at once.
    pub tasks_per_worker: usize,
    /// Chunks worked at at once for one client.
    pub tasks_per_client: usize,
    /// Sessions at once, of all workers together.
    pub sessions: f64,
    /// Sessions at once with one operator.
    pub sessions_per_operator: f64,
    /// Sessions at once with the mail hosts of one domain.
    pub sessions_per_domain: f64,
    /// Sessions at once with the hosts of small domains, all together.
    pub sessions_mixed: f64,
}

/// Who submits jobs, and how many.
#[derive(Debug, Clone)]
pub struct Population {
    /// Clients.
    pub clients: usize,
    /// Items of the smallest and the largest job; sizes are drawn evenly by their logarithms.
    pub sizes: (f64, f64),
    /// Seconds of the shortest and the longest window; drawn like sizes.
    pub windows: (f64, f64),
    /// The least window that a client asks for, as a multiple of the time that its job would take alone.
    pub patience_min: f64,
    /// Demand from 9 to 17 o'clock as a share of what the sessions can do.
    pub peak_load: f64,
    /// Demand in the other hours.
    pub base_load: f64,
    /// The share of jobs that begin a burst: three to eight jobs of one client within a minute.
    pub bursts: f64,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Operators bear between these multiples of what is assumed.
    pub rate_true: (f64, f64),
    /// Slow times of each operator in a day.
    pub slow_times: f64,
    /// Seconds that one of them lasts.
    pub slow_seconds: (f64, f64),
    /// The multiple of its usual rate that an operator then bears.
    pub slow_rate: (f64, f64),
    /// The share of items that operators greylist: between these.
    pub greylisted: (f64, f64),
    /// The share of those that are greylisted again.
    pub greylisted_again: f64,
    /// Seconds that greylisting servers want.
    pub greylist_wait: (f64, f64),
    /// Crashes of each worker in a day.
    pub crashes: f64,
    /// Seconds until a crashed worker works again.
    pub restart_seconds: i64,
    /// Seconds until the lease of a crashed worker's chunk has run out.
    pub lease_seconds: i64,
    /// Seconds that an operator's chunks wait when one got no session.
    pub snooze_seconds: i64,
}

impl Options {
    /// A medium installation with two workers and the default limits of each operator, loaded above what it can do at
    /// the peak.
    pub fn heavy(seed: u64) -> Self {
        let site = Site {
            workers: 2,
            tasks_per_worker: 32,
            tasks_per_client: 16,
            sessions: 100.0,
            sessions_per_operator: 10.0,
            sessions_per_domain: 2.0,
            sessions_mixed: 40.0,
        };
        let population = Population {
            clients: 6,
            sizes: (1.0, 100_000.0),
            windows: (300.0, 86_400.0),
            patience_min: 0.0,
            peak_load: 1.1,
            base_load: 0.5,
            bursts: 0.05,
        };
        Self { seed, site, population, faults: Faults::usual() }
    }

    /// The same, where operators are what is scarce and not the installation's sessions.
    pub fn by_operators(seed: u64) -> Self {
        let mut options = Self::heavy(seed);
        options.site.sessions = 200.0;
        options
    }

    /// The same on a quarter of the installation, with jobs of a quarter's size: a day that is quick to live through.
    pub fn small(seed: u64) -> Self {
        let mut options = Self::heavy(seed);
        let site = &mut options.site;
        (site.sessions, site.sessions_per_operator, site.sessions_mixed) = (25.0, 3.0, 10.0);
        options.population.sizes.1 /= 4.0;
        options
    }

    /// An ordinary day: busy at the peak, but with room.
    pub fn ordinary(seed: u64) -> Self {
        let mut options = Self::heavy(seed);
        (options.population.peak_load, options.population.base_load) = (0.7, 0.3);
        options
    }
}

impl Faults {
    /// Faults as they are to be expected.
    pub fn usual() -> Self {
        Self {
            rate_true: (0.8, 1.2),
            slow_times: 1.0,
            slow_seconds: (1_800.0, 5_400.0),
            slow_rate: (0.2, 0.6),
            greylisted: (0.0, 0.1),
            greylisted_again: 0.1,
            greylist_wait: (60.0, 300.0),
            crashes: 3.0,
            restart_seconds: 20,
            lease_seconds: 30,
            snooze_seconds: 5,
        }
    }

    /// None.
    pub fn none() -> Self {
        Self { rate_true: (1.0, 1.0), slow_times: 0.0, greylisted: (0.0, 0.0), crashes: 0.0, ..Self::usual() }
    }
}
