//! A large table that goes in by one server and comes out by another one, while those who work at it are killed: every row
//! is there once, in its place, with a verdict of its own, and paid for once.

use std::{collections::BTreeMap, time::Duration};

use mailsonde_lab::{Host, Internet, Net};
use mailsonde_tests::{
    chance::{Chance, kills},
    real::daemon::wait_until,
    site::{MARK, Site, mail::MANY_SESSIONS, process::Process},
};

/// Rows, unless `TABLE_ROWS` says how many. Every 20th repeats the one before.
const ROWS: usize = 10_000;

/// Each with a mail server of its own.
const DOMAINS: usize = 100;

const KILLS: u32 = 10;

/// No more than this passes between two kills.
const MOMENT_MAX_MS: u64 = 500;

/// The way to each mail server and back. A chunk takes 45 of these on the fastest of machines, and a worker works at one
/// chunk at a time: so there is work for 18 seconds at least, and the kills take a third of that.
const RTT: Duration = Duration::from_millis(40);

/// For the whole of it, with as many rows as anybody may ask for.
const DONE_MAX: Duration = Duration::from_mins(20);

fn internet() -> Net {
    let zone: Vec<_> = (0..DOMAINS).map(|n| format!("d{n}.test MX 10 mx.d{n}.test")).collect();
    let host = Host { accepts: vec![format!("{MARK}*")], ..Host::default() };
    let hosts: BTreeMap<_, _> = (0..DOMAINS).map(|n| (format!("mx.d{n}.test"), host.clone())).collect();
    Internet::new(&zone.join("\n"), hosts).unwrap().with_rtt(RTT).listen().unwrap()
}

fn installation(net: &Net) -> Site {
    let terms = [
        // Each kill is a failure of what was at work.
        ("MAILSONDE_JOBS__ATTEMPTS_MAX", "100"),
        ("MAILSONDE_JOBS__TASKS_AT_ONCE", "1"),
    ];
    Site::among(net, &[&MANY_SESSIONS[..], &terms].concat())
}

#[test]
fn a_table_outlives_ten_kills_of_those_who_work_at_it() {
    let rows = std::env::var("TABLE_ROWS").map_or(ROWS, |rows| rows.parse().expect("TABLE_ROWS is a number"));
    let net = internet();
    let site = installation(&net);
    let (door, exit) = (site.serve_only(), site.serve_only());
    let key = site.key("ada");
    let emails: Vec<String> = (0..rows).map(email).collect();
    let lines = (1..).zip(&emails).map(|(no, email)| format!("{no},\"note\nof {no}\",{email}\r\n"));
    let table = format!("id,note,email\r\n{}", lines.collect::<String>());
    let job = door.upload(&key, &table);
    let workers = kill_one_at_a_time(&site);
    let is_done = || site.query("select state from job") == "completed";
    assert!(wait_until(DONE_MAX, is_done), "{}", site.said());
    let told = exit.fetch(&format!("/api/v1/jobs/{job}"), &key).json();
    let repeated = rows / 20;
    assert_eq!(
        (&told["stats"]["processed"], &told["stats"]["duplicate"], &told["stats"]["unknown"]),
        (&rows.into(), &repeated.into(), &0.into()),
        "{told}"
    );
    let path = told["download_url"].as_str().unwrap();
    let table = exit.fetch(path, &key).body;
    let mut out = table.split("\r\n");
    assert_eq!(
        out.next().unwrap(),
        "id,note,email,ev_category,ev_sub_category,ev_reason,ev_confidence_score,ev_suggestion,ev_is_catch_all,\
         ev_is_disposable,ev_is_role_based,ev_verified_at,ev_duplicate_of_row"
    );
    for ((no, email), row) in (1..).zip(&emails).zip(out.by_ref()) {
        let verdict = row
            .strip_prefix(&format!("{no},\"note\nof {no}\",{email},"))
            .unwrap_or_else(|| panic!("{no}: {row}"));
        assert_eq!(verdict.split(',').next().unwrap(), category(no - 1), "{no}: {row}");
    }
    assert_eq!(out.collect::<Vec<_>>(), [""], "and no row more");
    let usage = exit.fetch("/api/v1/usage", &key).json();
    assert_eq!(usage["billable_units"], rows - repeated, "{usage}");
    site.has_nothing_twice();
    drop(workers);
    site.keeps_secrets();
}

fn category(row: usize) -> &'static str {
    match row {
        row if row % 20 == 19 => "duplicate",
        row if row % 10 == 0 => "undeliverable",
        _ => "deliverable",
    }
}

/// At domains in turn, so that neighbours in the table are not neighbours in the work.
fn email(row: usize) -> String {
    match category(row) {
        "duplicate" => email(row - 1),
        "undeliverable" => format!("gone.{MARK}{row}@d{}.test", row % DOMAINS),
        _ => format!("{MARK}{row}@d{}.test", row % DOMAINS),
    }
}

/// Kills one of two workers after the other while there is work, each when another one has taken the place of the last.
fn kill_one_at_a_time(site: &Site) -> [Process; 2] {
    let mut chance = Chance::new();
    let mut workers = [Some(site.worker()), Some(site.worker())];
    site.wait("select count(*) from worker", "2");
    for kill in 0..kills(KILLS) as usize {
        chance.moment(MOMENT_MAX_MS);
        assert_eq!(site.query("select state from job"), "running", "{kill} kills");
        let known = site.query("select max(started_at) from worker");
        workers[kill % 2].take().unwrap().kill();
        workers[kill % 2] = Some(site.worker());
        site.wait(&format!("select max(started_at) > '{known}' from worker"), "t");
    }
    workers.map(Option::unwrap)
}
