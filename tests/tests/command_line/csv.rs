//! `mailsonde csv`: tables in, tables with verdicts out.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use mailsonde_lab::{Internet, Net};
use mailsonde_tests::mailsonde::{Mailsonde, Run, alone};
use serde_json::{Value, json};

use super::{Folder, run, status};

/// A process that is waited for has done by then what it is waited for.
const LONG: Duration = Duration::from_secs(40);

/// What is looked at again and again is looked at this often.
const GLANCE: Duration = Duration::from_millis(20);

/// Hosts of two domains, one of which takes its time.
const HOSTS: &str = r#"
    [host."mx.a.test"]
    accepts = ["member*@a.test"]
    notes_recipients = true
    [host."mx.slow.test"]
    accepts = ["member*@slow.test"]
    notes_recipients = true
"#;
const ZONE: &str = "a.test MX 10 mx.a.test\nslow.test MX 10 mx.slow.test\n";
const SLOW: &str = "    tarpit.rcpt = \"50s\"\n";

fn octets(folder: &Folder, name: &str, octets: &[u8]) -> String {
    let path = format!("{}/{name}", folder.path());
    fs::write(&path, octets).unwrap();
    path
}

/// Verifies a table offline; the result, and what was said.
fn verified(table: &[u8], args: &[&str]) -> (Vec<u8>, Run) {
    let name = std::thread::current().name().unwrap().replace(':', "-");
    let folder = Folder::new(&name);
    let (input, output) = (octets(&folder, "in.csv", table), format!("{}/out.csv", folder.path()));
    let run = run(&[&["csv", &input, "-o", &output, "--offline"], args].concat());
    assert_eq!(status(&run), Some(0), "{}", run.stderr);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing is left beside them: {left:?}");
    (fs::read(output).unwrap(), run)
}

/// The result without the moments of its verdicts, and what was said.
fn verified_text(table: &str, args: &[&str]) -> (Vec<String>, Run) {
    let (out, run) = verified(table.as_bytes(), args);
    (String::from_utf8(out).unwrap().lines().map(without_moment).collect(), run)
}

/// `2026-…Z` is nothing that a test could know.
fn without_moment(line: &str) -> String {
    let is_moment = |cell: &&str| cell.len() == 20 && cell.starts_with("20") && cell.ends_with('Z');
    line.split(',').map(|cell| if is_moment(&cell) { "*" } else { cell }).collect::<Vec<_>>().join(",")
}

#[test]
fn sniff_says_how_a_table_is_written() {
    let folder = Folder::new("sniff");
    let table =
        octets(&folder, "in.csv", b"id;Courriel;\"note\"\r\n1;a@b.example;Jos\xe9\r\n2;b@b.example;x\r\n");
    let json: Value =
        serde_json::from_str(&run(&["csv", "sniff", "--format", "json", &table]).stdout).unwrap();
    assert_eq!(
        json,
        json!({
            "encoding": "cp1252", "delimiter": ";", "quote": "\"", "has_header": true, "email_column": "Courriel",
            "columns": ["id", "Courriel", "note"], "rows": 2,
        })
    );
    let human = run(&["csv", "sniff", &table]).stdout;
    assert!(human.contains("delimiter  semicolon\n") && human.contains("addresses  Courriel\n"), "{human}");
}

#[test]
fn sniff_says_what_is_wrong_with_a_table() {
    let folder = Folder::new("sniff-wrong");
    for (table, problem) in [
        (&b""[..], "the file is empty"),
        (b"email\n", "there are no rows"),
        (b"id,name\n1,Jane\n", "there is no column of email addresses"),
        (b"\xff\xfee\0m\0", "the file is UTF-16; save it as UTF-8"),
        (b"PK\x03\x04\0", "the file is a spreadsheet or an archive; save it as CSV"),
        (b"email\n\"a@b.example\n", "row 2 has a quote that is not closed"),
    ] {
        let path = octets(&folder, "in.csv", table);
        let run = run(&["csv", "sniff", "--format", "json", &path]);
        assert_eq!(status(&run), Some(0), "{}", run.stderr);
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(json["problem"], problem);
    }
}

