//! Results that were kept long enough: rows stay, and nobody is named any more.

use mailsonde_tests::site::{MARK, Site, served::Served};
use serde_json::{Value, json};

/// All results of a job, with addresses where they are told.
fn results(served: &Served, key: &str, job: &str, filter: &str) -> Value {
    let path = format!("/api/v1/jobs/{job}/results?include_email=true{filter}");
    let answer = served.fetch(&path, key);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The same without addresses.
fn without_addresses(mut results: Value) -> Value {
    for row in results["results"].as_array_mut().unwrap() {
        row["email"] = Value::Null;
    }
    results
}

#[test]
fn rows_stay_without_their_addresses_as_long_as_the_job_is_known() {
    let site = Site::new(&[]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve();
    let emails = [format!("{MARK}a@mailinator.com"), format!("{MARK}a@MAILINATOR.com"), "nonsense".into()];
    let job = served.submit(&key, &json!({ "emails": emails }));
    site.wait("select state from job", "completed");
    let before = results(&served, &key, &job, "");
    assert_eq!(before["results"][0]["email"], emails[0], "{before}");
    assert_eq!(before["total"], 3, "{before}");

    site.query("update job set expires_at = now() - interval '1 second'");
    let expected = without_addresses(before);
    assert_eq!(results(&served, &key, &job, ""), expected, "before they are deleted");
    // Who has begun to read a file has an hour for it.
    site.query("update job set expires_at = now() - interval '62 minutes'");
    site.query("update task set due_at = now() where kind = 'retention'");
    site.wait("select count(*) from job where pruned_at is not null", "1");
    assert_eq!(site.query("select (select count(*) from chunk), (select count(*) from part)"), "0|0");
    assert_eq!(results(&served, &key, &job, ""), expected, "and after that");
    let one = results(&served, &key, &job, "&category=duplicate&limit=1");
    assert_eq!((&one["total"], &one["results"][0]["row_number"]), (&json!(1), &json!(2)), "{one}");
    let status = served.fetch(&format!("/api/v1/jobs/{job}"), &key).json();
    assert_eq!(
        (&status["stats"]["processed"], &status["download_url"]),
        (&json!(3), &Value::Null),
        "{status}"
    );
    served.fetch(&format!("/api/v1/jobs/{job}/results"), &other).is(404, "JOB_NOT_FOUND");

    site.query("update job set deadline_at = now() - interval '31 days'");
    site.query("update task set due_at = now() where kind = 'retention'");
    site.wait("select count(*) from job", "0");
    served.fetch(&format!("/api/v1/jobs/{job}/results"), &key).is(404, "JOB_NOT_FOUND");
    site.keeps_secrets();
}
