//! A real browser, that opens a page of the service and tells what came of it.

use std::{
    fs,
    path::PathBuf,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use mailsonde_tests::site::served::Served;
use serde_json::Value;

/// Debian's.
const CHROMIUM: &str = "/usr/bin/chromium";

/// What the browser found.
pub(super) struct Opened {
    /// The page as it stood in the end, as HTML.
    pub(super) drawn: String,
    /// What scripts and the browser had to say of it.
    pub(super) console: Vec<String>,
    /// What the page asked for, whoever was meant to answer.
    pub(super) asked: Vec<String>,
}

/// How often one was opened: each has a folder of its own.
static OPENED: AtomicU32 = AtomicU32::new(0);

/// Opens a page, and waits until it asks and moves no more.
pub(super) fn open(served: &Served, path: &str) -> Opened {
    let origin = format!("http://{}", served.address);
    let own = format!("browser-{}-{}", process::id(), OPENED.fetch_add(1, Relaxed));
    let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(own);
    // Of an earlier run, whose number came back.
    let _ = fs::remove_dir_all(&profile);
    fs::create_dir_all(&profile).unwrap();
    let log = profile.join("net.json");
    let run = Command::new("timeout")
        .args(["--signal=KILL", "120", CHROMIUM])
        // As root, which tests are, it has no sandbox.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        // What the browser itself would like to know is none of the page's, and finds nobody.
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        // So high that the first operation is in sight: what is not is drawn when somebody comes near.
        .arg("--window-size=1280,3000")
        .args(["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("{origin}{path}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}: {said}", run.status);
    let console = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    let log: Value = serde_json::from_slice(&fs::read(log).unwrap()).unwrap();
    let asked = log["events"].as_array().unwrap().iter().map(|event| &event["params"]);
    // The browser's own requests have no origin.
    let asked = asked.filter(|asked| asked["initiator"] == *origin).filter_map(|asked| asked["url"].as_str());
    let asked = asked.map(str::to_owned).collect();
    fs::remove_dir_all(&profile).unwrap();
    Opened { drawn: String::from_utf8(run.stdout).unwrap(), console, asked }
}
