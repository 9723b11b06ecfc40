//! Processes that fall silent within a chunk, and speak again when somebody else has it.

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, Site,
        mail::{self, slow},
    },
};

/// What a process does after it was stopped for longer than its lease, and another one took its chunk over.
fn goes_on_when(condition: impl Fn(&Site, &str)) {
    let net = slow("200ms");
    let site = Site::with(net.environment());
    let inputs = mail::addresses(20);
    let job = site.submit(&inputs, &[]);
    let stopped = site.worker_at_work();
    assert!(wait_until(LIMIT, || mail::asked(&net) > 0), "it asks");
    stopped.signal("STOP");
    let fence = "select fence from task where kind = 'chunk'";
    assert_eq!(site.query(fence), "1");
    let other = site.worker_at_work();
    // The lease that ran out counts, and the new one.
    assert_eq!(site.query(fence), "3");
    condition(&site, &job);
    let before = site.query("select count(*), coalesce(sum(final), 0) from part where fence = 1");
    stopped.signal("CONT");
    site.wait_for(&job, "completed");
    // It writes, if it will, before it ends in good order.
    assert!(stopped.terminate(LIMIT).success(), "{}", site.said());
    assert!(other.terminate(LIMIT).success(), "{}", site.said());
    assert_eq!(
        site.query("select count(*), coalesce(sum(final), 0) from part where fence = 1"),
        before,
        "nothing is written under the old lease"
    );
    site.is_done(&job, &inputs);
    let results = site.results(&job);
    assert!(results.iter().all(|result| result["category"] == "deliverable"), "{results:#?}");
    site.keeps_secrets();
}

#[test]
fn whoever_was_silent_until_the_job_was_done_changes_nothing() {
    goes_on_when(|site, job| site.wait_for(job, "completed"));
}

#[test]
fn whoever_was_silent_until_somebody_else_was_at_work_changes_nothing() {
    goes_on_when(|_, _| {});
}
