//! Files: uploaded, looked after, and downloaded again.

use mailsonde_tests::site::{MARK, Site, client::Answer, served::Served};
use serde_json::{Value, json};

use super::{ended, get, internet, key, refuses, submit};

const BOUNDARY: &str = "between-the-parts";

/// Uploads a file of this name, with further fields.
fn upload(served: &Served, key: &str, name: &str, file: &[u8], fields: &[(&str, &str)]) -> Answer {
    let mut body = Vec::new();
    for (field, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend(part.bytes());
    }
    let part =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend(part.bytes());
    body.extend_from_slice(file);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    let mut request = format!(
        "POST /api/v1/tasks/batch/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    served.ask(request)
}

/// The addresses of a task, in their order.
fn addresses(served: &Served, key: &str, id: &str) -> Vec<String> {
    let page = get(served, &format!("/api/v1/tasks/{id}/jobs?limit=100"), key).json();
    let address = |job: &Value| job["email_address"].as_str().unwrap().to_owned();
    page["jobs"].as_array().unwrap().iter().rev().map(address).collect()
}

#[test]
fn a_file_becomes_a_task_and_is_looked_after() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let table = format!(
        "name,address,email\nJane,x,jane@example.com\n\nGhost,y,{MARK}ghost@example.com\nZ,z,nonsense\n"
    );
    let taken = upload(&served, &key, "people.csv", table.as_bytes(), &[]);
    assert_eq!(taken.status, 202, "{taken:?}");
    let told = taken.json();
    let id = told["task_id"].as_str().unwrap();
    assert_eq!((&told["upload_id"], &told["filename"]), (&json!(id), &json!("people.csv")), "{told}");
    assert_eq!((&told["email_count"], &told["status"]), (&json!(3), &json!("processing")), "{told}");
    ended(&served, &key, id);
    let all = addresses(&served, &key, id);
    assert_eq!(all, ["jane@example.com".to_owned(), format!("{MARK}ghost@example.com"), "nonsense".into()]);
    let upload_of = |path: &str| get(&served, &format!("/api/v1/tasks/batch/uploads/{path}"), &key);
    let told = upload_of(id).json();
    assert_eq!((&told["status"], &told["email_count"]), (&json!("completed"), &json!(3)), "{told}");
    let task = &told["task"];
    assert_eq!((&task["is_file_backed"], &task["file"]["filename"]), (&json!(true), &json!("people.csv")));
    assert_eq!(task["metrics"]["verification_status"]["invalid_syntax"], 1, "{told}");
    assert_eq!(get(&served, "/api/v1/tasks?is_file_backed=true", &key).json()["count"], 1);
    let list = submit(&served, &key, &["jane@example.com"]);
    refuses(&upload_of(&list), 404, "NOT_FOUND");
    site.keeps_secrets();
}

#[test]
fn texts_tables_and_workbooks_are_read_and_others_refused() {
    let site = Site::new(&[]);
    let key = key(&site, "acme");
    let served = site.serve_only();
    let count = |name: &str, file: &[u8], fields: &[(&str, &str)]| {
        let taken = upload(&served, &key, name, file, fields);
        assert_eq!(taken.status, 202, "{name}: {taken:?}");
        taken.json()["email_count"].as_i64().unwrap()
    };
    assert_eq!(count("list.txt", b"jane@example.com\r\njohn@example.com\r\n", &[]), 2);
    let two = b"one,two\na@example.com,b@example.com\nc@example.com,\n";
    assert_eq!(count("two.csv", two, &[("email_column", "one")]), 2);
    assert_eq!(count("two.csv", two, &[("column", "2")]), 1);
    for (name, file, fields) in [
        ("list.pdf", &b"jane@example.com\n"[..], &[][..]),
        ("empty.txt", b"", &[]),
        ("none.csv", b"name\nJane\n", &[]),
        ("two.csv", two, &[("email_column", "three")]),
        ("broken.xlsx", b"PK\x03\x04nonsense", &[]),
        ("list.txt", b"jane@example.com\n", &[("webhook_url", "https://127.0.0.1/")]),
        ("many.txt", "jane@example.com\n".repeat(10_001).as_bytes(), &[]),
    ] {
        refuses(&upload(&served, &key, name, file, fields), 400, "VALIDATION_ERROR");
    }
    let large = [b"PK\x03\x04".as_slice(), &vec![b'a'; 6 * 1024 * 1024]].concat();
    refuses(&upload(&served, &key, "large.xlsx", &large, &[]), 413, "BODY_TOO_LARGE");
}

#[test]
fn what_is_known_is_downloaded_in_three_formats_of_which_one_can_be_uploaded_again() {
    let net = internet();
    let site = Site::with(net.environment());
    let key = key(&site, "acme");
    let served = site.serve();
    let id = submit(&served, &key, &["jane@example.com", "=cmd@example.com", "x@everybody.test"]);
    ended(&served, &key, &id);
    let path = format!("/api/v1/tasks/{id}/download");
    let csv = get(&served, &path, &key);
    assert_eq!(csv.status, 200, "{csv:?}");
    assert_eq!(csv.header("content-disposition"), format!("attachment; filename=\"{id}.csv\""));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert!(lines[0].starts_with("email,status,is_role_based,is_disposable,has_mx_records,"), "{csv:?}");
    assert!(
        lines[1].starts_with("jane@example.com,exists,false,false,true,true,example.com,mx.example.com,")
    );
    assert!(lines[2].starts_with("'=cmd@example.com,not_exists,"), "{csv:?}");
    assert!(lines.len() == 4 && lines[3].starts_with("x@everybody.test,catchall,"), "{csv:?}");
    let txt = get(&served, &format!("{path}?format=txt"), &key);
    assert_eq!(
        txt.body,
        "jane@example.com\texists\n=cmd@example.com\tnot_exists\nx@everybody.test\tcatchall\n"
    );
    let other = submit(&served, &key, &["jane@example.com"]);
    let overridden = get(&served, &format!("/api/v1/tasks/{other}/download?format=txt&task_id={id}"), &key);
    assert_eq!(overridden.body, txt.body);
    refuses(&get(&served, &format!("{path}?format=pdf"), &key), 400, "VALIDATION_ERROR");

    let again = upload(&served, &key, "again.csv", csv.body.as_bytes(), &[("email_column", "1")]);
    assert_eq!((again.status, &again.json()["email_count"]), (202, &json!(3)), "{again:?}");
    site.query("update job set expires_at = now() - interval '1 second' where ended_at is not null");
    refuses(&get(&served, &path, &key), 404, "NOT_FOUND");
}
