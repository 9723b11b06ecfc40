//! The figures of a day.

use super::{
    day::{Fate, Outcome, live},
    load::Scenario,
    options::Options,
    random::Random,
};

/// The figures of one day, or of several together.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Jobs that were submitted.
    pub jobs: usize,
    /// Of them, those that were accepted.
    pub accepted: usize,
    /// Of the accepted, those that had items left at their deadline.
    pub missed: usize,
    /// Of the accepted, those that had all answers, but no second try of greylisted items for which there was time.
    pub hurried: usize,
    /// Of the refused, those that were looked at again.
    pub reconsidered: usize,
    /// Of those, the ones that would have kept their deadline, with all others keeping theirs.
    pub refused_wrongly: usize,
    /// Items that were submitted.
    pub items: u64,
    /// Answers; items that were asked about again count again.
    pub items_done: u64,
    /// Days.
    pub days: u32,
    /// The share of all sessions that was busy from 9 to 17 o'clock, a sum over the days.
    busy_at_peak: f64,
}

impl Figures {
    /// The share of accepted jobs that kept their deadlines.
    pub fn kept(&self) -> f64 {
        1.0 - share(self.missed, self.accepted)
    }

    /// The share of refused jobs that could have been kept.
    pub fn refused_wrongly(&self) -> f64 {
        share(self.refused_wrongly, self.reconsidered)
    }

    /// The share of all jobs that were refused and could have been kept, as far as the looked at stand for all refused.
    pub fn lost(&self) -> f64 {
        self.refused_wrongly() * (1.0 - share(self.accepted, self.jobs))
    }

    /// The share of all sessions that was busy from 9 to 17 o'clock.
    pub fn busy_at_peak(&self) -> f64 {
        if self.days == 0 { 0.0 } else { self.busy_at_peak / f64::from(self.days) }
    }

    /// The sum of both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            jobs: self.jobs + other.jobs,
            accepted: self.accepted + other.accepted,
            missed: self.missed + other.missed,
            hurried: self.hurried + other.hurried,
            reconsidered: self.reconsidered + other.reconsidered,
            refused_wrongly: self.refused_wrongly + other.refused_wrongly,
            items: self.items + other.items,
            items_done: self.items_done + other.items_done,
            days: self.days + other.days,
            busy_at_peak: self.busy_at_peak + other.busy_at_peak,
        }
    }
}

#[allow(clippy::cast_precision_loss)] // counts of jobs
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Lives through a day, and then once more for each of up to `reconsidered_max` refused jobs, drawn by the seed, with that
/// job accepted. It could have been kept when it keeps its deadline and no job misses its own that did not miss it before.
pub fn examine(options: &Options, reconsidered_max: usize) -> Figures {
    let scenario = Scenario::new(options);
    let before = live(&scenario, None);
    let refused = positions(&before, Fate::Refused);
    let mut figures = Figures {
        jobs: scenario.arrivals.len(),
        accepted: scenario.arrivals.len() - refused.len(),
        missed: positions(&before, Fate::Missed).len(),
        hurried: positions(&before, Fate::Hurried).len(),
        items: scenario
            .arrivals
            .iter()
            .flat_map(|arrival| &arrival.chunks)
            .map(|(_, items)| u64::from(*items))
            .sum(),
        items_done: before.items,
        days: 1,
        busy_at_peak: before.busy_at_peak / (8.0 * 3600.0 * scenario.world.sessions_bound()),
        ..Figures::default()
    };
    for job in sample(refused, reconsidered_max, options.seed) {
        let after = live(&scenario, Some(job));
        figures.reconsidered += 1;
        figures.refused_wrongly += usize::from(harmless(&before, &after, job));
    }
    figures
}

fn harmless(before: &Outcome, after: &Outcome, job: usize) -> bool {
    let accepted_before = |other: usize| before.fates[other] != Fate::Refused;
    let worse = |other: usize| {
        let was = if accepted_before(other) { before.fates[other] } else { Fate::Kept };
        after.fates[other] > was
    };
    after.fates[job] == Fate::Kept && !(0..before.fates.len()).any(worse)
}

fn positions(outcome: &Outcome, fate: Fate) -> Vec<usize> {
    (0..outcome.fates.len()).filter(|job| outcome.fates[*job] == fate).collect()
}

fn sample(mut jobs: Vec<usize>, count: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(!seed);
    while jobs.len() > count {
        let one = usize::try_from(random.below(jobs.len() as u64)).unwrap_or(0);
        jobs.swap_remove(one);
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::{super::options::Faults, *};

    /// The share of accepted jobs that keep their deadlines.
    const KEPT_MIN: f64 = 0.995;

    /// The share of the refused that could have been kept. The goal over many days is 0.02; of so few jobs as are looked at
    /// here, one more or less is chance.
    const REFUSED_WRONGLY_MAX: f64 = 0.05;

    #[test]
    fn accepted_jobs_keep_their_deadlines_under_faults_and_overload() {
        let figures =
            (1..=2).map(|seed| examine(&Options::small(seed), 20)).reduce(|sum, day| sum.and(&day)).unwrap();
        assert!(figures.jobs > 500 && figures.accepted < figures.jobs, "{figures:?}");
        assert!(
            figures.kept() >= KEPT_MIN && figures.refused_wrongly() <= REFUSED_WRONGLY_MAX,
            "{figures:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_day() {
        let mut options = Options::small(3);
        options.population.sizes.1 = 2_000.0;
        options.population.peak_load = 0.2;
        options.population.base_load = 0.1;
        let [one, two] = [0, 0].map(|_| live(&Scenario::new(&options), None));
        assert_eq!(one.fates, two.fates);
        assert_eq!((one.items, one.busy), (two.items, two.busy));
    }

    #[test]
    fn a_quiet_day_without_faults_keeps_everything() {
        let mut options = Options { faults: Faults::none(), ..Options::small(4) };
        options.population.sizes.1 = 1_000.0;
        options.population.peak_load = 0.1;
        options.population.base_load = 0.1;
        let figures = examine(&options, 0);
        assert_eq!((figures.missed, figures.hurried), (0, 0), "{figures:?}");
        assert!(figures.accepted * 100 >= figures.jobs * 98, "{figures:?}");
    }
}
