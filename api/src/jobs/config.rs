//! The table `[jobs]`.

use std::time::Duration;

use serde::Deserialize;

use super::queue::QueueTerms;

/// See default.toml, where each key has its comment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobsConfig {
    #[serde(with = "humantime_serde")]
    pub(crate) window: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) retention: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) headers_retention: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) lease: Duration,
    pub(crate) attempts_max: i16,
    pub(crate) tasks_at_once: usize,
    #[serde(with = "humantime_serde")]
    pub(crate) task_max: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) poll: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_max: Duration,
}

impl JobsConfig {
    /// How the queue is worked at.
    pub(crate) fn terms(&self) -> QueueTerms {
        QueueTerms {
            lease: self.lease,
            attempts_max: self.attempts_max,
            poll: self.poll,
            at_once: self.tasks_at_once,
        }
    }
}
