//! Messages in a real store, to receivers on loopback. What takes hours is moved in the table, not waited for.

mod rows;
mod waits;

use std::sync::Arc;

use deadpool_postgres::Object;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{super::testing::*, *};
use crate::{
    jobs::{config::JobsConfig, ending},
    store::{
        LOCAL_CLIENT,
        jobs::{self, End},
        keys::Keyring,
        tasks::{self, Claimed, Kind},
        testing,
        webhooks::add,
    },
    webhooks::{WebhooksConfig, secrets::create},
};

const MINUTE: Duration = Duration::from_mins(1);

/// A store, and a process that delivers.
struct Site {
    store: Store,
    courier: Courier,
}

impl Site {
    async fn new() -> Self {
        Self::of(testing::store_without_tasks().await, laboratory())
    }

    fn of(store: Store, config: WebhooksConfig) -> Self {
        let courier = Courier::new(config, Arc::new(Names::new(&["127.0.0.1"]))).unwrap();
        Self { store, courier }
    }

    async fn client(&self) -> Object {
        self.store.worker().await.unwrap()
    }

    async fn ask(&self, sql: &str) -> String {
        let row = self.client().await.query_opt(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.and_then(|row| row.get(0)).unwrap_or_default()
    }

    async fn add(&self, url: &str) -> Uuid {
        let message = Message { url: url.into(), body: r#"{"type":"test"}"#.into(), is_of_tasks: false };
        let new = message.sealed(self.store.keys(), LOCAL_CLIENT, None);
        add(&self.client().await, &new).await.unwrap();
        new.id
    }

    /// Takes the next task that is due, if there is one.
    async fn claim(&self) -> Option<Claimed> {
        let client = self.client().await;
        let claimed = tasks::claim(&client, Uuid::from_u128(1), MINUTE, 1).await.unwrap();
        claimed.into_iter().next()
    }

    async fn deliver(&self, task: &Claimed) -> Result<Done, TaskError> {
        assert_eq!(task.kind, Kind::Webhook);
        let (_go_on, mut word) = watch::channel(Word::GoOn);
        deliver(&self.store, &self.courier, task.lease, &mut word).await
    }

    /// One try of whatever is due.
    async fn turn(&self) -> Done {
        let task = self.claim().await.expect("a task is due");
        self.deliver(&task).await.unwrap()
    }

    /// Seconds until the task is due, which is then made due.
    async fn skip(&self) -> f64 {
        let wait = self.ask("select extract(epoch from due_at - now()) from task").await;
        self.client().await.batch_execute("update task set due_at = now()").await.unwrap();
        wait.parse().unwrap()
    }

    async fn state(&self) -> String {
        self.ask("select state || ' ' || attempts from webhook").await
    }

    async fn error(&self) -> String {
        let row = self.client().await.query_one("select id, error from webhook", &[]).await.unwrap();
        let (id, sealed): (Uuid, Vec<u8>) = (row.get(0), row.get(1));
        let error = self.store.keys().open(Row::WebhookError { id }, &sealed).unwrap();
        String::from_utf8(error).unwrap()
    }
}

#[tokio::test]
async fn a_message_that_is_taken_is_done_with() {
    let (site, mut receiver) = (Site::new().await, Receiver::saying("204 No Content").await);
    let id = site.add(&receiver.url).await;
    assert_eq!(site.turn().await, Done::Settled);
    let received = receiver.next().await;
    assert_eq!((received.path.as_str(), received.body.as_str()), ("/hook", r#"{"type":"test"}"#));
    assert_eq!(received.header("webhook-id"), id.to_string());
    assert_eq!(received.header("content-type"), "application/json");
    assert!(received.header("user-agent").starts_with("mailsonde/"));
    let age = Timestamp::now().as_second() - received.header("webhook-timestamp").parse::<i64>().unwrap();
    assert!((-2..60).contains(&age), "{age}");
    // Nobody has drawn a secret.
    assert_eq!(received.header("webhook-signature"), "");
    assert_eq!(site.state().await, "delivered 1");
    assert_eq!(site.ask("select length(sealed) from webhook").await, "0", "what it said is not kept");
    assert_eq!(site.ask("select count(*) from task").await, "0");
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn secrets_sign_it_the_old_one_too() {
    let (site, mut receiver) = (Site::new().await, Receiver::saying("200 OK").await);
    let old = create(&site.store, LOCAL_CLIENT).await.unwrap();
    let new = secrets::rotate(&site.store, LOCAL_CLIENT, MINUTE).await.unwrap();
    site.add(&receiver.url).await;
    site.turn().await;
    let received = receiver.next().await;
    let timestamp = received.header("webhook-timestamp").parse().unwrap();
    let (id, body) = (received.header("webhook-id"), received.body.as_bytes());
    let expected = super::super::signature::sign(&[new, old], id, timestamp, body).unwrap();
    assert_eq!(received.header("webhook-signature"), expected);
}

#[tokio::test]
async fn failures_follow_the_schedule_under_one_id_until_it_is_taken() {
    let (site, mut receiver) = (
        Site::new().await,
        Receiver::start(|number| head(if number < 3 { "500 Oh" } else { "200 OK" })).await,
    );
    let id = site.add(&receiver.url).await.to_string();
    for (tries, expected) in (1..).zip([5.0, 300.0, 1_800.0]) {
        assert_eq!(site.turn().await, Done::Settled);
        assert_eq!(receiver.next().await.header("webhook-id"), id);
        assert_eq!(site.state().await, format!("pending {tries}"));
        assert_eq!(site.error().await, "500");
        assert!(site.claim().await.is_none(), "not before its time");
        let wait = site.skip().await;
        assert!((expected * 0.79..expected * 1.2).contains(&wait), "{wait} for {expected}");
    }
    site.turn().await;
    assert_eq!(receiver.next().await.header("webhook-id"), id);
    assert_eq!(site.state().await, "delivered 4");
    assert_eq!(site.ask("select error is null from webhook").await, "true");
}

#[tokio::test]
async fn the_tenth_failure_is_the_last() {
    let (site, receiver) = (Site::new().await, Receiver::saying("503 Busy").await);
    site.add(&receiver.url).await;
    for _ in 1..10 {
        site.turn().await;
        site.skip().await;
    }
    assert_eq!(site.state().await, "pending 9");
    site.turn().await;
    assert_eq!(site.state().await, "failed 10");
    assert_eq!(site.ask("select count(*) from task").await, "0");
}

#[tokio::test]
async fn who_is_gone_is_not_asked_again() {
    let (site, receiver) = (Site::new().await, Receiver::saying("410 Gone").await);
    site.add(&receiver.url).await;
    site.turn().await;
    assert_eq!((site.state().await, site.error().await), ("failed 1".into(), "410".into()));
    assert_eq!(site.ask("select count(*) from task").await, "0");
}

#[tokio::test]
async fn who_wants_to_be_left_alone_is() {
    let answer =
        |wait: &str| format!("HTTP/1.1 429 Slow\r\nretry-after: {wait}\r\ncontent-length: 0\r\n\r\n");
    for (asked, least, most) in [("1000", 998.0, 1_000.0), ("1", 4.0, 6.0), ("9999999", 86_000.0, 86_400.0)] {
        let answer = answer(asked).into_bytes();
        let (site, receiver) = (Site::new().await, Receiver::start(move |_| answer.clone()).await);
        site.add(&receiver.url).await;
        site.turn().await;
        let wait = site.skip().await;
        assert!((least - 1.0..=most).contains(&wait), "{asked}: {wait}");
    }
}

#[tokio::test]
async fn redirects_are_failures_and_nobody_follows_them() {
    let mut elsewhere = Receiver::saying("200 OK").await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let targets = [elsewhere.url.clone(), "http://169.254.169.254/latest/meta-data/".into()];
        for target in targets {
            let answer = format!("HTTP/1.1 {status}\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
            let (site, mut receiver) =
                (Site::new().await, Receiver::start(move |_| answer.clone().into_bytes()).await);
            site.add(&receiver.url).await;
            site.turn().await;
            receiver.next().await;
            assert_eq!(site.state().await, "pending 1");
            assert_eq!(site.error().await, status[..3]);
        }
    }
    assert!(elsewhere.is_empty());
    // It would have been heard.
    let site = Site::new().await;
    site.add(&elsewhere.url).await;
    site.turn().await;
    elsewhere.next().await;
}

#[tokio::test]
async fn nobody_keeps_us_for_long_or_makes_us_read_much() {
    let many =
        (0..10_000).fold(String::from("HTTP/1.1 200 OK\r\n"), |head, n| head + &format!("x-{n}: y\r\n"));
    let endless_head = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), ENDLESS].concat();
    let endless_body = [b"HTTP/1.1 500 Oh\r\n\r\n".as_slice(), ENDLESS].concat();
    let endless_good = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), ENDLESS].concat();
    let half_body = [b"HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\nhalf".as_slice(), SILENT].concat();
    let no_answer = "no answer within 1s";
    for (answer, state, error) in [
        (SILENT.to_vec(), "pending 1", no_answer),
        ([b"HTTP/1.1 200 OK\r\nx".as_slice(), SILENT].concat(), "pending 1", no_answer),
        (b"".to_vec(), "pending 1", "no answer: connection closed before message completed"),
        (b"220 mail.example ESMTP\r\n".to_vec(), "pending 1", "no answer: invalid HTTP version parsed"),
        (many.into_bytes(), "pending 1", "no answer: message head is too large"),
        (endless_head, "pending 1", "no answer: message head is too large"),
        (half_body, "pending 1", "500: half"),
        (endless_good, "delivered 1", ""),
    ] {
        let config = WebhooksConfig { timeout: Duration::from_secs(1), ..laboratory() };
        let site = Site::of(testing::store_without_tasks().await, config);
        let receiver = Receiver::start(move |_| answer.clone()).await;
        site.add(&receiver.url).await;
        let begun = Instant::now();
        timeout(MINUTE, site.turn()).await.unwrap();
        assert!(begun.elapsed() < MINUTE / 6, "{:?}", begun.elapsed());
        assert_eq!(site.state().await, state);
        if !error.is_empty() {
            assert_eq!(site.error().await, error);
        }
    }
    let (site, receiver) = (Site::new().await, Receiver::start(move |_| endless_body.clone()).await);
    site.add(&receiver.url).await;
    site.turn().await;
    assert_eq!(site.error().await, format!("500: {}", "x".repeat(256)));
}

#[tokio::test]
async fn a_name_that_has_moved_inside_is_not_connected_to() {
    let mut receiver = Receiver::saying("200 OK").await;
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    let url = format!("http://hooks.example.com:{port}");
    // What it was when it was checked, and what it is when it is connected to.
    let names: Arc<Names> = Arc::new(Names::one_after_the_other(&[&["8.8.8.8"], &["127.0.0.1"]]));
    let config = WebhooksConfig { http: true, ..public() };
    super::super::Guard::new(config.clone(), names.clone()).check(&url).await.unwrap();
    let store = testing::store_without_tasks().await;
    let site = Site { courier: Courier::new(config, names.clone()).unwrap(), store };
    site.add(&url).await;
    site.turn().await;
    assert_eq!((site.state().await, site.error().await), ("pending 1".into(), "blocked address".into()));
    // With a public one beside it, too.
    site.skip().await;
    let mixed = Arc::new(Names::new(&["8.8.8.8", "127.0.0.1"]));
    let config = WebhooksConfig { http: true, ..public() };
    let site = Site { courier: Courier::new(config, mixed).unwrap(), ..site };
    site.turn().await;
    assert_eq!(site.error().await, "blocked address");
    assert!(receiver.is_empty());
    // Where it may, it is: by the name, at the address that was resolved.
    site.skip().await;
    let site = Site { courier: Courier::new(laboratory(), names).unwrap(), ..site };
    site.turn().await;
    let host = receiver.next().await.header("host").to_owned();
    assert!(host.starts_with("hooks.example.com:"), "{host}");
}

#[tokio::test]
async fn a_number_that_is_inside_is_not_connected_to_either() {
    let receiver = Receiver::saying("200 OK").await;
    let config = WebhooksConfig { http: true, ..public() };
    let site = Site::of(testing::store_without_tasks().await, config);
    site.add(&receiver.url).await;
    site.turn().await;
    assert!(site.error().await.starts_with("blocked address"), "{}", site.error().await);
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn who_is_killed_before_it_is_written_down_leaves_it_to_others_under_the_same_id() {
    let (site, mut receiver) = (Site::new().await, Receiver::saying("200 OK").await);
    site.add(&receiver.url).await;
    let first = site.claim().await.unwrap();
    // The receiver's answer is there; what came of it cannot be written, and then nobody is left to write it.
    let locks = site.store.worker().await.unwrap();
    locks.batch_execute("begin; lock table webhook in share mode").await.unwrap();
    let delivering = async { timeout(MINUTE, site.deliver(&first)).await };
    let received = tokio::select! {
        _ = delivering => panic!("it is written"),
        received = receiver.next() => received,
    };
    locks.batch_execute("rollback").await.unwrap();
    site.client()
        .await
        .batch_execute("update task set leased_until = now() - interval '1 second'")
        .await
        .unwrap();
    tasks::rescue(&site.client().await, 5).await.unwrap();
    assert_eq!(site.state().await, "pending 0");
    site.turn().await;
    let again = receiver.next().await;
    assert_eq!(again.header("webhook-id"), received.header("webhook-id"));
    assert_eq!(again.body, received.body);
    assert_eq!(site.state().await, "delivered 1");
    // Who comes too late changes nothing.
    let waiting = waiting_of(received.header("webhook-id"));
    let late = record(&site.store, first.lease, &waiting, &Outcome::Delivered).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(site.state().await, "delivered 1");
}

fn waiting_of(id: &str) -> Waiting {
    let id = id.parse().unwrap();
    let now = Timestamp::now();
    let (client, host, sealed) = (LOCAL_CLIENT, Vec::new(), Vec::new());
    Waiting { id, client, host, sealed, attempts: 0, created_at: now, now }
}

#[tokio::test]
async fn whoever_is_told_to_stop_gives_it_back() {
    let (site, mut receiver) = (Site::new().await, Receiver::start(|_| SILENT.to_vec()).await);
    site.add(&receiver.url).await;
    for (said, done) in [(Word::Stop, Done::HandBack), (Word::Lost, Done::Settled)] {
        let task = site.claim().await.unwrap();
        let (sender, mut word) = watch::channel(Word::GoOn);
        let delivering = deliver(&site.store, &site.courier, task.lease, &mut word);
        let tell = async {
            receiver.next().await;
            sender.send_replace(said);
        };
        let (delivered, ()) = tokio::join!(delivering, tell);
        assert_eq!(delivered.unwrap(), done);
        tasks::hand_back(&site.client().await, task.lease).await.unwrap();
    }
    assert_eq!(site.state().await, "pending 0");
}

/// Submits a job as a product does.
async fn submit(store: &Store, facade: &'static str, callback: Option<&str>) -> Uuid {
    use crate::jobs::{capacity::Site, submit};
    let settings = mailsonde_config::Settings::load(None).unwrap();
    let config: JobsConfig = settings.section("jobs").unwrap();
    let request = submit::Request {
        id: submit::new_id(),
        client: LOCAL_CLIENT,
        facade,
        source: submit::Source::LIST,
        callback: callback.map(Into::into),
        pipeline: "verify".into(),
        skips: Vec::new(),
        asks: false,
        window: Some(Duration::from_hours(1)),
        deadline: None,
        retention: None,
        is_billed: false,
        inputs: vec!["jane@example.com".into(), "joe@example.com".into()],
        sheet: None,
        answer: None,
        terms: None,
    };
    submit::submit(store, &config, &Site::new(&settings, &config).unwrap(), request).await.unwrap()
}

#[tokio::test]
async fn the_end_of_a_job_is_told_as_it_was_written_down() {
    let (site, mut receiver) = (Site::new().await, Receiver::saying("200 OK").await);
    let job = submit(&site.store, "email-verifier", Some(&receiver.url)).await;
    site.client().await.batch_execute("update job set started_at = now()").await.unwrap();
    assert!(ending::end(&site.store, job, End::DeadlinePassed).await.unwrap());
    let row = jobs::job(&site.client().await, job).await.unwrap().unwrap();
    site.turn().await;
    let received = receiver.next().await;
    let of = |moment: Option<Timestamp>| format!("{:.0}", moment.unwrap());
    let expected = format!(
        r#"{{"type":"job.completed","timestamp":"{ended}","data":{{"job":{{"job_id":"{job}","status":"completed","source_type":"batch","total_count":2,"processed_count":2,"stats":{{"total":2,"processed":2,"deliverable":0,"undeliverable":0,"risky":0,"disposable":0,"unknown":2,"duplicate":0,"invalid_syntax":0,"random_pattern":0,"high_risk":0,"accept_all":0}},"created_at":"{created}","started_at":"{started}","completed_at":"{ended}","webhook_url":"{url}","webhook_sent":false,"result_file_expires_at":"{expires}","error_message":null,"original_filename":null,"download_url":"/api/v1/jobs/{job}/download"}}}}}}"#,
        created = of(Some(row.created_at)),
        started = of(row.started_at),
        ended = of(row.ended_at),
        expires = of(Some(row.expires_at)),
        url = receiver.url,
    );
    assert_eq!(received.body, expected);
    // Results are kept for a week from the end on.
    let kept = row.expires_at.duration_since(row.ended_at.unwrap());
    assert_eq!(kept, SignedDuration::from_hours(7 * 24));
    assert!(!row.is_told);
    assert!(jobs::job(&site.client().await, job).await.unwrap().unwrap().is_told);
    assert_eq!(site.ask("select count(*) from webhook").await, "1");
}

#[tokio::test]
async fn nobody_is_told_who_canceled_or_gave_no_callback() {
    let site = Site::new().await;
    let url = Some("https://hooks.example.com/");
    for (facade, callback, how) in [
        ("email-verifier", url, End::Canceled),
        ("email-verifier", None, End::DeadlinePassed),
        ("local", None, End::DeadlinePassed),
    ] {
        let job = submit(&site.store, facade, callback).await;
        assert!(ending::end(&site.store, job, how).await.unwrap());
    }
    assert_eq!(site.ask("select count(*) from webhook").await, "0");
    assert!(site.claim().await.is_none());
}

#[tokio::test]
async fn nothing_that_is_kept_shows_where_it_goes() {
    let site = Site::new().await;
    submit(&site.store, "email-verifier", Some("https://hooks.example.com/secret")).await;
    site.add("https://hooks.example.com/secret").await;
    let kept = site.ask("select string_agg(encode(x, 'escape'), ' ') from (select callback as x from job union all select sealed from webhook union all select host from webhook) as all_of_it").await;
    assert!(!kept.is_empty() && !kept.contains("hooks"), "{kept}");
}
