//! The command line without a network: what it prints, where it complains, how it ends.

#![allow(clippy::unwrap_used)] // tests, and what they share

mod csv;

use std::{fs, io::Read as _, path::PathBuf};

use mailsonde_tests::mailsonde::{Mailsonde, Run};
use serde_json::Value;

/// A folder that is there for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mailsonde-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn run(args: &[&str]) -> Run {
    Mailsonde::new(args).run().unwrap()
}

fn offline(args: &[&str], stdin: &str) -> Run {
    let args: Vec<_> = ["verify", "--offline"].iter().chain(args).copied().collect();
    Mailsonde::new(&args).stdin(stdin).run().unwrap()
}

fn status(run: &Run) -> Option<i32> {
    run.status.code()
}

#[test]
fn a_line_for_a_person_has_mark_words_score_and_suggestion() {
    let run = offline(&["jane@yahoocom", "jane.doe@example.com"], "");
    let lines: Vec<_> =
        run.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "✗ jane@yahoocom invalid_syntax · bad_domain 1.00 did you mean jane@yahoo.com?",
            "? jane.doe@example.com unknown · no_smtp_check 0.00",
        ]
    );
    assert!(!run.stdout.contains('\u{1b}'), "no colours where nobody sees them");
}

#[test]
fn json_is_one_object_for_one_address_and_an_array_for_several() {
    let one: Value =
        serde_json::from_str(&offline(&["--format", "json", "a@example.com"], "").stdout).unwrap();
    assert_eq!(one["email"], "a@example.com");
    let two: Value =
        serde_json::from_str(&offline(&["--format", "json", "a@example.com", "b"], "").stdout).unwrap();
    assert_eq!(two.as_array().map(Vec::len), Some(2));
    let none: Value = serde_json::from_str(&offline(&["--format", "json", "-"], "").stdout).unwrap();
    assert_eq!(none, Value::Array(vec![]));
}

#[test]
fn csv_has_a_header_and_quotes_what_needs_it() {
    let run = offline(&["--format", "csv", "-"], "jane@gmial.com\n\"a,b\"@example.com\n");
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(
        lines[0]
            .starts_with("email,ev_category,ev_sub_category,ev_reason,ev_confidence_score,ev_suggestion,")
    );
    assert!(lines[1].starts_with("jane@gmial.com,") && lines[1].contains(",jane@gmail.com,"), "{}", lines[1]);
    assert!(lines[2].starts_with("\"\"\"a,b\"\"@example.com\",invalid_syntax,"), "{}", lines[2]);
}

#[test]
fn every_line_has_its_answer_whatever_is_in_it() {
    let long = "a".repeat(100_000);
    let input =
        format!(" jane@example.com \r\n\n\"a\\u0000@example.com\"\n\"\\ud800\"\n{long}\nlast@example.com");
    let run = offline(&["--format", "jsonl", "-"], &input);
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (line["email"].as_str().unwrap(), line["reason"].as_str())).collect();
    assert_eq!(told[0], ("jane@example.com", Some("no_smtp_check")));
    assert_eq!(told[1], ("", Some("empty")));
    assert_eq!(told[2], ("a\0@example.com", Some("control_character")));
    // No JSON string after all, so it is what it says.
    assert_eq!(told[3], ("\"\\ud800\"", Some("no_at")));
    assert_eq!(told[4].1, Some("too_long"));
    assert_eq!(told[5], ("last@example.com", Some("no_smtp_check")));
}

#[test]
fn options_switch_stages_off() {
    let first = |args: &[&str]| -> Value { serde_json::from_str(&offline(args, "").stdout).unwrap() };
    let base = ["--format", "json", "xkqzvbwpt@gmial.com"];
    let with = |more| first(&[&base[..], &[more]].concat());
    assert_eq!(first(&base)["suggestion"], "xkqzvbwpt@gmail.com");
    assert_eq!(first(&base)["details"]["random_pattern"]["is_random"], true);
    assert_eq!(with("--no-typo")["suggestion"], Value::Null);
    let random = &with("--no-random")["details"]["random_pattern"];
    assert_eq!((&random["is_random"], &random["confidence"]), (&Value::Bool(false), &Value::from(0.0)));
    assert!(random["entropy"].as_f64().unwrap() > 0.0, "entropy is told all the same");
}

