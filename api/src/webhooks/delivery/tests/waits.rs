//! Messages that are not sent when they are due: others have the places, the host rests, clocks differ, a key is missing.

use super::*;

#[tokio::test]
async fn a_host_that_is_silent_delays_no_other() {
    let mut config = laboratory();
    config.per_host_max = 1;
    let site = Site::of(testing::store_without_tasks().await, config);
    let (mut silent, mut other) =
        (Receiver::start(|_| SILENT.to_vec()).await, Receiver::saying("200 OK").await);
    for _ in 0..3 {
        site.add(&silent.url).await;
    }
    let first = site.claim().await.unwrap();
    let (go_on, mut word) = watch::channel(Word::GoOn);
    let waits = deliver(&site.store, &site.courier, first.lease, &mut word);
    let others = async {
        silent.next().await;
        // Those behind it are put off, and have not failed.
        for _ in 0..2 {
            let task = site.claim().await.unwrap();
            assert!(matches!(site.deliver(&task).await, Ok(Done::Snooze(_))));
        }
        // Another host: a name, not a number.
        let url = other.url.replace("127.0.0.1", "localhost");
        site.add(&url).await;
        assert_eq!(site.turn().await, Done::Settled);
        other.next().await;
        go_on.send_replace(Word::Stop);
    };
    let (waited, ()) = tokio::join!(waits, others);
    assert_eq!(waited.unwrap(), Done::HandBack);
    assert_eq!(
        site.ask("select string_agg(state || attempts, ' ' order by created_at) from webhook").await,
        "pending0 pending0 pending0 delivered1"
    );
}

/// The message came about before the schedule's end.
const MAKE_OLD: &str = "update webhook set created_at = now() - interval '97 hours'";

#[tokio::test]
async fn a_host_that_rests_is_not_asked_and_each_message_has_its_end() {
    let (site, mut receiver) = (Site::new().await, Receiver::start(|_| b"".to_vec()).await);
    site.add(&receiver.url).await;
    for _ in 0..3 {
        assert_eq!(site.turn().await, Done::Settled);
        receiver.next().await;
        assert_eq!(site.error().await, "no answer: connection closed before message completed");
        site.skip().await;
    }
    for tries in 4..=9 {
        assert_eq!(site.turn().await, Done::Settled);
        assert_eq!(site.error().await, "not tried: its host does not answer");
        assert_eq!(site.state().await, format!("pending {tries}"));
        assert!(site.skip().await > 29.0, "not before the rest is over");
    }
    site.turn().await;
    assert_eq!(site.state().await, "failed 10");
    assert_eq!(site.ask("select count(*) from task").await, "0");
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn who_finds_no_place_waits_as_long_as_the_schedule_lasts_and_then_fails() {
    let config = WebhooksConfig { per_host_max: 1, ..laboratory() };
    let site = Site::of(testing::store_without_tasks().await, config);
    let id = site.add("http://127.0.0.1:9/").await;
    let client = site.client().await;
    let row = client.query_one("select host from webhook where id = $1", &[&id]).await.unwrap();
    let _place = site.courier.lanes.enter(LOCAL_CLIENT, row.get(0)).unwrap_or_else(|why| panic!("{why:?}"));
    let task = site.claim().await.unwrap();
    client.batch_execute("create table begun as select now() as at").await.unwrap();
    let done = site.deliver(&task).await.unwrap();
    let Done::Snooze(wait) = done else { panic!("{done:?}") };
    tasks::snooze(&client, task.lease, wait).await.unwrap();
    // It is as urgent as what is due at that moment.
    assert_eq!(site.ask("select deadline_at = due_at and due_at > begun.at from task, begun").await, "true");
    site.skip().await;
    assert_eq!(site.state().await, "pending 0");
    client.batch_execute(MAKE_OLD).await.unwrap();
    for tries in 1..=9 {
        assert_eq!(site.turn().await, Done::Settled);
        assert_eq!(site.error().await, "not tried: no place was free");
        assert_eq!(site.state().await, format!("pending {tries}"));
        site.skip().await;
    }
    site.turn().await;
    assert_eq!(site.state().await, "failed 10");
    assert_eq!(site.ask("select count(*) from task").await, "0");
}

#[tokio::test]
async fn a_webhook_that_cannot_be_opened_is_a_fault_of_ours_until_the_schedule_is_over() {
    let site = Site::new().await;
    site.add("http://127.0.0.1:9/").await;
    let keys = Keyring::from_text("00000009 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n").unwrap();
    let site = Site { store: testing::another(&site.store, keys), ..site };
    let task = site.claim().await.unwrap();
    assert!(matches!(site.deliver(&task).await, Err(TaskError::Store(StoreError::Sealed(_)))));
    site.client().await.batch_execute(MAKE_OLD).await.unwrap();
    site.deliver(&task).await.unwrap();
    for _ in 1..10 {
        site.skip().await;
        site.turn().await;
    }
    assert_eq!(site.state().await, "failed 10");
}

/// The database's clock goes before ours by an interval.
async fn clock_that_differs(store: &Store, by: &str) -> Store {
    let client = store.worker().await.unwrap();
    let row = client.query_one("select current_database()", &[]).await.unwrap();
    let shift = format!(
        "create schema if not exists shifted;
        create or replace function shifted.clock_timestamp() returns timestamptz language sql as
        $$ select pg_catalog.clock_timestamp() + interval '{by}' $$;
        alter database {} set search_path = shifted, pg_catalog, public",
        row.get::<_, &str>(0)
    );
    client.batch_execute(&shift).await.unwrap();
    testing::another(store, testing::keys())
}

#[tokio::test]
async fn where_clocks_differ_by_more_than_receivers_bear_nothing_is_signed() {
    let (site, receiver) = (Site::new().await, Receiver::saying("200 OK").await);
    site.add(&receiver.url).await;
    for by in ["5 minutes 10 seconds", "-5 minutes -10 seconds"] {
        let site = Site::of(clock_that_differs(&site.store, by).await, laboratory());
        assert_eq!(site.turn().await, Done::Snooze(CLOCK_PAUSE), "{by}");
        site.client().await.batch_execute("update task set state = 'ready'").await.unwrap();
    }
    assert!(receiver.is_empty());
    let site = Site::of(clock_that_differs(&site.store, "4 minutes").await, laboratory());
    site.turn().await;
    assert_eq!(site.state().await, "delivered 1");
}
