//! What operators type about clients, keys and webhooks, while two servers are running: what it changes, and how soon both
//! know.

use std::time::{Duration, Instant};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, receiver::Receiver, served::Served},
};
use serde_json::{Value, json};

/// A change is known within a second; machines may be busy.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

const BODY: &str = r#"{"email":"zyxw.a@mailinator.com"}"#;

struct Servers([Served; 2]);

impl Servers {
    fn of(site: &Site) -> Self {
        Self([site.serve(), site.serve_only()])
    }

    /// Both soon answer whoever has this key so.
    fn soon_say(&self, key: &str, status: u16, code: &str) {
        let began = Instant::now();
        for served in &self.0 {
            let is_so = || served.post("/api/v1/verify", key, "", BODY).status == status;
            assert!(wait_until(LIMIT, is_so), "{status} {code}");
            let answer = served.post("/api/v1/verify", key, "", BODY);
            assert_eq!((answer.status, &*answer.code()), (status, code), "{answer:?}");
        }
        assert!(began.elapsed() < KNOWN_WITHIN, "{code}: {:?}", began.elapsed());
    }
}

/// A key's id, by what it begins with.
fn id_of(site: &Site, key: &str) -> String {
    let keys: Value =
        serde_json::from_str(&site.print(&["key", "list", "acme", "--format", "json"])).unwrap();
    let of = |listed: &&Value| key.starts_with(listed["hint"].as_str().unwrap());
    keys.as_array().unwrap().iter().find(of).unwrap()["id"].as_str().unwrap().to_owned()
}

fn state_of(site: &Site, key: &str) -> String {
    let id = id_of(site, key);
    let listed = site.print(&["key", "list", "acme"]);
    listed.lines().find(|line| line.contains(&id)).unwrap().split(' ').nth(1).unwrap().to_owned()
}

fn fails(site: &Site, args: &[&str], status: i32, why: &str) {
    let run = site.run(args);
    assert_eq!((run.status.code(), &*run.stdout), (Some(status), ""), "{args:?}: {}", run.stderr);
    assert!(run.stderr.contains(why), "{args:?}: {}", run.stderr);
}

#[test]
fn keys_that_are_revoked_rotated_or_expire_end_on_all_servers() {
    let site = Site::new(&[]);
    let first = site.key("acme");
    let servers = Servers::of(&site);
    servers.soon_say(&first, 200, "");
    assert_eq!(state_of(&site, &first), "active");

    let second = site.print(&["key", "rotate", &id_of(&site, &first), "--grace", "1h"]);
    for key in [&first, &second] {
        servers.soon_say(key, 200, "");
    }
    assert_eq!(state_of(&site, &first), "replaced");
    let third = site.print(&["key", "rotate", &id_of(&site, &second)]);
    servers.soon_say(&second, 401, "KEY_REVOKED");
    servers.soon_say(&third, 200, "");

    // By its id, and by itself on standard input.
    site.print(&["key", "revoke", &id_of(&site, &first)]);
    servers.soon_say(&first, 401, "KEY_REVOKED");
    let run = site.run_with(&["key", "revoke", "-"], &third);
    assert!(run.status.success(), "{}", run.stderr);
    servers.soon_say(&third, 401, "KEY_REVOKED");
    assert_eq!(state_of(&site, &third), "revoked");
    fails(&site, &["key", "revoke", &id_of(&site, &third)], 1, "revoked before");
    fails(&site, &["key", "rotate", &id_of(&site, &third)], 1, "revoked before");
    fails(&site, &["key", "revoke", &first], 2, "no id of a key");

    let brief = site.print(&["key", "create", "acme", "--for", "email-verifier", "--expires", "3s"]);
    let lasting = site.print(&["key", "create", "acme", "--for", "email-verifier", "--expires", "90d"]);
    servers.soon_say(&brief, 401, "KEY_EXPIRED");
    assert_eq!(state_of(&site, &brief), "expired");
    servers.soon_say(&lasting, 200, "");

    let limited = ["key", "create", "acme", "--for", "email-verifier", "--scopes", "stats"];
    servers.soon_say(&site.print(&limited), 403, "INSUFFICIENT_SCOPE");
    servers.soon_say(&site.print(&["key", "create", "acme", "--for", "tasks"]), 401, "INVALID_API_KEY");
    fails(&site, &["key", "create", "acme", "--for", "tasks", "--scopes", "verifi"], 2, "`verify`");
    fails(&site, &["key", "create", "nobody", "--for", "tasks"], 2, "no client `nobody`");
    let dump = site.postgres.dump().unwrap();
    for key in [first, second, third, brief, lasting] {
        assert!(!dump.contains(&key[8..]) && !site.said().contains(&key[8..]), "it is kept nowhere");
    }
    site.keeps_secrets();
}

