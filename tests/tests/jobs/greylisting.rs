//! Servers that want us to come back: the job does, by itself, while other work goes on; what its results teach is known
//! to the next job.

use mailsonde_tests::site::{
    LIMIT, MARK, Site,
    mail::{self, greylisting},
};

#[test]
fn who_is_put_off_has_a_chunk_later_and_a_verdict_in_the_end() {
    let net = greylisting("2s");
    let site = Site::with(net.environment());
    let living: Vec<String> = (0..10).map(|number| format!("{MARK}{number}@later.test")).collect();
    let mut inputs = living.clone();
    inputs.push(format!("nobody.{MARK}x@later.test"));
    // Spelled otherwise, and the same mailbox all the same.
    inputs.push(living[0].to_uppercase());
    let job = site.submit(&inputs, &["--deadline", "2m"]);
    let worker = site.worker();
    site.wait_for(&job, "completed");
    assert_eq!(site.query("select max(round) > 0 from chunk"), "t");
    let results = site.is_whole(&job, "completed", &inputs);
    let categories: Vec<&str> = results.iter().map(|result| result["category"].as_str().unwrap()).collect();
    assert!(categories[..10].iter().all(|category| *category == "deliverable"), "{categories:?}");
    assert_eq!(categories[10..], ["undeliverable", "duplicate"]);

    // Who was refused is remembered, and not asked about again; who was accepted is.
    let asked = mail::asked(&net);
    let again = site.submit(&[inputs[10].clone()], &["--deadline", "2m"]);
    site.wait_for(&again, "completed");
    assert_eq!(site.results(&again)[0]["category"], "undeliverable");
    assert_eq!(mail::asked(&net), asked);
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
    site.keeps_secrets();
}
