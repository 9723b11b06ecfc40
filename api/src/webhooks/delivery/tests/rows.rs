//! Messages that tell of one row alone: delivered like all, and gone when they were taken.

use super::*;
use crate::{
    jobs::item_id::message_id,
    store::webhooks::{NewWebhook, add_all},
};

const BODY: &str = r#"{"event_type":"test"}"#;

/// Adds messages that tell of these rows of a job.
async fn add_rows(site: &Site, job: Uuid, url: &str, rows: &[u32]) {
    let keys = site.store.keys();
    let new = |row: &u32| {
        let (id, message) = (message_id(job, *row), message(url));
        NewWebhook { id, sealed: message.seal(keys, id), ..message.sealed(keys, LOCAL_CLIENT, None) }
    };
    add_all(&site.client().await, &rows.iter().map(new).collect::<Vec<_>>()).await.unwrap();
}

fn message(url: &str) -> Message {
    Message { url: url.into(), body: BODY.into(), is_of_tasks: true }
}

#[tokio::test]
async fn what_was_taken_of_a_row_is_not_kept() {
    let (site, mut receiver) = (Site::new().await, Receiver::saying("204 No Content").await);
    let job = Uuid::now_v7();
    add_rows(&site, job, &receiver.url, &[1, 2]).await;
    // Whoever adds one again adds nothing.
    add_rows(&site, job, &receiver.url, &[2, 3]).await;
    for row in 1..=3 {
        assert_eq!(site.turn().await, Done::Settled);
        let received = receiver.next().await;
        assert_eq!(received.header("webhook-id"), message_id(job, row).to_string());
        assert_eq!((received.header("user-agent"), &*received.body), ("EmailVerification/1.0", BODY));
    }
    assert!(site.claim().await.is_none() && receiver.is_empty());
    assert_eq!(site.ask("select count(*) from webhook").await, "0");
}

#[tokio::test]
async fn what_was_not_taken_is_said_again_under_the_same_id_until_the_schedule_is_over() {
    let (site, mut receiver) = (Site::new().await, Receiver::saying("500 Oh").await);
    let job = Uuid::now_v7();
    add_rows(&site, job, &receiver.url, &[7]).await;
    let mut deliveries = Vec::new();
    for attempt in 1..=10 {
        assert_eq!(site.turn().await, Done::Settled);
        let received = receiver.next().await;
        assert_eq!(received.header("webhook-id"), message_id(job, 7).to_string());
        assert_eq!(received.body, BODY);
        deliveries.push(received.header("x-webhook-id").to_owned());
        if attempt < 10 {
            assert_eq!(site.state().await, format!("pending {attempt}"));
            site.skip().await;
        }
    }
    deliveries.sort_unstable();
    deliveries.dedup();
    assert_eq!(deliveries.len(), 10, "each delivery has an id of its own");
    assert_eq!(site.state().await, "failed 10");
    assert_eq!(site.ask("select length(sealed) from webhook").await, "0", "what it said is not kept");
}
