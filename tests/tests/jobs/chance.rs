//! Chance that can be had again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Numbers from a seed (`SplitMix64`).
pub(crate) struct Chance(u64);

impl Chance {
    /// From `JOBS_SEED`, or the time. Prints it: a test that fails shows what it printed.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("JOBS_SEED").map_or_else(
            |_| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()),
            |seed| seed.parse().expect("JOBS_SEED is a number"),
        );
        println!("JOBS_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Lets a moment pass, of at most so many milliseconds. Nothing is waited for: it is a random moment that is wanted.
    pub(crate) fn moment(&mut self, most_ms: u64) {
        let moment = self.next() % most_ms;
        println!("after {moment} ms");
        std::thread::sleep(Duration::from_millis(moment));
    }
}

/// How often to kill: `JOBS_KILLS`, or as often as a test does without it.
pub(crate) fn kills(usual: u32) -> u32 {
    std::env::var("JOBS_KILLS").map_or(usual, |kills| kills.parse().expect("JOBS_KILLS is a number"))
}