#[test]
fn the_terms_of_a_client_are_those_of_all_servers() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let servers = Servers::of(&site);
    servers.soon_say(&key, 200, "");
    site.print(&["client", "deactivate", "acme"]);
    servers.soon_say(&key, 403, "CLIENT_INACTIVE");
    site.print(&["client", "activate", "acme"]);
    servers.soon_say(&key, 200, "");

    site.print(&["client", "set", "acme", "--quota", "1", "--hard-cap", "true"]);
    servers.soon_say(&key, 402, "QUOTA_EXCEEDED");
    let shown: Value =
        serde_json::from_str(&site.print(&["client", "show", "acme", "--format", "json"])).unwrap();
    assert_eq!(
        (&shown["monthly_quota"], &shown["hard_cap"], &shown["keys"]),
        (&json!(1), &json!(true), &json!(1))
    );
    site.print(&["client", "set", "acme", "--no-quota"]);
    servers.soon_say(&key, 200, "");
    let usage = servers.0.each_ref().map(|served| served.fetch("/api/v1/usage", &key).json());
    assert_eq!(usage[0]["billable_units"], usage[1]["billable_units"]);

    let listed = site.print(&["client", "list"]);
    assert!(
        listed.lines().any(|line| line.contains(" acme ") && line.contains("no quota, 1 key")),
        "{listed}"
    );
    fails(&site, &["client", "create", "acme"], 2, "already");
    fails(&site, &["client", "set", "acme"], 2, "say what to change");
    fails(&site, &["client", "show", "nobody"], 2, "no client `nobody`");
    site.keeps_secrets();
}

#[test]
fn webhooks_are_signed_with_the_secrets_of_the_moment() {
    let receiver = Receiver::start("127.0.0.1", Duration::ZERO);
    let site =
        Site::new(&[("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"), ("MAILSONDE_WEBHOOKS__HTTP", "true")]);
    let key = site.key("acme");
    let served = site.serve();
    // How many secrets have signed the message that comes next.
    let signatures = || {
        let id = site.print(&["webhook", "test", "acme", &receiver.url()]);
        site.wait(&format!("select state from webhook where id = '{id}'"), "delivered");
        let told = receiver.told().into_iter().find(|told| told.id() == id).expect("it came");
        told.headers.get("webhook-signature").map_or(0, |all| all.split(' ').count())
    };
    assert_eq!(signatures(), 0);
    let first = site.print(&["webhook", "secret", "create", "acme"]);
    assert!(first.starts_with("whsec_"), "{first}");
    fails(&site, &["webhook", "secret", "create", "acme"], 2, "rotate");
    assert_eq!(signatures(), 1);
    let second = site.print(&["webhook", "secret", "rotate", "acme", "--overlap", "1h"]);
    assert_ne!(first, second);
    assert_eq!(signatures(), 2);
    let listed: Value =
        serde_json::from_str(&site.print(&["webhook", "secret", "list", "acme", "--format", "json"]))
            .unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    site.print(&["webhook", "secret", "rotate", "acme", "--overlap", "0s"]);
    assert_eq!(signatures(), 1);

    let job =
        served.submit(&key, &json!({ "emails": ["zyxw.a@mailinator.com"], "webhook_url": receiver.url() }));
    assert!(wait_until(LIMIT, || receiver.told().iter().any(|told| told.job() == job)));
    let status = || served.fetch(&format!("/api/v1/jobs/{job}"), &key).json()["webhook_sent"] == true;
    assert!(wait_until(LIMIT, status), "what was taken is known");
    let kept = site.postgres.dump().unwrap();
    assert!(!kept.contains("whsec_") && !kept.contains("hooks/mailsonde"));
    site.keeps_secrets();
}
