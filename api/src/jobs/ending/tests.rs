//! What is counted when a job ends, and what is opened for it.

mod rows;

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::{
    jobs::{
        results,
        rows::verdicts::Judged,
        testing::{claim, deferred, judged, submit_chunks, write, write_part},
    },
    store::{LOCAL_CLIENT, billing, jobs::contents, tasks, testing::store_without_tasks as store},
};

const PAIR: &[&str] = &["jane@example.com", "joe@example.com"];

/// The verdicts of a chunk of two whose first row is this one.
fn both(first: u32) -> [Judged; 2] {
    [judged(first, PAIR[0]), judged(first + 1, PAIR[1])]
}

fn of(category: Category, mut judged: Judged) -> Judged {
    judged.verdict.judgement.category = category;
    judged
}

fn provisional(judged: Judged) -> Judged {
    Judged { is_final: false, ..of(Category::Unknown, judged) }
}

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

/// What a reader would count of all that is there.
async fn told(store: &Store, job: Uuid, how: End) -> Vec<i32> {
    let contents = contents(&store.worker().await.unwrap(), job).await.unwrap();
    let mut counts = vec![0; Category::ALL.len()];
    for judged in results::open(store.keys(), job, &contents, Some(how)).unwrap() {
        count(&mut counts, judged.verdict.judgement.category);
    }
    counts
}

async fn header(store: &Store, job: Uuid) -> jobs::JobRow {
    jobs::job(&store.worker().await.unwrap(), job).await.unwrap().unwrap()
}

/// A job of eight chunks of two items, each of which went another way.
async fn mixed(store: &Store) -> Uuid {
    let job = submit_chunks(store, LOCAL_CLIENT, &[PAIR; 8]).await;
    mix(store).await;
    job
}

