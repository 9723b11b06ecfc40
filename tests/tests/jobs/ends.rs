//! Processes that are asked to end.

use std::time::{Duration, Instant};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, Site,
        jobs::addresses,
        mail::{self, slow},
    },
};

#[test]
fn what_is_at_work_is_finished_and_the_rest_left() {
    let site = Site::new(&[("MAILSONDE_JOBS__TASKS_AT_ONCE", "2"), ("MAILSONDE_JOBS__LEASE", "20s")]);
    site.brake();
    let inputs = addresses(10_000);
    let job = site.submit(&inputs, &["--offline"]);
    let worker = site.worker_at_work();
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
    assert_eq!(site.query("select count(*), max(attempt) from task where state = 'running'"), "0|");
    assert_eq!(site.query("select max(attempt) from task"), "0", "nothing has failed");
    assert_eq!(site.query("select state from job"), "running");
    assert_eq!(site.query("select count(*) from worker"), "0", "it has said goodbye");
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

/// A server so slow that nothing is finished soon.
#[test]
fn the_second_signal_ends_at_once() {
    let net = slow("3s");
    let site = Site::among(&net, &[("MAILSONDE_JOBS__LEASE", "20s")]);
    let inputs = mail::addresses(20);
    let job = site.submit(&inputs, &[]);
    let worker = site.worker_at_work();
    assert!(wait_until(LIMIT, || mail::asked(&net) > 0), "it asks");
    worker.signal("TERM");
    // No more than one signal of a kind is kept for who has not seen it yet: the first one must have been heeded.
    let idle = site.submit(&addresses(1), &["--offline"]);
    worker.signal("INT");
    let began = Instant::now();
    assert!(worker.ended(Duration::from_secs(10)).success(), "{}", site.said());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(site.query("select distinct state, attempt from task where kind = 'chunk'"), "ready|0");
    site.run(&["job", "cancel", &idle]);
    site.run(&["job", "cancel", &job]);
    site.is_whole(&job, "canceled", &inputs);
    site.keeps_secrets();
}
