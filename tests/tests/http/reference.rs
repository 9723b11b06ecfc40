//! The page that describes the API, in a real browser: it is drawn whole, says nothing of errors, and asks nobody but the
//! service.

use std::{fs, path::PathBuf, process::Command};

use mailsonde_tests::site::{Site, client::Answer, served::Served};
use serde_json::Value;

/// Debian's.
const CHROMIUM: &str = "/usr/bin/chromium";

/// What the browser found.
struct Opened {
    /// The page as it stood in the end, as HTML.
    drawn: String,
    /// What scripts and the browser had to say of it.
    console: Vec<String>,
    /// What the page asked for, whoever was meant to answer.
    asked: Vec<String>,
}

/// Opens a page, and waits until it asks and moves no more.
fn open(served: &Served, path: &str) -> Opened {
    let origin = format!("http://{}", served.address);
    let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("reference");
    // Of an earlier run.
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

/// What the document has: the tag, the method and the path of each operation.
fn operations(document: &Answer) -> Vec<(String, String, String)> {
    let document = document.json();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, said)| {
            let tag = said["tags"][0].as_str().unwrap().to_lowercase();
            (tag, method.to_uppercase(), path.clone())
        })
    });
    operations.collect()
}

#[test]
fn a_browser_draws_every_operation_and_asks_nobody_else() {
    let site = Site::new(&[]);
    let served = site.serve();
    let opened = open(&served, "/api/reference");

    // It greets with its name and version, and has nothing to say of styles, scripts or pictures that it may not have.
    let others: Vec<&String> =
        opened.console.iter().filter(|line| !line.contains("\"@scalar/api-reference@")).collect();
    assert!(others.is_empty() && opened.console.len() == 1, "{:#?}", opened.console);

    let mut asked = opened.asked;
    asked.sort_unstable();
    asked.dedup();
    let own = ["openapi.json", "scalar.js", "start.js"]
        .map(|name| format!("http://{}/api/reference/{name}", served.address));
    assert_eq!(asked, own);

    let operations = operations(&served.get("/openapi.json"));
    assert!(operations.len() >= 14, "{operations:?}");
    for (tag, method, path) in operations {
        // Where it will stand when somebody comes so far, and where its section lists it.
        let place = format!("/tag/{tag}/{method}{path}\"");
        let listed = format!("class=\"endpoint-path\">{path}</span>");
        assert!(opened.drawn.contains(&place) && opened.drawn.contains(&listed), "{method} {path}");
    }
    // The first is drawn in full: its fields, what it answers, and to where it would be sent.
    for part in ["verify.body.email\"", "verify.responses.402\"", &format!("{}</span>", served.address)] {
        assert!(opened.drawn.contains(part), "{part}: {}", opened.drawn);
    }
}

#[test]
fn who_has_the_page_is_not_sent_it_again_and_it_may_do_little() {
    let site = Site::new(&[]);
    let served = site.serve();
    for (path, media_type) in [
        ("/api/reference", "text/html; charset=utf-8"),
        ("/api/reference/scalar.js", "text/javascript; charset=utf-8"),
        ("/api/reference/start.js", "text/javascript; charset=utf-8"),
        ("/api/reference/openapi.json", "application/json"),
    ] {
        let first = served.get(path);
        assert_eq!((first.status, first.header("content-type")), (200, media_type), "{path}");
        assert_eq!(first.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(first.header("cache-control"), "no-cache", "{path}");
        let tag = first.header("etag");
        let again = served.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!((again.status, &*again.body, again.header("etag")), (304, "", tag), "{path}");
    }
    let page = served.get("/api/reference");
    let may = page.header("content-security-policy");
    assert!(may.starts_with("default-src 'none'; script-src 'self';"), "{may}");
    assert!(may.contains("; connect-src 'self';") && !may.contains("unsafe-eval"), "{may}");
    // Of all that is let in, styles alone may stand in the page.
    assert_eq!(may.matches("unsafe-inline").count(), 1, "{may}");
    assert!(may.contains("style-src 'unsafe-inline'"), "{may}");
    let document = served.get("/api/reference/openapi.json");
    assert_eq!(document.body, served.get("/openapi.json").body);
}
