//! `Idempotency-Key`.

use std::thread;

use mailsonde_tests::site::Site;
use serde_json::json;

const BATCH: &str = "/api/v1/verify/batch";

#[test]
fn a_request_that_is_repeated_is_done_once() {
    let site = Site::new(&[]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve();
    let headers = "Idempotency-Key: order-7\r\n";
    let body = r#"{"emails":["one@example.invalid","two@example.invalid"]}"#;
    let answers: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..50).map(|_| scope.spawn(|| served.post(BATCH, &key, headers, body))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for answer in &answers {
        match answer.status {
            202 => {}
            409 => answer.is(409, "IDEMPOTENCY_IN_PROGRESS"),
            // On a busy machine: more than there are connections for requests.
            _ => answer.is_unavailable(),
        }
    }
    let first = answers.iter().find(|answer| answer.status == 202).unwrap();
    let again = served.post(BATCH, &key, headers, body);
    assert_eq!((again.status, &again.body), (202, &first.body), "{again:?}");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(site.postgres.query("select count(*) from job").unwrap(), "1");

    let place = json!(["header", "Idempotency-Key"]);
    let changed = served.post(BATCH, &key, headers, r#"{"emails":["three@example.invalid"]}"#);
    changed.is_invalid(&place, "idempotency_key_reused");
    let long = format!("Idempotency-Key: {}\r\n", "a".repeat(256));
    served.post(BATCH, &key, &long, body).is_invalid(&place, "idempotency_key_invalid");
    // Another client's keys are another's, and so are those of another path.
    assert_eq!(served.post(BATCH, &other, headers, body).status, 202);
    assert_eq!(
        served.post("/api/v1/verify", &key, headers, r#"{"email":"one@example.invalid"}"#).status,
        200
    );
    assert_eq!(site.postgres.query("select count(*) from job").unwrap(), "2");

    // What was refused may be mended.
    let headers = "Idempotency-Key: order-8\r\n";
    assert_eq!(served.post(BATCH, &key, headers, r#"{"emails":[]}"#).status, 422);
    assert_eq!(served.post(BATCH, &key, headers, body).status, 202);
    let dump = site.postgres.dump().unwrap();
    assert!(
        !dump.contains("order-7") && !dump.contains("one@example"),
        "neither key nor body stand in clear"
    );
}