/// So each chunk of the one job there is goes.
async fn mix(store: &Store) {
    // 0 and 1 are whole, one of them by two parts.
    write(store, &claim(store).await, &both(1)).await.unwrap();
    let task = claim(store).await;
    let [jane, joe] = both(3);
    write_part(store, &task, 0, &[of(Category::Deliverable, jane)], None).await.unwrap();
    write_part(store, &task, 1, &[of(Category::InvalidSyntax, joe)], Some(&[])).await.unwrap();
    // 2 has one verdict, and so has 3, which is given up.
    for first in [5, 7] {
        write_part(store, &claim(store).await, 0, &both(first)[..1], None).await.unwrap();
    }
    run(store, "update chunk set dead = true where no = 3; update task set state = 'dead' where chunk = 3")
        .await;
    // Those of 4, 5 and 6 are put off: 8 is whole, of 9 there is nothing, 10 has put one of them off again, to 11.
    let tasks = [claim(store).await, claim(store).await, claim(store).await];
    for (task, first) in tasks.iter().zip([9, 11, 13]) {
        let later = deferred(store, 1, &[(first, PAIR[0]), (first + 1, PAIR[1])]);
        write_part(store, task, 0, &both(first).map(provisional), Some(&[later])).await.unwrap();
    }
    // Of 7 there is nothing.
    run(store, "update task set due_at = now() + interval '1 hour' where chunk = 7").await;
    let client = store.worker().await.unwrap();
    for no in 8..=10 {
        let task = claim(store).await;
        assert_eq!(task.chunk.unwrap().no, no);
        match no {
            8 => write(store, &task, &both(9).map(|judged| of(Category::Deliverable, judged))).await.unwrap(),
            9 => tasks::snooze(&client, task.lease, Duration::from_mins(9)).await.unwrap(),
            _ => {
                let ([jane, joe], again) = (both(13), deferred(store, 2, &[(14, PAIR[1])]));
                let verdicts = [of(Category::Undeliverable, jane), provisional(joe)];
                write_part(store, &task, 0, &verdicts, Some(&[again])).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn what_is_counted_is_what_there_is_to_read() {
    for how in [End::DeadlinePassed, End::Canceled] {
        let store = store().await;
        let job = mixed(&store).await;
        let expected = told(&store, job, how).await;
        assert_eq!(expected.iter().sum::<i32>(), 16);
        // Nobody opens what is whole, nor that of which there is nothing.
        run(&store, "update chunk set sealed = '' where no in (0, 1, 7, 9, 11)").await;
        run(&store, "update part set sealed = '' where chunk in (0, 1)").await;
        assert!(end(&store, job, how).await.unwrap());
        assert_eq!(header(&store, job).await.counts, Some(expected));
    }
}

/// What may be lost of a job of many ways.
const DAMAGES: [&str; 7] = [
    "update chunk set sealed = '' where no = 2",
    "update chunk set sealed = '' where no = 4",
    "update chunk set sealed = '' where no in (6, 9)",
    "update chunk set sealed = '' where no = 8",
    "update part set sealed = '' where chunk in (2, 6)",
    "update part set sealed = '' where chunk = 10",
    "update chunk set sealed = '' where no = 7; update part set sealed = '' where chunk = 3",
];

#[tokio::test]
async fn what_is_damaged_is_counted_as_it_is_read() {
    for damage in DAMAGES {
        let store = store().await;
        let job = mixed(&store).await;
        run(&store, damage).await;
        let expected = told(&store, job, End::Canceled).await;
        assert_eq!(expected.iter().sum::<i32>(), 16, "{damage}");
        assert!(end(&store, job, End::Canceled).await.unwrap());
        assert_eq!(header(&store, job).await.counts, Some(expected), "{damage}");
    }
}

#[tokio::test]
async fn of_many_chunks_only_those_with_left_overs_are_opened() {
    let store = store().await;
    let job = submit_chunks(&store, LOCAL_CLIENT, &[PAIR; 60]).await;
    for chunk in 0..60 {
        let (task, verdicts) = (claim(&store).await, both(2 * chunk + 1));
        if chunk % 20 == 7 {
            write_part(&store, &task, 0, &verdicts[..1], None).await.unwrap();
        } else {
            write(&store, &task, &verdicts).await.unwrap();
        }
    }
    let expected = told(&store, job, End::DeadlinePassed).await;
    run(&store, "update chunk set sealed = '' where no % 20 <> 7").await;
    run(&store, "update part set sealed = '' where chunk % 20 <> 7").await;
    assert!(end(&store, job, End::DeadlinePassed).await.unwrap());
    let ended = header(&store, job).await;
    assert_eq!((ended.counts, ended.left_over.as_deref()), (Some(expected), Some("deadline_passed")));
}

#[tokio::test]
async fn who_is_done_when_the_deadline_passes_has_nothing_left_over() {
    let store = store().await;
    let job = submit_chunks(&store, LOCAL_CLIENT, &[PAIR]).await;
    write(&store, &claim(&store).await, &both(1)).await.unwrap();
    let ends = join_all((0..3).map(|_| end(&store, job, End::DeadlinePassed))).await;
    assert_eq!(ends.into_iter().filter(|has_ended| *has_ended.as_ref().unwrap()).count(), 1);
    assert_eq!(header(&store, job).await.left_over, None);
}

#[tokio::test]
async fn what_has_a_verdict_is_billed_once() {
    for how in [End::DeadlinePassed, End::Canceled] {
        let store = store().await;
        let job = mixed(&store).await;
        let bill = billing::Bill { units: 16, blank: 0 };
        let mut connection = store.worker().await.unwrap();
        let tx = connection.transaction().await.unwrap();
        billing::reserve(&tx, job, LOCAL_CLIENT, &bill).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let ends = join_all((0..3).map(|_| end(&store, job, how))).await;
        assert_eq!(ends.into_iter().filter(|has_ended| *has_ended.as_ref().unwrap()).count(), 1);
        let counts = header(&store, job).await.counts.unwrap();
        let of = |category| counts[Category::ALL.iter().position(|known| *known == category).unwrap()];
        let expected = i64::from(16 - of(Category::Unknown) - of(Category::Duplicate));
        assert!((1..16).contains(&expected), "{counts:?}");
        let used = billing::usage(&connection, LOCAL_CLIENT, None).await.unwrap().unwrap();
        assert_eq!((used.settled, used.reserved), (expected, 0));
    }
}

#[test]
fn what_is_unknown_or_a_duplicate_costs_nothing() {
    let mut counts = vec![0; Category::ALL.len()];
    for (times, category) in (1..).zip(Category::ALL) {
        add(&mut counts, category, times);
    }
    let of = |category| i64::from(counts[Category::ALL.iter().position(|known| *known == category).unwrap()]);
    let all: i64 = counts.iter().copied().map(i64::from).sum();
    let expected = Outcome {
        billable: all - of(Category::Unknown) - of(Category::Duplicate),
        invalid: of(Category::InvalidSyntax),
    };
    assert_eq!(outcome(&counts, false), expected);
    // To whom a full mailbox is unknown too, it costs nothing.
    let of_task = Outcome { billable: expected.billable - of(Category::Risky), ..expected };
    assert_eq!(outcome(&counts, true), of_task);
}
