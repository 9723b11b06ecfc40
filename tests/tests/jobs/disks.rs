//! A database that only reads for a while, and one whose disk is full.

use mailsonde_tests::{
    real::{postfix::is_root, postgres::Postgres},
    site::{
        Site,
        client::upload,
        jobs::addresses,
        mail::{self, slow},
    },
};

const FEW_AT_ONCE: [(&str, &str); 1] = [("MAILSONDE_JOBS__TASKS_AT_ONCE", "2")];

#[test]
fn while_the_database_only_reads_nothing_is_lost() {
    // Servers so slow that somebody is at work when it begins, and not at writing.
    let net = slow("150ms");
    let site = Site::with(net.environment());
    let inputs = mail::addresses(100);
    let job = site.submit(&inputs, &[]);
    let mut worker = site.worker_at_work();
    site.query("alter system set default_transaction_read_only = on");
    site.query("select pg_reload_conf()");
    // Longer than leases, and than verdicts are tried to be written.
    site.wait_for_word("was not settled");
    site.is_refused(&["job", "submit", "-", "--offline"], &inputs, "cannot be used now");
    let mut late = site.worker();
    site.wait_for_word("it is waited for");
    let parts = site.query("select count(*) from part");
    site.query("alter system reset default_transaction_read_only");
    site.query("select pg_reload_conf()");
    site.wait(&format!("select count(*) > {parts} from part"), "t");
    site.wait_for(&job, "completed");
    assert!(worker.is_alive() && late.is_alive(), "{}", site.said());
    assert_eq!(site.query("select count(*) from job"), "1");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

/// What is in it matters to nobody.
const FILL: &str = "insert into ballast select repeat('x', 1000) from generate_series(1, 100000)";

#[test]
fn while_the_disk_is_full_nothing_is_lost() {
    if !is_root() {
        println!("not tried: a full disk needs root");
        return;
    }
    let site = Site::of(Postgres::start_on_small_disk("32m").unwrap(), &FEW_AT_ONCE);
    site.brake();
    let inputs = addresses(15_000);
    let job = site.submit(&inputs, &["--offline"]);
    let mut worker = site.worker_at_work();
    site.query("create table ballast (word text)");
    let full = site.postgres.query(FILL).unwrap_err().to_string();
    assert!(full.contains("No space left on device"), "{full}");
    // Somebody has a chunk again whose verdicts could not be written.
    site.wait(
        "select count(*) > 0 from task where kind = 'chunk' and snoozes > 0 and state = 'running'",
        "t",
    );
    site.is_refused(&["job", "submit", "-", "--offline"], &inputs, "No space left on device");
    assert_eq!(site.job(&job)["state"], "running", "what is there can be read");
    let parts = site.query("select count(*) from part");
    site.query("drop table ballast");
    site.wait(&format!("select count(*) > {parts} from part"), "t");
    site.wait_for(&job, "completed");
    assert!(worker.is_alive(), "{}", site.said());
    assert_eq!(site.query("select count(*) from job"), "1");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}

#[test]
fn an_upload_for_which_there_is_no_room_has_failed_and_leaves_nothing_behind() {
    if !is_root() {
        println!("not tried: a full disk needs root");
        return;
    }
    let site = Site::of(Postgres::start_on_small_disk("32m").unwrap(), &FEW_AT_ONCE);
    let key = site.key("acme");
    let served = site.serve_only();
    let table = format!("email,note\n{}", format!("a@example.invalid,{}\n", "x".repeat(10_000)).repeat(300));
    site.query("create table ballast (word text)");
    site.postgres.query(FILL).unwrap_err();
    served.ask(upload(&key, "", table.as_bytes())).is(400, "UPLOAD_FAILED");
    assert_eq!(site.query("select count(*) from job"), "0");
    site.query("drop table ballast");
    served.upload(&key, table);
    assert_eq!(site.query("select (select count(*) from job), (select sum(rows) from sheet)"), "1|300");
}
