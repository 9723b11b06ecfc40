//! Tables that clients upload: how they are understood, what becomes of them, and what is refused.

use std::fmt::Write as _;

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, MARK, Site,
        client::{Answer, BOUNDARY, TABLE, form, head, upload},
        served::Served,
    },
};
use serde_json::{Value, json};

const CSV: &str = "/api/v1/verify/csv";

/// Octets of a file at most.
const FILE_MAX: usize = 20 * 1024 * 1024;

fn table(served: &Served, key: &str, table: impl AsRef<[u8]>) -> Answer {
    served.ask(upload(key, "", table.as_ref()))
}

/// With these texts beside the table.
fn with(served: &Served, key: &str, texts: &[(&str, &str)]) -> Answer {
    let names: Vec<String> = texts.iter().map(|(name, _)| format!("name=\"{name}\"")).collect();
    let texts = names.iter().zip(texts).map(|(name, (_, text))| (&**name, text.as_bytes()));
    let parts: Vec<_> = texts.chain([(TABLE, &b"email\na@example.invalid\n"[..])]).collect();
    served.ask(form(key, "", &parts))
}

fn jobs(site: &Site) -> String {
    site.query("select count(*) from job")
}

/// Waits until a job has ended, and returns what is told of it.
fn ended(served: &Served, key: &str, id: &str) -> Value {
    let path = format!("/api/v1/jobs/{id}");
    let is_done = || served.fetch(&path, key).json()["status"] == "completed";
    assert!(wait_until(LIMIT, is_done), "{}", served.said());
    served.fetch(&path, key).json()
}

fn id(accepted: &Answer) -> String {
    assert_eq!(accepted.status, 202, "{accepted:?}");
    accepted.json()["job_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_table_is_understood_verified_and_kept_with_its_other_columns() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let text = format!(
        "first_name;E-Mail;signup_date\r\nJosé;{MARK}a@mailinator.com;2026-01-01\r\n\
         \"of \"\"two\"\"\r\nlines\"; {MARK}A@MAILINATOR.com ;=1+1\r\n\r\nshort\r\nlong;nonsense;x;more\r\n"
    );
    let name = r#"name="file"; filename="../../etc/people \"of\" us.csv""#;
    let form = form(&key, "", &[("name=\"retention_days\"", b"7"), (name, text.as_bytes())]);
    let accepted = served.ask(form);
    let id = id(&accepted);
    let expected = format!(
        "{{\"job_id\":\"{id}\",\"status\":\"pending\",\"total_emails\":4,\"estimated_time_seconds\":1,\
         \"check_status_url\":\"/api/v1/jobs/{id}\",\"detected_delimiter\":\";\",\"detected_encoding\":\"utf-8\",\
         \"email_column_name\":\"E-Mail\",\"has_header\":true,\
         \"extra_column_names\":[\"first_name\",\"signup_date\",\"column_4\"]}}"
    );
    assert_eq!(accepted.body, expected);

    let job = ended(&served, &key, &id);
    assert_eq!(
        (&job["source_type"], &job["original_filename"]),
        (&json!("csv"), &json!("people \"of\" us.csv"))
    );
    let stats = &job["stats"];
    assert_eq!((&stats["duplicate"], &stats["invalid_syntax"]), (&json!(1), &json!(2)), "{job}");
    let page = |query: &str| served.fetch(&format!("/api/v1/jobs/{id}/results?{query}"), &key);
    let results = page("include_email=true").json();
    let row = |number: usize| &results["results"][number - 1];
    assert_eq!(row(2)["email"], format!("{MARK}A@MAILINATOR.com"));
    assert_eq!((&row(3)["email"], &row(3)["reason"]), (&json!(""), &json!("empty")));
    let extra = |first: &str, signup: &str, fourth: &str| json!({ "first_name": first, "signup_date": signup, "column_4": fourth });
    assert_eq!(row(1)["extra_columns"], extra("José", "2026-01-01", ""));
    assert_eq!(row(2)["extra_columns"], extra("of \"two\"\r\nlines", "=1+1", ""));
    assert_eq!(row(3)["extra_columns"], extra("short", "", ""));
    assert_eq!(row(4)["extra_columns"], extra("long", "x", "more"));
    let second = page("limit=1&offset=1");
    let order = "\"extra_columns\":{\"first_name\":\"of \\\"two\\\"\\r\\nlines\",\"signup_date\":\"=1+1\",\"column_4\":\"\"}";
    assert!(second.body.contains(order), "{second:?}");
    let duplicates = page("category=duplicate").json();
    assert_eq!(duplicates["results"][0]["extra_columns"], extra("of \"two\"\r\nlines", "=1+1", ""));

    // Nothing of it stands in the clear, and after its time nothing of it stands there.
    let shown = "select count(*) from sheet where position('mailinator'::bytea in sealed) > 0";
    assert_eq!(site.query(shown), "0");
    site.query("update job set expires_at = now() - interval '1 second'");
    assert_eq!(page("include_email=true").json()["results"][0]["extra_columns"], json!({}));
    assert!(!served.said().contains(MARK), "{}", served.said());
}

