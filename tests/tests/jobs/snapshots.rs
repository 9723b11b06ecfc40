//! Somebody who looks at the database for long.

use std::thread;

use mailsonde_tests::site::{Site, jobs::addresses};

#[test]
fn a_transaction_that_stays_open_holds_nobody_up() {
    let site = Site::new(&[]);
    let inputs = addresses(5_000);
    let job = site.submit(&inputs, &["--offline"]);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            site.postgres.query(
                "begin isolation level repeatable read; select count(*) from task; select pg_sleep(600)",
            )
        });
        site.wait("select count(*) from pg_stat_activity where query like 'begin%' and backend_xmin is not null and pid <> pg_backend_pid()", "1");
        let worker = site.worker();
        site.wait_for(&job, "completed");
        drop(worker);
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin%' and pid <> pg_backend_pid()";
        assert_eq!(site.query(end), "t", "it looked until now");
        assert!(looking.join().unwrap().is_err());
    });
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}
