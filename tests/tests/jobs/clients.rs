//! Clients beside each other.

use mailsonde_tests::site::{Site, jobs::addresses};

const FLOOD: &str = "00000000-0000-7000-8000-0000000000f1";

#[test]
fn who_floods_the_queue_does_not_keep_others_waiting() {
    let site = Site::new(&[("MAILSONDE_JOBS__TASKS_AT_ONCE", "4")]);
    site.brake();
    site.query(&format!("insert into client (id, name, running_max) values ('{FLOOD}', 'flood', 2)"));
    let many = addresses(30_000);
    // Its chunks are due before those of anybody else.
    let flood = site.submit(&many, &["--offline", "--deadline", "1h"]);
    site.query(&format!(
        "update job set client = '{FLOOD}'; update task set client = '{FLOOD}' where kind = 'chunk'"
    ));
    let _worker = site.worker_at_work();
    let few = addresses(1_000);
    let small = site.submit(&few, &["--offline", "--deadline", "24h"]);
    site.wait_for(&small, "completed");
    let done = format!(
        "select state, (select coalesce(sum(final), 0) from part where job = '{flood}') * 2 < items \
                        from job where id = '{flood}'"
    );
    assert_eq!(site.query(&done), "running|t", "the flood is not half done");
    let most = format!("select count(*) <= 2 from task where client = '{FLOOD}' and state = 'running'");
    assert_eq!(site.query(&most), "t", "no more than it may");
    site.is_done(&small, &few);
    assert!(site.run(&["job", "cancel", &flood]).status.success());
    site.is_whole(&flood, "canceled", &many);
    site.keeps_secrets();
}
