//! What others hold: who has a caller hears soon that the store is busy, who works in the background waits; and who reads
//! results reads them as they were when he began.

use std::time::Instant;

use super::*;
use crate::store::{jobs, retention, sheets, testing::WAITS};

/// Within this time a caller is to hear that there will be no answer.
const SOON: Duration = Duration::from_secs(10);

async fn is_told_soon<T>(answer: impl Future<Output = Result<T, StoreError>>) {
    let began = Instant::now();
    let error = answer.await.err().expect("there is no answer");
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_a_free_connection_a_caller_is_told_soon() {
    let store = idle_store().await;
    let mut taken = Vec::new();
    for _ in 0..store.requests.status().max_size {
        taken.push(store.request().await.unwrap());
    }
    is_told_soon(store.request()).await;
    assert!(store.worker().await.is_ok());
    taken.pop();
    assert!(store.request().await.is_ok());
}

#[tokio::test]
async fn of_a_table_that_somebody_holds_callers_are_told_soon_and_others_wait() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let (one, two) = (store.request().await.unwrap(), store.request().await.unwrap());
    let (mut three, mut four) = (store.request().await.unwrap(), store.worker().await.unwrap());
    let tx = four.transaction().await.unwrap();
    tx.batch_execute("lock table job in access exclusive mode").await.unwrap();
    let (background, told) = (header(&store, job), async {
        tokio::join!(
            is_told_soon(jobs::job(&one, job)),
            is_told_soon(jobs::jobs(&two, LOCAL_CLIENT, 10)),
            is_told_soon(jobs::kept(&mut three, job)),
        );
        is_told_soon(jobs::pause(&mut three, job)).await;
        drop((one, two));
        is_told_soon(try_submit(&store)).await;
        tx.rollback().await.unwrap();
    });
    let (row, ()) = tokio::join!(background, told);
    assert_eq!(row.state, "running");
    // The connections are as good as before.
    assert!(jobs::pause(&mut three, job).await.unwrap());
    try_submit(&store).await.unwrap();
}

async fn header(store: &Store, job: Uuid) -> jobs::JobRow {
    jobs::job(&store.worker().await.unwrap(), job).await.unwrap().unwrap()
}

async fn try_submit(store: &Store) -> Result<(), StoreError> {
    let mut client = store.request().await?;
    let job = job_to_be();
    Draft::write(&mut client, &job).await?.take_turn().await?.take(&job).await
}

fn job_to_be() -> NewJob {
    NewJob {
        id: Uuid::now_v7(),
        client: LOCAL_CLIENT,
        facade: "local",
        source: "batch",
        filename: None,
        callback: None,
        pipeline: "verify".into(),
        skips: Vec::new(),
        deadline_at: Timestamp::now() + SignedDuration::from_hours(1),
        retention: Duration::from_hours(1),
        chunks: Vec::new(),
        layout: None,
        sheet: Vec::new(),
        answer: None,
        terms: None,
    }
}

#[tokio::test]
async fn the_file_of_a_job_is_written_before_others_have_to_wait_for_it() {
    let store = idle_store().await;
    let piece = sheets::NewPiece { rows: 1, sealed: vec![1], tokens: vec![0; 8] };
    let job = NewJob { sheet: vec![piece], ..job_to_be() };
    let (mut client, mut other) = (store.worker().await.unwrap(), store.worker().await.unwrap());
    let weighing = Draft::write(&mut other, &job_to_be()).await.unwrap().take_turn().await.unwrap();
    let written = "select count(*) from pg_locks where relation = 'sheet'::regclass and mode = 'RowExclusiveLock' \
         and database = (select oid from pg_database where datname = current_database())";
    let submitting = async {
        Draft::write(&mut client, &job).await.unwrap().take_turn().await.unwrap().take(&job).await.unwrap();
    };
    let looking = async {
        while ask(&store, WAITS).await == "0" {}
        assert_eq!(ask(&store, written).await, "1");
        assert_eq!(ask(&store, "select count(*) from sheet").await, "0");
        drop(weighing);
    };
    tokio::join!(submitting, looking);
    assert_eq!(sheets::spans(&client, job.id).await.unwrap().len(), 1);
    assert_eq!(ask(&store, "select count(*) from job").await, "1");
}

#[tokio::test]
async fn of_a_job_that_somebody_holds_readers_are_told_all_the_same() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let mut client = store.request().await.unwrap();
    let mut other = store.worker().await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.execute("select from job for update", &[]).await.unwrap();
    assert_eq!(jobs::job(&client, job).await.unwrap().unwrap().state, "running");
    is_told_soon(jobs::pause(&mut client, job)).await;
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn results_that_go_while_they_are_read_are_read_whole() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let task = claim_one(&store).await;
    write(&store, &task, task.lease, Some(&[])).await.unwrap();
    run(&store, "update job set ended_at = now(), expires_at = now()").await;
    let mut other = store.worker().await.unwrap();
    let tx = other.transaction().await.unwrap();
    // The reader has the header, and waits for the rest.
    tx.batch_execute("lock table chunk in access exclusive mode").await.unwrap();
    let mut client = store.request().await.unwrap();
    let reading = async { jobs::kept(&mut client, job).await.unwrap().unwrap() };
    let going = async {
        while ask(&store, WAITS).await == "0" {}
        let gone = tx.query(retention::EXPIRED, &[&1_i64, &0.0_f64]).await.unwrap();
        assert_eq!(gone.len(), 1);
        for statement in [retention::DROP_CHUNKS, retention::DROP_PARTS] {
            tx.execute(statement, &[&vec![job]]).await.unwrap();
        }
        tx.commit().await.unwrap();
    };
    let ((row, contents), ()) = tokio::join!(reading, going);
    assert!(row.pruned_at.is_none() && row.is_expired);
    assert_eq!(contents.chunks.iter().map(|chunk| chunk.parts.len()).collect::<Vec<_>>(), [1]);
    let (row, contents) = jobs::kept(&mut store.request().await.unwrap(), job).await.unwrap().unwrap();
    assert!(row.pruned_at.is_some() && row.is_expired && contents.chunks.is_empty());
}
