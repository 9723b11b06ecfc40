//! Admission: whether a job can keep its deadline, and lets those keep theirs that were accepted before.
//!
//! What the queue does is computed: all waiting work in the order of its virtual deadlines, through everything that is
//! scarce. That is what each operator bears, the sessions of the installation, its tasks at once, and those of the client.
//! How busy something is at the moment is no reason; only what is promised counts.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{
    capacity::{Capacities, Capacity, Supply},
    cut::OFFLINE,
    schedule::{Window, later, share},
};

/// No deadline later than this from now is looked for: who would wait for a month should ask again.
const HORIZON_SECONDS: i64 = 30 * 24 * 3600;

/// Seconds by which sums of many fractions may differ for no reason.
const ROUNDING: f64 = 1e-6;

/// Seconds by which the plan lets others be done later than what is kept free at their end says. That is for a server that
/// wants the longest wait, and most want less.
const SPARED: f64 = 40.0;

/// Chunks of one operator overlap: while one asks about its last items with few sessions, the next begins. So a task lasts
/// longer than its items would take alone.
const OVERLAP: f64 = 2.0;

/// Sessions that one chunk keeps busy, at most: with fewer than 25 recipients in each, most of their time goes into
/// beginning and ending them.
const CHUNK_SESSIONS: f64 = 20.0;

/// How often the search for the earliest deadline looks again before it gives up; a few times is usual.
const STEPS_MAX: usize = 10_000;

/// A chunk that was accepted and is not done.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// [`Chunk::operator`](super::cut::Chunk::operator).
    pub operator: &'a str,
    /// Whether it is of the client whose job is looked at.
    pub own: bool,
    /// Its virtual deadline; the present moment for one that runs, since that stands before all others.
    pub at: Timestamp,
    /// When it must be done: [`Window::latest`], or the job's deadline in a later round.
    pub latest: Timestamp,
    /// Recipients that it may still ask about; its items without a verdict, where nobody is asked.
    pub asks: u32,
}

/// What is shared by all operators.
#[derive(Debug, Clone, Copy)]
pub struct Installation {
    /// Sessions open at once, in all processes.
    pub sessions: f64,
    /// Chunks worked at at once, in all processes.
    pub tasks: f64,
    /// Chunks worked at at once for the client whose job is looked at.
    pub client_tasks: f64,
}

/// All that is promised, and what is there to keep it.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The present moment.
    pub now: Timestamp,
    /// What operators bear.
    pub capacities: &'a Capacities,
    /// What is there besides.
    pub installation: Installation,
    /// Accepted chunks that are not done, by ascending [`Waiting::at`].
    pub waiting: &'a [Waiting<'a>],
}

/// A job that asks for admission.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// From when to when.
    pub window: Window,
    /// Operator and recipients of its chunks, in the job's order; items, where nobody is asked.
    pub chunks: &'a [(&'a str, u32)],
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its deadline and those of all others can be kept.
    Accepted,
    /// Some deadline could not be kept.
    Refused {
        /// The earliest deadline that could be, to the second; none within a month.
        earliest: Option<Timestamp>,
    },
}

/// Whether the job is accepted.
pub fn admit(load: &Load<'_>, demand: &Demand<'_>) -> Admission {
    let scarce = scarcities(load, demand);
    let fits = |window: &Window| others_keep(&scarce, load.now, window) && keeps(&scarce, load.now, window);
    if fits(&demand.window) {
        return Admission::Accepted;
    }
    Admission::Refused { earliest: earliest(&scarce, load.now, &demand.window) }
}

/// Something scarce: who waits for it, and what the job needs of it.
struct Scarce {
    supply: Supply,
    line: Vec<Place>,
    parts: Vec<Part>,
}

/// Accepted work.
struct Place {
    /// Seconds from now at which its turn comes.
    at: f64,
    /// Seconds from now by which it is to be done; never where it will be late anyhow, since then that is not the new job's
    /// doing.
    latest: f64,
    cost: f64,
}

