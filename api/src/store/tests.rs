//! The store in a real Postgres: how it starts, and what its statements do together.

mod busy;
mod ends;
mod queue;
mod start;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    LOCAL_CLIENT, Store, StoreError, chunks,
    chunks::{Deferred, NewPart},
    submission::{Draft, NewChunk, NewJob},
    tasks::{self, Claimed, Lease},
    testing,
};

/// For leases that do not run out by themselves.
const LEASE: Duration = Duration::from_mins(10);

/// Another client, who has a place for one task.
const OTHER_CLIENT: Uuid = Uuid::from_u128(7);

/// A store with nothing to do.
async fn idle_store() -> Store {
    let store = testing::store().await;
    run(&store, "delete from task").await;
    run(
        &store,
        "insert into client (id, name, running_max) values ('00000000-0000-0000-0000-000000000007', 'other', 1)",
    )
    .await;
    store
}

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

/// The first column of the one row that a query returns, as text.
async fn ask(store: &Store, query: &str) -> String {
    let query = format!("select answer::text from ({query}) as asked (answer)");
    let row = store.worker().await.unwrap().query_one(&query, &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

/// A job of the local client; a chunk of two items for each virtual deadline, in minutes from now.
async fn submit(store: &Store, minutes: &[i64]) -> Uuid {
    submit_for(store, LOCAL_CLIENT, minutes).await
}

async fn submit_for(store: &Store, client: Uuid, minutes: &[i64]) -> Uuid {
    let after = |minutes| Timestamp::now() + SignedDuration::from_mins(minutes);
    let chunk = |minutes: &i64| NewChunk {
        operator: "example.com".into(),
        items: 2,
        asks: 2,
        sealed: vec![1],
        tokens: vec![0; 16],
        deadline_at: after(*minutes),
    };
    let id = Uuid::now_v7();
    let job = NewJob {
        id,
        client,
        facade: "local",
        source: "batch",
        filename: None,
        callback: None,
        pipeline: "verify".into(),
        skips: vec!["smtp-probe".into()],
        deadline_at: after(600),
        retention: Duration::from_hours(24),
        chunks: minutes.iter().map(chunk).collect(),
        layout: None,
        sheet: Vec::new(),
        answer: None,
        terms: None,
    };
    let mut connection = store.request().await.unwrap();
    Draft::write(&mut connection, &job).await.unwrap().take_turn().await.unwrap().take(&job).await.unwrap();
    id
}

async fn claim(store: &Store, limit: usize) -> Vec<Claimed> {
    let client = store.worker().await.unwrap();
    tasks::claim(&client, Uuid::from_u128(1), LEASE, limit).await.unwrap()
}

async fn claim_one(store: &Store) -> Claimed {
    let mut claimed = claim(store, 1).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

/// Writes the verdicts of both items of a chunk: of the second and the third category.
async fn write(
    store: &Store,
    task: &Claimed,
    lease: Lease,
    last: Option<&[Deferred]>,
) -> Result<(), StoreError> {
    let mut client = store.worker().await.unwrap();
    let part = NewPart {
        no: 0,
        counts: vec![0, 1, 1],
        role_based: 1,
        disposable: vec![0, 1],
        sealed: vec![2],
        told: Vec::new(),
    };
    chunks::write(&mut client, lease, task.chunk.unwrap(), &part, last).await
}
