//! A database of which somebody else holds what is needed, for long.

use std::{
    thread,
    time::{Duration, Instant},
};

use mailsonde_tests::site::{Site, jobs::addresses};

/// Who waits for an answer hears within two seconds that there is none; programs of a busy machine start slowly. The
/// tables are held until then, so whoever waits for them is found out.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

const HOLD: &str = "begin; lock table job, chunk, part, task in access exclusive mode; select pg_sleep(600)";
const IS_HELD: &str = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'task'::regclass";
const LET_GO: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                      where query like 'begin; lock%' and pid <> pg_backend_pid()";

#[test]
fn who_waits_for_an_answer_is_told_soon_and_who_works_waits() {
    let site = Site::new(&[("MAILSONDE_JOBS__TASKS_AT_ONCE", "2")]);
    site.brake();
    let inputs = addresses(10_000);
    let job = site.submit(&inputs, &["--offline"]);
    let mut worker = site.worker_at_work();
    thread::scope(|scope| {
        let holder = scope.spawn(|| site.postgres.query(HOLD));
        site.wait(IS_HELD, "1");
        let told = Instant::now();
        let few = addresses(10);
        let commands: [&[&str]; 7] = [
            &["job", "list"],
            &["job", "show", &job],
            &["job", "results", &job],
            &["job", "pause", &job],
            &["job", "resume", &job],
            &["job", "cancel", &job],
            &["job", "submit", "-", "--offline"],
        ];
        thread::scope(|scope| {
            for command in commands {
                scope.spawn(|| site.is_refused(command, &few, "the database is busy"));
            }
        });
        let told = told.elapsed();
        assert!(told < TOLD_WITHIN, "{told:?}");
        assert_eq!(site.query(LET_GO), "1", "they were held until now");
        assert!(holder.join().unwrap().is_err());
    });
    site.wait_for(&job, "completed");
    assert!(worker.is_alive());
    assert_eq!(site.query("select count(*) from job"), "1");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}
