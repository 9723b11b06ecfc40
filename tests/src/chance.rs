//! Chance that can be had again.

use std::{
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Numbers from a seed (`SplitMix64`).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// From `JOBS_SEED`, or the time. Prints it: a test that fails shows what it printed.
    ///
    /// # Panics
    /// When `JOBS_SEED` is no number.
    #[expect(clippy::new_without_default, reason = "it is drawn, and never the same")]
    #[expect(clippy::print_stdout, reason = "a test that fails shows what was drawn")]
    pub fn new() -> Self {
        let seed = std::env::var("JOBS_SEED").map_or_else(
            |_| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos().into()),
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
    #[expect(clippy::print_stdout, reason = "a test that fails shows what was drawn")]
    pub fn moment(&mut self, most_ms: u64) {
        let moment = self.next() % most_ms;
        println!("after {moment} ms");
        sleep(Duration::from_millis(moment));
    }
}

/// How often to kill: `JOBS_KILLS`, or as often as a test does without it.
///
/// # Panics
/// When `JOBS_KILLS` is no number.
pub fn kills(usual: u32) -> u32 {
    std::env::var("JOBS_KILLS").map_or(usual, |kills| kills.parse().expect("JOBS_KILLS is a number"))
}
