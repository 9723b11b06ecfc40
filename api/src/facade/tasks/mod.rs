//! Objects of the tasks product, in the order of their keys. A task is a job, and a task's job is one of its rows.

pub(crate) mod completed;
pub(crate) mod credits;
pub(crate) mod each;
pub(crate) mod email;
pub(crate) mod metrics;
pub(crate) mod sheet;
pub(crate) mod task;

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::{access::Facade, words::TasksVocabulary};

/// The word by which jobs are known that came by it.
pub(crate) const WORD: &str = Facade::Tasks.word();

/// What a task is made from, as the product calls those who come with a key.
pub(crate) const SOURCE: &str = "api_key";

/// The table `[tasks]`; see default.toml, where each key has its comment.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TasksConfig {
    pub(crate) vocabulary: TasksVocabulary,
    #[serde(with = "humantime_serde")]
    pub(crate) retention: Duration,
    pub(crate) webhook_each: bool,
}

/// A moment as its clients read it: whole seconds, UTC.
pub(crate) fn moment(moment: Timestamp) -> String {
    format!("{moment:.0}")
}
