//! Verdicts end to end: the program, real DNS, real SMTP, and what it has to say in each situation.
//!
//! Every run also shows that no message was sent, that there is one verdict per address, in the order of the
//! addresses, and that the program is content (exit status 0).

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use mailsonde_tests::mailsonde::Mailsonde;
use mailsonde_tests::real::Lab;
use mailsonde_tests::real::daemon::wait_until;
use serde_json::{Value, json};

/// Long enough for a dialogue on loopback, short enough to wait for where a server never answers.
const SHORT_DEADLINE: (&str, &str) = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "2s");

/// What a verification has to say, for an ordinary address at a domain of nobody in particular.
#[derive(Clone, Copy)]
struct Expected<'a> {
    category: &'a str,
    /// Both `sub_category` and `reason`.
    cause: Option<&'a str>,
    exists: bool,
    is_catch_all: bool,
    mx_records: &'a [&'a str],
}

/// To be completed: a domain that exists, with neither MX nor a verdict.
const DOMAIN: Expected<'_> =
    Expected { category: "", cause: None, exists: true, is_catch_all: false, mx_records: &[] };

impl Expected<'_> {
    #[track_caller]
    fn assert_is(&self, actual: &Value) {
        let details = &actual["details"];
        let said = json!({
            "category": actual["category"],
            "sub_category": actual["sub_category"],
            "reason": actual["reason"],
            "syntax": details["syntax"],
            "domain": details["domain"],
            "mailbox": details["mailbox"],
            "suggestion": actual["suggestion"],
        });
        let email = actual["email"].as_str().expect("an email");
        let expected = json!({
            "category": self.category,
            "sub_category": self.cause,
            "reason": self.cause,
            "syntax": { "is_valid": true, "is_ascii": true, "error": null },
            "domain": {
                "name": email.split_once('@').expect("an address").1,
                "exists": self.exists,
                "has_mx": !self.mx_records.is_empty(),
                "mx_records": self.mx_records,
                "is_disposable": false,
                "is_free_provider": false,
                "is_catch_all": self.is_catch_all,
                "provider": null,
                "domain_trust": null,
            },
            "mailbox": { "is_role_based": false, "role_type": null, "is_alias": false, "alias_type": null },
            "suggestion": null,
        });
        assert_eq!(said, expected, "{email}");
    }
}

fn verify(address: &str) -> Value {
    verify_with(address, &[])
}

fn verify_with(address: &str, settings: &[(&str, &str)]) -> Value {
    verify_all(&[address], settings).remove(0)
}

/// Runs the program once in the lab.
fn verify_all<A: AsRef<str>>(addresses: &[A], settings: &[(&str, &str)]) -> Vec<Value> {
    let lab = Lab::shared();
    let lines: String = addresses.iter().flat_map(|address| [address.as_ref(), "\n"]).collect();
    let verifications = Mailsonde::new(&["verify", "--format", "jsonl", "-"])
        .env(lab.environment())
        .env(settings.iter().copied())
        .stdin(lines)
        .json_lines()
        .expect("one JSON object per line");
    let emails: Vec<_> = verifications.iter().map(|it| it["email"].as_str().unwrap_or_default()).collect();
    assert!(emails.iter().copied().eq(addresses.iter().map(AsRef::as_ref)), "not in order: {emails:?}");
    lab.ensure_no_message_was_sent().expect("no message");
    verifications
}

#[track_caller]
fn assert_category(verification: &Value, category: &str) {
    assert_eq!(verification["category"], category, "{verification:#}");
}

// Mailboxes

#[test]
fn known_user_is_deliverable() {
    let it = verify("jane.doe@known.test");
    Expected { category: "deliverable", mx_records: &["mx.known.test"], ..DOMAIN }.assert_is(&it);
}