#[test]
fn encodings_delimiters_and_headers_are_found_out() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let told = |text: &[u8]| {
        let accepted = table(&served, &key, text);
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let told = accepted.json();
        let word = |key: &str| told[key].as_str().unwrap().to_owned();
        [
            word("detected_encoding"),
            word("detected_delimiter"),
            word("email_column_name"),
            told["has_header"].to_string(),
            told["extra_column_names"].to_string(),
            told["total_emails"].to_string(),
        ]
        .join(" ")
    };
    for (text, expected) in [
        (&b"email,name\na@x.example,Jos\xc3\xa9\n"[..], "utf-8 , email true [\"name\"] 1"),
        (b"\xef\xbb\xbfemail,name\na@x.example,1\n", "utf-8-sig , email true [\"name\"] 1"),
        (b"Pr\xe9nom;Courriel\nJos\xe9;a@x.example\n", "cp1252 ; Courriel true [\"Prénom\"] 1"),
        (b"name|mail\nJos\xe9 \x81\x9d|a@x.example\n", "latin-1 | mail true [\"name\"] 1"),
        (b"a@x.example\tJane\rb@x.example\tBob\r", "utf-8 \t column_1 false [\"column_2\"] 2"),
        (b"a@x.example\n\n\nb@x.example", "utf-8 , column_1 false [] 2"),
        (b"contact;adresse e-mail\n;a@x.example", "utf-8 ; adresse e-mail true [\"contact\"] 1"),
        // Named so, and nothing looks like an address.
        (b"name,email\nJane,none\n", "utf-8 , email true [\"name\"] 1"),
        // Two of them: the one that holds addresses.
        (b"email,e-mail\n-,a@x.example\n", "utf-8 , e-mail true [\"email\"] 1"),
        // None is named so: the one that holds addresses.
        (b"name,contact\nJane,a@x.example\n", "utf-8 , contact true [\"name\"] 1"),
    ] {
        assert_eq!(told(text), expected, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_no_table_is_refused_with_its_own_code() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let wide = ",".repeat(50_000);
    let open = format!("email,name\n{MARK}a@x.example,\"{}", "x\n".repeat(50_000));
    let cell = format!("email,name\n{MARK}a@x.example,{}\n", "x".repeat(19 << 20));
    for (text, code) in [
        (&b""[..], "EMPTY_FILE"),
        (b"email,name\r\n", "EMPTY_CSV"),
        (b"\xef\xbb\xbf\n\n", "EMPTY_CSV"),
        (b"\xff\xfee\0m\0a\0i\0l\0\n\0", "CSV_PARSE_ERROR"),
        (b"email\na@x.example\0\n", "CSV_PARSE_ERROR"),
        (b"PK\x03\x04\x14\0xl/workbook.xml", "CSV_PARSE_ERROR"),
        (b"\x1f\x8b\x08\0\0", "CSV_PARSE_ERROR"),
        (b"name,phone\nJane,1\n", "CSV_PARSE_ERROR"),
        (open.as_bytes(), "CSV_PARSE_ERROR"),
        (cell.as_bytes(), "CSV_PARSE_ERROR"),
        (wide.as_bytes(), "CSV_PARSE_ERROR"),
    ] {
        let answer = table(&served, &key, text);
        answer.is(400, code);
        assert!(!answer.body.contains(MARK), "{answer:?}");
    }
    let column = table(&served, &key, "name\nJane\n").json();
    assert_eq!(column["detail"]["error"], "Could not detect a valid email column.");
    let said = table(&served, &key, &open).json();
    assert_eq!(said["detail"]["error"], "Could not read the CSV file: row 2 has a cell of more than 32 KiB.");
    assert_eq!((jobs(&site).as_str(), served.said().contains(MARK)), ("0", false), "{}", served.said());
}

#[test]
fn what_is_no_form_or_has_wrong_fields_is_refused_before_the_table_is() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let body = |field: &str| json!(["body", field]);
    for (name, text, kind) in [
        ("retention_days", "x", "int_parsing"),
        ("retention_days", "1.5", "int_parsing"),
        ("check_smtp", "maybe", "bool_parsing"),
        ("suggest_typo", "2", "bool_parsing"),
        ("check_random", "-", "bool_parsing"),
        ("check_domain_trust", "ja", "bool_parsing"),
        ("webhook_url", "http://example.com/", "url_unsafe"),
        ("webhook_url", "https://127.0.0.1/", "url_unsafe"),
    ] {
        with(&served, &key, &[(name, text)]).is_invalid(&body(name), kind);
    }
    for days in ["0", "31", "-1", "9999999999"] {
        with(&served, &key, &[("retention_days", days)]).is(400, "INVALID_RETENTION_DAYS");
    }
    // What stands behind a table that is none is wrong first.
    let behind = |name: &str, text: &[u8]| {
        let name = format!("name=\"{name}\"");
        served.ask(form(&key, "", &[(TABLE, b""), (&name, text)]))
    };
    behind("retention_days", b"x").is_invalid(&body("retention_days"), "int_parsing");
    behind("retention_days", b"31").is(400, "INVALID_RETENTION_DAYS");
    behind("retention_days", b"30").is(400, "EMPTY_FILE");
    behind("webhook_url", b"\xff").is_invalid(&body("webhook_url"), "string_unicode");
    served.ask(form(&key, "", &[("name=\"x\"", b"1")])).is_invalid(&body("file"), "missing");
    served.ask(form(&key, "", &[("name=\"file\"", b"a@b.c")])).is_invalid(&body("file"), "file_type");
    served
        .ask(form(&key, "", &[(TABLE, b"a@b.co"), (TABLE, b"a@b.co")]))
        .is_invalid(&body("file"), "too_long");

    for headers in ["Content-Type: text/csv\r\n", "Content-Type: application/json\r\n"] {
        served.post(CSV, &key, headers, "email\na@b.co\n").is(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    served.ask(upload(&key, "Content-Encoding: gzip\r\n", b"x")).is(415, "UNSUPPORTED_MEDIA_TYPE");
    let no_boundary = "Content-Type: multipart/form-data\r\n";
    served.post(CSV, &key, no_boundary, "x").is_invalid(&json!(["body"]), "multipart_invalid");
    let media_type = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
    for cut in
        ["", "x", "--", &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {TABLE}\r\n\r\nemail\n")]
    {
        served.post(CSV, &key, &media_type, cut).is_invalid(&json!(["body"]), "body_incomplete");
    }
    assert_eq!(jobs(&site), "0");
    // An empty text says nothing, whichever; unknown ones are passed over.
    let texts =
        ["retention_days", "check_smtp", "webhook_url", "check_random", "unknown"].map(|name| (name, ""));
    assert_eq!(with(&served, &key, &texts).status, 202);
    assert_eq!(
        with(&served, &key, &[("check_smtp", "No"), ("suggest_typo", "1"), ("unknown", "x")]).status,
        202
    );
    let kept = site.query("select string_agg(array_to_string(skips, ','), ' ' order by created_at) from job");
    assert_eq!(kept.matches("smtp-probe").count(), 1, "{kept}");
}

/// A table of exactly so many octets: cells of 16 KiB, rows of 128 KiB.
fn large(octets: usize) -> String {
    let mut text = String::from("email,a,b,c,d,e,f,g,h\n");
    let cells = format!(",{}", "x".repeat(16_000)).repeat(8);
    let mut row = 0;
    while text.len() + cells.len() + 100 < octets {
        writeln!(text, "user{row}@example.invalid{cells}").unwrap();
        row += 1;
    }
    // The rest is rows of addresses.
    while text.len() + 500 < octets {
        writeln!(text, "user{row}@example.invalid,{}", "y".repeat(400)).unwrap();
        row += 1;
    }
    let rest = octets - text.len();
    writeln!(text, "z@example.invalid,{}", "z".repeat(rest - "z@example.invalid,\n".len())).unwrap();
    text
}

#[test]
fn the_largest_table_is_taken_and_one_octet_more_is_not() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let before = most_memory(&served);
    let largest = large(FILE_MAX);
    assert_eq!(largest.len(), FILE_MAX);
    id(&table(&served, &key, &largest));
    let held = most_memory(&served) - before;
    // It is held once, sealed; a little more than that is on its way.
    assert!(held < 2 * FILE_MAX, "{} MiB were held", held >> 20);
    let refused = table(&served, &key, largest.clone() + "\n");
    refused.is(413, "FILE_TOO_LARGE");
    assert_eq!(refused.json()["detail"]["error"], "CSV file exceeds the maximum size of 20 MB.");
    assert_eq!(refused.header("connection"), "close");
    // Its length is told: nothing has to be sent.
    let headers =
        format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nExpect: 100-continue\r\n");
    served.ask(head(CSV, &key, &headers, 1 << 30)).is(413, "FILE_TOO_LARGE");
    // It is not: what comes is counted.
    let mut connection = served.connect();
    connection.write(
        format!(
            "POST {CSV} HTTP/1.1\r\nHost: x\r\nApi-Key: {key}\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
        )
        .as_bytes(),
    );
    let start = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {TABLE}\r\n\r\n{largest}\n");
    for piece in start.as_bytes().chunks(0x10000) {
        connection.write(format!("{:x}\r\n", piece.len()).as_bytes());
        connection.write(piece);
        connection.write(b"\r\n");
    }
    connection.answer().expect("an answer").is(413, "FILE_TOO_LARGE");
    // The texts beside it have less room.
    served.ask(form(&key, "", &[("name=\"x\"", &largest.as_bytes()[..1 << 20])])).is(413, "BODY_TOO_LARGE");
    assert_eq!(jobs(&site), "1");
}

/// Octets of memory that a process has had at most.
fn most_memory(served: &Served) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn as_many_rows_are_taken_as_may_be_and_not_one_more() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let before = most_memory(&served);
    // As large as it may be besides.
    let note = "n".repeat(190);
    let mut text = String::from("email,note\n");
    for row in 0..100_000 {
        writeln!(text, "u{row}@x.co,{note}").unwrap();
    }
    let rows =
        |text: &str| served.ask(form(&key, "", &[(TABLE, text.as_bytes()), ("name=\"check_smtp\"", b"0")]));
    let accepted = rows(&text);
    id(&accepted);
    assert_eq!(accepted.json()["total_emails"], 100_000);
    assert_eq!(accepted.json()["estimated_time_seconds"], 10_000);
    let held = most_memory(&served) - before;
    assert!(held < 64 << 20, "{} MiB were held", held >> 20);
    text += "one.more@x.co\n";
    let refused = rows(&text);
    refused.is(400, "TOO_MANY_ROWS");
    assert_eq!(refused.json()["detail"]["error"], "CSV file exceeds the maximum of 100000 rows.");
    assert_eq!(site.query("select sum(rows) from sheet"), "100000");
}

#[test]
fn a_thousand_spellings_are_one_mailbox() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let mut text = String::from("email\n");
    let usual = format!("{MARK}somebody@mailinator.com");
    for number in 0..1000_u32 {
        let spelled = usual
            .chars()
            .enumerate()
            .map(|(at, c)| if number >> (at % 10) & 1 == 1 { c.to_ascii_uppercase() } else { c });
        writeln!(text, "{}{}", " ".repeat(number as usize / 500), spelled.collect::<String>()).unwrap();
    }
    let job = ended(&served, &key, &id(&table(&served, &key, &text)));
    assert_eq!((&job["stats"]["duplicate"], &job["stats"]["disposable"]), (&json!(999), &json!(1)), "{job}");
    assert_eq!(served.fetch("/api/v1/usage", &key).json()["billable_units"], 1);
}

