//! Commits of which nobody hears, and servers that are killed within a request: whoever sends it again with the same
//! idempotency key gets one job, whatever had become of it.

use std::thread;

use mailsonde_tests::site::{
    Site,
    client::{Answer, post},
    served::Served,
};

const BATCH: &str = "/api/v1/verify/batch";
const BODY: &str =
    r#"{"emails":["zyxw.a@mailinator.com","zyxw.b@mailinator.com"],"options":{"check_smtp":false}}"#;

/// Jobs are put in by way of this.
fn on_jobs(site: &Site, when: &str, body: &str) {
    site.query(&format!(
        "create function hindrance() returns trigger language plpgsql as $$ begin {body}; return new; end $$;
         create {when} for each row execute function hindrance()"
    ));
}

/// It waits so, until its connection is ended by the database.
fn is_cut_off(site: &Site, wait_event: &str) {
    let such = format!(
        "from pg_stat_activity where wait_event = '{wait_event}' and backend_type = 'client backend'"
    );
    site.wait(&format!("select count(*) {such}"), "1");
    assert_eq!(site.query(&format!("select count(pg_terminate_backend(pid)) {such}")), "1");
}

fn order(served: &Served, key: &str) -> Answer {
    served.post(BATCH, key, "Idempotency-Key: order-7\r\n", BODY)
}

/// One job came of it in the end, and is billed once.
fn is_one_job(site: &Site, served: &Served, key: &str, accepted: &Answer) {
    assert_eq!(accepted.status, 202, "{accepted:?}: {}", site.said());
    let _worker = site.worker();
    site.wait("select string_agg(state || ' ' || id, ',') from job", &completed(accepted));
    let again = order(served, key);
    assert_eq!((again.status, &again.body), (202, &accepted.body));
    assert_eq!(served.fetch("/api/v1/usage", key).json()["billable_units"], 2);
    assert_eq!(site.query("select (select count(*) from job), (select count(*) from reservation)"), "1|0");
    site.keeps_secrets();
}

fn completed(accepted: &Answer) -> String {
    format!("completed {}", accepted.json()["job_id"].as_str().unwrap())
}

#[test]
fn what_was_committed_unheard_is_found_by_its_key() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    // The commit of a job, and of nothing else, waits for a copy of the database that never comes; it is done by then.
    site.query("alter role mailsonde set synchronous_commit = local");
    on_jobs(
        &site,
        "trigger hindrance before insert on job",
        "perform set_config('synchronous_commit', 'on', true)",
    );
    let served = site.serve_only();
    site.query("alter system set synchronous_standby_names = 'nobody'");
    site.query("select pg_reload_conf()");
    thread::scope(|scope| {
        let unheard = scope.spawn(|| order(&served, &key));
        is_cut_off(&site, "SyncRep");
        unheard.join().unwrap().is_unavailable();
    });
    assert_eq!(site.query("select count(*) from job"), "1");
    site.query("alter system reset synchronous_standby_names");
    site.query("select pg_reload_conf()");
    let accepted = order(&served, &key);
    assert_eq!(accepted.header("idempotent-replayed"), "true", "{accepted:?}");
    is_one_job(&site, &served, &key, &accepted);
}

#[test]
fn what_was_not_committed_is_done_anew_under_its_key() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let within_commit = "constraint trigger hindrance after insert on job initially deferred";
    on_jobs(&site, within_commit, "perform pg_sleep(600)");
    thread::scope(|scope| {
        let cut_off = scope.spawn(|| order(&served, &key));
        is_cut_off(&site, "PgSleep");
        cut_off.join().unwrap().is_unavailable();
    });
    site.query("drop trigger hindrance on job");
    assert_eq!(site.query("select count(*) from job"), "0");
    let accepted = order(&served, &key);
    assert_eq!(accepted.header("idempotent-replayed"), "");
    is_one_job(&site, &served, &key, &accepted);
}

#[test]
fn whoever_was_answered_by_nobody_since_the_server_was_killed_is_told_to_wait_and_gets_one_job() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let (killed, served) = (site.serve_only(), site.serve_only());
    on_jobs(&site, "trigger hindrance before insert on job", "perform pg_sleep(600)");
    let mut connection = killed.connect();
    let headers = "Idempotency-Key: order-7\r\n";
    connection.write(&post(BATCH, &key, headers, BODY.as_bytes()));
    site.wait("select count(*) from pg_stat_activity where wait_event = 'PgSleep'", "1");
    killed.kill();
    assert!(connection.answer().is_none());
    is_cut_off(&site, "PgSleep");
    site.query("drop trigger hindrance on job");
    // Nobody can know yet that nobody works at it.
    let waiting = order(&served, &key);
    waiting.is(409, "IDEMPOTENCY_IN_PROGRESS");
    // Two minutes, which is longer than a request may take.
    site.query("update idempotency set until = until - interval '3 minutes'");
    let accepted = order(&served, &key);
    is_one_job(&site, &served, &key, &accepted);
}
