//! Tasks whose rows are told one by one: each once, when it has its verdict, and with the one that is read of it later.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::{
    facade::tasks::email::Job,
    jobs::{
        item_id::{is_of_row, message_id},
        results::page::page,
        testing::{messages, submit_task},
    },
    store::testing::telling_each,
    words::TasksVocabulary,
};

const URL: &str = "https://hooks.example.com/a";

async fn telling() -> Store {
    telling_each(store().await)
}

/// A task of eight chunks of two rows, each of which went another way.
async fn mixed_task(store: &Store) -> Uuid {
    let job = submit_task(store, &[PAIR; 8], URL).await;
    mix(store).await;
    job
}

/// The messages of these rows, and no other of a row.
fn of_rows(job: Uuid, rows: impl IntoIterator<Item = u32>) -> BTreeSet<Uuid> {
    rows.into_iter().map(|row| message_id(job, row)).collect()
}

/// Those that tell of a row alone, and the others.
async fn told_apart(store: &Store) -> (BTreeMap<Uuid, Value>, Vec<Value>) {
    let messages = messages(store).await.into_iter();
    let read = |body: String| serde_json::from_str(&body).unwrap();
    let (rows, others): (Vec<_>, Vec<_>) = messages.partition(|(id, _)| is_of_row(*id));
    let rows = rows.into_iter().map(|(id, body)| (id, read(body))).collect();
    (rows, others.into_iter().map(|(_, body)| read(body)).collect())
}

#[tokio::test]
async fn a_row_is_told_when_it_has_its_verdict_and_the_rest_in_the_end() {
    let store = telling().await;
    let job = mixed_task(&store).await;
    let (early, ends) = told_apart(&store).await;
    // 6, 8, 15 and 16 have no verdict, 11, 12 and 14 one that may change.
    let known = of_rows(job, [1, 2, 3, 4, 5, 7, 9, 10, 13]);
    assert_eq!(early.keys().copied().collect::<BTreeSet<_>>(), known);
    assert_eq!(ends, Vec::<Value>::new());
    assert!(end(&store, job, End::DeadlinePassed).await.unwrap());
    let (rows, ends) = told_apart(&store).await;
    assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), of_rows(job, 1..=16));
    for (id, body) in early {
        assert_eq!(rows[&id], body, "what is written down stays");
    }
    let header = header(&store, job).await;
    let ended_at = format!("{:.0}", header.ended_at.unwrap());
    for told in page(&store, &header, 1, 16).await.unwrap().unwrap() {
        let id = message_id(job, told.row);
        let expected = Job::of(&header, told.row, &told.input, told.judged.as_ref(), TasksVocabulary::Seed);
        assert_eq!(rows[&id]["data"]["job"], json!(expected), "row {}", told.row);
        if !known.contains(&id) {
            assert_eq!(rows[&id]["completed_at"], ended_at, "row {}", told.row);
        }
    }
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0]["data"]["stats"]["job_status"]["completed"], 16);
}

#[tokio::test]
async fn of_what_cannot_be_opened_each_row_is_told_too() {
    for damage in DAMAGES {
        let store = telling().await;
        let job = mixed_task(&store).await;
        let (early, _) = told_apart(&store).await;
        run(&store, damage).await;
        assert!(end(&store, job, End::DeadlinePassed).await.unwrap());
        let (rows, ends) = told_apart(&store).await;
        assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), of_rows(job, 1..=16), "{damage}");
        assert!(early.iter().all(|(id, body)| rows[id] == *body), "{damage}");
        assert_eq!(ends.len(), 1, "{damage}");
    }
}

