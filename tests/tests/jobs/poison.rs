//! Chunks that can never be done.

use std::ops::Range;

use mailsonde_tests::site::{Site, jobs::addresses};
use serde_json::Value;

/// Items of a chunk.
const CHUNK: usize = 500;

const TWO_ATTEMPTS: [(&str, &str); 1] = [("MAILSONDE_JOBS__ATTEMPTS_MAX", "2")];

/// A job of so many chunks of which `bad` never gets its verdicts into the database ends with the others' verdicts.
fn ends_without(chunks: usize, bad: usize) {
    let site = Site::new(&TWO_ATTEMPTS);
    let inputs = addresses(chunks * CHUNK);
    site.query(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'poison'; end $$",
    );
    site.query(&format!(
        "create trigger poison before insert on part for each row when (new.chunk = {bad}) execute function refuse()"
    ));
    let job = site.submit(&inputs, &["--offline"]);
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    let results = site.is_whole(&job, "completed", &inputs);
    has_no_answer_in(&results, bad * CHUNK..(bad + 1) * CHUNK);
    let dead = "select no from chunk where dead order by no";
    assert_eq!(site.query(dead), bad.to_string());
    assert_eq!(site.query("select chunk, attempt from task where state = 'dead'"), format!("{bad}|2"));
    site.keeps_secrets();
}

/// Of these rows, and no others, is said that it is our fault.
fn has_no_answer_in(results: &[Value], rows: Range<usize>) {
    for (row, result) in results.iter().enumerate() {
        let is_ours = result["category"] == "unknown" && result["reason"] == "stage_fault";
        assert_eq!(is_ours, rows.contains(&row), "row {row}: {result}");
    }
}

#[test]
fn a_chunk_that_always_fails_is_given_up() {
    ends_without(3, 1);
}

#[test]
fn so_is_the_last_one() {
    ends_without(1, 0);
}

#[test]
fn what_cannot_be_opened_does_not_keep_a_job_from_ending() {
    let site = Site::new(&TWO_ATTEMPTS);
    let inputs = addresses(3 * CHUNK);
    let job = site.submit(&inputs, &["--offline"]);
    site.query("update chunk set sealed = set_byte(sealed, 100, get_byte(sealed, 100) # 1) where no = 1");
    let _worker = site.worker();
    site.wait_for(&job, "completed");
    let told = site.job(&job);
    let counted: i64 = told["categories"].as_object().unwrap().values().filter_map(Value::as_i64).sum();
    assert_eq!(counted, 1500, "{told}");
    // The addresses are lost; whose they were is not known, but how many.
    let results = site.results(&job);
    assert_eq!(results.len(), inputs.len());
    has_no_answer_in(&results, CHUNK..2 * CHUNK);
}
