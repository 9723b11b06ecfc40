//! The table `[relentless]`.

use std::{num::NonZeroUsize, time::Duration};

use mailsonde_config::{ConfigError, Settings};
use serde::Deserialize;

use crate::{
    facade::relentless::{terms::Prices, words::CatchAllPolicy},
    store::relentless::Limits,
};

/// Clients of the product hold whole numbers in 32 bits: no price, no count and no sum of them is greater.
pub(super) const WHOLE_MAX: i64 = i32::MAX as i64;

/// Items that a job may have at most, whatever is configured: its body is read as a whole.
const JOBS_MAX: usize = 10_000;

/// A hundred years, in which nobody asks for what was.
const DAYS_MAX: u32 = 36_500;

/// Days of the longest month.
const MONTH_DAYS: u32 = 31;

/// See default.toml, where each key has its comment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelentlessConfig {
    pub(super) sync_capacity: NonZeroUsize,
    pub(super) history_days: u32,
    pub(super) deadline: Deadline,
    pub(super) catchall_policy: CatchAllPolicy,
    pub(super) jobs_max: NonZeroUsize,
    pub(super) items_days: u32,
    pub(super) headers_days: u32,
    pub(super) billing: bool,
    pub(super) free_window_hours: u32,
    pub(super) free_window_limit: u32,
    pub(super) free_weekly_limit: u32,
    pub(super) cycle_value_micros: u32,
    pub(super) price_micros: Prices,
}

/// Whether jobs must have a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Deadline {
    Required,
    Optional,
}

impl RelentlessConfig {
    /// The table of these settings.
    ///
    /// # Errors
    /// A value that clients could not be told, or with which nobody could be served.
    pub(crate) fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let config: Self = settings.section("relentless")?;
        let wrong = |key: &str, why: String| Err(settings.invalid(&format!("relentless.{key}"), why));
        if config.jobs_max.get() > JOBS_MAX {
            return wrong("jobs_max", format!("{JOBS_MAX} at most"));
        }
        let items = i64::try_from(config.jobs_max.get()).unwrap_or(WHOLE_MAX);
        if i64::from(config.price_micros.highest()) * items > WHOLE_MAX {
            return wrong("price_micros", format!("the price of {items} items must not exceed {WHOLE_MAX}"));
        }
        for (key, days) in [
            ("history_days", config.history_days),
            ("items_days", config.items_days),
            ("headers_days", config.headers_days),
        ] {
            if !(1..=DAYS_MAX).contains(&days) {
                return wrong(key, format!("1 to {DAYS_MAX} days"));
            }
        }
        for (key, days) in [("history_days", config.history_days), ("headers_days", config.headers_days)] {
            if config.billing && days < MONTH_DAYS {
                return wrong(key, format!("{MONTH_DAYS} at least, where clients are billed by the month"));
            }
        }
        if !(1..=24 * 7).contains(&config.free_window_hours) {
            return wrong("free_window_hours", "1 to 168 hours".to_owned());
        }
        for (key, limit) in [
            ("free_window_limit", config.free_window_limit),
            ("free_weekly_limit", config.free_weekly_limit),
            ("cycle_value_micros", config.cycle_value_micros),
        ] {
            if i64::from(limit) > WHOLE_MAX {
                return wrong(key, format!("{WHOLE_MAX} at most"));
            }
        }
        Ok(config)
    }

    /// What a client may use; nobody is stopped where nobody is billed.
    pub(super) fn limits(&self) -> Option<Limits> {
        self.billing.then(|| Limits {
            window_hours: self.free_window_hours,
            in_window: self.free_window_limit.into(),
            in_week: self.free_weekly_limit.into(),
            in_cycle: Some(i64::from(self.cycle_value_micros)).filter(|value| *value > 0),
        })
    }

    /// How long requests are known that were answered at once.
    pub(super) fn history(&self) -> Duration {
        days(self.history_days)
    }

    /// How long it is known after its deadline that there was a job.
    pub(super) fn headers(&self) -> Duration {
        days(self.headers_days)
    }

    /// How long items of jobs are kept after the job's end.
    pub(super) fn items(&self) -> Duration {
        days(self.items_days)
    }
}

fn days(days: u32) -> Duration {
    Duration::from_hours(24) * days
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<RelentlessConfig, ConfigError> {
        RelentlessConfig::load(&format!("[relentless]\n{text}").parse().unwrap())
    }

    #[test]
    fn the_defaults_demand_a_deadline_and_bill_nobody() {
        let config = load("").unwrap();
        assert_eq!((config.deadline, config.billing), (Deadline::Required, false));
        assert_eq!(config.catchall_policy, CatchAllPolicy::Review);
        assert_eq!(config.price_micros.highest(), 0);
    }

    #[test]
    fn what_is_billed_by_the_month_is_known_for_a_month() {
        for key in ["history_days", "headers_days"] {
            assert!(load(&format!("{key} = 30")).is_ok(), "{key}");
            assert!(load(&format!("billing = true\n{key} = 30")).is_err(), "{key}");
            assert!(load(&format!("billing = true\n{key} = 31")).is_ok(), "{key}");
        }
    }

    #[test]
    fn no_sum_is_greater_than_clients_can_hold() {
        assert!(load("jobs_max = 10001").is_err());
        assert!(load("price_micros.probe = 214748").is_ok());
        assert!(load("price_micros.finder_deliverable = 214749").is_err());
        assert!(load("jobs_max = 100\nprice_micros.probe = 21474836").is_ok());
        assert!(load("free_weekly_limit = 2147483648").is_err());
        assert!(load("history_days = 0").is_err() && load("free_window_hours = 169").is_err());
    }
}
