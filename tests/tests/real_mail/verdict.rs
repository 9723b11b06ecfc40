//! Runs of the program, and what they have to say.

use mailsonde_tests::mailsonde::Mailsonde;
use mailsonde_tests::real::Lab;
use serde_json::{Value, json};

/// Long enough for a dialogue on loopback, short enough to wait for where a server never answers.
pub(crate) const SHORT_DEADLINE: (&str, &str) = ("MAILSONDE_STAGE__SMTP-PROBE__DEADLINE", "2s");

/// What a verification has to say, for an ordinary address at a domain of nobody in particular.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) category: &'a str,
    /// Both `sub_category` and `reason`.
    pub(crate) cause: Option<&'a str>,
    pub(crate) exists: bool,
    pub(crate) is_catch_all: bool,
    pub(crate) mx_records: &'a [&'a str],
}

/// To be completed: a domain that exists, with neither MX nor a verdict.
pub(crate) const DOMAIN: Expected<'_> =
    Expected { category: "", cause: None, exists: true, is_catch_all: false, mx_records: &[] };

impl Expected<'_> {
    #[track_caller]
    pub(crate) fn assert_is(&self, actual: &Value) {
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

pub(crate) fn verify(address: &str) -> Value {
    verify_with(address, &[])
}

pub(crate) fn verify_with(address: &str, settings: &[(&str, &str)]) -> Value {
    verify_all(&[address], settings).remove(0)
}

/// Runs the program once in the lab.
pub(crate) fn verify_all<A: AsRef<str>>(addresses: &[A], settings: &[(&str, &str)]) -> Vec<Value> {
    verify_by(&[], addresses, settings)
}

/// The same with further options.
pub(crate) fn verify_by<A: AsRef<str>>(
    options: &[&str],
    addresses: &[A],
    settings: &[(&str, &str)],
) -> Vec<Value> {
    let lab = Lab::shared();
    let lines: String = addresses.iter().flat_map(|address| [address.as_ref(), "\n"]).collect();
    let verifications = Mailsonde::new(&[&["verify", "--format", "jsonl"], options, &["-"]].concat())
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

/// Verifies all the addresses in one run, and compares their categories.
#[track_caller]
pub(crate) fn assert_categories<A: AsRef<str>>(
    options: &[&str],
    expected: &[(A, &str)],
    settings: &[(&str, &str)],
) {
    let addresses: Vec<_> = expected.iter().map(|(address, _)| address.as_ref()).collect();
    let wrong: Vec<_> = verify_by(options, &addresses, settings)
        .into_iter()
        .zip(expected)
        .filter(|(it, (_, category))| it["category"] != *category)
        .map(|(it, (address, category))| {
            format!("{} is {} · {}, not {category}", address.as_ref(), it["category"], it["reason"])
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), expected.len());
}

/// Addresses of `domain` with their categories: members, and where `is_unknown` says so somebody who does not exist.
pub(crate) fn members(
    domain: &str,
    count: usize,
    is_unknown: impl Fn(usize) -> bool,
) -> Vec<(String, &'static str)> {
    let address = |number| {
        if is_unknown(number) {
            (format!("no.such{number}@{domain}"), "undeliverable")
        } else {
            (format!("member{number}@{domain}"), "deliverable")
        }
    };
    (1..=count).map(address).collect()
}

/// None of them, for [`members`].
pub(crate) fn nobody(_: usize) -> bool {
    false
}

/// The cause of an unknown verdict.
#[track_caller]
pub(crate) fn assert_unknown(verification: &Value, cause: &str) {
    assert_category(verification, "unknown");
    assert_eq!(verification["reason"], cause, "{verification:#}");
}

#[track_caller]
pub(crate) fn assert_category(verification: &Value, category: &str) {
    assert_eq!(verification["category"], category, "{verification:#}");
}