#[test]
fn addresses_that_would_say_more_than_an_address_are_none() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let text = "email\n\"a@b.example\r\nRCPT TO:<x@y.example>\"\n\"a\n@b.example\"\na>@b.example\n\u{202e}@b.example\n";
    let job = ended(&served, &key, &id(&table(&served, &key, text)));
    assert_eq!(job["stats"]["invalid_syntax"], 4, "{job}");
}

#[test]
fn file_names_are_told_and_never_used() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let long = "n".repeat(4096);
    for (name, told) in [
        ("../../etc/x".to_owned(), json!("x")),
        (r"C:\fakepath\people.csv".to_owned(), json!("people.csv")),
        ("名簿.csv".to_owned(), json!("名簿.csv")),
        ("..".to_owned(), Value::Null),
        (String::new(), Value::Null),
        (long.clone(), json!(long[..255])),
    ] {
        let part = format!("name=\"file\"; filename=\"{name}\"");
        let id = id(&served.ask(form(&key, "", &[(&part, b"a@x.example")])));
        let job = served.fetch(&format!("/api/v1/jobs/{id}"), &key).json();
        assert_eq!(job["original_filename"], told, "{name}");
        let list = served.fetch("/api/v1/jobs?limit=1", &key).json();
        assert_eq!(
            (&list["items"][0]["original_filename"], &list["items"][0]["source_type"]),
            (&told, &json!("csv"))
        );
    }
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing_behind() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve_only();
    let whole = upload(&key, "Idempotency-Key: once\r\n", large(1 << 20).as_bytes());
    let mut connection = served.connect();
    connection.write(&whole[..whole.len() / 2]);
    let is_held = || served.get("/metrics").body.contains("mailsonde_http_uploads 1");
    assert!(wait_until(LIMIT, is_held), "{}", served.said());
    drop(connection);
    let is_gone = || served.get("/metrics").body.contains("mailsonde_http_uploads 0");
    assert!(wait_until(LIMIT, is_gone), "{}", served.said());
    // With the same key it is tried anew, when the first try has been given up.
    let mut again = None;
    let is_taken = || {
        let answer = served.ask(&whole);
        // It is still under way, or the machine is so busy that the service says to come again.
        let is_busy = matches!(answer.status, 409 | 503);
        again = Some(answer);
        !is_busy
    };
    assert!(wait_until(LIMIT, is_taken), "{}", served.said());
    let (first, again) = (again.unwrap(), served.ask(&whole));
    assert_eq!((id(&first), first.body), (id(&again), again.body.clone()));
    assert_eq!(again.header("idempotent-replayed"), "true");
    // Whoever sends a form again draws another boundary.
    let other = BOUNDARY.replacen('a', "b", 1);
    let redrawn = String::from_utf8(whole).unwrap().replace(BOUNDARY, &other);
    let redrawn = served.ask(redrawn);
    assert_eq!((redrawn.header("idempotent-replayed"), id(&redrawn)), ("true", id(&again)));
    let other = upload(&key, "Idempotency-Key: once\r\n", b"email\nother@example.invalid\n");
    served.ask(other).is_invalid(&json!(["header", "Idempotency-Key"]), "idempotency_key_reused");
    assert_eq!(jobs(&site), "1");
}

