//! A database that is started again, and one that is away for a while.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, jobs::addresses, process::Process},
};

/// Longer than leases, than the time in which verdicts are tried to be written, and than pauses between attempts.
const OUTAGE: Duration = Duration::from_secs(40);

/// Pauses between attempts to reach a database are not longer than a few seconds.
const BACK_WITHIN: Duration = Duration::from_secs(15);

const FEW_AT_ONCE: [(&str, &str); 1] = [("MAILSONDE_JOBS__TASKS_AT_ONCE", "2")];

#[test]
fn a_restart_of_the_database_costs_nothing() {
    let site = Site::new(&FEW_AT_ONCE);
    site.brake();
    let inputs = addresses(15_000);
    let job = site.submit(&inputs, &["--offline"]);
    let mut workers = [site.worker_at_work(), site.worker_at_work()];
    for _ in 0..2 {
        let parts = site.query("select count(*) from part");
        site.postgres.restart().unwrap();
        site.wait(&format!("select count(*) > {parts} from part"), "t");
    }
    site.wait_for(&job, "completed");
    assert!(workers.iter_mut().all(Process::is_alive), "{}", site.said());
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

#[test]
fn after_an_outage_of_40_seconds_work_goes_on_by_itself() {
    let site = Site::new(&FEW_AT_ONCE);
    site.brake();
    let inputs = addresses(15_000);
    let job = site.submit(&inputs, &["--offline"]);
    let mut workers = [site.worker_at_work(), site.worker_at_work()];
    let parts = site.query("select count(*) from part");
    site.wait(&format!("select count(*) > {parts} from part"), "t");
    site.postgres.stop().unwrap();
    sleep(OUTAGE); // the outage itself
    site.postgres.start_again().unwrap();
    let began = Instant::now();
    let parts = site.query("select count(*) from part");
    site.wait(&format!("select count(*) > {parts} from part"), "t");
    assert!(began.elapsed() < BACK_WITHIN, "{:?}", began.elapsed());
    site.wait_for(&job, "completed");
    assert!(workers.iter_mut().all(Process::is_alive), "{}", site.said());
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

#[test]
fn who_starts_while_the_database_is_away_waits_for_it() {
    let site = Site::new(&FEW_AT_ONCE);
    let inputs = addresses(10);
    let job = site.submit(&inputs, &["--offline"]);
    site.postgres.stop().unwrap();
    let refused = site.run(&["job", "list"]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot be used now"), "{}", refused.stderr);
    let worker = site.worker();
    assert!(wait_until(LIMIT, || site.said().contains("it is waited for")), "{}", site.said());
    site.postgres.start_again().unwrap();
    site.wait_for(&job, "completed");
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
    site.is_done(&job, &inputs);
}
