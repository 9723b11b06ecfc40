//! The file of a job, from the upload to the last octet that its client gets.

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, MARK, Site, client::get, served::Served},
};
use serde_json::json;

fn path(job: &str) -> String {
    format!("/api/v1/jobs/{job}/download")
}

/// Waits until a job is completed.
fn completed(served: &Served, key: &str, job: &str) {
    let status = || served.fetch(&format!("/api/v1/jobs/{job}"), key).json();
    let is_done = || status()["status"] == "completed";
    assert!(wait_until(LIMIT, is_done), "{}", served.said());
    assert_eq!(status()["download_url"], path(job));
}

/// Waits until no file is being read.
fn nobody_reads(served: &Served) {
    let is_over = || served.get("/metrics").body.contains("mailsonde_http_downloads 0\n");
    assert!(wait_until(LIMIT, is_over), "{}", served.said());
}

/// The cells of a row that has no quotes, but for the moment of its verdict.
fn cells(line: &str) -> Vec<&str> {
    let mut cells: Vec<&str> = line.split(',').collect();
    let moment = cells.remove(cells.len() - 2);
    assert!(moment.len() == 20 && moment.ends_with('Z') || moment == "ev_verified_at", "{line}");
    cells
}

/// A table of so many rows of two kilobytes each.
fn table(rows: usize) -> String {
    let note = "x".repeat(1_900);
    let rows = (0..rows).map(|row| format!("nonsense{row},{note}\n"));
    ["email,note\n".to_owned()].into_iter().chain(rows).collect()
}

#[test]
fn a_batch_comes_back_as_a_table() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let emails =
        [format!("{MARK}a@mailinator.com"), format!("{MARK}a@MAILINATOR.com"), "=nonsense".to_owned()];
    let job = served.submit(&key, &json!({ "emails": emails }));
    completed(&served, &key, &job);
    let answer = served.fetch(&path(&job), &key);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{job}.csv\""));
    assert_eq!((answer.header("cache-control"), answer.header("transfer-encoding")), ("no-store", "chunked"));
    let lines: Vec<&str> = answer.body.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4, "{answer:?}");
    assert_eq!(&cells(lines[0])[..3], ["email", "ev_category", "ev_sub_category"]);
    let row = |line: &'_ str| cells(line).iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let [first, second, third] = [1, 2, 3].map(|line| row(lines[line]));
    assert_eq!(first[..4], [&*emails[0], "disposable", "disposable_domain", "disposable_domain"]);
    assert_eq!(second[..4], [&*emails[1], "duplicate", "duplicate_of_row", "duplicate_of_row"]);
    assert_eq!((&*first[9], &*second[9]), ("", "1"));
    assert_eq!(third[..3], ["=nonsense", "invalid_syntax", "no_at"]);
    let safe = served.fetch(&format!("{}?safe=1", path(&job)), &key);
    assert!(safe.body.contains("\r\n'=nonsense,invalid_syntax"), "{safe:?}");
    let asked = get(&path(&job), &key).replacen("GET", "HEAD", 1);
    let head = served.ask(asked.replace("Connection: close\r\n", ""));
    assert_eq!((head.status, head.header("content-type")), (200, "text/csv; charset=utf-8"));
    nobody_reads(&served);
    site.keeps_secrets();
}

