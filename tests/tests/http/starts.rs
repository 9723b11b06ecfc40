//! From the start to readiness, and what there is to see meanwhile.

use std::time::{Duration, Instant};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site},
};

#[test]
fn it_answers_before_the_database_does() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    site.postgres.stop().unwrap();
    let served = site.start(&[]);
    assert_eq!(served.get("/healthz").status, 200);
    let ready = served.get("/readyz");
    assert_eq!((ready.status, ready.header("content-type")), (503, "application/problem+json"), "{ready:?}");
    assert!(ready.json()["obstacles"]["database"].is_string(), "{ready:?}");
    let refused = served.post("/api/v1/verify", &key, "", r#"{"email":"nobody@example.invalid"}"#);
    refused.is(503, "SERVICE_UNAVAILABLE");
    assert!(!refused.header("retry-after").is_empty());
    assert!(served.get("/metrics").body.contains("process_resident_memory_bytes"));
    site.postgres.start_again().unwrap();
    served.wait_until_ready();
    assert_eq!(served.post("/api/v1/verify", &key, "", r#"{"email":"nobody@example.invalid"}"#).status, 200);

    // It goes away later too, and comes back.
    site.postgres.stop().unwrap();
    assert!(wait_until(LIMIT, || served.get("/readyz").status == 503));
    assert_eq!(served.get("/healthz").status, 200);
    site.postgres.start_again().unwrap();
    served.wait_until_ready();
    served.signal("TERM");
    assert!(served.ended(LIMIT).success());
}

#[test]
fn a_process_that_only_works_can_be_watched() {
    let site = Site::new(&[]);
    let worker = site.watched_worker();
    assert_eq!(worker.get("/healthz").status, 200);
    // What the database knows is asked for now and then, so it should know of the worker before.
    site.wait("select count(*) from worker", "1");
    let metrics = worker.get("/metrics").body;
    assert!(
        metrics.contains("mailsonde_queue_tasks") && metrics.contains("mailsonde_workers 1"),
        "{metrics}"
    );
    assert_eq!(worker.get("/api/v1/jobs").status, 503, "others answer that");
    site.postgres.stop().unwrap();
    assert!(wait_until(LIMIT, || worker.get("/readyz").status == 503));
    site.postgres.start_again().unwrap();
    worker.wait_until_ready();
    worker.signal("TERM");
    assert!(worker.ended(LIMIT).success());
}

#[test]
fn while_the_database_is_away_it_can_be_told_to_end() {
    let site = Site::new(&[]);
    site.postgres.stop().unwrap();
    let served = site.start(&[]);
    assert_eq!(served.get("/healthz").status, 200);
    let told = Instant::now();
    served.signal("TERM");
    assert!(served.ended(LIMIT).success());
    assert!(told.elapsed() < Duration::from_secs(15), "{:?}", told.elapsed());
}

#[test]
fn a_schema_that_changes_under_it_is_noticed() {
    let site = Site::new(&[]);
    let served = site.serve();
    site.postgres.query("insert into migration (no, name, sha256) values (9999, 'later', '')").unwrap();
    assert!(wait_until(LIMIT, || served.get("/readyz").status == 503));
    assert!(served.get("/readyz").json()["obstacles"]["schema"].is_string());
}

#[test]
fn the_first_run_makes_a_key_that_works_and_later_ones_make_none() {
    let site = Site::new(&[]);
    let served = site.start(&["--first-run"]);
    let curl = std::iter::repeat_with(|| served.line()).find(|line| line.contains("curl ")).unwrap();
    let key = curl.split("Api-Key: ").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let answer = served.post("/api/v1/verify", &key, "", r#"{"email":"nobody@example.invalid"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    site.wait("select count(*) from worker", "1");
    let metrics = served.get("/metrics").body;
    for name in [
        "mailsonde_stage_seconds_bucket{pipeline=\"verify\",stage=\"syntax\"",
        "mailsonde_http_requests_total{facade=\"email-verifier\",method=\"POST\",route=\"/api/v1/verify\",status=\"200\"} 1",
        "mailsonde_queue_tasks{kind=\"retention\"",
        "mailsonde_queue_oldest_seconds",
        "mailsonde_database_up 1",
        "mailsonde_workers 1",
        "mailsonde_smtp_sessions 0",
        "process_open_fds",
    ] {
        assert!(metrics.contains(name), "{name}\n{metrics}");
    }
    served.signal("TERM");
    assert!(served.ended(LIMIT).success());

    let began = Instant::now();
    let again = site.start(&["--first-run"]);
    again.wait_until_ready();
    let took = began.elapsed();
    let told = again.line();
    assert!(told.contains("made before") && !told.contains("ev_live_"), "{told}");
    assert_eq!(again.post("/api/v1/verify", &key, "", r#"{"email":"nobody@example.invalid"}"#).status, 200);
    // A second where it has the machine to itself.
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(site.postgres.query("select count(*) from client where name = 'first'").unwrap(), "1");
}
