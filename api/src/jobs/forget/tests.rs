//! People who are removed from jobs that wait, are at work or have ended.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::{Category, Finding, Policy, Subject, Verdict};
use uuid::Uuid;

use super::*;
use crate::{
    jobs::{ending, person::tokens, results, rows::items::Item},
    store::{
        LOCAL_CLIENT, OWN_CLIENT,
        chunks::{self, NewPart},
        history::Refusal,
        jobs::{contents, job, pause},
        submission::{NewChunk, NewJob, Submission},
        tasks::{self, Claimed},
        testing,
    },
};

const JANE: &str = "jane@example.com";
const OTHER_KEY: &str = "00000002 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

fn jane() -> Address {
    Address::new("jane", "example.com")
}

/// A store in which nobody is at work at anything of our own.
async fn store() -> Store {
    let store = testing::store().await;
    store.worker().await.unwrap().batch_execute("delete from task").await.unwrap();
    store
}

/// A job of one chunk.
async fn submit(store: &Store, client: Uuid, inputs: &[&str]) -> Uuid {
    let job = Uuid::now_v7();
    let item =
        |(row, input): (u32, &&str)| Item { row, input: (*input).into(), egress: None, duplicate_of: None };
    let items: Vec<Item> = (1..).zip(inputs).map(item).collect();
    let deadline_at = Timestamp::now() + SignedDuration::from_hours(1);
    let chunk = NewChunk {
        operator: "example.com".into(),
        items: i32::try_from(inputs.len()).unwrap(),
        sealed: store.keys().seal(Row::Chunk { job, no: 0 }, &items::write(&items)),
        tokens: tokens(store.keys(), client, inputs.iter().copied()),
        deadline_at,
    };
    let new = NewJob {
        id: job,
        client,
        pipeline: "verify".into(),
        skips: Vec::new(),
        deadline_at,
        retention: Duration::from_hours(1),
        chunks: vec![chunk],
    };
    let mut connection = store.request().await.unwrap();
    Submission::begin(&mut connection, client).await.unwrap().take(&new).await.unwrap();
    job
}

async fn claim(store: &Store) -> Claimed {
    let client = store.worker().await.unwrap();
    let claimed = tasks::claim(&client, Uuid::from_u128(1), Duration::from_mins(10), 1).await.unwrap();
    claimed.into_iter().next().unwrap()
}

/// A verdict whose evidence tells much.
fn judged(row: u32, input: &str) -> Judged {
    let mut subject = Subject::new(input);
    let (local, domain) = input.rsplit_once('@').unwrap();
    subject.note(&Arc::from("test"), Finding::FreeProvider);
    let mut verdict = Verdict::of(subject, Policy::default());
    verdict.address = Some(Address::new(local, domain));
    verdict.judgement.category = Category::Risky;
    verdict.judgement.suggestion = Some("example.org".into());
    Judged { row, verdict, verified_at: Timestamp::now(), took: Duration::ZERO, is_final: true }
}

async fn write(store: &Store, task: &Claimed, verdicts: &[Judged]) -> Result<(), StoreError> {
    let id = task.chunk.unwrap();
    let mut counts = vec![0; 10];
    for judged in verdicts {
        ending::count(&mut counts, judged.verdict.judgement.category);
    }
    let row = Row::Part { job: id.job, chunk: id.no, no: 0 };
    let part = NewPart { no: 0, counts, sealed: store.keys().seal(row, &verdicts::write(verdicts)) };
    let mut client = store.worker().await.unwrap();
    chunks::write(&mut client, task.lease, id, &part, Some(&[])).await
}

/// What there is to read of a job: inputs, addresses, categories, and how many findings.
async fn told(store: &Store, id: Uuid) -> Vec<(String, Option<String>, Category, usize)> {
    let contents = contents(&store.worker().await.unwrap(), id).await.unwrap();
    let verdicts = results::open(store.keys(), id, &contents, None).unwrap();
    let tell = |judged: Judged| {
        let Verdict { input, address, judgement, evidence, .. } = judged.verdict;
        let address = address.map(|address| address.as_str().to_owned());
        (input.into(), address, judgement.category, evidence.findings.len())
    };
    verdicts.into_iter().map(tell).collect()
}

async fn inputs(store: &Store, job: Uuid) -> Vec<String> {
    let id = ChunkId { job, no: 0 };
    let stored = chunks::chunk(&store.worker().await.unwrap(), id).await.unwrap().unwrap();
    let plain = store.keys().open(Row::Chunk { job, no: 0 }, &stored.sealed).unwrap();
    items::read(&plain).unwrap().into_iter().map(|item| item.input.into()).collect()
}