#[test]
fn there_is_a_file_of_completed_jobs_alone_until_it_expires() {
    let site = Site::new(&[]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve_only();
    let none = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
    served.fetch(&path("7"), &key).is(400, "INVALID_JOB_ID");
    served
        .fetch(&format!("{}?safe=perhaps", path("7")), &key)
        .is_invalid(&json!(["query", "safe"]), "bool_parsing");
    served.fetch(&path(none), &key).is(404, "JOB_NOT_FOUND");
    let job = served.submit(&key, &json!({ "emails": ["nonsense"] }));
    let not_completed = |status: &str| {
        let answer = served.fetch(&path(&job), &key);
        answer.is(409, "JOB_NOT_COMPLETED");
        let text = format!("Job is not completed yet (status: {status}).");
        assert_eq!(answer.json()["detail"]["error"], text);
    };
    not_completed("pending");
    site.print(&["job", "cancel", &job]);
    not_completed("cancelled");

    let worker = site.worker();
    let job = served.submit(&key, &json!({ "emails": ["nonsense"] }));
    completed(&served, &key, &job);
    let file = || served.fetch(&path(&job), &key);
    assert_eq!(file().status, 200);
    served.fetch(&path(&job), &other).is(404, "JOB_NOT_FOUND");
    served.get(&path(&job)).is(401, "MISSING_API_KEY");
    site.query("create table kept as table chunk; delete from chunk");
    file().is(404, "RESULT_FILE_MISSING");
    site.query("insert into chunk select * from kept");
    assert_eq!(file().status, 200);
    site.query("update job set expires_at = now() - interval '1 second'");
    file().is(410, "RESULT_FILE_EXPIRED");
    site.query("update job set expires_at = now() - interval '62 minutes'");
    site.query("update task set due_at = now() where kind = 'retention'");
    site.wait("select count(*) from job where pruned_at is not null", "2");
    file().is(410, "RESULT_FILE_EXPIRED");
    site.query("delete from job");
    file().is(404, "JOB_NOT_FOUND");
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
}

#[test]
fn a_table_comes_back_with_our_columns() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let table = format!(
        "Nom;Courriel;Note\r\nJosé;{MARK}a@mailinator.com;\"a\r\nb; \"\"c\"\"\"\r\nshort\r\n=1;{MARK}A@mailinator.com;-2;long\r\n"
    );
    // Code page 1252.
    let octets: Vec<u8> = table.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let job = served.upload(&key, &octets);
    completed(&served, &key, &job);
    let answer = served.fetch(&path(&job), &key);
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = &answer.body;
    for part in [
        "Nom;Courriel;Note;column_4;ev_category;ev_sub_category;ev_reason;",
        &format!("José;{MARK}a@mailinator.com;\"a\r\nb; \"\"c\"\"\";;disposable;disposable_domain;"),
        "\r\nshort;;;;invalid_syntax;empty;empty;1.00;;",
        &format!("\r\n=1;{MARK}A@mailinator.com;-2;long;duplicate;duplicate_of_row;"),
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(body.ends_with("Z;1\r\n"), "{body}");
    let safe = served.fetch(&format!("{}?safe=true", path(&job)), &key).body;
    assert!(safe.contains(&format!("\r\n'=1;{MARK}A@mailinator.com;'-2;long;duplicate;")), "{safe}");
    site.keeps_secrets();
}

#[test]
fn who_has_begun_to_read_when_a_file_expires_reads_all_of_it() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    // More than the system keeps of an answer that nobody reads.
    let job = served.upload(&key, table(9_000));
    completed(&served, &key, &job);
    let mut connection = served.connect();
    connection.write(get(&path(&job), &key).as_bytes());
    let begun = || served.get("/metrics").body.contains("mailsonde_http_downloads 1\n");
    assert!(wait_until(LIMIT, begun), "{}", served.said());
    site.query("update job set expires_at = now() - interval '1 second'");
    site.query("update task set due_at = now() where kind = 'retention'");
    site.wait(
        "select count(*) from task where kind = 'retention' and due_at > now() + interval '50 minutes'",
        "1",
    );
    served.fetch(&path(&job), &key).is(410, "RESULT_FILE_EXPIRED");
    let answer = connection.answer().expect("a whole answer");
    assert_eq!((answer.status, answer.body.lines().count()), (200, 9_001));
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_has_none() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let table = table(600);
    // Without an address that column is found by its name.
    let job = served.upload(&key, &table);
    completed(&served, &key, &job);
    assert_eq!(served.fetch(&path(&job), &key).body.lines().count(), 601);
    site.query("update sheet set sealed = 'x' where no = 1");
    let mut connection = served.connect();
    connection.write(get(&path(&job), &key).as_bytes());
    assert!(connection.answer().is_none(), "the body has an end");
    site.wait_for_word("broke off");
    nobody_reads(&served);
}

/// Files that a client may read at once.
const OF_CLIENT_MAX: usize = 4;

#[test]
fn who_reads_slowly_leaves_room_for_others() {
    let site = Site::new(&[("MAILSONDE_DATABASE__REQUESTS_MAX", "2")]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve();
    // More than the system keeps of an answer that nobody reads.
    let job = served.upload(&key, table(9_000));
    let small = served.submit(&other, &json!({ "emails": ["nonsense"] }));
    completed(&served, &key, &job);
    completed(&served, &other, &small);
    let slow: Vec<_> = (0..OF_CLIENT_MAX)
        .map(|_| {
            let mut connection = served.connect();
            connection.write(get(&path(&job), &key).as_bytes());
            connection
        })
        .collect();
    let gauge = format!("mailsonde_http_downloads {OF_CLIENT_MAX}\n");
    let metrics = || served.get("/metrics").body;
    assert!(wait_until(LIMIT, || metrics().contains(&gauge)), "{}", served.said());
    served.fetch(&path(&job), &key).is_unavailable();
    assert!(metrics().contains("mailsonde_http_limits_met_total{limit=\"downloads\"} 1\n"));
    assert_eq!(served.fetch(&path(&small), &other).status, 200);
    drop(slow);
    nobody_reads(&served);
    assert_eq!(served.fetch(&path(&job), &key).body.lines().count(), 9_001);
}