#[test]
fn a_table_gets_columns_behind_its_own() {
    let table = "name,email\nJane,jane@example.com\n\n\"Doe, Bob\",JANE@example.com \nX\nY,nobody,extra\n";
    let (lines, run) = verified_text(table, &[]);
    assert_eq!(
        lines,
        [
            "name,email,column_3,ev_category,ev_sub_category,ev_reason,ev_confidence_score,ev_suggestion,\
             ev_is_catch_all,ev_is_disposable,ev_is_role_based,ev_verified_at,ev_duplicate_of_row",
            "Jane,jane@example.com,,unknown,no_smtp_check,no_smtp_check,0.00,,false,false,false,*,",
            "",
            "\"Doe, Bob\",JANE@example.com ,,duplicate,duplicate_of_row,duplicate_of_row,1.00,,false,false,false,*,1",
            "X,,,invalid_syntax,empty,empty,1.00,,false,false,false,*,",
            "Y,nobody,extra,invalid_syntax,no_at,no_at,1.00,,false,false,false,*,",
        ]
    );
    let said: Vec<_> = run.stdout.lines().skip(1).map(str::trim).collect();
    assert_eq!(said, ["1 unknown", "1 duplicate", "2 invalid_syntax"], "{}", run.stdout);
}

#[test]
fn a_table_keeps_its_encoding_and_its_line_ends() {
    let (out, _) = verified(b"\"mail\"\t\"n\"\r\"a@b.example\"\t\"Jos\xe9 \x80\"\r", &[]);
    assert!(out.starts_with(b"\"mail\"\t\"n\"\t\"ev_category\"\t") && out.ends_with(b"\t\"\"\r"));
    assert!(out.windows(8).any(|octets| octets == b"\"Jos\xe9 \x80\""), "{}", String::from_utf8_lossy(&out));
    let (out, _) = verified(b"mail,n\na@b.example,Jos\xe9\n", &["--utf8"]);
    assert!(String::from_utf8(out).unwrap().contains("\na@b.example,José,"));
}

#[test]
fn cells_that_a_spreadsheet_would_run_are_guarded_on_demand() {
    let table = "email,x\n=jane@gmial.com,+1\n";
    // The suggestion repeats a part of the client's cell, and is ours.
    let (plain, _) = verified_text(table, &[]);
    assert!(plain[1].starts_with("=jane@gmial.com,+1,"), "{}", plain[1]);
    assert!(plain[1].contains(",'=jane@gmail.com,"), "{}", plain[1]);
    let (safe, _) = verified_text(table, &["--safe"]);
    assert!(safe[1].starts_with("'=jane@gmial.com,'+1,"), "{}", safe[1]);
}

#[test]
fn a_column_may_be_named() {
    let table = "email,second\na@b.example,nothing\n";
    let (lines, _) = verified_text(table, &["--column", "Second"]);
    assert!(lines[1].contains(",no_at,"), "{}", lines[1]);
}