#[tokio::test]
async fn nothing_but_the_category_is_left_of_a_person() {
    let store = store().await;
    let job_id = submit(&store, LOCAL_CLIENT, &["joe@example.com", JANE, "JANE@EXAMPLE.com"]).await;
    let task = claim(&store).await;
    let verdicts = [judged(1, "joe@example.com"), judged(2, JANE), judged(3, "JANE@example.com")];
    write(&store, &task, &verdicts).await.unwrap();
    let refusal = Refusal {
        address: jane(),
        source: mailsonde_engine::HistorySource::Bounce,
        seen_at: Timestamp::now(),
    };
    let client = store.worker().await.unwrap();
    history::remember(&client, store.keys(), &[refusal]).await.unwrap();
    let before = job(&client, job_id).await.unwrap().unwrap().done;

    assert_eq!(forget(&store, &jane()).await.unwrap(), Forgotten { history: 1, rows: 2 });
    let joe = "joe@example.com".to_owned();
    let nobody = (String::new(), None, Category::Risky, 0);
    assert_eq!(
        told(&store, job_id).await,
        [(joe.clone(), Some(joe), Category::Risky, 1), nobody.clone(), nobody]
    );
    assert_eq!(job(&client, job_id).await.unwrap().unwrap().done, before);
    let of_jane = tokens_of(store.keys(), LOCAL_CLIENT, &jane());
    let mut client = store.worker().await.unwrap();
    assert_eq!(holders(&mut client, LOCAL_CLIENT, &of_jane).await.unwrap(), []);
    assert_eq!(forget(&store, &jane()).await.unwrap(), Forgotten { history: 0, rows: 0 });
}

#[tokio::test]
async fn all_clients_forget_and_others_stay() {
    let store = store().await;
    let ours = submit(&store, LOCAL_CLIENT, &[JANE, "jan@example.com"]).await;
    let theirs = submit(&store, OWN_CLIENT, &["ja\u{a0}ne", "Jane@example.com "]).await;
    let unrelated = submit(&store, LOCAL_CLIENT, &["jane@example.org"]).await;
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 2);
    assert_eq!(inputs(&store, ours).await, ["", "jan@example.com"]);
    assert_eq!(inputs(&store, theirs).await, ["ja\u{a0}ne", ""]);
    assert_eq!(inputs(&store, unrelated).await, ["jane@example.org"]);
}

#[tokio::test]
async fn who_is_at_work_does_not_bring_a_person_back() {
    let store = store().await;
    let id = submit(&store, LOCAL_CLIENT, &[JANE, "joe@example.com"]).await;
    let task = claim(&store).await;
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 1);
    let verdicts = [judged(1, JANE), judged(2, "joe@example.com")];
    assert!(matches!(write(&store, &task, &verdicts).await, Err(StoreError::Fenced)));
    // Somebody else does it, and nothing has failed.
    let again = claim(&store).await;
    assert_eq!((again.lease.task, again.attempt), (task.lease.task, 0));
    write(&store, &again, &[judged(2, "joe@example.com")]).await.unwrap();
    assert_eq!(told(&store, id).await.len(), 1);
    assert_eq!(inputs(&store, id).await, ["", "joe@example.com"]);
}

#[tokio::test]
async fn the_task_of_a_paused_job_stays_held() {
    let store = store().await;
    let id = submit(&store, LOCAL_CLIENT, &[JANE]).await;
    let _at_work = claim(&store).await;
    let mut client = store.worker().await.unwrap();
    pause(&mut client, id).await.unwrap();
    forget(&store, &jane()).await.unwrap();
    let state = "select state || attempt from task where kind = 'chunk'";
    let state: String = client.query_one(state, &[]).await.unwrap().get(0);
    assert_eq!(state, "held0");
}

#[tokio::test]
async fn what_was_written_with_an_older_key_is_found() {
    let store = store().await;
    let id = submit(&store, LOCAL_CLIENT, &[JANE]).await;
    let keys = Keyring::from_text(&[testing::KEYS, OTHER_KEY].concat()).unwrap();
    let rotated = testing::another(&store, keys);
    assert_eq!(forget(&rotated, &jane()).await.unwrap().rows, 1);
    assert_eq!(inputs(&rotated, id).await, [""]);
    assert!(forget(&store, &jane()).await.is_ok(), "nothing of hers is there to be opened");
}
