//! The mail servers: what operators truly bear, when they are slow, and whom they greylist.

use std::collections::HashMap;

use super::{
    load::DAY,
    options::{Options, Site},
    random::Random,
};
use crate::jobs::plan::{
    capacity::{Capacities, Capacity},
    cut::MIXED,
};

/// Id, an address there, recipients that a session is assumed to ask about in a second, and how much of lists is there.
/// Sessions with small domains ask about one recipient each, and mostly connect. In the last row are the small domains.
pub(super) const OPERATORS: &[(&str, &str, f64, f64)] = &[
    ("gmail", "@gmail.com", 2.0, 0.16),
    ("google", "@google.example", 2.0, 0.14),
    ("microsoft365", "@microsoft365.example", 1.5, 0.14),
    ("outlook", "@outlook.com", 1.5, 0.11),
    ("yahoo", "@yahoo.com", 1.5, 0.10),
    ("icloud", "@icloud.com", 1.0, 0.06),
    ("gmx", "@gmx.de", 1.0, 0.06),
    ("proofpoint", "@proofpoint.example", 1.0, 0.07),
    (MIXED, "", 0.4, 0.16),
];

/// Recipients in a second of one session with a domain that is large in itself.
const DOMAIN_RATE: f64 = 1.0;

/// The share of greylisted items that is assumed before anything is known.
const AGAIN_ASSUMED: f64 = 0.05;

/// Recipients for which a chunk opens one more session.
const RECIPIENTS_PER_SESSION: f64 = 25.0;

/// The same where nearly every recipient is at another domain.
const RECIPIENTS_PER_SESSION_MIXED: f64 = 3.0;

/// A time at which an operator is slow.
#[derive(Debug, Clone, Copy)]
struct Slow {
    from: i64,
    until: i64,
    rate: f64,
}

/// What chunks are asked of: an operator, a domain, or the small domains.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) id: Box<str>,
    pub(super) sessions: f64,
    /// Recipients a second of one session, as is assumed.
    assumed: f64,
    /// The true multiple of that.
    truth: f64,
    pub(super) greylisted: f64,
    slow: Vec<Slow>,
}

impl Operator {
    /// Recipients a second that one session truly asks about.
    pub(super) fn rate(&self, at: i64) -> f64 {
        let slow = self.slow.iter().filter(|slow| (slow.from..slow.until).contains(&at));
        self.assumed * self.truth * slow.map(|slow| slow.rate).fold(1.0, f64::min)
    }

    /// Sessions that a chunk with so many recipients left keeps busy.
    pub(super) fn wanted(&self, left: f64) -> f64 {
        let each = if &*self.id == MIXED { RECIPIENTS_PER_SESSION_MIXED } else { RECIPIENTS_PER_SESSION };
        (left / each).ceil().clamp(1.0, self.sessions)
    }
}

/// All mail servers, and when workers crash.
#[derive(Debug)]
pub(super) struct World {
    pub(super) operators: Vec<Operator>,
    numbers: HashMap<Box<str>, usize>,
    site: Site,
    /// Second and worker.
    pub(super) crashes: Vec<(i64, usize)>,
}

impl World {
    pub(super) fn new(options: &Options, random: &mut Random) -> Self {
        let site = options.site.clone();
        let mut world = Self { operators: Vec::new(), numbers: HashMap::new(), site, crashes: Vec::new() };
        let faults = &options.faults;
        for (id, _, assumed, _) in OPERATORS {
            let sessions =
                if *id == MIXED { options.site.sessions_mixed } else { options.site.sessions_per_operator };
            let slow = (0..poisson(faults.slow_times, random)).map(|_| {
                let from = moment(random);
                let until = from + whole(random.between(faults.slow_seconds.0, faults.slow_seconds.1));
                Slow { from, until, rate: random.between(faults.slow_rate.0, faults.slow_rate.1) }
            });
            let slow = slow.collect();
            let truth = random.between(faults.rate_true.0, faults.rate_true.1);
            let greylisted = random.between(faults.greylisted.0, faults.greylisted.1);
            world.numbers.insert((*id).into(), world.operators.len());
            world.operators.push(Operator {
                id: (*id).into(),
                sessions,
                assumed: *assumed,
                truth,
                greylisted,
                slow,
            });
        }
        for worker in 0..options.site.workers {
            world.crashes.extend((0..poisson(faults.crashes, random)).map(|_| (moment(random), worker)));
        }
        world.crashes.sort_unstable();
        world
    }

    /// The operator of a domain, as the product's table knows those of the largest.
    pub(super) fn known(domain: &str) -> Option<&'static str> {
        OPERATORS.iter().find(|(_, at, _, _)| at.strip_prefix('@') == Some(domain)).map(|(id, ..)| *id)
    }

    /// The number of an operator or domain.
    pub(super) fn number(&mut self, id: &str) -> usize {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let (sessions, greylisted) = (self.site.sessions_per_domain, AGAIN_ASSUMED);
        let domain = Operator {
            id: id.into(),
            sessions,
            assumed: DOMAIN_RATE,
            truth: 1.0,
            greylisted,
            slow: Vec::new(),
        };
        self.operators.push(domain);
        self.numbers.insert(id.into(), self.operators.len() - 1);
        self.operators.len() - 1
    }

    /// What is assumed of everybody on the first day.
    pub(super) fn capacities(&self) -> Capacities {
        let assumed = |op: &Operator| Capacity::assumed(op.sessions, op.assumed, AGAIN_ASSUMED);
        let operators =
            self.operators[..OPERATORS.len()].iter().map(|op| (op.id.clone(), assumed(op))).collect();
        let domain = Capacity::assumed(self.site.sessions_per_domain, DOMAIN_RATE, AGAIN_ASSUMED);
        let operator = Capacity::assumed(self.site.sessions_per_operator, DOMAIN_RATE, AGAIN_ASSUMED);
        Capacities { operators, domain, operator }
    }

    /// Sessions that can be busy at once, whatever is submitted.
    pub(super) fn sessions_bound(&self) -> f64 {
        let all: f64 = self.operators[..OPERATORS.len()].iter().map(|op| op.sessions).sum();
        all.min(self.site.sessions)
    }

    /// Seconds of one session that these chunks truly take, when nobody is slow.
    pub(super) fn session_seconds(&self, chunks: &[(usize, u32)]) -> f64 {
        let each = |(number, items): &(usize, u32)| {
            let op = &self.operators[*number];
            f64::from(*items) * (1.0 + op.greylisted) / (op.assumed * op.truth)
        };
        chunks.iter().map(each).sum()
    }

    /// Seconds that these chunks take when nobody else is there, as is assumed.
    pub(super) fn seconds_alone(&self, chunks: &[(usize, u32)]) -> f64 {
        let mut seconds: HashMap<usize, f64> = HashMap::new();
        for (number, items) in chunks {
            let op = &self.operators[*number];
            *seconds.entry(*number).or_default() += f64::from(*items) / (op.sessions * op.assumed);
        }
        seconds.into_values().fold(0.0, f64::max)
    }
}

/// A second of the day.
#[allow(clippy::cast_possible_wrap)]
fn moment(random: &mut Random) -> i64 {
    random.below(DAY.unsigned_abs()) as i64
}

#[allow(clippy::cast_possible_truncation)] // seconds of a day
fn whole(seconds: f64) -> i64 {
    seconds.round() as i64
}

/// How often something happens that happens `mean` times on average (Knuth).
fn poisson(mean: f64, random: &mut Random) -> usize {
    let (mut count, mut left) = (0, random.share());
    while left > (-mean).exp() {
        (count, left) = (count + 1, left * random.share());
    }
    count
}