#[test]
fn as_completed_numbers_its_rows() {
    let run = offline(&["--format", "jsonl", "--as-completed", "-"], "a@example.com\nb@example.com\n");
    let rows: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["row"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
}

#[test]
fn a_mistake_is_told_in_one_line_and_ends_with_status_2() {
    let folder = Folder::new("mistakes");
    let config = folder.file("mailsonde.toml", "[smtp]\nprot = 25\n");
    for (args, said) in [
        (
            vec!["verify", "--pipeline", "verfy", "a@b.c"],
            "there is no pipeline `verfy`; did you mean `verify`?".to_owned(),
        ),
        (vec!["verify", "--input", "/nonexistent"], "/nonexistent: No such file".to_owned()),
        (
            vec!["--config", &config, "config", "check"],
            format!("{config}:2: unknown key `prot` in [smtp]; did you mean `port`?"),
        ),
        (
            vec!["data", "refresh", "--list", "parkin", "--from", "x"],
            "there is no list `parkin`; did you mean `parking`?".to_owned(),
        ),
    ] {
        let run = run(&args);
        assert_eq!((status(&run), run.stderr.lines().count()), (Some(2), 1), "{}", run.stderr);
        assert!(run.stderr.contains(&said) && run.stdout.is_empty(), "{}", run.stderr);
    }
}

#[test]
fn the_configuration_is_checked_and_shown() {
    let folder = Folder::new("shown");
    let config = folder.file("mine.toml", "[smtp]\nport = 2525\n");
    let checked = run(&["--config", &config, "config", "check"]);
    assert_eq!(
        (status(&checked), checked.stdout.trim()),
        (Some(0), &*format!("{config}: fine; pipelines: find, tasks, verify"))
    );
    let shown = run(&["--config", &config, "config", "show"]).stdout;
    let port = shown.lines().find(|line| line.starts_with("port")).unwrap();
    assert!(port.contains("2525") && port.contains("mine.toml:2"), "{port}");
}

#[test]
fn lists_are_refreshed_without_a_rebuild() {
    let folder = Folder::new("lists");
    let list = folder.file("list.txt", "# mine\nthrowaway.example\n");
    let data = format!("[data]\ndir = '{}/data'\n", folder.path());
    let config = folder.file("mailsonde.toml", &data);
    let refresh = ["--config", &config, "data", "refresh", "--list", "disposable-curated", "--from", &list];

    let refused = run(&refresh);
    assert_eq!(status(&refused), Some(1), "a list that shrinks to nothing is a broken download");
    assert!(refused.stderr.contains("would shrink"), "{}", refused.stderr);

    let forced = run(&[&refresh[..], &["--force"]].concat());
    assert!(
        forced.stdout.starts_with("disposable-curated: 1 entries, "),
        "{}{}",
        forced.stdout,
        forced.stderr
    );
    let verified =
        run(&["--config", &config, "verify", "--offline", "--format", "json", "a@sub.throwaway.example"]);
    let verdict: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(verdict["category"], "disposable");
    let stats: Value =
        serde_json::from_str(&run(&["--config", &config, "data", "stats", "--json"]).stdout).unwrap();
    assert!(stats["disposable"].to_string().contains("list.txt"), "{stats}");
}

#[test]
fn replies_are_read_one_by_one() {
    let lines = [
        "550 5.1.1 <jane@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        r#""250-first\n250 2.1.5 Ok""#,
        r#"{"text":"250 recipient ok","mx":"mta5.am0.yahoodns.net"}"#,
        r#"{"text":"554 5.7.1 Service unavailable; Client host blocked using a blocklist","stage":"connect"}"#,
        "550",
        "hello",
    ];
    let run = Mailsonde::new(&["reply", "--format", "jsonl"]).stdin(lines.join("\n")).run().unwrap();
    let read: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = read.iter().map(|read| (read["class"].as_str(), read["category"].as_str())).collect();
    assert_eq!(
        told,
        [
            (Some("no_such_mailbox"), Some("undeliverable")),
            (Some("accepted"), Some("deliverable")),
            (Some("accepted"), Some("accept_all")),
            (Some("blocked"), Some("unknown")),
            // Three digits alone are too weak to call a mailbox dead.
            (Some("no_such_mailbox"), Some("unknown")),
            (Some("protocol_error"), Some("unknown")),
        ]
    );
    assert!(read.iter().all(|read| read["rule"].is_string()), "{read:?}");
    let human = Mailsonde::new(&["reply", "452 4.2.2 The mailbox is full"]).run().unwrap().stdout;
    assert!(human.starts_with("risky · mailbox_full") && human.contains("rule "), "{human}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let addresses = "jane.doe@example.com\n".repeat(50_000);
    for (args, stdin) in [(vec!["completions", "bash"], ""), (vec!["verify", "--offline", "-"], &*addresses)]
    {
        let mut child = Mailsonde::new(&args).stdin(stdin).spawn().unwrap();
        let mut begin = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut begin).unwrap();
        // Dropped above: the pipe is closed now.
        let ended = child.wait_with_output().unwrap();
        assert_eq!(
            (ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}
