//! The published client as a process: a call at a time, and what came of it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::PathBuf,
    process::{self, Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use mailsonde_tests::{real::unpacked, site::served::Served};
use serde_json::{Value, json};

/// How many there were: each has a folder of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running one. It ends with the value.
pub(super) struct Bridge {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    script: PathBuf,
    token: String,
}

impl Bridge {
    /// One that shows this token.
    pub(super) fn new(served: &Served, token: &str) -> Self {
        let name = format!("bridge-{}-{}.py", process::id(), STARTED.fetch_add(1, Relaxed));
        let script = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&script, include_str!("bridge.py")).unwrap();
        let python = unpacked::root("relentless-identity").unwrap().join("bin/python");
        // It ends with the thread that started it.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(python)
            .arg(&script)
            .arg(format!("http://{}", served.address))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, script, token: token.to_owned() }
    }

    /// Shows another token from now on.
    pub(super) fn show(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// Calls, and does not wait.
    pub(super) fn begin(&mut self, operation: &str, arguments: &Value) {
        let (api, call) = operation.split_once('.').unwrap();
        let line = json!({ "api": api, "call": call, "token": self.token, "arguments": arguments });
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What came of a call that began.
    pub(super) fn end(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Calls an operation, `AccountApi.get_usage`, with arguments by their names.
    pub(super) fn call(&mut self, operation: &str, arguments: &Value) -> Value {
        self.begin(operation, arguments);
        self.end()
    }

    /// The same, which must be answered with this status, and with all fields that the client knows and no others. Returns
    /// the answer as the client understood it.
    pub(super) fn takes(&mut self, operation: &str, arguments: &Value, status: u16) -> Value {
        let mut came = self.call(operation, arguments);
        assert_eq!(came["status"], status, "{operation}: {came:#}");
        assert!(came.get("raised").is_none() && !came["told"].is_null(), "{operation}: {came:#}");
        let none = json!([]);
        assert_eq!((&came["missing"], &came["added"]), (&none, &none), "{operation}: {came:#}");
        came["told"].take()
    }

    /// The same, which must be refused: the exception that the client raises, the status, and what the body says of it.
    /// Returns the body.
    pub(super) fn raises(&mut self, operation: &str, arguments: &Value, raised: &str, status: u16) -> Value {
        let came = self.call(operation, arguments);
        assert_eq!(
            (&came["raised"], &came["status"]),
            (&json!(raised), &json!(status)),
            "{operation}: {came:#}"
        );
        serde_json::from_str(came["body"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // One that has ended needs none of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.script);
    }
}
