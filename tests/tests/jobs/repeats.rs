//! How often mail servers are asked about somebody when processes are killed.

use std::collections::{BTreeMap, BTreeSet};

use mailsonde_lab::Net;
use mailsonde_tests::{
    chance::{Chance, kills},
    site::{
        Site,
        mail::{self, MANY_SESSIONS, slow},
    },
};

/// Few enough that most of them are in flight at some kill.
const ADDRESSES: usize = 60;

/// From one kill to the next nobody is asked about twice, and nobody at all who has a verdict: so a kill costs one more
/// question for each who was in flight, which is who was asked about and has no verdict yet.
#[test]
fn a_kill_costs_one_repeated_question_for_each_that_was_in_flight() {
    let mut chance = Chance::new();
    let net = slow("50ms");
    let many_attempts = ("MAILSONDE_JOBS__ATTEMPTS_MAX", "1000");
    let site = Site::among(&net, &[&MANY_SESSIONS[..], &[many_attempts]].concat());
    let inputs = mail::addresses(ADDRESSES);
    let (mut killed, mut jobs, wanted) = (0, 0, kills(5));
    while killed < wanted {
        let job = site.submit(&inputs, &["--deadline", "1h"]);
        let mut questions = Questions { net: &net, before: mail::asked_about(&net), known: BTreeSet::new() };
        while killed < wanted
            && let Some(worker) = site.worker_at(&job)
        {
            chance.moment(2_500);
            worker.kill();
            killed += 1;
            mail::wait_until_alone(&net);
            questions.were_asked_once();
            questions.known = verdicts(&site, &job);
        }
        let _worker = site.worker();
        site.wait_for(&job, "completed");
        questions.were_asked_once();
        site.is_done(&job, &inputs);
        jobs += 1;
    }
    let of_inputs = mail::asked_about(&net).into_iter().filter(|(address, _)| inputs.contains(address));
    let asked: u64 = of_inputs.map(|(_, times)| times).sum();
    println!("{killed} kills, {jobs} jobs of {ADDRESSES} addresses, {asked} questions about them");
    site.keeps_secrets();
}

/// Who has a verdict by now.
fn verdicts(site: &Site, job: &str) -> BTreeSet<String> {
    site.results(job).iter().map(|result| result["email"].as_str().unwrap().to_owned()).collect()
}

/// What the server is asked from one kill to the next.
struct Questions<'a> {
    net: &'a Net,
    /// How often each was asked about when the last one was killed.
    before: BTreeMap<String, u64>,
    /// Who had a verdict then.
    known: BTreeSet<String>,
}

impl Questions<'_> {
    fn were_asked_once(&mut self) {
        let after = mail::asked_about(self.net);
        for (address, times) in &after {
            let times = times - self.before.get(address).copied().unwrap_or_default();
            let at_most = u64::from(!self.known.contains(address));
            assert!(times <= at_most, "{times} times, not {at_most}");
        }
        self.before = after;
    }
}
