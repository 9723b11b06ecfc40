//! One day, second by second.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    load::{Arrival, DAY, Scenario, second},
    options::Options,
    queue::{Queue, Task},
    random::Random,
};
use crate::jobs::plan::{
    admission::{Admission, Demand, Installation, Load, Waiting, admit},
    capacity::{Capacities, Heard},
    schedule::share,
};

/// Seconds between two moments at which the plan hears of operators.
const OBSERVED_EVERY: i64 = 10;

const NOTHING: Heard = Heard { asks: 0.0, again: 0.0, session_seconds: 0.0 };

/// What became of a job; the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Refused,
    /// Every item was answered in time, and greylisted ones asked about again.
    Kept,
    /// Every item was answered in time, but greylisted ones not asked about again, for which its window had time.
    Hurried,
    /// Items had no answer at the deadline.
    Missed,
}

/// What became of a day.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Of each arrival.
    pub(super) fates: Vec<Fate>,
    /// Seconds that sessions were busy, from 9 to 17 o'clock and in the whole day.
    pub(super) busy_at_peak: f64,
    pub(super) busy: f64,
    /// Items that got an answer.
    pub(super) items: u64,
}

/// Lives through the day. One job may be accepted whatever admission says.
pub(super) fn live(scenario: &Scenario, forced: Option<usize>) -> Outcome {
    let mut day = Day::new(scenario, forced);
    let mut now = 0;
    while now < DAY || day.open_jobs() {
        day.tick(now);
        now += 1;
    }
    day.outcome
}

struct Job {
    open: usize,
    hurried: bool,
    tasks: Vec<usize>,
}

struct Day<'a> {
    scenario: &'a Scenario,
    options: &'a Options,
    forced: Option<usize>,
    capacities: Capacities,
    /// What was observed of operators since the plan last heard of it, by their numbers.
    observed: BTreeMap<usize, Heard>,
    queue: Queue,
    tasks: Vec<Task>,
    /// Tasks that are not done, in order.
    live: BTreeSet<(Timestamp, usize)>,
    /// By worker.
    running: Vec<Vec<usize>>,
    /// Until when a worker is down.
    down: Vec<i64>,
    client_tasks: Vec<usize>,
    jobs: BTreeMap<usize, Job>,
    deadlines: BTreeSet<(Timestamp, usize)>,
    claims: u64,
    arrived: usize,
    crashed: usize,
    outcome: Outcome,
}

impl<'a> Day<'a> {
    fn new(scenario: &'a Scenario, forced: Option<usize>) -> Self {
        let options = &scenario.options;
        let fates = vec![Fate::Refused; scenario.arrivals.len()];
        Self {
            scenario,
            options,
            forced,
            capacities: scenario.world.capacities(),
            observed: BTreeMap::new(),
            queue: Queue::new(options.population.clients),
            tasks: Vec::new(),
            live: BTreeSet::new(),
            running: vec![Vec::new(); options.site.workers],
            down: vec![0; options.site.workers],
            client_tasks: vec![0; options.population.clients],
            jobs: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            claims: 0,
            arrived: 0,
            crashed: 0,
            outcome: Outcome { fates, busy_at_peak: 0.0, busy: 0.0, items: 0 },
        }
    }

    fn open_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    fn tick(&mut self, now: i64) {
        self.close(now);
        self.crash(now);
        for id in self.queue.due(now) {
            if !self.tasks[id].done {
                self.queue.push(id, &self.tasks[id]);
            }
        }
        while let Some(arrival) = self.scenario.arrivals.get(self.arrived).filter(|a| a.at <= now) {
            self.submit(self.arrived, arrival, now);
            self.arrived += 1;
        }
        self.claim(now);
        self.work(now);
        if now % OBSERVED_EVERY == 0 {
            self.observe(now);
        }
    }

    /// The plan hears what was observed of operators.
    fn observe(&mut self, now: i64) {
        for (number, heard) in std::mem::take(&mut self.observed) {
            let id = &self.scenario.world.operators[number].id;
            if let Some(capacity) = self.capacities.operators.get_mut(id) {
                capacity.hear(second(now), heard);
            }
        }
    }

    /// Jobs whose deadline has come end with what they have.
    fn close(&mut self, now: i64) {
        while let Some((deadline, number)) = self.deadlines.first().copied() {
            if deadline > second(now) {
                break;
            }
            self.deadlines.pop_first();
            let Some(job) = self.jobs.remove(&number) else { continue };
            let unanswered = job.tasks.iter().any(|id| self.tasks[*id].round == 0 && !self.tasks[*id].done);
            self.outcome.fates[number] = if unanswered { Fate::Missed } else { Fate::Hurried };
            for id in job.tasks {
                self.end(id);
            }
        }
    }

