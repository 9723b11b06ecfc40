//! The queue, as far as order matters: earliest virtual deadline first, not before a task is due, with a cap of running
//! tasks for each client; an operator that has no session left lets its tasks wait for a snooze.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use jiff::Timestamp;

/// A chunk that is to be worked at.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) job: usize,
    /// The number of its chunk in the job, by which its chances are drawn.
    pub(super) chunk: usize,
    pub(super) client: usize,
    pub(super) operator: usize,
    pub(super) at: Timestamp,
    pub(super) latest: Timestamp,
    pub(super) round: u32,
    pub(super) items: u32,
    /// Items without an answer.
    pub(super) left: f64,
    /// Counts up with each claim.
    pub(super) claimed: u64,
    pub(super) done: bool,
}

type Line = BTreeSet<(Timestamp, usize)>;

/// Tasks that do not run.
#[derive(Debug)]
pub(super) struct Queue {
    /// By operator and client.
    ready: BTreeMap<usize, Vec<Line>>,
    later: BinaryHeap<Reverse<(i64, usize)>>,
    /// Until when an operator's tasks wait.
    snoozes: BTreeMap<usize, i64>,
    clients: usize,
}

impl Queue {
    pub(super) fn new(clients: usize) -> Self {
        Self { ready: BTreeMap::new(), later: BinaryHeap::new(), snoozes: BTreeMap::new(), clients }
    }

    pub(super) fn push(&mut self, id: usize, task: &Task) {
        let lines = self.ready.entry(task.operator).or_insert_with(|| vec![Line::new(); self.clients]);
        lines[task.client].insert((task.at, id));
    }

    pub(super) fn push_later(&mut self, id: usize, due: i64) {
        self.later.push(Reverse((due, id)));
    }

    /// Tasks that have become due.
    pub(super) fn due(&mut self, now: i64) -> Vec<usize> {
        let mut due = Vec::new();
        while self.later.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            due.extend(self.later.pop().map(|Reverse((_, id))| id));
        }
        due
    }

    pub(super) fn remove(&mut self, id: usize, task: &Task) {
        if let Some(lines) = self.ready.get_mut(&task.operator) {
            lines[task.client].remove(&(task.at, id));
            if lines.iter().all(Line::is_empty) {
                self.ready.remove(&task.operator);
            }
        }
    }

    pub(super) fn snooze(&mut self, operator: usize, until: i64) {
        self.snoozes.insert(operator, until);
    }

    /// The next task, of a client who may have one more.
    pub(super) fn next(&self, now: i64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let awake = |operator: &usize| self.snoozes.get(operator).is_none_or(|until| *until <= now);
        let lines = self.ready.iter().filter(|(operator, _)| awake(operator));
        let heads = lines.flat_map(|(_, lines)| {
            let allowed = lines.iter().enumerate().filter(|(client, _)| may(*client));
            allowed.filter_map(|(_, line)| line.first())
        });
        heads.min().map(|(_, id)| *id)
    }
}
