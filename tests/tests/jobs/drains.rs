//! Processes that are asked to end and have more to do than they can within `drain_max`.

use std::time::{Duration, Instant};

use mailsonde_lab::Net;
use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, Site,
        mail::{self, MANY_SESSIONS, slow},
    },
};

const DRAIN_MAX: Duration = Duration::from_secs(2);

/// To keep what is known, give the rest back, and say goodbye to mail servers.
const TO_END: Duration = Duration::from_secs(3);

/// The same, when the database does not answer.
const TO_GIVE_UP: Duration = Duration::from_secs(40);

fn site(net: &Net, lease: &str) -> Site {
    let drain_max = format!("{DRAIN_MAX:?}");
    let terms = [("MAILSONDE_JOBS__LEASE", lease), ("MAILSONDE_JOBS__DRAIN_MAX", &drain_max)];
    Site::among(net, &[&terms, &MANY_SESSIONS[..]].concat())
}

#[test]
fn what_is_not_done_in_time_is_handed_to_others_at_once() {
    let net = slow("50ms");
    // Nobody who waits for it to run out would be in time.
    let site = site(&net, "50s");
    let inputs = mail::addresses(300);
    let job = site.submit(&inputs, &[]);
    let worker = site.worker_at_work();
    assert!(wait_until(LIMIT, || mail::asked(&net) > 0), "it asks");
    let told = Instant::now();
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
    let took = told.elapsed();
    assert!((DRAIN_MAX..DRAIN_MAX + TO_END).contains(&took), "{took:?}");
    assert_eq!(
        site.query("select state, attempt, worker is null from task where kind = 'chunk'"),
        "ready|0|t"
    );
    let known = site.results(&job);
    assert!(!known.is_empty() && known.len() < inputs.len(), "{} were known", known.len());
    let before = mail::asked_about(&net);

    let handed_back = Instant::now();
    let other = site.worker_at_work();
    assert!(handed_back.elapsed() < Duration::from_secs(10), "{:?}", handed_back.elapsed());
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
    let after = mail::asked_about(&net);
    for result in known {
        let address = result["email"].as_str().unwrap();
        assert_eq!(after[address], before[address], "who has a verdict is not asked about again");
    }
    assert!(other.terminate(LIMIT).success(), "{}", site.said());
    site.keeps_secrets();
}

/// What it knows cannot be kept, and what it has cannot be handed back: it ends all the same, and others begin when its
/// leases have run out.
#[test]
fn when_the_database_says_nothing_it_ends_too() {
    let net = slow("50ms");
    let site = site(&net, "3s");
    let inputs = mail::addresses(300);
    let job = site.submit(&inputs, &[]);
    let worker = site.worker_at_work();
    assert!(wait_until(LIMIT, || mail::asked(&net) > 0), "it asks");
    site.postgres.freeze().unwrap();
    let told = Instant::now();
    worker.terminate(LIMIT);
    let took = told.elapsed();
    assert!(took < DRAIN_MAX + TO_GIVE_UP, "{took:?}");
    site.postgres.thaw().unwrap();
    let _other = site.worker();
    site.wait_for(&job, "completed");
    site.is_done(&job, &inputs);
    site.keeps_secrets();
}
