//! Many messages to one host that takes its time: those to another host, and jobs, do not wait for them.

use std::time::{Duration, Instant};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{LIMIT, Site, receiver::Receiver},
};
use serde_json::json;

/// Longer than this test.
const SLOW: Duration = Duration::from_mins(1);

/// As late as a job's end may be told while all of them wait: each is looked at once, which takes seconds on a busy machine.
/// One after the other, they would take two days.
const ON_TIME: Duration = Duration::from_secs(50);

#[test]
fn ten_thousand_messages_to_a_slow_host_hold_up_no_other() {
    let (slow, prompt) = (Receiver::start("127.0.0.1", SLOW), Receiver::start("127.0.0.2", Duration::ZERO));
    let site =
        Site::new(&[("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"), ("MAILSONDE_WEBHOOKS__HTTP", "true")]);
    let key = site.key("acme");
    site.print(&["webhook", "test", "acme", &slow.url()]);
    // The queue does not look into messages: as many tasks of one message are as many messages to one host.
    site.query(
        "insert into task (kind, client, webhook, deadline_at)
         select kind, client, webhook, deadline_at from task, generate_series(2, 10000) where kind = 'webhook'",
    );
    let served = site.serve();
    assert!(wait_until(LIMIT, || !slow.told().is_empty()));
    for number in 0..3 {
        let began = Instant::now();
        let body = json!({ "emails": ["zyxw.a@mailinator.com"], "webhook_url": prompt.url() });
        let job = served.submit(&key, &body);
        assert!(wait_until(LIMIT, || prompt.told().iter().any(|told| told.job() == job)));
        println!("job {number} was told of after {:?}", began.elapsed());
        assert!(began.elapsed() < ON_TIME, "{:?}", began.elapsed());
    }
    let waiting = "select count(*) > 9000 from task where kind = 'webhook'";
    assert_eq!(site.query(waiting), "t");
}
