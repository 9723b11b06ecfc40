//! The tasks facade from end to end: what its clients send and what they get.

mod credits;
mod files;
mod lists;
mod refusals;
mod single;
mod told;

use mailsonde_lab::{Internet, Net};
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, client::Answer, served::Served},
};
use serde_json::{Value, json};

use crate::published::shape::Shape::{self, *};

/// The keys of an email, in their order.
const EMAIL: Shape = Object(&[
    ("id", Uuid),
    ("email", Text),
    ("status", OneOf(&["exists", "not_exists", "catchall", "invalid_syntax", "unknown"])),
    ("is_role_based", Flag),
    ("is_disposable", Flag),
    ("has_mx_records", Flag),
    ("has_reverse_dns", Flag),
    ("domain_name", Text),
    ("host_name", Text),
    ("server_type", Text),
    ("is_catchall", Flag),
    ("validated_at", Moment),
    ("unknown_reason", OrNull(&Text)),
    ("needs_physical_verify", Flag),
]);

/// A mail internet: `example.com` knows Jane and the staff, its server's address has a name; `everybody.test` takes all,
/// and its server's has none; `silent.test` takes longer than any request.
fn internet() -> Net {
    let zone = "example.com MX 10 mx.example.com\n\
                mx.example.com A 127.41.0.7\n\
                7.0.41.127.in-addr.arpa PTR mx.example.com\n\
                everybody.test MX 10 mx.everybody.test\n\
                silent.test MX 10 mx.silent.test";
    let hosts = "[host.\"mx.example.com\"]\naccepts = ['jane@example.com', 'info@example.com']\n\
                 [host.\"mx.everybody.test\"]\naccepts = ['*@everybody.test']\n\
                 [host.\"mx.silent.test\"]\ntarpit.rcpt = '10m'";
    Internet::parse(zone, hosts).unwrap().listen().unwrap()
}

/// A client with a key of this product.
fn key(site: &Site, client: &str) -> String {
    site.print(&["client", "create", client]);
    key_of(site, client)
}

fn key_of(site: &Site, client: &str) -> String {
    site.print(&["key", "create", client, "--for", "tasks"])
}

/// What is answered to who shows a key as this product's clients do.
fn get(served: &Served, path: &str, key: &str) -> Answer {
    served.ask(format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    ))
}

fn post(served: &Served, path: &str, key: &str, body: &str) -> Answer {
    served.ask(posted(path, key, "", body))
}

fn posted(path: &str, key: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Submits a list, which must be taken. Returns its id.
fn submit(served: &Served, key: &str, emails: &[&str]) -> String {
    let accepted = post(served, "/api/v1/tasks", key, &json!({ "emails": emails }).to_string());
    assert_eq!(accepted.status, 201, "{accepted:?}");
    accepted.json()["id"].as_str().unwrap().to_owned()
}

/// Waits until all of a task is known. Returns it.
fn ended(served: &Served, key: &str, id: &str) -> Value {
    let path = format!("/api/v1/tasks/{id}");
    let has_ended = || !get(served, &path, key).json()["finished_at"].is_null();
    assert!(wait_until(LIMIT, has_ended), "{}", served.said());
    get(served, &path, key).json()
}

/// Fails where an answer does not refuse so.
fn refuses(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(code)), "{answer:?}");
}
