//! The `OpenAPI` document against the service: a client that is not ours sends what the document allows, and what it does
//! not, and looks at each answer.

use std::{fs, path::Path, process::Command};

use mailsonde_tests::{real::unpacked, site::Site};

/// Requests for each endpoint and way of making them: enough to meet every field, in a minute.
const EXAMPLES: &str = "25";

/// Which addresses a webhook may have, the document cannot say: most of those that begin as it demands lead nowhere.
const CONFIG: &str = r#"
[[operations]]
include-path = "/api/v1/verify/batch"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]

# Nor what makes a table of octets.
[[operations]]
include-path = "/api/v1/verify/csv"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "5xx"]

# Nor what is a name, a domain or more than white space, and until when a job can be done.
[[operations]]
include-path = "/client/attempt"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]

[[operations]]
include-path = "/client/probe"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]

[[operations]]
include-path = "/client/probe/batch"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]

[[operations]]
include-path = "/client/jobs/finder"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]

[[operations]]
include-path = "/client/jobs/probe-batch"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]
"#;

#[test]
fn the_service_does_what_its_document_says() {
    let site = Site::new(&[
        ("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "1000000"),
        ("MAILSONDE_HTTP__BURST", "100000"),
        ("MAILSONDE_HTTP__FAILURES_PER_MINUTE", "1000000"),
    ]);
    let key = site.key("acme");
    let bearer = site.print(&["key", "create", "acme", "--for", "relentless"]);
    let served = site.serve();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let config = folder.join("documented.toml");
    fs::write(&config, CONFIG).unwrap();
    let run = Command::new("timeout")
        .args(["--signal=KILL", "300"])
        .arg(unpacked::root("schemathesis").unwrap().join("bin/st"))
        .arg("--config-file")
        .arg(&config)
        .arg("run")
        .arg(format!("http://{}/openapi.json", served.address))
        .args([
            "--header",
            &format!("Api-Key: {key}"),
            "--header",
            &format!("Authorization: Bearer {bearer}"),
            "--checks",
            "all",
            "--seed",
            "7",
            "--max-examples",
            EXAMPLES,
        ])
        .args(["--no-color", "--generation-database", "none"])
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", served.said());
}