#[test]
fn a_mistake_is_told_in_one_line() {
    let folder = Folder::new("csv-mistakes");
    let (good, bad) =
        (folder.file("good.csv", "email\na@b.example\n"), folder.file("bad.csv", "id,x\n1,2\n"));
    let out = format!("{}/out.csv", folder.path());
    for (args, said) in [
        (vec!["csv", "/nonexistent", "-o", &out], "/nonexistent: No such file"),
        (vec!["csv", "/dev/null", "-o", &out], "/dev/null: no file that can be read twice"),
        (vec!["csv", &good, "-o", &good], "IN and OUT are one file"),
        (vec!["csv", &bad, "-o", &out], "bad.csv: there is no column of email addresses"),
        (vec!["csv", &good, "-o", &out, "--column", "5"], "good.csv: there is no column `5`"),
        (
            vec!["csv", &good, "-o", "/nonexistent/out.csv", "--offline"],
            "/nonexistent/out.csv.part: No such file",
        ),
    ] {
        let run = run(&args);
        assert_eq!((status(&run), run.stderr.lines().count()), (Some(2), 1), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn what_an_earlier_run_left_is_heeded() {
    let folder = Folder::new("csv-left");
    let (input, output) =
        (folder.file("in.csv", "email\na@b.example\n"), format!("{}/out.csv", folder.path()));
    let args = ["csv", &input, "-o", &output, "--offline"];
    let (part, note) = (folder.file("out.csv.part", "email\nold"), folder.file("out.csv.part.json", "{"));
    let refused = run(&args);
    assert_eq!(status(&refused), Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("out.csv.part.json: cannot be read; remove it"), "{}", refused.stderr);

    let held = fs::File::open(&part).unwrap();
    held.lock().unwrap();
    let refused = run(&[&args[..], &["--restart"]].concat());
    assert_eq!(status(&refused), Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("out.csv.part: another process is at it"), "{}", refused.stderr);
    drop(held);

    let anew = run(&[&args[..], &["--restart"]].concat());
    assert_eq!(status(&anew), Some(0), "{}", anew.stderr);
    let out = fs::read_to_string(&output).unwrap();
    assert!(out.starts_with("email,ev_category,") && out.lines().count() == 2, "{out}");
    assert!(!Path::new(&note).exists() && !Path::new(&part).exists());
}

/// A table of many rows, of which those behind the first 2,000 are at a slow domain, and every tenth repeats another.
fn long_table() -> (String, usize) {
    let rows = 2_100;
    let row = |row: usize| match row {
        row if row % 10 == 0 => format!("{row},Member{}@A.test\n", row / 10 * 7 % 2_000 / 10 * 10 + 1),
        row if row > 2_000 => format!("{row},member{row}@slow.test\n"),
        row => format!("{row},member{row}@a.test\n"),
    };
    (format!("id,email\n{}", (1..=rows).map(row).collect::<String>()), rows)
}

fn net(is_slow: bool) -> Net {
    let hosts = if is_slow { format!("{HOSTS}{SLOW}") } else { HOSTS.into() };
    Internet::parse(ZONE, &hosts).unwrap().listen().unwrap()
}

/// A process that can be told to end, which one under `timeout` hears of at second hand.
fn start(args: &[&str], net: &Net) -> Child {
    let mut command = Command::new(Mailsonde::path());
    alone(&mut command);
    command.args(args).envs(net.environment()).env("MAILSONDE_SMTP__REPLY_TIMEOUT", "50s");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        sleep(GLANCE);
    }
}

fn noted_rows(output: &str) -> Option<u64> {
    let text = fs::read(format!("{output}.part.json")).ok()?;
    serde_json::from_slice::<Value>(&text).unwrap()["rows"].as_u64()
}

/// Ends a run with a signal when something is written down, and goes on with another internet, whose books tell who was
/// asked about.
fn interrupted(name: &str, signal: &str) {
    let (table, rows) = long_table();
    let folder = Folder::new(name);
    let (input, output) = (folder.file("in.csv", &table), format!("{}/out.csv", folder.path()));
    let args = ["csv", &input, "-o", &output];
    let slow = net(true);
    let process = start(&args, &slow);
    wait_until("rows are written down", || noted_rows(&output).is_some());
    if signal == "INT" {
        // All that can be known before the slow ones.
        let part = format!("{output}.part");
        wait_until("2,000 rows are written", || {
            fs::metadata(&part).is_ok_and(|part| part.len() > 2_000 * 60)
        });
    }
    let pid = process.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    let ended = process.wait_with_output().unwrap();
    assert!(!Path::new(&output).exists() && !ended.status.success());
    let done = noted_rows(&output).unwrap();
    if signal == "INT" {
        assert_eq!((ended.status.code(), done), (Some(1), 2_000));
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(said.contains("stopped behind row 2000 of 2100; the same command goes on"), "{said}");
    }

    let other = Mailsonde::new(&[&args[..], &["--no-typo"]].concat()).run().unwrap();
    assert_eq!(
        other.status.code(),
        Some(2),
        "with other options it would be another table: {}",
        other.stderr
    );

    let fast = net(false);
    let run = Mailsonde::new(&args).env(fast.environment()).run().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("goes on behind row {done} of {rows}")), "{}", run.stderr);
    let out = fs::read_to_string(&output).unwrap();
    let lines: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), rows);
    for (row, (cells, line)) in (1..).zip(lines.iter().zip(table.lines().skip(1))) {
        assert_eq!(cells[..2].join(","), line, "each row once, in order");
        let is_repeat = row % 10 == 0;
        assert_eq!(cells[2], if is_repeat { "duplicate" } else { "deliverable" }, "{cells:?}");
        assert_eq!(!cells[11].is_empty(), is_repeat, "{cells:?}");
    }
    // Who had his verdict was not asked about again, and nobody twice.
    let counts = fast.internet().counts();
    let asked: Vec<_> = counts.hosts.values().flat_map(|host| &host.recipients).collect();
    let asked: Vec<_> = asked.into_iter().filter(|(recipient, _)| recipient.starts_with("member")).collect();
    let row =
        |recipient: &str| recipient["member".len()..recipient.find('@').unwrap()].parse::<u64>().unwrap();
    for (recipient, times) in &asked {
        assert!(row(recipient) > done && **times == 1, "{recipient} {times}, {done} done");
    }
    assert_eq!(asked.len(), (done + 1..=rows as u64).filter(|row| row % 10 != 0).count());
}