/// A chunk of the job: its share of the window, and what it needs.
#[derive(Clone, Copy)]
struct Part {
    share: f64,
    cost: f64,
}

impl Scarce {
    /// `waiting` is the work in line, each with the second from now at which its turn comes, in that order.
    fn new<'a>(
        load: &Load<'_>,
        supply: Supply,
        waiting: impl Iterator<Item = (f64, &'a Waiting<'a>)>,
        cost: impl Fn(&Waiting<'_>) -> f64,
        parts: Vec<Part>,
    ) -> Self {
        let mut total = 0.0;
        let mut line: Vec<Place> = Vec::new();
        for (at, waiting) in waiting {
            let cost = cost(waiting);
            if cost > 0.0 {
                total += cost;
                let latest = seconds(load.now, waiting.latest);
                let lost = supply.seconds_for(total) > latest;
                line.push(Place { at, latest: if lost { f64::INFINITY } else { latest }, cost });
            }
        }
        Self { supply, line, parts }
    }

    /// The job's needs by the seconds from now at which they are due, in that order.
    fn needs(&self, now: Timestamp, window: &Window) -> Vec<(f64, f64)> {
        let due = |part: &Part| seconds(now, window.due(part.share));
        let mut needs: Vec<_> = self.parts.iter().map(|part| (due(part), part.cost)).collect();
        needs.sort_by(|a, b| a.0.total_cmp(&b.0));
        needs
    }

    /// Whether all accepted work is done in time with the job's work in between.
    fn others_keep(&self, now: Timestamp, window: &Window) -> bool {
        let mut needs = self.needs(now, window).into_iter().peekable();
        let mut total = 0.0;
        self.line.iter().all(|place| {
            while let Some((_, cost)) = needs.next_if(|(at, _)| *at < place.at) {
                total += cost;
            }
            total += place.cost;
            self.supply.seconds_for(total) <= place.latest + SPARED
        })
    }

    /// Seconds from now until the job's work is done.
    fn done(&self, now: Timestamp, window: &Window) -> f64 {
        let needs = self.needs(now, window);
        let Some((last, _)) = needs.last() else { return 0.0 };
        let own: f64 = needs.iter().map(|(_, cost)| cost).sum();
        let before: f64 =
            self.line.iter().take_while(|place| place.at <= *last).map(|place| place.cost).sum();
        self.supply.seconds_for(own + before)
    }
}

fn others_keep(scarce: &[Scarce], now: Timestamp, window: &Window) -> bool {
    scarce.iter().all(|one| one.others_keep(now, window))
}

fn keeps(scarce: &[Scarce], now: Timestamp, window: &Window) -> bool {
    done(scarce, now, window) <= seconds(now, window.latest()) + ROUNDING
}

fn done(scarce: &[Scarce], now: Timestamp, window: &Window) -> f64 {
    scarce.iter().map(|one| one.done(now, window)).fold(0.0, f64::max)
}

/// Everything that the job needs and that is scarce.
fn scarcities(load: &Load<'_>, demand: &Demand<'_>) -> Vec<Scarce> {
    let by_operator = numbered(demand.chunks);
    let capacity = |operator: &str| load.capacities.of(operator);
    let parts = |cost: &dyn Fn(&str, &Capacity) -> f64| {
        let each = by_operator.iter().flat_map(|(operator, chunks)| {
            let (n, unit) = (count(chunks.len()), cost(operator, capacity(operator)));
            chunks
                .iter()
                .zip(0..)
                .map(move |(asks, i)| Part { share: share(i, n, *asks), cost: f64::from(*asks) * unit })
        });
        each.filter(|part| part.cost > 0.0).collect::<Vec<_>>()
    };
    let mut scarce: Vec<_> = Vec::new();
    for operator in by_operator.keys() {
        let rounds =
            |other: &str, capacity: &Capacity| if other == *operator { capacity.rounds() } else { 0.0 };
        let line = load.waiting.iter().filter(|waiting| waiting.operator == *operator);
        let line = line.map(|waiting| (seconds(load.now, waiting.at), waiting));
        let cost = |w: &Waiting<'_>| f64::from(w.asks) * capacity(operator).rounds();
        scarce.push(Scarce::new(load, capacity(operator).supply(load.now), line, cost, parts(&rounds)));
    }
    let turns = turns(load);
    let line = || turns.iter().copied();
    let Installation { sessions, tasks, client_tasks } = load.installation;
    let cost = |w: &Waiting<'_>| f64::from(w.asks) * in_sessions(w.operator, capacity(w.operator));
    scarce.push(Scarce::new(load, Supply::steady(sessions), line(), cost, parts(&in_sessions)));
    let cost = |w: &Waiting<'_>| f64::from(w.asks) * in_tasks(w.operator, capacity(w.operator));
    scarce.push(Scarce::new(load, Supply::steady(tasks), line(), cost, parts(&in_tasks)));
    let own = line().filter(|(_, waiting)| waiting.own);
    scarce.push(Scarce::new(load, Supply::steady(client_tasks), own, cost, parts(&in_tasks)));
    scarce
}

