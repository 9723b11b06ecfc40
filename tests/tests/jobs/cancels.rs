//! Jobs that are canceled, paused and resumed while they are at work.

use std::time::{Duration, Instant};

use mailsonde_tests::{
    chance::Chance,
    site::{
        LIMIT, Site,
        jobs::addresses,
        mail::{self, slow},
    },
};

#[test]
fn a_canceled_job_keeps_what_it_has_and_gets_no_more() {
    let mut chance = Chance::new();
    let site = Site::new(&[("MAILSONDE_JOBS__TASKS_AT_ONCE", "4")]);
    site.brake();
    let inputs = addresses(25_000);
    let worker = site.worker();
    let mut ended = Vec::new();
    for _ in 0..10 {
        let job = site.submit(&inputs, &["--offline"]);
        site.wait_until_at_work();
        chance.moment(500);
        let run = site.run(&["job", "cancel", &job]);
        assert!(run.status.success(), "{}", run.stderr);
        let written = format!("select count(*), coalesce(sum(final), 0) from part where job = '{job}'");
        ended.push((job, site.query(&written), written));
    }
    // Whatever was at work is done with.
    assert!(worker.terminate(LIMIT).success());
    for (job, before, written) in ended {
        let results = site.is_whole(&job, "canceled", &inputs);
        assert_eq!(site.query(&written), before, "nothing was written after the end");
        let canceled = results.iter().filter(|result| result["reason"] == "canceled");
        let known = site.query(&format!("select coalesce(sum(final), 0) from part where job = '{job}'"));
        println!("{known} were known");
        assert_eq!((inputs.len() - canceled.count()).to_string(), known);
        assert!(known != inputs.len().to_string(), "it was canceled before its end");
    }
    site.keeps_secrets();
}

#[test]
fn a_paused_job_stops_at_once_and_ends_when_it_is_resumed() {
    let net = slow("150ms");
    let site = Site::among(&net, &[("MAILSONDE_JOBS__LEASE", "20s")]);
    let inputs = mail::addresses(100);
    let job = site.submit(&inputs, &[]);
    let _worker = site.worker_at_work();
    let paused = Instant::now();
    assert!(site.run(&["job", "pause", &job]).status.success());
    site.wait("select string_agg(distinct state, ',') from task where kind = 'chunk'", "held");
    assert!(paused.elapsed() < Duration::from_secs(6), "{:?}", paused.elapsed());
    assert_eq!(site.job(&job)["state"], "paused");
    assert_eq!(site.query("select max(attempt) from task"), "0", "nothing has failed");
    assert!(site.run(&["job", "resume", &job]).status.success());
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

#[test]
fn pausing_and_resuming_by_turns_leaves_nothing_behind() {
    let mut chance = Chance::new();
    let site = Site::new(&[("MAILSONDE_JOBS__TASKS_AT_ONCE", "4")]);
    site.brake();
    let inputs = addresses(4_000);
    let job = site.submit(&inputs, &["--offline"]);
    let _worker = site.worker_at_work();
    for _ in 0..8 {
        chance.moment(100);
        // One that is done in between refuses both.
        site.run(&["job", "pause", &job]);
        site.run(&["job", "resume", &job]);
    }
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
}
