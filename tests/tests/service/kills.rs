//! Two servers and two workers on one Postgres, of which one is killed at a time while clients order: nothing is lost,
//! nothing done or billed twice, each job told of under one id, and mail servers see no more sessions than they may.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use mailsonde_lab::Net;
use mailsonde_tests::{
    chance::{Chance, kills},
    site::{
        Site,
        mail::slow,
        process::Process,
        receiver::{Receiver, Told},
        served::Served,
    },
};
use serde_json::Value;

use crate::customers::{Closing, Customer, Market, Order};

/// Sessions that all processes together may have with the one mail server there is: fewer than each would like.
const SESSIONS_MAX: u64 = 4;

/// Every other kill is a server's.
const KILLS: u32 = 8;

fn installation(net: &Net) -> Site {
    let sessions = SESSIONS_MAX.to_string();
    let terms = [
        ("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"),
        ("MAILSONDE_WEBHOOKS__HTTP", "true"),
        // Each kill is a failure of what was at work.
        ("MAILSONDE_JOBS__ATTEMPTS_MAX", "100"),
        ("MAILSONDE_SMTP__SESSIONS_PER_MX_MAX", &sessions),
    ];
    Site::among(net, &terms)
}

#[test]
fn two_servers_and_two_workers_of_which_one_is_killed_at_a_time() {
    let (net, receiver) = (slow("20ms"), Receiver::start("127.0.0.1", Duration::ZERO));
    let site = installation(&net);
    let servers = [site.serve_only(), site.serve_only()];
    let market = Market::of(&servers, &receiver);
    let batches = ["ada", "ben"].map(|name| Customer::new(&site, &market, name, &[]));
    let capped = ["--quota", "1000000", "--hard-cap"];
    let mut singles = ["cleo", "dan"].map(|name| Customer::new(&site, &market, name, &capped));
    singles[1].asks = true;
    let is_over = AtomicBool::new(false);
    let (orders, paid, most, servers) = thread::scope(|scope| {
        let (closing, over) = (Closing(&market.is_closed), Closing(&is_over));
        let orders = batches.each_ref().map(|customer| scope.spawn(|| customer.order_batches()));
        let paid = singles.each_ref().map(|customer| scope.spawn(|| customer.order_singly()));
        let most = scope.spawn(|| sessions_leased(&site, &is_over));
        let (servers, _workers) = kill_one_at_a_time(&site, &market, servers);
        drop(closing);
        let orders = orders.map(|thread| thread.join().unwrap());
        let paid = paid.map(|thread| thread.join().unwrap());
        site.wait("select count(*) from job where state <> 'completed'", "0");
        site.wait("select count(*) from webhook where state <> 'delivered'", "0");
        // Whoever held credits and is dead is waited for no longer.
        site.query("update reservation set until = now() where until is not null");
        site.wait("select count(*) from reservation", "0");
        drop(over);
        (orders, paid, most.join().unwrap(), servers)
    });
    for (customer, orders) in batches.iter().zip(&orders) {
        is_settled(&servers[0], customer, orders);
    }
    for (customer, (paid, all)) in singles.iter().zip(paid) {
        is_paid_once(&servers[0], customer, paid, all);
    }
    let jobs: BTreeSet<&str> = orders.iter().flatten().map(|order| &*order.job).collect();
    assert_eq!(jobs.len(), orders.iter().flatten().count(), "each order is a job of its own");
    assert_eq!(site.query("select count(*) from job"), jobs.len().to_string(), "and no job is nobody's");
    site.has_nothing_twice();
    assert_eq!(site.query("select sum(reserved) from usage"), "0");
    are_told_under_one_id(&receiver, &jobs);
    let seen = net.internet().counts().total.sessions_most;
    println!("{} jobs; at most {} sessions leased and {seen} open at once", jobs.len(), most.0);
    assert!((1..=SESSIONS_MAX).contains(&most.0), "sessions were leased at once: {}", most.1);
    assert!((1..=SESSIONS_MAX).contains(&seen), "{seen} sessions were open at once");
    site.keeps_secrets();
}

