//! A server that may open no more files: whoever is connected is served, others wait, and it recovers by itself.

use std::{collections::BTreeSet, fs, process::Command};

use mailsonde_tests::site::{
    Site,
    client::{Connection, post},
    served::Served,
};

const BODY: &[u8] = br#"{"emails":["zyxw.a@mailinator.com"]}"#;

/// Sets how many files it may have open.
fn limit(served: &Served, files: usize) {
    let status = Command::new("prlimit")
        .args(["--pid", &served.id().to_string(), &format!("--nofile={files}:")])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The number that the next file would get.
fn next_file(served: &Served) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", served.id())).unwrap();
    let open: BTreeSet<usize> =
        open.map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    (0..=open.len()).find(|number| !open.contains(number)).unwrap()
}

#[test]
fn who_is_connected_is_served_and_others_wait_until_there_are_files_again() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let mut served = site.serve();
    let mut connected = served.connect();
    let batch = post("/api/v1/verify/batch", &key, "", BODY);
    let mut taken = 0;
    let mut ask = |connection: &mut Connection| {
        connection.write(&batch);
        let answer = connection.answer().expect("an answer");
        // Either there is a connection to the database, or it is said that there is none.
        assert!(matches!(answer.status, 202 | 503), "{answer:?}");
        taken += usize::from(answer.status == 202);
        answer.status
    };
    assert_eq!(ask(&mut connected), 202);
    limit(&served, next_file(&served));
    let mut waits = served.connect();
    waits.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    site.wait_for_word("no connection can be taken");
    for _ in 0..5 {
        ask(&mut connected);
    }
    limit(&served, 1024);
    assert_eq!(waits.answer().expect("it was waited for").status, 200);
    served.wait_until_ready();
    assert_eq!(ask(&mut served.connect()), 202);
    assert!(served.is_alive());
    site.wait("select count(*) from job where state = 'completed'", &taken.to_string());
    assert_eq!(site.query("select count(*) from job"), taken.to_string());
    assert_eq!(served.fetch("/api/v1/usage", &key).json()["billable_units"], taken);
    site.keeps_secrets();
}
