//! What lists tell, gathered chunk by chunk in a real store, against all verdicts of the job at once.

use super::{listed::Listed, page::page, *};
use crate::{
    jobs::testing::{claim, deferred, judged, submit_chunks, write, write_part},
    store::{
        LOCAL_CLIENT, Store, billing,
        jobs::{self, Ending},
        testing::store_without_tasks,
    },
};

async fn header(store: &Store, job: Uuid) -> JobRow {
    jobs::job(&store.request().await.unwrap(), job).await.unwrap().unwrap()
}

async fn listed(store: &Store, job: Uuid) -> Vec<Outcome> {
    let listed = Listed::of(store, &header(store, job).await).await.unwrap().unwrap();
    let rows: Vec<u32> = listed.told().map(|(row, _)| row).collect();
    let mut inputs = listed.inputs(store, &rows).await.unwrap();
    let outcome = |(row, said): (u32, &outcomes::Said)| {
        let input = inputs.remove(&row);
        Outcome { row, input, said: said.clone() }
    };
    listed.told().map(outcome).collect()
}

/// What is told, by both ways.
async fn told(store: &Store, job: Uuid) -> Vec<(u32, Option<String>)> {
    let mut client = store.worker().await.unwrap();
    let (row, contents) = jobs::kept(&mut client, job).await.unwrap().unwrap();
    let told = listed(store, job).await;
    assert_eq!(told, outcomes(store.keys(), &row, &contents).unwrap());
    by_pages(store, &header(store, job).await, &told).await;
    told.into_iter().map(|outcome| (outcome.row, outcome.input.map(String::from))).collect()
}

/// Two rows at a time, the same is told, and of each row that there is; past the last one, nothing.
async fn by_pages(store: &Store, job: &JobRow, told: &[Outcome]) {
    let mut rows = Vec::new();
    for first in (1..=u32::try_from(job.items).unwrap() + 5).step_by(2) {
        match page(store, job, first, 2).await.unwrap() {
            Some(page) => rows.extend(page),
            None => return assert!(job.pruned_at.is_some()),
        }
    }
    let numbers: Vec<u32> = rows.iter().map(|told| told.row).collect();
    assert_eq!(numbers, (1..=u32::try_from(job.items).unwrap()).collect::<Vec<_>>());
    let judged = rows.iter().filter_map(|told| told.judged.clone());
    let known: Vec<outcomes::Said> = judged.map(|judged| Outcome::from(judged).said).collect();
    assert_eq!(known, told.iter().map(|outcome| outcome.said.clone()).collect::<Vec<_>>());
    for outcome in told.iter().filter(|outcome| outcome.input.is_some()) {
        assert_eq!(outcome.input.as_ref(), Some(&rows[place(outcome.row)].input));
    }
}

fn place(row: u32) -> usize {
    usize::try_from(row).unwrap() - 1
}

async fn end(store: &Store, job: Uuid, end: End) {
    let mut client = store.worker().await.unwrap();
    let ending = Ending::begin(&mut client, job, end).await.unwrap().unwrap();
    let none = billing::Outcome { billable: 0, invalid: 0 };
    ending.end(end, &[0; 10], &none).await.unwrap();
}

async fn run(store: &Store, statement: &str, job: Uuid) {
    assert!(store.worker().await.unwrap().execute(statement, &[&job]).await.unwrap() > 0);
}

fn row(number: u32, input: &str) -> (u32, Option<String>) {
    (number, Some(input.into()))
}

const ROWS: [&str; 5] = ["a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com"];

#[tokio::test]
async fn chunk_by_chunk_the_same_is_told_while_a_job_runs_and_when_it_has_ended() {
    let store = store_without_tasks().await;
    let [a, b, third, fourth, last] = ROWS;
    let job = submit_chunks(&store, LOCAL_CLIENT, &[&[a, b], &[third, fourth], &[last]]).await;
    assert_eq!(told(&store, job).await, []);
    let (task, second) = (claim(&store).await, claim(&store).await);
    // Row 2 is asked about again: it has no verdict yet that is told.
    let put_off = Judged { is_final: false, ..judged(2, b) };
    let again = [deferred(&store, 1, &[(2, b)])];
    write_part(&store, &task, 0, &[judged(1, a), put_off], Some(&again)).await.unwrap();
    assert_eq!(told(&store, job).await, [row(1, a)]);
    write(&store, &second, &[judged(4, fourth)]).await.unwrap();
    assert_eq!(told(&store, job).await, [row(1, a), row(4, fourth)]);
    end(&store, job, End::DeadlinePassed).await;
    assert_eq!(told(&store, job).await, [row(1, a), row(2, b), row(3, third), row(4, fourth), row(5, last)]);
    // Rows of a chunk that cannot be opened are told without their inputs.
    run(&store, "update chunk set sealed = 'x' where job = $1 and no = 0", job).await;
    assert_eq!(told(&store, job).await[..3], [row(1, ""), row(2, b), row(3, third)]);
    // Expired results name nobody.
    run(&store, "update job set expires_at = now() where id = $1", job).await;
    assert!(told(&store, job).await.iter().all(|(_, input)| input.is_none()));
}

#[tokio::test]
async fn of_a_job_that_is_deleted_while_it_is_read_what_is_left_is_told() {
    let store = store_without_tasks().await;
    let [a, b, ..] = ROWS;
    let job = submit_chunks(&store, LOCAL_CLIENT, &[&[a, b]]).await;
    write(&store, &claim(&store).await, &[judged(1, a), judged(2, b)]).await.unwrap();
    end(&store, job, End::Done).await;
    let (before, all) = (header(&store, job).await, listed(&store, job).await);
    let gathered = Listed::of(&store, &before).await.unwrap().unwrap();
    let text = outcomes::write(2, all.clone());
    let sealed = store.keys().seal(Row::Outcomes { job }, &text);
    let client = store.worker().await.unwrap();
    client
        .execute("update job set outcomes = $2, pruned_at = now() where id = $1", &[&job, &sealed])
        .await
        .unwrap();
    run(&store, "delete from part where job = $1", job).await;
    run(&store, "delete from chunk where job = $1", job).await;
    let left: Vec<_> = all.into_iter().map(|outcome| (outcome.row, outcome.said)).collect();
    for known in [&before, &header(&store, job).await] {
        let listed = Listed::of(&store, known).await.unwrap().unwrap();
        let told: Vec<_> = listed.told().map(|(row, said)| (row, said.clone())).collect();
        assert_eq!(told, left);
        assert!(listed.inputs(&store, &[1, 2]).await.unwrap().is_empty());
    }
    // Their inputs too are gone for who gathered before.
    assert!(gathered.inputs(&store, &[1, 2]).await.unwrap().is_empty());
    run(&store, "delete from job where id = $1", job).await;
    assert!(Listed::of(&store, &before).await.unwrap().is_none());
}
