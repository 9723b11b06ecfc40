//! Webhooks: what is told when a task has ended, and with which headers.

use std::time::Duration;

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, MARK, Site, receiver::Receiver},
};
use serde_json::json;

use super::{ended, get, internet, key, post};

#[test]
fn the_end_of_a_task_is_told_with_its_rows_and_the_headers_of_its_product() {
    let net = internet();
    let mut variables = net.environment();
    for (name, value) in [("DESTINATIONS", "any"), ("HTTP", "true")] {
        variables.push((format!("MAILSONDE_WEBHOOKS__{name}"), value.to_owned()));
    }
    let site = Site::with(variables);
    let key = key(&site, "acme");
    site.print(&["webhook", "secret", "create", "acme"]);
    let receiver = Receiver::start("127.0.0.1", Duration::ZERO);
    let served = site.serve();
    let emails = ["jane@example.com".to_owned(), format!("{MARK}ghost@example.com")];
    let body = json!({ "emails": emails, "webhook_url": receiver.url() }).to_string();
    let created = post(&served, "/api/v1/tasks", &key, &body);
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let task = ended(&served, &key, &id);
    assert!(wait_until(LIMIT, || !receiver.told().is_empty()), "{}", served.said());

    let told = receiver.told().remove(0);
    let header = |name: &str| told.headers.get(name).map_or("", String::as_str);
    assert_eq!(header("user-agent"), "EmailVerification/1.0");
    assert_eq!(header("x-webhook-timestamp"), header("webhook-timestamp"));
    assert!(header("x-webhook-id").len() == 36 && header("x-webhook-id") != told.id(), "{told:?}");
    let signature = header("x-webhook-signature").strip_prefix("sha256=").unwrap();
    assert!(signature.len() == 64 && signature.bytes().all(|octet| octet.is_ascii_hexdigit()), "{told:?}");
    assert!(header("webhook-signature").starts_with("v1,"), "{told:?}");

    assert!(told.body.starts_with(r#"{"event_type":"email_verification_completed","task_id":""#), "{told:?}");
    let message: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!((&message["task_id"], message.get("upload_id")), (&json!(id), None), "{message}");
    assert_eq!(message["completed_at"], task["finished_at"]);
    let stats = &message["data"]["stats"];
    assert_eq!(stats["total_email_addresses"], 2, "{message}");
    for part in ["job_status", "verification_status"] {
        assert_eq!(stats[part], task["metrics"][part], "{part}");
    }
    let page = get(&served, &format!("/api/v1/tasks/{id}/jobs"), &key).json();
    assert_eq!(message["data"]["jobs"], page["jobs"], "{message}");
    assert!(message["data"].get("jobs_url").is_none(), "{message}");
    site.keeps_secrets();
}
