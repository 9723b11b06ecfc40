//! When a message is tried again: the table of the Standard Webhooks specification. It is the schedule's own, and has
//! nothing to do with the attempts of the queue, which counts faults of ours.

use std::time::Duration;

use chacha20poly1305::aead::{OsRng, rand_core::RngCore as _};

/// From one failure to the next try. The first try is at once; after the last of these there is no other: some 76 hours.
const WAITS: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// By how much a wait may be shorter or longer, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// The longest wait that a receiver may ask for.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// How long to wait when so many tries have failed, the last one included; none: it was the last. `asked`: how long the
/// receiver wants to be left alone (`Retry-After`).
pub(super) fn wait_after(failures: usize, asked: Option<Duration>) -> Option<Duration> {
    wait_with(failures, asked, chance())
}

/// `chance`: from 0 to 1.
fn wait_with(failures: usize, asked: Option<Duration>, chance: f64) -> Option<Duration> {
    let wait = WAITS.get(failures.checked_sub(1)?)?.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance);
    Some(asked.map_or(wait, |asked| wait.max(asked.min(RETRY_AFTER_MAX))))
}

fn chance() -> f64 {
    f64::from(OsRng.next_u32()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_table_has_it_and_within_a_fifth() {
        let seconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (failures, seconds) in (1..).zip(seconds) {
            let wait = |chance| wait_with(failures, None, chance).unwrap().as_secs_f64();
            let expected = f64::from(seconds);
            for (chance, factor) in [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)] {
                assert!((wait(chance) - expected * factor).abs() < 1e-6, "{failures}: {}", wait(chance));
            }
            let drawn = wait_after(failures, None).unwrap().as_secs_f64();
            assert!((0.8..=1.2).contains(&(drawn / expected)), "{failures}: {drawn}");
        }
        assert_eq!(wait_after(10, None), None);
        assert_eq!(wait_after(0, None), None);
        let hours: f64 =
            (1..10).map(|failures| wait_with(failures, None, 0.5).unwrap().as_secs_f64() / 3600.0).sum();
        assert!((75.5..76.0).contains(&hours), "{hours}");
    }

    #[test]
    fn a_receiver_may_ask_for_more_but_not_for_less_and_for_a_day_at_most() {
        let wait =
            |failures, asked| wait_with(failures, Some(Duration::from_secs(asked)), 0.5).unwrap().as_secs();
        assert_eq!([wait(1, 0), wait(1, 4), wait(1, 120), wait(2, 120)], [5, 5, 120, 300]);
        assert_eq!(wait(1, 1_000_000), 86_400);
        assert_eq!(wait_with(10, Some(Duration::from_secs(1)), 0.5), None);
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let waits: Vec<Duration> = (0..8).filter_map(|_| wait_after(9, None)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
