//! A database that is started again, holds what is needed, only reads, is full, or finds others in the way: the API says
//! 503 soon and when to come again, nothing of it is half done or billed, and it recovers by itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use mailsonde_tests::{
    real::{daemon::wait_until, postfix::is_root, postgres::Postgres},
    site::{LIMIT, Site, client::Answer, receiver::Receiver, served::Served},
};

use crate::{
    customers::{Closing, Customer, Market},
    kills::is_settled,
};

/// Answers come within two seconds; machines may be busy.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

const VERIFY: (&str, &str) = ("/api/v1/verify", r#"{"email":"zyxw.a@mailinator.com"}"#);
const BATCH: (&str, &str) =
    ("/api/v1/verify/batch", r#"{"emails":["zyxw.a@mailinator.com","zyxw.b@mailinator.com"]}"#);

fn order(served: &Served, key: &str, (path, body): (&str, &str)) -> Answer {
    served.post(path, key, "Idempotency-Key: order-7\r\n", body)
}

/// Nothing was done for what was refused; afterwards both are, once.
fn is_done_once(site: &Site, served: &Served, key: &str) {
    // Whoever could not say any more that nothing was done has its key for two minutes.
    site.query("update idempotency set until = until - interval '3 minutes' where status is null");
    for (request, status) in [(BATCH, 202), (VERIFY, 200)] {
        let mut last = order(served, key, request);
        let is_done = wait_until(LIMIT, || {
            last = order(served, key, request);
            last.status == status
        });
        assert!(is_done, "{last:?}: {}", site.said());
    }
    site.wait("select count(*), min(state) from job", "1|completed");
    site.wait("select count(*) from reservation", "0");
    assert_eq!(served.fetch("/api/v1/usage", key).json()["billable_units"], 3);
    site.keeps_secrets();
}

#[test]
fn batches_that_are_ordered_while_the_database_is_started_again_are_whole_and_billed_once() {
    let receiver = Receiver::start("127.0.0.1", Duration::ZERO);
    let site = Site::new(&[
        ("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"),
        ("MAILSONDE_WEBHOOKS__HTTP", "true"),
        ("MAILSONDE_JOBS__ATTEMPTS_MAX", "100"),
    ]);
    let servers = [site.serve(), site.serve()];
    let market = Market::of(&servers, &receiver);
    let customer = Customer::new(&site, &market, "ada", &[]);
    let orders = thread::scope(|scope| {
        let closing = Closing(&market.is_closed);
        let orders = scope.spawn(|| customer.order_batches());
        for _ in 0..2 {
            let jobs = site.query("select count(*) from job");
            site.wait(&format!("select count(*) > {jobs} + 5 from job"), "t");
            site.postgres.restart().unwrap();
        }
        drop(closing);
        orders.join().unwrap()
    });
    site.wait("select count(*) from job where state <> 'completed'", "0");
    is_settled(&servers[0], &customer, &orders);
    assert_eq!(site.query("select count(*) from job"), orders.len().to_string());
    site.keeps_secrets();
}

const HOLD: &str = "begin; lock table job, usage in access exclusive mode; select pg_sleep(600)";
const LET_GO: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                      where query like 'begin; lock%' and pid <> pg_backend_pid()";

#[test]
fn whoever_waits_for_what_somebody_holds_is_told_within_two_seconds() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    assert_eq!(order(&served, &key, VERIFY).status, 200);
    site.query("delete from idempotency");
    thread::scope(|scope| {
        let holder = scope.spawn(|| site.postgres.query(HOLD));
        site.wait("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'job'::regclass", "1");
        let told = Instant::now();
        thread::scope(|scope| {
            let (served, key) = (&served, &key);
            for request in [VERIFY, BATCH] {
                scope.spawn(move || order(served, key, request).is_unavailable());
            }
            // More than there are connections for requests.
            for _ in 0..30 {
                scope.spawn(|| served.fetch("/api/v1/jobs", key).is_unavailable());
            }
            scope.spawn(|| assert_eq!(served.get("/healthz").status, 200));
        });
        assert!(told.elapsed() < TOLD_WITHIN, "{:?}", told.elapsed());
        assert_eq!(site.query(LET_GO), "1", "they were held until now");
        assert!(holder.join().unwrap().is_err());
    });
    site.query("update usage set settled = 0");
    is_done_once(&site, &served, &key);
}

#[test]
fn while_the_database_only_reads_orders_are_refused_and_nothing_is_billed() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    site.query("alter system set default_transaction_read_only = on");
    site.query("select pg_reload_conf()");
    let mut tries = 0..;
    let is_known = || {
        let header = format!("Idempotency-Key: try-{}\r\n", tries.next().unwrap());
        served.post(VERIFY.0, &key, &header, r#"{"email":""}"#).status == 503
    };
    assert!(wait_until(LIMIT, is_known));
    for request in [VERIFY, BATCH] {
        order(&served, &key, request).is_unavailable();
    }
    assert_eq!(served.fetch("/api/v1/jobs", &key).json()["total"], 0, "what is there can be read");
    site.query("alter system reset default_transaction_read_only");
    site.query("select pg_reload_conf()");
    is_done_once(&site, &served, &key);
}

/// What is in it matters to nobody.
const FILL: &str = "insert into ballast select repeat('x', 1000) from generate_series(1, 100000)";

#[test]
fn while_the_disk_is_full_orders_are_refused_and_nothing_is_billed() {
    if !is_root() {
        println!("not tried: a full disk needs root");
        return;
    }
    let site = Site::of(Postgres::start_on_small_disk("32m").unwrap(), &[]);
    let key = site.key("acme");
    let served = site.serve();
    site.query("create table ballast (word text)");
    let full = site.postgres.query(FILL).unwrap_err().to_string();
    assert!(full.contains("No space left on device"), "{full}");
    // More than fits into what tables have left.
    let body = format!("{{\"emails\":[{}\"\"]}}", "\"zyxw.a@mailinator.com\",".repeat(999));
    served.post(BATCH.0, &key, "", body).is_unavailable();
    assert_eq!(served.fetch("/api/v1/jobs", &key).json()["total"], 0, "what is there can be read");
    site.query("drop table ballast");
    is_done_once(&site, &served, &key);
}

#[test]
fn conflicts_are_tried_again_three_times_and_billed_once() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    site.refuse_at_first("job", 7);
    // The first, and three more; so the second order is the last one that somebody is in the way of.
    order(&served, &key, BATCH).is_unavailable();
    assert_eq!(site.query("select last_value, (select count(*) from reservation) from tries"), "4|0");
    is_done_once(&site, &served, &key);
    assert_eq!(site.query("select last_value from tries"), "8");
}
