//! Answers that are kept for whoever asks again: where they are kept, of bodies of any size, and until somebody is
//! forgotten.

use mailsonde_tests::site::{Site, client::head, served::Served};
use serde_json::{Value, json};

const VERIFY: &str = "/api/v1/verify";
const BATCH: &str = "/api/v1/verify/batch";
const ORDER: &str = "Idempotency-Key: order-7\r\n";

/// No answer is kept but with a job that is submitted in the same transaction.
fn with_a_job_alone(site: &Site) {
    site.query(
        "create function is_of_a_job() returns trigger language plpgsql as $$ begin
             if new.status is not null
                 and not exists (select from job where xmin = pg_current_xact_id()::xid) then
                 raise exception 'it is kept without a job';
             end if;
             return new;
         end $$;
         create trigger is_of_a_job before update on idempotency for each row execute function is_of_a_job()",
    );
}

#[test]
fn the_answer_to_a_batch_is_kept_with_its_job() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    with_a_job_alone(&site);
    let served = site.serve_only();
    let body = r#"{"emails":["a@mailinator.com"],"webhook_url":null}"#;
    let first = served.post(BATCH, &key, ORDER, body);
    assert_eq!(first.status, 202, "{first:?}");
    let again = served.post(BATCH, &key, ORDER, body);
    assert_eq!((again.status, &again.body), (202, &first.body), "{again:?}");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(site.query("select count(*) from job"), "1");
    assert!(!site.said().contains("not kept"), "{}", site.said());
    // The trigger works: one that has no job is not kept.
    served.post(VERIFY, &key, ORDER, r#"{"email":"nonsense"}"#);
    site.wait_for_word("it is kept without a job");
}

#[test]
fn an_answer_that_is_not_paid_for_is_not_given_again() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let ask = || served.post(VERIFY, &key, ORDER, r#"{"email":"nonsense"}"#);
    site.query(
        "create function refuses() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
         create trigger refuses before update on usage for each row execute function refuses()",
    );
    let refused = ask();
    assert!(refused.status >= 500, "{refused:?}");
    site.query("drop trigger refuses on usage");
    for is_replayed in ["", "true"] {
        let answered = ask();
        assert_eq!(
            (answered.status, answered.header("idempotent-replayed")),
            (200, is_replayed),
            "{answered:?}"
        );
        let usage = served.fetch("/api/v1/usage", &key).json();
        assert_eq!(usage["billable_units"], 1);
    }
}

/// Octets of spaces behind an object.
fn padded(object: &Value, length: usize) -> String {
    let text = object.to_string();
    format!("{text}{}", " ".repeat(length - text.len()))
}

/// A body that comes in chunks of 64 KiB.
fn post_in_chunks(served: &Served, key: &str, body: &str) -> (u16, String) {
    let mut connection = served.connect();
    let head = head(VERIFY, key, ORDER, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    connection.write(head.as_bytes());
    for chunk in body.as_bytes().chunks(1 << 16) {
        connection.write(format!("{:x}\r\n", chunk.len()).as_bytes());
        connection.write(chunk);
        connection.write(b"\r\n");
    }
    connection.write(b"0\r\n\r\n");
    let answer = connection.answer().expect("an answer");
    (answer.status, answer.header("idempotent-replayed").to_owned())
}

#[test]
fn bodies_of_any_size_are_compared() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let object = json!({ "email": "nobody@example.invalid", "options": { "check_smtp": false } });
    // One that no endpoint takes is none whose answer is kept: the key stays free.
    let too_large = padded(&object, (1 << 20) + 1);
    served.post(VERIFY, &key, ORDER, &too_large).is(413, "BODY_TOO_LARGE");
    let largest = padded(&object, 1 << 20);
    assert_eq!(post_in_chunks(&served, &key, &largest), (200, String::new()));
    assert_eq!(post_in_chunks(&served, &key, &largest), (200, "true".into()));
    let whole = served.post(VERIFY, &key, ORDER, &largest);
    assert_eq!((whole.status, whole.header("idempotent-replayed")), (200, "true"), "{whole:?}");
    // Larger ones are read to be compared, as far as any endpoint would.
    let place = json!(["header", "Idempotency-Key"]);
    for other in [&too_large, &padded(&object, 20 << 20), &object.to_string()] {
        served.post(VERIFY, &key, ORDER, other).is_invalid(&place, "idempotency_key_reused");
    }
    served.ask(head(VERIFY, &key, ORDER, 1 << 30)).is(413, "BODY_TOO_LARGE");
}

#[test]
fn an_answer_about_somebody_who_is_forgotten_is_not_given_again() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let body =
        |local: &str| format!(r#"{{"email":"{local}@Example.invalid","options":{{"check_smtp":false}}}}"#);
    let ask = |number: &str, local: &str| {
        served.post(VERIFY, &key, &format!("Idempotency-Key: {number}\r\n"), body(local))
    };
    for (number, local) in [("1", "Jane"), ("2", "joe")] {
        assert_eq!(ask(number, local).status, 200);
    }
    let told = site.print(&["forget", "jane@example.invalid"]);
    assert!(
        told.ends_with("0 memories, 0 rows of jobs, 1 kept answers and 0 requests are removed"),
        "{told}"
    );
    assert_eq!(site.query("select count(*) from idempotency"), "1");
    assert_eq!(ask("2", "joe").header("idempotent-replayed"), "true");
    let anew = ask("1", "Jane");
    assert_eq!((anew.status, anew.header("idempotent-replayed")), (200, ""), "{anew:?}");
}
