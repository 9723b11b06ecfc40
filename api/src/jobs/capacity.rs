//! What this installation can do: from the configuration, and from what was learned of operators.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use mailsonde_builtin::smtp_probe;
use mailsonde_config::Settings;
use mailsonde_net::SmtpConfig;

use super::{
    config::JobsConfig,
    plan::{
        admission::Installation,
        capacity::{Capacities, Capacity, Memory},
        cut::{MIXED, OFFLINE},
    },
};
use crate::{assembly::SMTP_PROBE, store::capacity::CapacityRow};

/// The hosts of a domain of nobody known, as the store names them all. Has no dot, so it is no domain itself.
pub(super) const DOMAIN: &str = "domain";

/// Recipients that a session asks about in a second where nothing is known yet: five round trips of 50 ms for a window of
/// nine, and a host that takes its time.
const RECIPIENTS_PER_SESSION_SECOND: f64 = 5.0;

/// The share of recipients that is asked about twice where nothing is known yet: greylisting is rare at operators, and
/// common at domains that run their own mail hosts.
const AGAIN_AT_OPERATORS: f64 = 0.02;
const AGAIN_ELSEWHERE: f64 = 0.15;

/// Addresses that a process verifies in a second without asking anybody: a tenth of what a core does.
const OFFLINE_PER_SECOND: f64 = 20_000.0;

/// What there is to plan with.
#[derive(Clone)]
pub(crate) struct Site {
    capacities: Capacities,
    pub(super) greylist_wait: SignedDuration,
    sessions: usize,
    tasks: usize,
}

impl Site {
    /// As configured.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub(crate) fn new(settings: &Settings, jobs: &JobsConfig) -> Result<Self> {
        let smtp: SmtpConfig = settings.section("smtp")?;
        let probe: smtp_probe::Config = settings.stage(SMTP_PROBE)?.options()?;
        let limit = |per_minute: usize| (per_minute > 0).then_some(to_f64(per_minute));
        let capacity = |sessions: usize, per_minute: usize, again: f64| {
            let mut capacity = Capacity::assumed(to_f64(sessions), RECIPIENTS_PER_SESSION_SECOND, again);
            capacity.per_minute = limit(per_minute);
            capacity
        };
        let general = smtp.recipients_per_minute;
        let of_operator = |sessions| capacity(sessions, general, AGAIN_AT_OPERATORS);
        let own = smtp.operator.iter().map(|(id, own)| {
            let sessions = own.sessions_max.unwrap_or(smtp.sessions_per_operator_max);
            let per_minute = own.recipients_per_minute.unwrap_or(general);
            (id.as_str().into(), capacity(sessions, per_minute, AGAIN_AT_OPERATORS))
        });
        let capacities = Capacities {
            operators: own.collect(),
            domain: capacity(smtp.sessions_per_mx_max, general, AGAIN_ELSEWHERE),
            operator: of_operator(smtp.sessions_per_operator_max),
        };
        // Many small domains are limited by nothing but the process's own sessions.
        let mixed = capacity(smtp.sessions_max, 0, AGAIN_ELSEWHERE);
        Ok(Self {
            capacities: capacities.with(mixed, OFFLINE_PER_SECOND),
            greylist_wait: SignedDuration::try_from(probe.greylist_wait).unwrap_or(SignedDuration::MAX),
            sessions: smtp.sessions_max,
            tasks: jobs.tasks_at_once,
        })
    }

    /// What was configured, and what was heard since, with so many processes at work: of what is limited by nothing but
    /// the process's own means, each has as much.
    pub(super) fn heard(&self, heard: &[(String, CapacityRow)], workers: usize) -> Capacities {
        let mut capacities = self.capacities.clone();
        for (operator, heard) in heard {
            let capacity = self.of(operator).clone().remembering(of_store(*heard));
            if operator == DOMAIN {
                capacities.domain = capacity;
            } else {
                capacities.operators.insert(operator.as_str().into(), capacity);
            }
        }
        for of_each in [MIXED, OFFLINE] {
            if let Some(capacity) = capacities.operators.get_mut(of_each) {
                capacity.sessions *= to_f64(workers.max(1));
            }
        }
        capacities
    }

    /// What is assumed of an operator, of [`DOMAIN`] or of [`MIXED`].
    pub(super) fn of(&self, operator: &str) -> &Capacity {
        if operator == DOMAIN { &self.capacities.domain } else { self.capacities.of(operator) }
    }

    /// What is shared by all operators, with so many processes at work. A job that comes before the first worker counts on
    /// one.
    pub(super) fn installation(&self, workers: usize, client_tasks: usize) -> Installation {
        let workers = workers.max(1);
        Installation {
            sessions: to_f64(workers * self.sessions),
            tasks: to_f64(workers * self.tasks),
            client_tasks: to_f64(client_tasks),
        }
    }
}

/// As the plan has it.
pub(super) fn of_store(heard: CapacityRow) -> Memory {
    let CapacityRow { usual, lately, again, heard_seconds, heard_at, slow_since } = heard;
    Memory { usual, lately, again, heard_seconds, heard_at: Some(heard_at), slow_since }
}

/// As the store has it; heard of by this moment at the latest.
pub(super) fn to_store(memory: Memory, now: Timestamp) -> CapacityRow {
    let Memory { usual, lately, again, heard_seconds, heard_at, slow_since } = memory;
    CapacityRow { usual, lately, again, heard_seconds, heard_at: heard_at.unwrap_or(now), slow_since }
}

/// Limits are small numbers.
#[allow(clippy::cast_precision_loss)]
fn to_f64(limit: usize) -> f64 {
    limit as f64
}