#[test]
fn ctrl_c_keeps_what_is_done_and_the_same_command_goes_on() {
    interrupted("csv-int", "INT");
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    interrupted("csv-kill", "KILL");
}

#[test]
fn where_no_mail_server_can_be_reached_it_stops_and_keeps_what_is_done() {
    let zone = "$GENERATE 1-5 silent$.test MX 10 mx.silent$.test\n";
    let silent = (1..=5).map(|n| format!("[host.\"mx.silent{n}.test\"]\nreach = \"silent\"\n"));
    let hosts = silent.collect::<String>();
    let net = Internet::parse(zone, &hosts).unwrap().listen().unwrap();
    let folder = Folder::new("csv-silent");
    let rows: Vec<_> = (1..=5).map(|n| format!("jane@silent{n}.test")).collect();
    let input = folder.file("in.csv", &format!("email\nnobody\n{}\n", rows.join("\n")));
    let output = format!("{}/out.csv", folder.path());
    let impatience = [("MAILSONDE_SMTP__CONNECT_TIMEOUT", "300ms")];
    let run = Mailsonde::new(&["csv", &input, "-o", &output]).env(net.environment()).env(impatience);
    let run = run.run().unwrap();
    assert_eq!((run.status.code(), run.stderr.lines().count()), (Some(1), 1), "{}", run.stderr);
    assert!(run.stderr.contains("stopped behind row 1 of 6; the same command goes on"), "{}", run.stderr);
    assert!(run.stderr.contains("no mail server can be reached"), "{}", run.stderr);
    assert_eq!((noted_rows(&output), Path::new(&output).exists()), (Some(1), false));
}

#[test]
fn a_thousand_spellings_are_asked_about_once() {
    let net = net(false);
    let spelling = |n: usize| {
        let letters = "memberjane".chars().enumerate();
        let upper = |(at, c): (usize, char)| if n >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
        format!("{}@a.test\n", letters.map(upper).collect::<String>())
    };
    let folder = Folder::new("spellings");
    let table = format!("email\n{}", (0..1_000).map(spelling).collect::<String>());
    let (input, output) = (folder.file("in.csv", &table), format!("{}/out.csv", folder.path()));
    let run = Mailsonde::new(&["csv", &input, "-o", &output]).env(net.environment()).run().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let said: Vec<_> = run.stdout.lines().skip(1).map(str::trim).collect();
    assert_eq!(said, ["1 deliverable", "999 duplicate"]);
    assert_eq!(net.internet().counts().total.recipients.get("memberjane@a.test"), Some(&1));
}