#[test]
fn unknown_user_is_undeliverable() {
    let it = verify("no.such@known.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_not_found"),
        mx_records: &["mx.known.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn name_of_an_unknown_user_does_not_speak() {
    // Postfix quotes the address in its reply: "550 5.1.1 <account.disabled@known.test>: … User unknown".
    let it = verify("account.disabled@known.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_not_found"),
        mx_records: &["mx.known.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn any_user_of_a_catch_all_domain_is_accept_all() {
    let it = verify("jane.doe@catch-all.test");
    Expected {
        category: "accept_all",
        cause: Some("catch_all"),
        is_catch_all: true,
        mx_records: &["mx.catch-all.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn full_mailbox_is_risky() {
    for address in ["anna.full@states.test", "peter.quota@states.test"] {
        let it = verify(address);
        Expected {
            category: "risky",
            cause: Some("mailbox_full"),
            mx_records: &["mx.states.test"],
            ..DOMAIN
        }
        .assert_is(&it);
    }
}

#[test]
fn disabled_mailbox_is_undeliverable() {
    let it = verify("paul.disabled@states.test");
    Expected {
        category: "undeliverable",
        cause: Some("mailbox_disabled"),
        mx_records: &["mx.states.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn greylisted_mailbox_is_unknown() {
    for (address, mx) in
        [("mary.greylisted@states.test", "mx.states.test"), ("jane.doe@greylist.test", "mx.greylist.test")]
    {
        let it = verify_with(address, &[SHORT_DEADLINE]);
        Expected { category: "unknown", cause: Some("greylisted"), mx_records: &[mx], ..DOMAIN }
            .assert_is(&it);
    }
}

#[test]
fn trouble_of_the_server_is_unknown() {
    let it = verify_with("tom.trouble@states.test", &[SHORT_DEADLINE]);
    assert_category(&it, "unknown");
}

// Refusals of us say nothing about the mailbox

#[test]
fn blocklist_in_the_greeting_is_unknown() {
    let it = verify("jane.doe@blocklist.test");
    Expected {
        category: "unknown",
        cause: Some("blocked_by_server"),
        mx_records: &["mx.blocklist.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn policy_at_the_recipient_is_unknown() {
    let it = verify("rita.policy@states.test");
    Expected {
        category: "unknown",
        cause: Some("blocked_by_server"),
        mx_records: &["mx.states.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn closing_in_the_greeting_is_unknown() {
    let it = verify_with("jane.doe@busy.test", &[SHORT_DEADLINE]);
    assert_category(&it, "unknown");
}

#[test]
fn refusals_of_client_helo_sender_and_relay_are_unknown() {
    for domain in ["client-refused", "helo-refused", "sender-refused", "no-relay"] {
        let it = verify_with(&format!("jane.doe@{domain}.test"), &[SHORT_DEADLINE]);
        assert_category(&it, "unknown");
    }
}

// Connections

#[test]
fn refused_connection_is_unknown() {
    let it = verify_with("jane.doe@refused.test", &[SHORT_DEADLINE]);
    Expected {
        category: "unknown",
        cause: Some("connection_refused"),
        mx_records: &["mx.refused.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn second_mx_answers_for_a_dead_first() {
    let it = verify("jane.doe@second.test");
    let mx_records: &[_] = &["mx.refused.test", "mx.known.test"];
    Expected { category: "deliverable", mx_records, ..DOMAIN }.assert_is(&it);
}

#[test]
fn one_dead_of_two_equal_mx_does_not_decide() {
    // By preference, then by name.
    let it = verify("jane.doe@equal.test");
    let mx_records: &[_] = &["mx.known.test", "mx.refused.test"];
    Expected { category: "deliverable", mx_records, ..DOMAIN }.assert_is(&it);
}

#[test]
fn slow_greeting_is_a_timeout_at_the_deadline() {
    let before = Instant::now();
    let it = verify_with("jane.doe@slow.test", &[SHORT_DEADLINE]);
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    Expected { category: "unknown", cause: Some("timeout"), mx_records: &["mx.slow.test"], ..DOMAIN }
        .assert_is(&it);
}

#[test]
fn private_address_is_not_dialled() {
    let it = verify_with("jane.doe@private.test", &[("MAILSONDE_SMTP__DESTINATIONS", "public")]);
    assert!(!Lab::shared().is_tripped("tripwire-private").unwrap(), "there was a connection");
    Expected {
        category: "unknown",
        cause: Some("mx_not_allowed"),
        mx_records: &["mx.private.test"],
        ..DOMAIN
    }
    .assert_is(&it);
}

#[test]
fn server_without_pipelining_is_no_obstacle() {
    let it = verify("jane.doe@no-pipelining.test");
    Expected { category: "deliverable", mx_records: &["mx.no-pipelining.test"], ..DOMAIN }.assert_is(&it);
}

// DNS

#[test]
fn domain_without_mx_and_address_has_no_mx_record() {
    let it = verify("jane.doe@no-mail.test");
    Expected { category: "undeliverable", cause: Some("no_mx_record"), ..DOMAIN }.assert_is(&it);
}

#[test]
fn null_mx_is_not_dialled() {
    let it = verify("jane.doe@null-mx.test");
    assert!(!Lab::shared().is_tripped("tripwire-null-mx").unwrap(), "there was a connection");
    Expected { category: "undeliverable", cause: Some("null_mx"), ..DOMAIN }.assert_is(&it);
}

#[test]
fn null_mx_beside_a_real_one_is_ignored() {
    let it = verify("jane.doe@null-mx-beside.test");
    Expected { category: "deliverable", mx_records: &["mx.known.test"], ..DOMAIN }.assert_is(&it);
}

#[test]
fn address_record_is_an_implicit_mx() {
    let it = verify("jane.doe@implicit.test");
    Expected { category: "deliverable", ..DOMAIN }.assert_is(&it);
}

#[test]
fn missing_domain_is_not_found() {
    let it = verify("jane.doe@no-such-domain.test");
    Expected { category: "undeliverable", cause: Some("domain_not_found"), exists: false, ..DOMAIN }
        .assert_is(&it);
}

#[test]
fn mx_that_does_not_exist_is_never_deliverable() {
    let it = verify_with("jane.doe@nowhere.test", &[SHORT_DEADLINE]);
    assert_ne!(it["category"], "deliverable");
    assert_eq!(it["details"]["domain"]["mx_records"], json!(["mx.nowhere.test"]));
}

#[test]
fn failing_dns_is_unknown() {
    let it = verify_with("jane.doe@broken.test", &[SHORT_DEADLINE]);
    assert_dns_failure(&it);
}

#[test]
fn silent_dns_is_unknown() {
    let servers = Lab::shared().silent_dns_servers().unwrap();
    let settings = [("MAILSONDE_DNS__SERVERS", servers.as_str()), ("MAILSONDE_DNS__TIMEOUT", "300ms")];
    let it = verify_with("jane.doe@known.test", &settings);
    assert_dns_failure(&it);
}

/// Without an answer nothing is known of the domain, and no flag claims anything.
#[track_caller]
fn assert_dns_failure(it: &Value) {
    assert_category(it, "unknown");
    assert_eq!((&it["sub_category"], &it["reason"]), (&json!("dns_failure"), &json!("dns_failure")));
    let domain = &it["details"]["domain"];
    assert_eq!((&domain["has_mx"], &domain["mx_records"]), (&json!(false), &json!([])));
    assert_eq!(domain["is_catch_all"], false);
}

// Many addresses

#[test]
fn batch_of_one_domain_takes_one_connection() {
    let is_member = |number: usize| !number.is_multiple_of(10);
    let address = |number| {
        if is_member(number) {
            format!("member{number}@batch.test")
        } else {
            format!("no.such{number}@batch.test")
        }
    };
    let verifications = verify_all(&(1..=50).map(address).collect::<Vec<_>>(), &[]);
    for (number, it) in (1..).zip(&verifications) {
        assert_category(it, if is_member(number) { "deliverable" } else { "undeliverable" });
    }

    let lab = Lab::shared();
    let count = |text: &str| lab.log_of("batch").unwrap().iter().filter(|line| line.contains(text)).count();
    // QUIT is not waited for: the session's last line may come after the program's end.
    assert!(wait_until(Duration::from_secs(10), || count("]: disconnect from ") >= count("]: connect from ")));
    assert_eq!(count("]: connect from "), 1, "{:#?}", lab.log_of("batch"));
    lab.ensure_no_message_was_sent().unwrap();
}

#[test]
fn no_address_is_lost_to_a_limit_of_recipients() {
    let addresses: Vec<_> = (1..=25).map(|number| format!("member{number}@ten-recipients.test")).collect();
    for it in verify_all(&addresses, &[]) {
        assert_category(&it, "deliverable");
    }
}

#[test]
fn output_has_the_order_of_the_input() {
    // The slowest first, and every kind of work.
    let expected = [
        ("jane.doe@slow.test", "unknown"),
        ("jane.doe@known.test", "deliverable"),
        ("not an address", "invalid_syntax"),
        ("jane.doe@no-such-domain.test", "undeliverable"),
        ("jane.doe@catch-all.test", "accept_all"),
        ("anna.full@states.test", "risky"),
        ("john.smith@known.test", "deliverable"),
    ];
    let verifications = verify_all(&expected.map(|(address, _)| address), &[SHORT_DEADLINE]);
    for (it, (address, category)) in verifications.iter().zip(expected) {
        assert_eq!(it["category"], category, "{address}: {it:#}");
    }
}

#[test]
fn verification_has_the_fields_of_the_contract() {
    let it = verify("jane.doe@known.test");
    let fields: Vec<_> = it.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut expected = [
        "email",
        "category",
        "sub_category",
        "reason",
        "confidence_score",
        "details",
        "suggestion",
        "metadata",
    ];
    expected.sort_unstable(); // as serde_json keeps them
    assert_eq!(fields, expected);
    let confidence = it["confidence_score"].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&confidence), "{confidence}");
    assert_eq!(it["details"]["random_pattern"]["is_random"], false);
    let metadata = &it["metadata"];
    assert_eq!(metadata["verification_id"].as_str().map(str::len), Some(36));
    assert!(metadata["verified_at"].is_string() && metadata["processing_time_ms"].is_u64(), "{metadata}");
}

// The program as a command

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
