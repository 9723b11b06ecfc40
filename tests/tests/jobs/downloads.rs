//! Results that expire while somebody reads them.

use std::io::{BufRead as _, BufReader, Read as _};

use mailsonde_tests::site::{LIMIT, Site, jobs::addresses};

/// Ten times as much as a pipe holds.
const MANY: usize = 3_000;

#[test]
fn who_has_begun_to_read_gets_all_and_the_next_one_hears_that_they_are_gone() {
    let site = Site::new(&[]);
    let inputs = addresses(MANY);
    let job = site.submit(&inputs, &["--offline"]);
    let worker = site.worker();
    site.wait_for(&job, "completed");

    let mut download = site.spawn(&["job", "results", &job, "--format", "jsonl"]);
    let mut reader = BufReader::with_capacity(1024, download.stdout.take().unwrap());
    let mut text = String::new();
    reader.read_line(&mut text).unwrap();
    let results = ["job", "results", &job];
    site.query("update job set expires_at = now() - interval '1 second'");
    site.is_refused(&results, &[], "were kept until");
    site.query("update job set expires_at = now() - interval '62 minutes'");
    site.query("update task set due_at = now() where kind = 'retention'");
    site.wait("select count(*) from job where pruned_at is not null", "1");
    site.wait("select count(*) from part", "0");
    site.is_refused(&results, &[], "were kept until");
    assert!(download.try_wait().unwrap().is_none(), "it waits for its reader");

    reader.read_to_string(&mut text).unwrap();
    assert!(download.wait().unwrap().success());
    let read = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(read.map(|result| result["email"].clone()).eq(inputs), "not all that was asked for");
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
}
