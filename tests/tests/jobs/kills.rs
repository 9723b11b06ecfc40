//! Processes that are killed.

use mailsonde_tests::{
    chance::{Chance, kills},
    site::{Site, jobs::addresses},
};

/// Each kill is a failure of what was at work: more of them than a chunk may have otherwise.
const MANY_ATTEMPTS: [(&str, &str); 2] =
    [("MAILSONDE_JOBS__ATTEMPTS_MAX", "100"), ("MAILSONDE_JOBS__TASKS_AT_ONCE", "4")];

#[test]
fn twenty_kills_lose_nothing_and_double_nothing() {
    let mut chance = Chance::new();
    let site = Site::new(&MANY_ATTEMPTS);
    let inputs = addresses(100_000);
    let (mut killed, mut hit, mut jobs, wanted) = (0, 0, 0, kills(20));
    while killed < wanted {
        let job = site.submit(&inputs, &["--offline"]);
        while killed < wanted
            && let Some(worker) = site.worker_at(&job)
        {
            chance.moment(300);
            worker.kill();
            killed += 1;
            hit += u32::from(
                site.query("select count(*) from task where kind = 'chunk' and state = 'running'") != "0",
            );
        }
        let _worker = site.worker();
        site.wait_for(&job, "completed");
        site.is_done(&job, &inputs);
        jobs += 1;
    }
    println!(
        "{killed} kills, {hit} of them in the middle of chunks, {jobs} jobs of {} addresses",
        inputs.len()
    );
    assert!(hit * 2 > killed, "{hit} of {killed} kills were in the middle of it");
    site.keeps_secrets();
}

#[test]
fn three_processes_of_which_one_is_killed_at_a_time() {
    let mut chance = Chance::new();
    let site = Site::new(&MANY_ATTEMPTS);
    let inputs = addresses(50_000);
    let mut killed = 0;
    while killed < 5 {
        let job = site.submit(&inputs, &["--offline"]);
        let mut workers: Vec<_> = (0..3).map_while(|_| site.worker_at(&job)).collect();
        while killed < 5
            && let Some(next) = site.worker_at(&job)
        {
            workers.push(next);
            chance.moment(300);
            workers.remove(0).kill();
            killed += 1;
        }
        site.wait_for(&job, "completed");
        site.is_done(&job, &inputs);
    }
    site.keeps_secrets();
}
