//! What the service says of itself, and of what it knows.

use mailsonde_tests::site::{Site, served::Served};
use serde_json::{Value, json};

/// The word-by-word text of an answer that has this status.
fn told(served: &Served, path: &str, key: &str) -> String {
    let answer = served.fetch(path, key);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The `date` and `entries` of a list's sources, as the command line knows them.
fn sources(site: &Site, list: &str) -> Vec<(String, u64, Value)> {
    let all: Value = serde_json::from_str(&site.print(&["data", "stats", "--json"])).unwrap();
    let of = |source: &Value| {
        let date = source["date"].as_str().unwrap().to_owned();
        (date, source["entries"].as_u64().unwrap(), source["tier"].clone())
    };
    all[list].as_array().unwrap().iter().map(of).collect()
}

/// The day of the newest of them.
fn newest(sources: &[(String, u64, Value)]) -> String {
    let day = sources.iter().map(|(date, ..)| date).max().unwrap();
    format!("{day}T00:00:00Z")
}

#[test]
fn anybody_hears_that_it_is_there_and_where_it_is_described() {
    let site = Site::new(&[]);
    let served = site.serve();
    let version = served.get("/healthz").json()["version"].as_str().unwrap().to_owned();
    let health = served.get("/api/v1/health");
    assert_eq!((health.status, health.body), (200, format!(r#"{{"status":"ok","version":"{version}"}}"#)));
    let root = served.get("/api/v1/");
    let expected =
        format!(r#"{{"name":"Email Verifier API","version":"{version}","docs":"/api/reference"}}"#);
    assert_eq!((root.status, &*root.body), (200, &*expected));
    assert!(!root.header("x-ratelimit-limit").is_empty(), "{root:?}");
    assert_eq!(served.get("/api/reference").header("content-type"), "text/html; charset=utf-8");
    assert_eq!(served.get("/openapi.json").json()["info"]["title"], "mailsonde");
    let other_method = served.ask("DELETE /api/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    other_method.is(405, "METHOD_NOT_ALLOWED");
}

#[test]
fn lists_are_told_as_they_are_loaded() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let sources_of = sources(&site, "disposable");
    let of_tier = |tier: &str| -> u64 {
        sources_of.iter().filter(|(.., of)| of == tier).map(|(_, entries, _)| entries).sum()
    };
    let (curated, broad) = (of_tier("curated"), of_tier("broad"));
    assert!(curated > 1_000 && broad > 1_000, "{sources_of:?}");
    let (total, day) = (curated + broad, newest(&sources_of));
    let expected =
        format!(r#"{{"total_domains":{total},"curated":{curated},"broad":{broad},"updated_at":"{day}"}}"#);
    assert_eq!(told(&served, "/api/v1/stats/disposable", &key), expected);

    let sources_of = sources(&site, "free-providers");
    let total: u64 = sources_of.iter().map(|(_, entries, _)| entries).sum();
    let expected = format!(r#"{{"total_domains":{total},"updated_at":"{}"}}"#, newest(&sources_of));
    assert_eq!(told(&served, "/api/v1/stats/free-providers", &key), expected);
}

#[test]
fn what_is_remembered_is_told_and_how_often_that_was_of_use() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let bounced = "gone@example.com\nlost@example.com\n";
    let years_ago = |years| {
        site.query(&format!(
            "select to_char(now() at time zone 'UTC' - interval '{years} years', 'YYYY-MM-DD')"
        ))
    };
    let imported = site.run_with(&["bounces", "import", "-", "--seen", &years_ago(1)], bounced);
    assert!(imported.status.success(), "{}", imported.stderr);
    // As if a mail server had said so a year before.
    let oldest = years_ago(2);
    site.query(&format!("insert into history values ('\\x07', 'probe', '{oldest} 12:00:00.7Z')"));
    let served = site.serve();
    for email in ["gone@example.com", "gone@example.com", "somebody@example.com"] {
        let answer = served.post("/api/v1/verify", &key, "", json!({ "email": email }).to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(
        told(&served, "/api/v1/stats/internal-cache", &key),
        r#"{"hard_bounces":2,"high_risk":0,"hits":2,"misses":1}"#
    );
    let history = format!(
        r#"{{"total":3,"undeliverable":3,"disposable":0,"high_risk":0,"oldest_at":"{oldest}T12:00:00Z","retention_years":5}}"#
    );
    assert_eq!(told(&served, "/api/v1/stats/verification-history", &key), history);
    // The table is not read for each who asks.
    site.query("delete from history");
    assert_eq!(told(&served, "/api/v1/stats/verification-history", &key), history);
}

#[test]
fn who_asks_has_a_key_that_is_good_for_it() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let with = |scopes| site.print(&["key", "create", "acme", "--for", "email-verifier", "--scopes", scopes]);
    let (reader, administrator) = (with("stats"), with("admin"));
    let served = site.serve();
    for list in ["disposable", "free-providers", "internal-cache", "verification-history"] {
        let path = format!("/api/v1/stats/{list}");
        served.get(&path).is(401, "MISSING_API_KEY");
        served.fetch(&path, &administrator).is(403, "INSUFFICIENT_SCOPE");
        for key in [&key, &reader] {
            assert_eq!(served.fetch(&path, key).status, 200, "{path}");
        }
    }
    served.fetch("/api/v1/usage", &reader).is(403, "INSUFFICIENT_SCOPE");
}
