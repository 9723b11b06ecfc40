//! The `OpenAPI` document against the service: a client that is not ours sends what the document allows, and what it does
//! not, and looks at each answer.

use std::process::Command;

use mailsonde_tests::real::unpacked;

use crate::served::Site;

/// Requests for each endpoint and way of making them: enough to meet every field, in a minute.
const EXAMPLES: &str = "25";

#[test]
fn the_service_does_what_its_document_says() {
    let site =
        Site::new(&[("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "1000000"), ("MAILSONDE_HTTP__BURST", "100000")]);
    let key = site.key("acme");
    let served = site.serve();
    let run = Command::new("timeout")
        .args(["--signal=KILL", "300"])
        .arg(unpacked::root("schemathesis").unwrap().join("bin/st"))
        .arg("run")
        .arg(format!("http://{}/openapi.json", served.address))
        .args([
            "--header",
            &format!("Api-Key: {key}"),
            "--checks",
            "all",
            "--seed",
            "7",
            "--max-examples",
            EXAMPLES,
        ])
        .args(["--no-color", "--generation-database", "none"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", served.said());
}
