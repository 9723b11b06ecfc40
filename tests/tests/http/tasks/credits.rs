//! Credits, and what led to them; metrics of all tasks.

use mailsonde_tests::site::Site;
use serde_json::json;

use super::{ended, get, internet, post, refuses, submit};
use crate::published::shape::Shape::{self, *};

const TRANSACTIONS: Shape = Object(&[
    (
        "transactions",
        List(&Object(&[
            ("id", Uuid),
            ("user_id", Uuid),
            ("type", OneOf(&["grant", "deduction"])),
            ("amount", Whole),
            ("balance_after", Whole),
            ("reason", Text),
            ("metadata", Anything),
            ("created_at", Moment),
        ])),
    ),
    ("total", Whole),
    ("limit", Whole),
    ("offset", Whole),
]);

const STATUS: Shape =
    Object(&[("pending", Whole), ("processing", Whole), ("completed", Whole), ("failed", Whole)]);

const VERDICTS: Shape = Object(&[
    ("exists", Whole),
    ("not_exists", Whole),
    ("catchall", Whole),
    ("invalid_syntax", Whole),
    ("unknown", Whole),
]);

const METRICS: Shape = Object(&[
    ("user_id", Uuid),
    ("total_verifications", Whole),
    ("total_tasks", Whole),
    ("job_status", STATUS),
    ("verification_status", VERDICTS),
    ("total_catchall", Whole),
    ("total_role_based", Whole),
    ("total_disposable_domain_emails", Whole),
    ("last_verification_requested_at", OrNull(&Moment)),
    ("last_verification_completed_at", OrNull(&Moment)),
]);

#[test]
fn transactions_lead_to_the_balance_and_metrics_sum_up_tasks() {
    let net = internet();
    let site = Site::with(net.environment());
    site.print(&["client", "create", "acme", "--quota", "100", "--hard-cap"]);
    let key = super::key_of(&site, "acme");
    let served = site.serve();
    let emails = ["jane@example.com", "ghost@example.com", "x@everybody.test", "info@example.com"];
    let id = submit(&served, &key, &emails);
    ended(&served, &key, &id);
    let one = post(&served, "/api/v1/verify", &key, r#"{"email":"jane@example.com"}"#);
    assert_eq!(one.status, 200, "{one:?}");

    assert_eq!(get(&served, "/api/v1/credits/balance", &key).json()["balance"], 95);
    let told = get(&served, "/api/v1/credits/transactions", &key);
    TRANSACTIONS.fits(&told.body);
    let told = told.json();
    assert_eq!((&told["total"], &told["limit"], &told["offset"]), (&json!(3), &json!(50), &json!(0)));
    let amounts = |at: usize| {
        let transaction = &told["transactions"][at];
        (transaction["type"].clone(), transaction["amount"].clone(), transaction["balance_after"].clone())
    };
    assert_eq!(amounts(0), (json!("deduction"), json!(1), json!(95)), "{told}");
    assert_eq!(amounts(1), (json!("deduction"), json!(4), json!(96)), "{told}");
    assert_eq!(told["transactions"][1]["metadata"]["task_id"], json!(id), "{told}");
    assert_eq!(amounts(2), (json!("grant"), json!(100), json!(100)), "{told}");
    let second = get(&served, "/api/v1/credits/transactions?limit=1&offset=1", &key).json();
    assert_eq!(second["transactions"][0], told["transactions"][1]);

    let many: Vec<String> = (0..96).map(|n| format!("a{n}@example.com")).collect();
    let many = json!({ "emails": many }).to_string();
    refuses(&post(&served, "/api/v1/tasks", &key, &many), 402, "INSUFFICIENT_CREDITS");

    let metrics = get(&served, "/api/v1/metrics/verifications", &key);
    METRICS.fits(&metrics.body);
    let metrics = metrics.json();
    let verdicts = json!({ "exists": 2, "not_exists": 1, "catchall": 1, "invalid_syntax": 0, "unknown": 0 });
    assert_eq!(metrics["verification_status"], verdicts, "{metrics}");
    assert_eq!((&metrics["total_tasks"], &metrics["total_role_based"]), (&json!(1), &json!(1)), "{metrics}");
    let path = "/api/v1/metrics/verifications?from=2020-01-01T00:00:00Z&to=2200-01-01T00:00:00Z";
    let series = get(&served, path, &key).json();
    assert_eq!(series["series"][0]["verification_status"], verdicts, "{series}");
    for bad in ["from=yesterday", "from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z", "user_id=7"] {
        let path = format!("/api/v1/metrics/verifications?{bad}");
        refuses(&get(&served, &path, &key), 400, "VALIDATION_ERROR");
    }
    for bad in ["limit=0", "limit=101", "offset=-1"] {
        refuses(&get(&served, &format!("/api/v1/credits/transactions?{bad}"), &key), 400, "VALIDATION_ERROR");
    }
}
