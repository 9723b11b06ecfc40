//! Webhooks: what is told when a task has ended, and with which headers.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use mailsonde_lab::Net;
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, MARK, Site,
        receiver::{Receiver, Told},
    },
};
use serde_json::{Value, json};

use super::{ended, get, internet, key, post};

/// An installation that tells whoever is on loopback.
fn telling(net: &Net, more: &[(&str, &str)]) -> Site {
    let loopback = [("WEBHOOKS__DESTINATIONS", "any"), ("WEBHOOKS__HTTP", "true")];
    let variables = loopback.iter().chain(more);
    let variables = variables.map(|(name, value)| (format!("MAILSONDE_{name}"), (*value).to_owned()));
    Site::with(net.environment().into_iter().chain(variables))
}

/// HMAC-SHA256 of a text under these octets, in hexadecimal, as others compute it.
fn signed(secret: &str, text: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    said.trim_end().rsplit(' ').next().unwrap().to_owned()
}

/// The row that a message tells of, as it stands there, if it is of a task of so many rows and says exactly that.
fn row_of<'a>(body: &'a str, task: &Value, rows: usize) -> Option<&'a str> {
    let (id, created) = (task["id"].as_str().unwrap(), task["created_at"].as_str().unwrap());
    let rest = body.strip_prefix(&format!(
        r#"{{"event_type":"email_verification_completed","task_id":"{id}","completed_at":""#
    ))?;
    let (completed, rest) = rest.split_once('"')?;
    let row = rest.strip_prefix(&format!(
        r#","data":{{"task":{{"id":"{id}","email_count":{rows},"source":"api_key","created_at":"{created}"}},"job":"#
    ))?;
    let row = row.strip_suffix("}}")?;
    let told: Value = serde_json::from_str(row).unwrap();
    assert_eq!(told["email"]["validated_at"], completed, "{body}");
    Some(row)
}

#[test]
fn each_row_of_a_task_is_told_by_itself_too() {
    let net = internet();
    let site = telling(&net, &[("TASKS__WEBHOOK_EACH", "true")]);
    let key = key(&site, "acme");
    let secret = site.print(&["webhook", "secret", "create", "acme"]);
    let receiver = Receiver::start("127.0.0.1", Duration::ZERO);
    let served = site.serve();
    let ghost = format!("{MARK}ghost@example.com");
    // Jane is there twice, and has two rows.
    let emails =
        ["jane@example.com", &ghost, "who@everybody.test", "jane@example.com", "nobody@nowhere.test"];
    let body = json!({ "emails": emails, "webhook_url": receiver.url() }).to_string();
    let created = post(&served, "/api/v1/tasks", &key, &body);
    assert_eq!(created.status, 201, "{created:?}");
    let task = ended(&served, &key, created.json()["id"].as_str().unwrap());
    let wanted = emails.len() + 1;
    assert!(wait_until(LIMIT, || receiver.told().len() >= wanted), "{}", served.said());
    site.wait("select count(*) from webhook where state = 'pending'", "0");

    let told = receiver.told();
    assert_eq!(told.len(), wanted, "{told:?}");
    let ids: BTreeSet<&str> = told.iter().map(Told::id).collect();
    assert_eq!(ids.len(), wanted, "{told:?}");
    let (rows, ends): (Vec<&Told>, Vec<&Told>) =
        told.iter().partition(|told| row_of(&told.body, &task, emails.len()).is_some());
    assert_eq!(ends.len(), 1, "{told:?}");
    let end: Value = serde_json::from_str(&ends[0].body).unwrap();
    assert_eq!(end["data"]["stats"]["total_email_addresses"], emails.len(), "{end}");
    let page = get(&served, &format!("/api/v1/tasks/{}/jobs", task["id"].as_str().unwrap()), &key);
    let mut addresses = Vec::new();
    for told in rows {
        let row = row_of(&told.body, &task, emails.len()).unwrap();
        assert!(page.body.contains(row) && ends[0].body.contains(row), "{row}\n{page:?}");
        let row: Value = serde_json::from_str(row).unwrap();
        addresses.push(row["email_address"].as_str().unwrap().to_owned());
        let header = |name: &str| told.headers.get(name).map_or("", String::as_str);
        assert_eq!(header("user-agent"), "EmailVerification/1.0");
        assert_eq!(header("x-webhook-timestamp"), header("webhook-timestamp"));
        assert!(header("x-webhook-id").len() == 36 && header("x-webhook-id") != told.id(), "{told:?}");
        assert_eq!(header("x-webhook-signature"), format!("sha256={}", signed(&secret, &told.body)));
        assert!(header("webhook-signature").starts_with("v1,"), "{told:?}");
    }
    addresses.sort_unstable();
    let mut emails = emails;
    emails.sort_unstable();
    assert_eq!(addresses, emails);
    // Of rows nothing is kept that was taken.
    assert_eq!(site.query("select count(*), max(length(sealed)) from webhook"), "1|0");
    site.keeps_secrets();
}

#[test]
fn the_end_of_a_task_is_told_with_its_rows_and_the_headers_of_its_product() {
    let net = internet();
    let site = telling(&net, &[]);
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
