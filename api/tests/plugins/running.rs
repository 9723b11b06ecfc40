//! Plugins while `verify` runs: their lines on standard error, and faults that cost only what they must.

use std::process::Command;

use super::{Folder, Run, guest::Guest, witness};

const TOML: &str = "[stage.mine]\nwasm = 'mine.wat'\n[pipeline.verify]\nstages = ['syntax', 'mine']\n";

fn logging() -> Guest {
    // 2 is `warn`.
    Guest::named("mine")
        .imports("write")
        .text("line", "saw jane.doe@example.com\u{1b}[2J")
        .check("(call $write (i32.const 2) (global.get $line) (global.get $line_len))")
}

#[test]
fn lines_of_a_plugin_are_told_with_its_name_and_no_address() {
    let folder = Folder::new();
    folder.guest("mine", &logging());
    let verify = ["verify", "jane@a.example"];
    let run = folder.run(Some(TOML), &verify);
    assert_eq!(run.status, Some(0), "{run:?}");
    let lines: Vec<_> = run.stderr.lines().collect();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| *line == "plugin mine: saw j…@example.com [2J"),
        "{lines:?}"
    );
    let quiet = folder.run(Some(TOML), &[&["--log", "error"], &verify[..]].concat());
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_fault_costs_the_address_its_fact_and_nothing_else() {
    let folder = Folder::new();
    folder.guest("mine", &witness("mine").when_struck("(unreachable)"));
    let run = folder.run(Some(TOML), &["verify", "--format", "jsonl", "jane@a.example", "xavier@a.example"]);
    assert_eq!((run.status, run.stdout.lines().count()), (Some(0), 2), "{run:?}");
    assert!(run.stdout.lines().all(|line| line.contains("\"unknown\"")), "{}", run.stdout);
}

#[test]
fn a_level_that_there_is_not_is_bad_usage() {
    let run = Folder::new().run(None, &["--log", "loud", "verify", "--offline", "jane@a.example"]);
    assert_eq!(run.status, Some(2));
}

/// Room for instances is set aside as address space, of which a process may not have much.
#[test]
fn plugins_run_where_address_space_is_short() {
    let folder = Folder::new();
    folder.guest("mine", &witness("mine"));
    let plain = folder.command(Some(TOML), &["verify", "--explain", "jane@a.example"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -v 8000000 && exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    limited.current_dir(folder.path());
    for (key, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(key, value),
            None => limited.env_remove(key),
        };
    }
    let run = Run::of(limited.output().unwrap());
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stdout.contains("mine.seen"), "{run:?}");
}