#[tokio::test]
async fn with_the_end_too_rows_that_are_left_over_are_known_since_it() {
    let store = store().await;
    let job = mixed_task(&store).await;
    let mut client = store.worker().await.unwrap();
    let how = End::DeadlinePassed;
    let ending = Ending::begin(&mut client, job, how).await.unwrap().unwrap();
    let foreseen = ending.foreseen(how, &vec![0; Category::ALL.len()]).await.unwrap().unwrap();
    // As where the end was waited for.
    let foreseen = JobRow { ended_at: Some("2025-01-02T12:00:00Z".parse().unwrap()), ..foreseen };
    let told = of_task(&store, &ending, how, foreseen).await.unwrap().unwrap();
    ending.tell(&told).await.unwrap();
    ending.end(how, &vec![0; Category::ALL.len()], &outcome(&[], true)).await.unwrap();
    let (_, ends) = told_apart(&store).await;
    let since = |row: &Value| row["email"]["validated_at"] == "2025-01-02T12:00:00Z";
    // 6, 8, 15 and 16; the last one comes first.
    let left_over: Vec<usize> = ends[0]["data"]["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .zip(1..)
        .filter_map(|(row, number)| since(row).then_some(number))
        .collect();
    assert_eq!(left_over, [6, 8, 15, 16]);
}

#[tokio::test]
async fn who_cannot_be_told_keeps_no_verdict_and_no_end_back() {
    let store = telling().await;
    let job = submit_task(&store, &[PAIR], URL).await;
    run(&store, "update job set callback = ''").await;
    write_part(&store, &claim(&store).await, 0, &both(1)[..1], None).await.unwrap();
    assert!(end(&store, job, End::DeadlinePassed).await.unwrap());
    assert_eq!(header(&store, job).await.done, 1);
    assert!(messages(&store).await.is_empty());
}

#[tokio::test]
async fn who_cancels_hears_of_no_more_rows() {
    let store = telling().await;
    let job = mixed_task(&store).await;
    assert!(end(&store, job, End::Canceled).await.unwrap());
    let (rows, ends) = told_apart(&store).await;
    assert_eq!((rows.len(), ends.len()), (9, 0));
}

#[tokio::test]
async fn where_it_is_not_asked_for_the_end_alone_is_told() {
    let store = store().await;
    let job = mixed_task(&store).await;
    assert!(end(&store, job, End::DeadlinePassed).await.unwrap());
    let (rows, ends) = told_apart(&store).await;
    assert_eq!((rows.len(), ends.len()), (0, 1));
}

#[tokio::test]
async fn what_is_not_written_down_is_not_told() {
    let store = telling().await;
    let job = submit_task(&store, &[PAIR], URL).await;
    let task = claim(&store).await;
    run(&store, "update task set fence = fence + 1 where kind = 'chunk'").await;
    assert!(matches!(write(&store, &task, &both(1)).await, Err(StoreError::Fenced)));
    assert!(messages(&store).await.is_empty());
    run(&store, "update task set fence = fence - 1 where kind = 'chunk'").await;
    write(&store, &task, &both(1)).await.unwrap();
    assert_eq!(messages(&store).await.into_keys().collect::<BTreeSet<_>>(), of_rows(job, [1, 2]));
}

#[tokio::test]
async fn of_a_large_task_each_row_is_told_and_its_end_tells_none() {
    let (chunks, size) = (5, 500);
    let addresses: Vec<String> = (0..size).map(|number| format!("a{number}@example.com")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let store = telling().await;
    let job = submit_task(&store, &vec![&*addresses; chunks], URL).await;
    let verdicts: Vec<Judged> = (1..).zip(&addresses).map(|(row, address)| judged(row, address)).collect();
    write(&store, &claim(&store).await, &verdicts).await.unwrap();
    assert!(end(&store, job, End::DeadlinePassed).await.unwrap());
    let (rows, ends) = told_apart(&store).await;
    let all = u32::try_from(chunks * size).unwrap();
    assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), of_rows(job, 1..=all));
    let last = &rows[&message_id(job, all)];
    assert_eq!(last["data"]["task"]["email_count"], all);
    assert_eq!(last["data"]["job"]["email"]["unknown_reason"], "deadline_passed");
    let jobs_url = format!("/api/v1/tasks/{job}/jobs");
    assert_eq!((&ends[0]["data"]["jobs"], &ends[0]["data"]["jobs_url"]), (&json!([]), &json!(jobs_url)));
}
