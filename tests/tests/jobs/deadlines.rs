//! Jobs that cannot be done in time.

use crate::{
    mail::{self, slow},
    site::Site,
};

#[test]
fn at_its_deadline_a_job_ends_with_what_it_has() {
    let net = slow("3s");
    let site = Site::with(net.environment());
    // Few enough to be taken, too many for so slow a server.
    let inputs = mail::addresses(30);
    let job = site.submit(&inputs, &["--deadline", "30s"]);
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    // Work ends a little before the deadline, so that what it has found is in time.
    let late = site.query("select extract(epoch from ended_at - deadline_at) from job");
    assert!((-3.0..3.0).contains(&late.trim().parse().unwrap()), "{late} s late");
    let results = site.is_whole(&job, "completed", &inputs);
    let in_time = results.iter().filter(|result| result["category"] == "deliverable").count();
    let late = results
        .iter()
        .filter(|result| result["category"] == "unknown" && result["reason"] == "deadline_passed")
        .count();
    assert!(in_time > 0 && late > 0 && in_time + late == inputs.len(), "{results:#?}");
    site.keeps_secrets();
}