/// All waiting work in the order in which it can want what is shared: at its virtual deadline, but not before its operator
/// is through with what stands before it. A long line at one operator does not use up the sessions of all at once.
fn turns<'a>(load: &Load<'a>) -> Vec<(f64, &'a Waiting<'a>)> {
    let mut lines: HashMap<&str, (&Capacity, Supply, f64)> = HashMap::new();
    let mut turns: Vec<_> = Vec::with_capacity(load.waiting.len());
    for waiting in load.waiting {
        let line = lines.entry(waiting.operator).or_insert_with(|| {
            let capacity = load.capacities.of(waiting.operator);
            (capacity, capacity.supply(load.now), 0.0)
        });
        let begins = line.1.seconds_for(line.2);
        line.2 += f64::from(waiting.asks) * line.0.rounds();
        turns.push((seconds(load.now, waiting.at).max(begins), waiting));
    }
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
    turns
}

fn seconds(now: Timestamp, moment: Timestamp) -> f64 {
    moment.duration_since(now).as_secs_f64()
}

/// Seconds of one session that a recipient takes; none where nobody is asked.
fn in_sessions(operator: &str, capacity: &Capacity) -> f64 {
    if operator == OFFLINE { 0.0 } else { capacity.session_seconds() }
}

/// Seconds of a task that a recipient takes, or an item, where nobody is asked.
fn in_tasks(_: &str, capacity: &Capacity) -> f64 {
    OVERLAP * capacity.session_seconds() / capacity.sessions.min(CHUNK_SESSIONS)
}

/// What each operator's chunks ask about, in the job's order.
fn numbered<'a>(chunks: &[(&'a str, u32)]) -> BTreeMap<&'a str, Vec<u32>> {
    let mut by_operator: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (operator, asks) in chunks {
        by_operator.entry(*operator).or_default().push(*asks);
    }
    by_operator
}

fn count(chunks: usize) -> u32 {
    u32::try_from(chunks).unwrap_or(u32::MAX)
}

/// The earliest deadline after the one that the job asked for with which all deadlines are kept, to the second.
///
/// Others: the later the job's chunks are due, the fewer stand before theirs, so halving finds the first deadline that
/// suits them. The job itself: the later its deadline, the more stands before its last chunk, so when it would be done at
/// some moment, no deadline for which that is too late can be kept, and the search goes on with the first for which it is
/// not.
fn earliest(scarce: &[Scarce], now: Timestamp, asked: &Window) -> Option<Timestamp> {
    let after =
        |seconds: i64| asked.until(later(whole_second(asked.deadline), SignedDuration::from_secs(seconds)));
    let suits = |seconds: i64| others_keep(scarce, now, &after(seconds));
    let (mut low, mut high) = (0, 1);
    while !suits(high) {
        (low, high) = (high, high * 2);
        if high > HORIZON_SECONDS {
            return None;
        }
    }
    while low < high {
        let middle = i64::midpoint(low, high);
        if suits(middle) { high = middle } else { low = middle + 1 }
    }
    let mut window = after(low);
    for _ in 0..STEPS_MAX {
        if keeps(scarce, now, &window) {
            return Some(window.deadline);
        }
        let done = SignedDuration::try_from_secs_f64(done(scarce, now, &window)).ok()?;
        if done.as_secs() > HORIZON_SECONDS {
            return None;
        }
        let next = whole_second(window.deadline_for(later(now, done)));
        window = window.until(next.max(later(window.deadline, SignedDuration::from_secs(1))));
    }
    None
}

