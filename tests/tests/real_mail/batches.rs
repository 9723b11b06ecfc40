//! Many addresses at once.

use mailsonde_tests::real::{Lab, map};

use crate::verdict::{SHORT_DEADLINE, assert_categories, members, verify, verify_all};

#[test]
fn batch_of_one_domain_takes_one_connection() {
    assert_categories(&[], &members("batch.test", 50, |number| number.is_multiple_of(10)), &[]);
    let sessions = Lab::shared().sessions("batch").unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
}

#[test]
fn domains_of_one_server_share_its_sessions() {
    let mailboxes = (1..=map::CUSTOMERS).flat_map(|number| {
        let domain = format!("customer{number}.hosted.test");
        [(format!("jane.doe@{domain}"), "deliverable"), (format!("no.such@{domain}"), "undeliverable")]
    });
    assert_categories(&[], &mailboxes.collect::<Vec<_>>(), &[]);
    // Ten unknown ones and ten to see that not all are welcome make twenty refusals, of which a session takes nine.
    let sessions = Lab::shared().sessions("hosted").unwrap();
    assert!(sessions.len() <= 4, "{sessions:#?}");
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