    /// A task is over, wherever it is.
    fn end(&mut self, id: usize) {
        let task = &mut self.tasks[id];
        if std::mem::replace(&mut task.done, true) {
            return;
        }
        self.live.remove(&(task.at, id));
        self.queue.remove(id, &self.tasks[id]);
        self.stop(id);
    }

    /// A task runs no longer.
    fn stop(&mut self, id: usize) {
        for running in &mut self.running {
            if let Some(place) = running.iter().position(|other| *other == id) {
                running.remove(place);
                self.client_tasks[self.tasks[id].client] -= 1;
            }
        }
    }

    /// What a crashed worker had begun is begun again when its lease has run out.
    fn crash(&mut self, now: i64) {
        while let Some((_, worker)) =
            self.scenario.world.crashes.get(self.crashed).filter(|(at, _)| *at <= now)
        {
            self.crashed += 1;
            self.down[*worker] = now + self.options.faults.restart_seconds;
            for id in std::mem::take(&mut self.running[*worker]) {
                let task = &mut self.tasks[id];
                task.left = f64::from(task.items);
                self.client_tasks[task.client] -= 1;
                self.queue.push_later(id, now + self.options.faults.lease_seconds);
            }
        }
    }

    fn submit(&mut self, number: usize, arrival: &Arrival, now: i64) {
        if !self.admits(arrival, now) && self.forced != Some(number) {
            return;
        }
        let mut totals: BTreeMap<usize, u32> = BTreeMap::new();
        arrival.chunks.iter().for_each(|(operator, _)| *totals.entry(*operator).or_default() += 1);
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        self.jobs.insert(number, Job { open: 0, hurried: false, tasks: Vec::new() });
        self.deadlines.insert((arrival.window.deadline, number));
        for (chunk, (operator, items)) in arrival.chunks.iter().enumerate() {
            let (i, n) = (counts.entry(*operator).or_default(), totals[operator]);
            let at = arrival.window.due(share(*i, n, *items));
            *i += 1;
            let task = Task {
                job: number,
                chunk,
                client: arrival.client,
                operator: *operator,
                at,
                latest: arrival.window.latest(),
                round: 0,
                items: *items,
                left: f64::from(*items),
                claimed: 0,
                done: false,
            };
            let id = self.add(task);
            self.queue.push(id, &self.tasks[id]);
        }
    }

    fn add(&mut self, task: Task) -> usize {
        let id = self.tasks.len();
        self.live.insert((task.at, id));
        if let Some(job) = self.jobs.get_mut(&task.job) {
            job.open += 1;
            job.tasks.push(id);
        }
        self.tasks.push(task);
        id
    }

    fn admits(&self, arrival: &Arrival, now: i64) -> bool {
        let name = |operator: usize| &*self.scenario.world.operators[operator].id;
        let waiting = |(_, id): &(Timestamp, usize)| {
            let task = &self.tasks[*id];
            let (operator, own) = (name(task.operator), task.client == arrival.client);
            Waiting { operator, own, at: task.at, latest: task.latest, asks: whole(task.left.ceil()) }
        };
        // What runs stands first.
        let running: BTreeSet<_> = self.running.iter().flatten().copied().collect();
        let first = running.iter().map(|id| Waiting { at: second(now), ..waiting(&(second(now), *id)) });
        let behind = self.live.iter().filter(|(_, id)| !running.contains(id)).map(waiting);
        let mut waiting: Vec<_> = first.chain(behind).collect();
        waiting.sort_by_key(|waiting| waiting.at);
        let chunks: Vec<_> =
            arrival.chunks.iter().map(|(operator, items)| (name(*operator), *items)).collect();
        let site = &self.options.site;
        let installation = Installation {
            sessions: site.sessions,
            tasks: tasks(site.workers * site.tasks_per_worker),
            client_tasks: tasks(site.tasks_per_client),
        };
        let load = Load { now: second(now), capacities: &self.capacities, installation, waiting: &waiting };
        let demand = Demand { window: arrival.window, chunks: &chunks };
        admit(&load, &demand) == Admission::Accepted
    }

