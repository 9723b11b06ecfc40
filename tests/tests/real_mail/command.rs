//! The program as a command: exit status, pipes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;

use mailsonde_tests::mailsonde::Mailsonde;
use mailsonde_tests::real::Lab;

#[test]
fn bad_usage_has_exit_status_2() {
    for args in [&["verify", "--no-such-option"][..], &["verify", "--format", "xml", "jane.doe@known.test"]] {
        let run = Mailsonde::new(args).env(Lab::shared().environment()).run().unwrap();
        assert_eq!(run.status.code(), Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty());
    }
}

#[test]
fn any_verdict_has_exit_status_0() {
    let args = ["verify", "no.such@known.test", "not an address"];
    let run = Mailsonde::new(&args).env(Lab::shared().environment()).run().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
}

#[test]
fn closed_pipe_ends_quietly() {
    const SIGPIPE: i32 = 13;
    let addresses = "jane.doe@known.test\n".repeat(50_000);
    let mut child =
        Mailsonde::new(&["verify", "--offline", "--format", "jsonl", "-"]).stdin(addresses).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    drop(stdout); // as `head -1` does

    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    assert!(first.starts_with('{'), "{first}");
    assert_eq!(stderr, "");
    assert!(status.success() || status.signal() == Some(SIGPIPE), "{status}");
}
