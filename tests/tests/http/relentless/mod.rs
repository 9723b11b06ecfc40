//! The Relentless Identity facade from end to end: what its clients send and what they get.

mod jobs;
mod probe;

use mailsonde_lab::{Internet, Net};
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, MARK, Site, client::Answer, served::Served},
};
use serde_json::Value;

/// A company whose mail Google runs, one that accepts everybody, and one whose server takes longer than anybody waits.
fn internet() -> Net {
    let zone = "acme.test MX 1 aspmx.l.google.com\n\
                all.test MX 1 mx.all.test\n\
                nowhere.test TXT \"here, but not for mail\"\n\
                slow.test MX 10 mx.slow.test";
    let hosts = format!(
        "[host.\"aspmx.l.google.com\"]\nlike = 'google'\n\
         accepts = ['{MARK}jane@acme.test', 'jane.doe@acme.test']\nnotes_recipients = true\n\
         [host.\"mx.all.test\"]\naccepts = ['*@all.test']\n\
         [host.\"mx.slow.test\"]\ntarpit.rcpt = '10m'"
    );
    Internet::parse(zone, &hosts).unwrap().listen().unwrap()
}

/// Makes a client with a key of this product.
fn key(site: &Site, client: &str) -> String {
    site.print(&["client", "create", client]);
    site.print(&["key", "create", client, "--for", "relentless"])
}

fn get(served: &Served, path: &str, key: &str) -> Answer {
    get_with(served, path, key, "")
}

/// The same with these further headers.
fn get_with(served: &Served, path: &str, key: &str, headers: &str) -> Answer {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}");
    served.ask(head + "Connection: close\r\n\r\n")
}

fn post(served: &Served, path: &str, key: &str, headers: &str, body: &str) -> Answer {
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}");
    let length = body.len();
    served.ask(head + &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"))
}

fn post_json(served: &Served, path: &str, key: &str, body: &Value) -> Answer {
    post(served, path, key, "", &body.to_string())
}

/// An error of this product, told in both of its ways.
fn refuses(answer: &Answer, status: u16, error: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["error"], &told["detail"]["error"]), (&error.into(), &error.into()), "{told}");
    assert_eq!(told["message"], told["detail"]["message"], "{told}");
    told
}

/// Submits a job, which must be taken, and waits until it has ended. Returns its path.
fn ended(served: &Served, key: &str, path: &str, body: &Value) -> String {
    let accepted = post_json(served, path, key, body);
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let path = format!("/client/jobs/{}", accepted.json()["id"].as_str().unwrap());
    let has_ended = || get(served, &path, key).json()["job"]["completed_at"].is_string();
    assert!(wait_until(LIMIT, has_ended), "{}", served.said());
    path
}

/// A deadline so many seconds from now.
fn deadline(site: &Site, seconds: u64) -> String {
    let format = r#"YYYY-MM-DD"T"HH24:MI:SS"Z""#;
    site.query(&format!(
        "select to_char(now() at time zone 'UTC' + {seconds} * interval '1 second', '{format}')"
    ))
}
