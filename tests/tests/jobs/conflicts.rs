//! Transactions that the database undoes because of others.

use std::thread;

use mailsonde_tests::site::{Site, jobs::addresses};

/// Tries of a transaction: the first, and three more.
const TRIES: &str = "4";

#[test]
fn a_submission_is_tried_again_as_a_whole() {
    let site = Site::new(&[]);
    site.refuse_at_first("job", 3);
    let inputs = addresses(700);
    let job = site.submit(&inputs, &["--offline"]);
    assert_eq!(site.query("select last_value from tries"), TRIES);
    assert_eq!(site.query("select count(*) from chunk"), "2");
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

#[test]
fn who_is_always_in_the_way_is_told_of() {
    let site = Site::new(&[]);
    site.refuse_at_first("job", 1_000);
    let inputs = addresses(10);
    site.is_refused(
        &["job", "submit", "-", "--offline"],
        &inputs,
        "could not do it beside others: in the way",
    );
    assert_eq!(site.query("select last_value from tries"), TRIES);
    let left = "select (select count(*) from job) + (select count(*) from chunk) \
                + (select count(*) from task where job is not null)";
    assert_eq!(site.query(left), "0");
}

/// Holds what a submission needs, until one waits for it; then wants what that one holds. It is not the one who looks
/// whether they wait for each other.
const CROSSWISE: &str = "
set deadlock_timeout = '1min';
begin;
select from client for update;
do $$ begin
    while not exists (select from pg_locks where locktype = 'transactionid' and not granted) loop
        perform pg_sleep(0.01);
    end loop;
end $$;
select pg_advisory_xact_lock(classid::bigint << 32 | objid::bigint) from pg_locks
where locktype = 'advisory' and objsubid = 1 and granted;
commit";

#[test]
fn of_two_that_wait_for_each_other_both_get_what_they_want() {
    let site = Site::new(&[]);
    let inputs = addresses(700);
    let job = thread::scope(|scope| {
        let other = scope.spawn(|| site.postgres.query(CROSSWISE));
        let is_held = "select count(*) from pg_locks where mode = 'RowShareLock' and granted and relation = 'client'::regclass";
        site.wait(is_held, "1");
        let job = site.submit(&inputs, &["--offline"]);
        other.join().unwrap().unwrap();
        job
    });
    site.wait("select deadlocks from pg_stat_database where datname = current_database()", "1");
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
}

#[test]
fn conflicts_of_workers_cost_no_chunk_its_verdicts() {
    let site = Site::new(&[
        ("MAILSONDE_JOBS__ATTEMPTS_MAX", "1"),
        ("MAILSONDE_JOBS__TASKS_AT_ONCE", "4"),
        // No lease runs out on a busy machine.
        ("MAILSONDE_JOBS__LEASE", "20s"),
    ]);
    site.refuse_at_first("part", 30);
    let inputs = addresses(10_000);
    let job = site.submit(&inputs, &["--offline"]);
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    assert_eq!(site.query("select last_value > 30 from tries"), "t");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}