/// The first whole second that is not before the moment.
fn whole_second(moment: Timestamp) -> Timestamp {
    let up = moment.subsec_nanosecond() > 0;
    Timestamp::from_second(moment.as_second() + i64::from(up)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::simulation::Random, *};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn window(seconds: i64) -> Window {
        Window { created: at(0), deadline: at(seconds), greylist_wait: SignedDuration::from_mins(5) }
    }

    /// An operator and a domain that bear about ten recipients a second, and one each 10 s.
    fn capacities() -> Capacities {
        let operator = Capacity::assumed(10.0, 1.0, 0.0);
        let capacities = Capacities {
            operators: HashMap::new(),
            domain: Capacity::assumed(2.0, 0.05, 0.0),
            operator: operator.clone(),
        };
        capacities.with(operator, 10_000.0)
    }

    const ROOMY: Installation = Installation { sessions: 100.0, tasks: 64.0, client_tasks: 16.0 };

    fn waiting(operator: &str, due: i64, latest: i64, asks: u32) -> Waiting<'_> {
        Waiting { operator, own: false, at: at(due), latest: at(latest), asks }
    }

    fn ask(
        waiting: &[Waiting<'_>],
        installation: Installation,
        seconds: i64,
        chunks: &[(&str, u32)],
    ) -> Admission {
        let load = Load { now: at(0), capacities: &capacities(), installation, waiting };
        admit(&load, &Demand { window: window(seconds), chunks })
    }

    #[test]
    fn what_fits_is_accepted_and_what_does_not_is_told_when() {
        let chunks = [("gmail", 500); 10];
        assert_eq!(ask(&[], ROOMY, 900, &chunks), Admission::Accepted);
        let Admission::Refused { earliest: Some(earliest) } = ask(&[], ROOMY, 400, &chunks) else { panic!() };
        let seconds = earliest.as_second();
        // 5,000 recipients at less than ten a second, and the end of the last chunk.
        assert!((500..600).contains(&seconds), "{seconds}");
        assert_eq!(ask(&[], ROOMY, seconds, &chunks), Admission::Accepted);
        assert_ne!(ask(&[], ROOMY, seconds - 1, &chunks), Admission::Accepted);
    }

    #[test]
    fn busy_operators_do_not_hinder_others_and_later_work_does_not_hinder_at_all() {
        let busy: Vec<_> = (1..100).map(|n| waiting("gmail", n, 100_000, 500)).collect();
        assert_eq!(ask(&busy, ROOMY, 600, &[("yahoo", 400)]), Admission::Accepted);
        assert_ne!(ask(&busy, ROOMY, 600, &[("gmail", 400)]), Admission::Accepted);
        let later: Vec<_> = (1..100).map(|n| waiting("gmail", 10_000 + n, 100_000, 500)).collect();
        assert_eq!(ask(&later, ROOMY, 600, &[("gmail", 400)]), Admission::Accepted);
    }

    #[test]
    fn no_accepted_job_misses_its_deadline_because_of_another() {
        let tight = [waiting("gmail", 1_000, 110, 1_000)];
        let Admission::Refused { earliest: Some(earliest) } = ask(&tight, ROOMY, 900, &[("gmail", 500)])
        else {
            panic!()
        };
        // Behind the tight one.
        assert!(earliest >= at(1_000));
        // One that is late anyhow is nobody's doing.
        let late = [waiting("gmail", 1_000, 50, 1_000)];
        assert_eq!(ask(&late, ROOMY, 900, &[("gmail", 500)]), Admission::Accepted);
    }

    #[test]
    fn a_domain_bears_less_than_an_operator() {
        assert_eq!(ask(&[], ROOMY, 3_600, &[("gmail", 500), ("gmail", 500)]), Admission::Accepted);
        assert_ne!(ask(&[], ROOMY, 3_600, &[("large.example", 500)]), Admission::Accepted);
    }

    #[test]
    fn sessions_tasks_and_the_clients_own_tasks_are_scarce_too() {
        let chunks = [("gmail", 500), ("yahoo", 500), ("gmx", 500)];
        assert_eq!(ask(&[], ROOMY, 300, &chunks), Admission::Accepted);
        for scarce in [
            Installation { sessions: 1.0, ..ROOMY },
            Installation { tasks: 0.5, ..ROOMY },
            Installation { client_tasks: 0.5, ..ROOMY },
        ] {
            assert_ne!(ask(&[], scarce, 300, &chunks), Admission::Accepted, "{scarce:?}");
        }
        // What others have at work counts against all tasks, and not against the client's own.
        let others: Vec<_> = (0..20).map(|n| waiting("yahoo", n, 100_000, 500)).collect();
        let one = Installation { client_tasks: 1.0, ..ROOMY };
        assert_eq!(ask(&others, one, 300, &[("gmail", 500)]), Admission::Accepted);
        let own: Vec<_> = others.iter().map(|other| Waiting { own: true, ..*other }).collect();
        assert_ne!(ask(&own, one, 300, &[("gmail", 500)]), Admission::Accepted);
    }

    #[test]
    fn those_that_ask_nobody_need_the_processor_alone() {
        let busy: Vec<_> = (1..100).map(|n| waiting("gmail", n, 100_000, 500)).collect();
        let none = Installation { sessions: 0.001, ..ROOMY };
        assert_eq!(ask(&busy, none, 60, &vec![(OFFLINE, 500); 200]), Admission::Accepted);
        assert_ne!(ask(&busy, none, 60, &vec![(OFFLINE, 500); 2_000]), Admission::Accepted);
    }

    #[test]
    fn a_job_without_a_deadline_has_a_day() {
        let a_day = super::super::schedule::WINDOW.as_secs();
        assert_eq!(ask(&[], ROOMY, a_day, &vec![("gmail", 500); 1_600]), Admission::Accepted);
        assert_ne!(ask(&[], ROOMY, a_day, &vec![("gmail", 500); 1_800]), Admission::Accepted);
    }

    #[test]
    fn what_takes_longer_than_a_month_has_no_earliest_deadline() {
        let years = [("large.example", 4_000_000)];
        assert_eq!(ask(&[], ROOMY, 600, &years), Admission::Refused { earliest: None });
    }

    #[test]
    fn the_earliest_deadline_is_the_first_that_would_be_accepted() {
        let mut random = Random::new(7);
        let mut refused = 0;
        for _ in 0..300 {
            let mut number = |n: u64| i64::try_from(random.below(n)).unwrap();
            let mut backlog: Vec<_> = (0..number(12))
                .map(|_| {
                    let due = number(1_500);
                    waiting("gmail", due, due + number(600), u32::try_from(1 + number(500)).unwrap())
                })
                .collect();
            backlog.sort_by_key(|waiting| waiting.at);
            let chunks: Vec<_> =
                (0..=number(6)).map(|_| ("gmail", u32::try_from(1 + number(500)).unwrap())).collect();
            let asked = 60 + number(600);
            let Admission::Refused { earliest } = ask(&backlog, ROOMY, asked, &chunks) else { continue };
            refused += 1;
            let first = (asked..100_000)
                .find(|seconds| ask(&backlog, ROOMY, *seconds, &chunks) == Admission::Accepted);
            assert_eq!(earliest.map(Timestamp::as_second), first);
        }
        assert!(refused > 20, "{refused}");
    }
}