    /// Gives tasks to workers that have room, as long as their operators have sessions.
    fn claim(&mut self, now: i64) {
        let site = &self.options.site;
        let mut wanted: BTreeMap<usize, f64> = BTreeMap::new();
        for id in self.running.iter().flatten() {
            let task = &self.tasks[*id];
            *wanted.entry(task.operator).or_default() += self.wanted(task);
        }
        let mut total: f64 = wanted.values().sum();
        loop {
            let free = |worker: &usize| site.tasks_per_worker.saturating_sub(self.running[*worker].len());
            let up = (0..site.workers).filter(|worker| self.down[*worker] <= now && free(worker) > 0);
            let Some(worker) = up.max_by_key(free) else { return };
            let may = |client: usize| self.client_tasks[client] < site.tasks_per_client;
            let Some(id) = self.queue.next(now, may) else { return };
            let task = &self.tasks[id];
            let (operator, want) = (task.operator, self.wanted(task));
            let at_operator = wanted.entry(operator).or_default();
            if *at_operator >= self.scenario.world.operators[operator].sessions || total >= site.sessions {
                self.queue.snooze(operator, now + self.options.faults.snooze_seconds);
                continue;
            }
            *at_operator += want;
            total += want;
            self.queue.remove(id, &self.tasks[id]);
            self.client_tasks[self.tasks[id].client] += 1;
            self.running[worker].push(id);
            self.claims += 1;
            self.tasks[id].claimed = self.claims;
        }
    }

    fn wanted(&self, task: &Task) -> f64 {
        self.scenario.world.operators[task.operator].wanted(task.left)
    }

    /// A second of work: whoever was claimed first has as many sessions as it can use, the next what is left.
    fn work(&mut self, now: i64) {
        let world = &self.scenario.world;
        let mut running: Vec<_> = self.running.iter().flatten().copied().collect();
        running.sort_by_key(|id| self.tasks[*id].claimed);
        let mut left: BTreeMap<usize, f64> = BTreeMap::new();
        let mut left_of_all = self.options.site.sessions;
        for id in running {
            let number = self.tasks[id].operator;
            let operator = &world.operators[number];
            let left = left.entry(number).or_insert(operator.sessions);
            let sessions = self.wanted(&self.tasks[id]).min(*left).min(left_of_all);
            *left -= sessions;
            left_of_all -= sessions;
            let task = &mut self.tasks[id];
            let asks = sessions * operator.rate(now);
            task.left -= asks;
            let observed = self.observed.entry(number).or_insert(NOTHING);
            observed.asks += asks;
            observed.session_seconds += sessions;
            if task.left <= 0.0 {
                self.finish(id, now + 1);
            }
        }
        let busy = self.options.site.sessions - left_of_all;
        self.outcome.busy += busy;
        if (9 * 3600..17 * 3600).contains(&now) {
            self.outcome.busy_at_peak += busy;
        }
    }

    fn finish(&mut self, id: usize, now: i64) {
        self.end(id);
        let task = self.tasks[id].clone();
        let operator = &self.scenario.world.operators[task.operator];
        let seed = (task.job as u64) << 40 | (task.chunk as u64) << 8 | u64::from(task.round);
        let mut random = Random::new(self.options.seed ^ seed);
        let faults = &self.options.faults;
        let share = if task.round == 0 { operator.greylisted } else { faults.greylisted_again };
        let again = (f64::from(task.items) * share + random.share()).floor();
        // What was greylisted again is in the share already.
        self.observed.entry(task.operator).or_insert(NOTHING).again += again;
        self.outcome.items += u64::from(task.items);
        let wait = random.between(faults.greylist_wait.0, faults.greylist_wait.1);
        self.ask_again(&task, whole(again), wait, now);
        let Some(job) = self.jobs.get_mut(&task.job) else { return };
        job.open -= 1;
        if job.open == 0 {
            self.outcome.fates[task.job] = if job.hurried { Fate::Hurried } else { Fate::Kept };
            self.jobs.remove(&task.job);
        }
    }

    fn ask_again(&mut self, task: &Task, items: u32, wait: f64, now: i64) {
        let window = self.scenario.arrivals[task.job].window;
        let again = window.again(second(now), SignedDuration::from_secs_f64(wait.round()));
        if items == 0 {
            return;
        }
        let Some(again) = again else {
            let job = self.jobs.get_mut(&task.job).filter(|_| task.round == 0 && window.has_second_round());
            if let Some(job) = job {
                job.hurried = true;
            }
            return;
        };
        let id = self.add(Task {
            at: again.at,
            latest: window.deadline,
            round: task.round + 1,
            items,
            left: f64::from(items),
            done: false,
            ..task.clone()
        });
        self.queue.push_later(id, again.due.duration_since(second(0)).as_secs());
    }
}

/// A number of tasks, which are few.
#[allow(clippy::cast_precision_loss)]
fn tasks(count: usize) -> f64 {
    count as f64
}

/// A number of items, which are few and not below none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(items: f64) -> u32 {
    items as u32
}