/// Kills a server and a worker by turns, each when another one has taken the place of the last. Returns those that live.
fn kill_one_at_a_time(site: &Site, market: &Market, servers: [Served; 2]) -> ([Served; 2], [Process; 2]) {
    let mut chance = Chance::new();
    let mut servers = servers.map(Some);
    let mut workers = [Some(site.worker()), Some(site.worker())];
    site.wait("select count(*) from worker", "2");
    for kill in 0..kills(KILLS) {
        chance.moment(800);
        let place = kill as usize / 2 % 2;
        if kill % 2 == 0 {
            servers[place].take().unwrap().kill();
            let next = site.serve_only();
            market.servers.lock().unwrap()[place] = next.address;
            servers[place] = Some(next);
        } else {
            let known = site.query("select max(started_at) from worker");
            workers[place].take().unwrap().kill();
            workers[place] = Some(site.worker());
            site.wait(&format!("select max(started_at) > '{known}' from worker"), "t");
        }
    }
    (servers.map(Option::unwrap), workers.map(Option::unwrap))
}

/// The most sessions with one server that were leased at any moment that was looked at, and how.
fn sessions_leased(site: &Site, is_over: &AtomicBool) -> (u64, String) {
    let leased = "select sum(sessions), key, string_agg(sessions || ' of ' || wanted || ' until ' || until, '; ') \
                  from session_lease where until > now() group by egress, key order by 1 desc limit 1";
    let mut most = (0, String::new());
    while !is_over.load(Relaxed) {
        let found = site.query(leased);
        let sum = found.split('|').next().and_then(|sum| sum.parse().ok()).unwrap_or(0);
        if sum > most.0 {
            most = (sum, found);
        }
        thread::sleep(Duration::from_millis(50));
    }
    most
}

/// Each of a client's batches is whole, and is billed once.
pub(crate) fn is_settled(served: &Served, customer: &Customer<'_>, orders: &[Order]) {
    let mut billable = 0;
    for Order { job, emails } in orders {
        let told = served.fetch(&format!("/api/v1/jobs/{job}"), &customer.key).json();
        assert_eq!(
            (&told["status"], &told["stats"]["processed"]),
            (&"completed".into(), &emails.len().into())
        );
        let path = format!("/api/v1/jobs/{job}/results?include_email=true&limit=1000");
        let results = served.fetch(&path, &customer.key).json();
        let results = results["results"].as_array().unwrap();
        assert_eq!(results.len(), emails.len(), "{told}");
        for ((no, email), result) in (1..).zip(emails).zip(results) {
            assert_eq!((&result["row_number"], &result["email"]), (&Value::from(no), &Value::from(&**email)));
        }
        let free = |result: &&Value| {
            result["category"] == "unknown" || result["category"] == "duplicate" || result["email"] == ""
        };
        billable += results.len() - results.iter().filter(free).count();
    }
    let usage = served.fetch("/api/v1/usage", &customer.key).json();
    assert_eq!(usage["billable_units"], billable, "{usage}");
    println!("{}: {} batches, {billable} credits", customer.name, orders.len());
}

/// Nothing is counted twice, whether it was answered or cut off; and what is not counted was cut off by a kill.
fn is_paid_once(served: &Served, customer: &Customer<'_>, paid: usize, all: usize) {
    let usage = served.fetch("/api/v1/usage", &customer.key).json();
    let billed = usize::try_from(usage["billable_units"].as_u64().unwrap()).unwrap();
    let unanswered = customer.unanswered.load(Relaxed);
    println!("{}: {all} requests, {billed} credits for {paid}, {unanswered} were cut off", customer.name);
    assert!(billed <= paid && paid - billed <= unanswered, "{billed} for {paid}, {unanswered} cut off");
}

/// All jobs are told of, each under one id and in the same words.
fn are_told_under_one_id(receiver: &Receiver, jobs: &BTreeSet<&str>) {
    let told = receiver.told();
    let mut messages: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for told in &told {
        messages.entry(told.job()).or_default().insert((told.id().to_owned(), told.body.clone()));
    }
    assert!(messages.keys().map(String::as_str).eq(jobs.iter().copied()), "{messages:?}");
    assert!(messages.values().all(|messages| messages.len() == 1), "{messages:?}");
    let ids: BTreeSet<&str> = told.iter().map(Told::id).collect();
    assert_eq!(ids.len(), jobs.len(), "no id is that of two");
    println!("{} messages, {} of them repeated", told.len(), told.len() - ids.len());
}
