//! The jobs of a day, drawn from the seed and cut by the product.

use jiff::{SignedDuration, Timestamp};

use super::{
    options::Options,
    random::Random,
    world::{OPERATORS, World},
};
use crate::jobs::plan::{
    cut::{Key, Keys, cut},
    schedule::Window,
};

/// Small domains of the world, of which nobody knows who runs them.
const SMALL_DOMAINS: u64 = 50_000;

/// Of the jobs, so many percent have a domain that is large in itself.
const LARGE_DOMAIN_PERCENT: u64 = 5;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// A job that somebody submits.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// Seconds since midnight.
    pub(super) at: i64,
    pub(super) client: usize,
    pub(super) window: Window,
    /// Operator, by its number in [`World`], and items of each chunk.
    pub(super) chunks: Vec<(usize, u32)>,
}

/// A day: its jobs, and what happens in the world. The same options give the same day.
#[derive(Debug)]
pub struct Scenario {
    pub(super) options: Options,
    pub(super) world: World,
    pub(super) arrivals: Vec<Arrival>,
}

impl Scenario {
    /// Draws a day.
    pub fn new(options: &Options) -> Self {
        let mut random = Random::new(options.seed);
        let mut world = World::new(options, &mut random);
        let clients: Vec<_> = (0..options.population.clients).map(|_| mix(&mut random)).collect();
        let mut drawer = Drawer { options, clients, random, serial: 0 };
        let mut arrivals = Vec::new();
        let mut owed = 0.0;
        for hour in 0..24 {
            owed += 3600.0 * drawer.load(hour) * world.sessions_bound();
            while owed > 0.0 {
                let at = hour * 3600 + drawer.below(3600);
                for arrival in drawer.jobs(at, &mut world) {
                    owed -= world.session_seconds(&arrival.chunks);
                    arrivals.push(arrival);
                }
            }
        }
        arrivals.retain(|arrival| arrival.at < DAY);
        arrivals.sort_by_key(|arrival| arrival.at);
        Self { options: options.clone(), world, arrivals }
    }
}

/// What lists of a client are made of: a weight for each operator, small domains last.
fn mix(random: &mut Random) -> Vec<f64> {
    let weight = |usual: f64, random: &mut Random| usual * random.log_between(0.4, 2.5);
    OPERATORS.iter().map(|(_, _, _, usual)| weight(*usual, random)).collect()
}

struct Drawer<'a> {
    options: &'a Options,
    clients: Vec<Vec<f64>>,
    random: Random,
    serial: u64,
}

impl Drawer<'_> {
    fn load(&self, hour: i64) -> f64 {
        let population = &self.options.population;
        if (9..17).contains(&hour) { population.peak_load } else { population.base_load }
    }

    #[allow(clippy::cast_possible_wrap)] // a second of a day
    fn below(&mut self, n: u64) -> i64 {
        self.random.below(n) as i64
    }

    /// A job, or a burst of them.
    fn jobs(&mut self, at: i64, world: &mut World) -> Vec<Arrival> {
        let client = usize::try_from(self.random.below(self.clients.len() as u64)).unwrap_or(0);
        let burst = self.random.share() < self.options.population.bursts;
        let count = if burst { 3 + self.below(6) } else { 1 };
        let one = |n| {
            let at = if n > 0 { at + self.below(60) } else { at };
            self.job(at, client, world)
        };
        (0..count).map(one).collect()
    }

    fn job(&mut self, at: i64, client: usize, world: &mut World) -> Arrival {
        let population = &self.options.population;
        let size = self.random.log_between(population.sizes.0, population.sizes.1);
        let chunks = self.chunks(size, client, world);
        let (shortest, longest) = population.windows;
        let least = (population.patience_min * world.seconds_alone(&chunks)).clamp(shortest, longest);
        let seconds = self.random.log_between(least, longest);
        let created = second(at);
        let deadline = created + SignedDuration::from_secs_f64(seconds.round());
        let window = Window { created, deadline, greylist_wait: SignedDuration::from_mins(5) };
        Arrival { at, client, window, chunks }
    }

    /// The inputs of a job, cut.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes are small and positive
    fn chunks(&mut self, size: f64, client: usize, world: &mut World) -> Vec<(usize, u32)> {
        self.serial += 1;
        let large =
            (self.random.below(100) < LARGE_DOMAIN_PERCENT).then(|| format!("@large{}.example", self.serial));
        let mut keys = Keys::new(World::known);
        let large = large.map(|large| keys.of(&large));
        let known: Vec<_> = OPERATORS.iter().map(|(_, domain, _, _)| keys.of(domain)).collect();
        let mut items = Vec::new();
        for _ in 0..size.round().max(1.0) as u64 {
            let operator = self.random.weighted(&self.clients[client]);
            items.push(match (large, known[operator]) {
                (Some(large), _) if self.random.below(10) == 0 => large,
                (_, Key::NOBODY) => keys.of(&format!("@small{}.example", self.random.below(SMALL_DOMAINS))),
                (_, key) => key,
            });
        }
        cut(&keys, &items).iter().map(|chunk| (world.number(&chunk.operator), chunk.asks)).collect()
    }
}

/// A second of the day.
pub(super) fn second(at: i64) -> Timestamp {
    // The first of January 2026, as good as any.
    Timestamp::from_second(1_767_225_600 + at).unwrap_or(Timestamp::MAX)
}
