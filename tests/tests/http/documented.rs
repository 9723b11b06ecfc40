//! The `OpenAPI` document of each product against the service: a client that is not ours sends what the document allows, and
//! what it does not, and looks at each answer.

use std::{fs, path::Path, process::Command};

use mailsonde_tests::{real::unpacked, site::Site};

use crate::products::documents;

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

# Nor how early a deadline is too early, nor what is a name, a domain or more than white space.
[[operations]]
include-path-regex = "^/client/(attempt|probe|probe/batch|jobs/(finder|probe-batch))$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "5xx"]

# Of a job that goes on there is no artifact, and of one that is over, at some time, no more.
[[operations]]
include-path-regex = "^/client/jobs/.*(txt|json)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "5xx"]

# What is wrong with fields is 400 there, and what makes a file of octets is unknown, too.
[[operations]]
include-path-regex = "^/api/v1/(tasks.*|verify|metrics/.*|credits/.*)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "408", "409", "5xx"]
checks.negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "408", "413", "415", "422", "5xx"]
"#;

#[test]
fn the_service_does_what_its_documents_say() {
    let site = Site::new(&[("MAILSONDE_HTTP__FAILURES_PER_MINUTE", "1000000")]);
    site.print(&["client", "create", "acme"]);
    let served = site.serve();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let config = folder.join("documented.toml");
    fs::write(&config, CONFIG).unwrap();
    for (product, _) in documents(&served) {
        let key = site.print(&["key", "create", "acme", "--for", product]);
        let shown = match product {
            "email-verifier" => format!("Api-Key: {key}"),
            _ => format!("Authorization: Bearer {key}"),
        };
        let run = Command::new("timeout")
            .args(["--signal=KILL", "300"])
            .arg(unpacked::root("schemathesis").unwrap().join("bin/st"))
            .arg("--config-file")
            .arg(&config)
            .arg("run")
            .arg(format!("http://{}/openapi/{product}.json", served.address))
            .args(["--header", &shown, "--checks", "all", "--seed", "7", "--max-examples", EXAMPLES])
            .args(["--no-color", "--generation-database", "none"])
            .current_dir(folder)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{product}: {told}\n{}", served.said());
    }
}
