//! A database whose clock is another one than the host's: nothing is signed by a clock that is wrong, times are those of
//! the database, and nothing is said twice where it jumps.

use std::time::Duration;

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, receiver::Receiver},
};
use serde_json::json;

/// Whoever connects from now on sees the time of `pg_catalog` and `ahead`.
fn may_be_ahead(site: &Site) {
    site.query(
        "create table clock (ahead interval not null);
         insert into clock values ('0');
         create function public.now() returns timestamptz language sql stable
             as 'select pg_catalog.now() + ahead from public.clock';
         create function public.clock_timestamp() returns timestamptz language sql volatile
             as 'select pg_catalog.clock_timestamp() + ahead from public.clock';
         alter database mailsonde set search_path = public, pg_catalog",
    );
}

fn is_ahead(site: &Site, by: &str) {
    site.query(&format!("update clock set ahead = '{by}'"));
}

#[test]
fn whose_clock_is_wrong_signs_nothing_and_is_not_ready() {
    let receiver = Receiver::start("127.0.0.1", Duration::ZERO);
    let site =
        Site::new(&[("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"), ("MAILSONDE_WEBHOOKS__HTTP", "true")]);
    let key = site.key("acme");
    site.print(&["webhook", "secret", "create", "acme"]);
    may_be_ahead(&site);
    let brief = site.print(&["key", "create", "acme", "--for", "email-verifier", "--expires", "2h"]);
    let served = site.serve();
    is_ahead(&site, "11 minutes");
    assert!(wait_until(LIMIT, || served.get("/readyz").status == 503));
    let obstacles = served.get("/readyz").json()["obstacles"].clone();
    assert!(obstacles["clock"].as_str().unwrap().contains("behind the database"), "{obstacles}");
    let id = site.print(&["webhook", "test", "acme", &receiver.url()]);
    site.wait_for_word("the clock differs from the database's");
    assert_eq!(site.query("select state, attempts from webhook"), "pending|0");

    is_ahead(&site, "0");
    served.wait_until_ready();
    site.query("update task set due_at = now() where kind = 'webhook'");
    site.wait("select state, attempts from webhook", "delivered|1");

    // A day later all of a sudden: keys have expired, jobs are done, and what was told is not told again.
    assert_eq!(served.fetch("/api/v1/jobs", &brief).status, 200);
    is_ahead(&site, "1 day");
    let is_expired = || served.fetch("/api/v1/jobs", &brief).status == 401;
    assert!(wait_until(LIMIT, is_expired));
    served.fetch("/api/v1/jobs", &brief).is(401, "KEY_EXPIRED");
    let job = served.submit(&key, &json!({ "emails": ["zyxw.a@mailinator.com"] }));
    site.wait_for(&job, "completed");
    let told: Vec<String> = receiver.told().iter().map(|told| told.id().to_owned()).collect();
    assert_eq!(told, [id]);
    site.keeps_secrets();
}
