//! Large pages of results: so many at once, and no more.

use std::fmt::Write as _;

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, client::get},
};
use serde_json::json;

/// Pages of a client at once.
const OF_CLIENT_MAX: usize = 4;

#[test]
fn who_reads_large_pages_slowly_leaves_room_for_others_and_for_small_ones() {
    let site = Site::new(&[]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve();
    // Few rows, of which a page is more than the system keeps of an answer that nobody reads.
    let mut table = String::from("email,note\n");
    let note = "x".repeat(15_000);
    (0..900).for_each(|row| writeln!(table, "nonsense{row},{note}").unwrap());
    let large = served.upload(&key, table);
    let small = served.submit(&key, &json!({ "emails": ["nonsense"] }));
    let path =
        |job: &str, limit: usize| format!("/api/v1/jobs/{job}/results?include_email=true&limit={limit}");
    for job in [&large, &small] {
        let is_done = || served.fetch(&format!("/api/v1/jobs/{job}"), &key).json()["status"] == "completed";
        assert!(wait_until(LIMIT, is_done), "{}", served.said());
    }
    let metrics = || served.get("/metrics").body;
    let are_read = |pages: usize| {
        let gauge = format!("mailsonde_http_pages {pages}\n");
        assert!(wait_until(LIMIT, || metrics().contains(&gauge)), "{}", served.said());
    };
    let slow: Vec<_> = (0..OF_CLIENT_MAX)
        .map(|_| {
            let mut connection = served.connect();
            connection.write(get(&path(&large, 900), &key).as_bytes());
            connection
        })
        .collect();
    are_read(OF_CLIENT_MAX);
    // They are made, and still held: nobody works at a request but this one.
    let is_idle = || metrics().contains("mailsonde_http_requests_in_flight 1\n");
    assert!(wait_until(LIMIT, is_idle), "{}", metrics());
    are_read(OF_CLIENT_MAX);
    served.fetch(&path(&large, 900), &key).is_unavailable();
    assert!(metrics().contains("mailsonde_http_limits_met_total{limit=\"pages\"} 1\n"));
    for (job, limit) in [(&large, 10), (&small, 10_000)] {
        assert_eq!(served.fetch(&path(job, limit), &key).status, 200);
    }
    served.fetch(&path(&large, 900), &other).is(404, "JOB_NOT_FOUND");
    drop(slow);
    are_read(0);
    let page = served.fetch(&path(&large, 900), &key).json();
    assert_eq!(
        (&page["total"], page["results"][899]["extra_columns"]["note"].as_str()),
        (&json!(900), Some(&*note))
    );
    assert_eq!(page["results"][899]["email"], "nonsense899");
}
