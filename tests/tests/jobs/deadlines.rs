//! Jobs that cannot be done in time.

use mailsonde_tests::site::{
    Site,
    mail::{self, slow},
};
use serde_json::Value;

#[test]
fn at_its_deadline_a_job_ends_with_what_it_has() {
    let net = slow("1s");
    let site = Site::with(net.environment());
    // Few enough to be taken, too many for so slow a server.
    let inputs = mail::addresses(90);
    let job = site.submit(&inputs, &["--deadline", "30s"]);
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    // Work ends a little before the deadline, so that what it has found is in time.
    let late = site.query("select extract(epoch from ended_at - deadline_at) from job");
    assert!((-3.0..3.0).contains(&late.trim().parse().unwrap()), "{late} s late");
    let results = site.is_whole(&job, "completed", &inputs);
    let of = |category: &str, reason: &str| {
        let is_so = |result: &&Value| {
            result["category"] == category && result["reason"].as_str().unwrap_or("") == reason
        };
        results.iter().filter(is_so).count()
    };
    // Some were proven in time, some were waited for when time was up, and the turn of others never came.
    let (in_time, waited, late) =
        (of("deliverable", ""), of("unknown", "timeout"), of("unknown", "deadline_passed"));
    assert!(in_time > 0 && late > 0, "{in_time} in time, {waited} waited for, {late} late");
    assert_eq!(in_time + waited + late, inputs.len(), "{results:#?}");
    site.keeps_secrets();
}