#[test]
fn who_uploads_too_much_at_once_is_told_to_come_again_and_others_are_not_concerned() {
    let site = Site::new(&[]);
    let (key, other) = (site.key("acme"), site.key("other"));
    let served = site.serve_only();
    let headers = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let mut connection = served.connect();
            connection.write(head(CSV, &key, &headers, FILE_MAX).as_bytes());
            connection.write(format!("--{BOUNDARY}\r\n").as_bytes());
            connection
        })
        .collect();
    let both_are_held = || served.get("/metrics").body.contains("mailsonde_http_uploads 2");
    assert!(wait_until(LIMIT, both_are_held), "{}", served.said());
    // Nine megabytes are no longer there for this one.
    table(&served, &key, large(9 << 20)).is_unavailable();
    assert!(served.get("/metrics").body.contains("mailsonde_http_limits_met_total{limit=\"uploads\"} 1"));
    assert_eq!(table(&served, &key, "a@x.example").status, 202, "what is small has room");
    assert_eq!(table(&served, &other, large(9 << 20)).status, 202);
    drop(slow);
    let is_free = || served.get("/metrics").body.contains("mailsonde_http_uploads 0");
    assert!(wait_until(LIMIT, is_free), "{}", served.said());
    assert_eq!(table(&served, &key, large(9 << 20)).status, 202);
}

#[test]
fn who_cannot_pay_for_a_table_does_not_get_it_verified() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    site.query("update client set monthly_quota = 2, hard_cap = true where name = 'acme'");
    let served = site.serve_only();
    let refused = table(&served, &key, "email\na@x.example\nb@x.example\nc@x.example\n");
    refused.is(402, "QUOTA_EXCEEDED");
    assert_eq!((jobs(&site), site.query("select count(*) from sheet")), ("0".into(), "0".into()));
    // Empty rows, and others of the same address, cost nothing.
    assert_eq!(
        table(&served, &key, "email,x\na@x.example,1\n,2\nA@x.example,3\nb@x.example,4\n").status,
        202
    );
}
