//! The states of a task: who gets it, how it is kept, how it is lost.

use futures_util::future::join_all;

use super::*;
use crate::store::{
    jobs,
    tasks::{Extended, Kind, extend, fail, hand_back, remove, rescue, snooze},
};

/// As configured by default.
const ATTEMPTS_MAX: i16 = 3;

/// Everything that is written of a task.
async fn row(store: &Store, lease: Lease) -> String {
    ask(store, &format!("select task from task where id = {}", lease.task)).await
}

async fn column(store: &Store, lease: Lease, column: &str) -> String {
    ask(store, &format!("select {column} from task where id = {}", lease.task)).await
}

async fn let_leases_run_out(store: &Store) {
    run(store, "update task set leased_until = now() - interval '1 second' where state = 'running'").await;
}

fn numbers(claimed: &[Claimed]) -> Vec<(Uuid, i32)> {
    claimed.iter().map(|task| (task.job.unwrap(), task.chunk.unwrap().no)).collect()
}

#[tokio::test]
async fn the_earliest_deadline_is_first_whosever_job_it_is() {
    let store = idle_store().await;
    let (one, two) = (submit(&store, &[30, 10]).await, submit(&store, &[20, 5]).await);
    assert_eq!(numbers(&claim(&store, 3).await), [(two, 1), (one, 1), (two, 0)]);
    assert_eq!(numbers(&claim(&store, 3).await), [(one, 0)]);
    assert_eq!(numbers(&claim(&store, 3).await), []);
}

#[tokio::test]
async fn a_claim_tells_what_there_is_to_know() {
    let store = idle_store().await;
    let job = submit(&store, &[10]).await;
    let task = claim_one(&store).await;
    assert_eq!((task.kind, task.client, task.attempt), (Kind::Chunk, LOCAL_CLIENT, 0));
    assert_eq!((task.job, task.chunk.map(|chunk| chunk.no), task.lease.fence), (Some(job), Some(0), 1));
    let terms = task.terms.unwrap();
    assert!(terms.is_live && !terms.is_paused);
    assert_eq!((&*terms.pipeline, &*terms.skips), ("verify", &["smtp-probe".to_owned()][..]));
    let left = terms.deadline.saturating_duration_since(tokio::time::Instant::now());
    assert!(left > Duration::from_mins(590) && left < Duration::from_mins(601));
}

#[tokio::test]
async fn no_client_has_more_at_work_than_his_share() {
    let store = idle_store().await;
    run(&store, "update client set running_max = 2 where name = 'local'").await;
    submit(&store, &[1, 2, 3, 4]).await;
    submit_for(&store, OTHER_CLIENT, &[50, 60]).await;
    // However many ask at once.
    let claimed: Vec<Claimed> = join_all((0..4).map(|_| claim(&store, 10))).await.concat();
    let of = |client| claimed.iter().filter(|task| task.client == client).count();
    assert_eq!((of(LOCAL_CLIENT), of(OTHER_CLIENT)), (2, 1));
    let done = claimed.iter().find(|task| task.client == OTHER_CLIENT).unwrap().lease;
    assert_eq!(remove(&store.worker().await.unwrap(), &[done]).await.unwrap(), [done.task]);
    assert_eq!(claim_one(&store).await.client, OTHER_CLIENT);
}

#[tokio::test]
async fn who_claims_at_once_gets_different_tasks() {
    let store = idle_store().await;
    submit(&store, &[1; 12]).await;
    let claimed = join_all((0..5).map(|_| claim(&store, 3))).await;
    let mut tasks: Vec<i64> = claimed.concat().iter().map(|task| task.lease.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), 12);
}

#[tokio::test]
async fn what_is_locked_or_not_due_is_passed_over() {
    let store = idle_store().await;
    let job = submit(&store, &[1, 2, 3]).await;
    run(&store, "update task set due_at = now() + interval '1 hour' where chunk = 0").await;
    let mut other = store.worker().await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.execute("select from task where chunk = 1 for update", &[]).await.unwrap();
    assert_eq!(numbers(&claim(&store, 3).await), [(job, 2)]);
    tx.rollback().await.unwrap();
    assert_eq!(numbers(&claim(&store, 3).await), [(job, 1)]);
}

#[tokio::test]
async fn leases_are_extended_by_their_holder_alone() {
    let store = idle_store().await;
    submit(&store, &[1, 2]).await;
    let paused = submit(&store, &[3]).await;
    let claimed = claim(&store, 3).await;
    let [mine, lost, held] = [0, 1, 2].map(|at| claimed[at].lease);
    jobs::pause(&mut store.request().await.unwrap(), paused).await.unwrap();
    let stale = Lease { fence: lost.fence - 1, ..lost };
    let before = row(&store, lost).await;
    let client = store.worker().await.unwrap();
    let mut kept = extend(&client, &[mine, stale, held], LEASE * 3).await.unwrap();
    kept.sort_by_key(|(lease, _)| lease.task);
    assert_eq!(kept, [(mine, Extended::Ours), (held, Extended::Paused)]);
    assert_eq!(row(&store, lost).await, before);
    assert_eq!(column(&store, mine, "leased_until > now() + interval '29 minutes'").await, "true");
    assert_eq!(column(&store, lost, "leased_until > now() + interval '29 minutes'").await, "false");
}

#[tokio::test]
async fn who_lost_a_lease_changes_nothing() {
    let store = idle_store().await;
    submit(&store, &[1]).await;
    let old = claim_one(&store).await;
    let client = store.worker().await.unwrap();
    assert_eq!(rescue(&client, ATTEMPTS_MAX).await.unwrap().len(), 0, "it has not run out");
    let_leases_run_out(&store).await;
    let lost = rescue(&client, ATTEMPTS_MAX).await.unwrap();
    assert_eq!((lost.len(), lost[0].is_dead), (1, false));
    // Both while nobody has it and while somebody else has.
    for _ in 0..2 {
        let before = row(&store, old.lease).await;
        let is_fenced = |done: Result<(), StoreError>| matches!(done, Err(StoreError::Fenced));
        assert!(is_fenced(write(&store, &old, old.lease, None).await));
        assert!(is_fenced(write(&store, &old, old.lease, Some(&[])).await));
        let failed = fail(&client, old.lease, ATTEMPTS_MAX, Duration::ZERO, "late").await;
        assert!(is_fenced(failed.map(drop)));
        assert!(remove(&client, &[old.lease]).await.unwrap().is_empty());
        snooze(&client, old.lease, LEASE).await.unwrap();
        hand_back(&client, old.lease).await.unwrap();
        assert_eq!(extend(&client, &[old.lease], LEASE).await.unwrap(), []);
        assert_eq!(row(&store, old.lease).await, before);
        assert_eq!(ask(&store, "select count(*) from part").await, "0");
        let _ = claim(&store, 1).await;
    }
    assert_eq!(column(&store, old.lease, "(state, attempt, fence)").await, "(running,1,3)");
}

#[tokio::test]
async fn a_chunk_is_given_up_after_its_last_failure() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let client = store.worker().await.unwrap();
    for failure in 1..=3 {
        let task = claim_one(&store).await;
        assert_eq!(task.attempt, failure - 1);
        let failed = match failure {
            // One that nobody told of counts too.
            2 => {
                let_leases_run_out(&store).await;
                rescue(&client, ATTEMPTS_MAX).await.unwrap()[0]
            }
            _ => fail(&client, task.lease, ATTEMPTS_MAX, Duration::ZERO, "it broke").await.unwrap(),
        };
        assert_eq!(failed.is_dead, failure == 3);
    }
    assert_eq!(numbers(&claim(&store, 1).await), []);
    assert_eq!(ask(&store, "select dead from chunk").await, "true");
    assert!(jobs::is_done(&client, job).await.unwrap());
    assert_eq!(jobs::unended(&client).await.unwrap(), [job]);
}

#[tokio::test]
async fn a_task_of_our_own_is_never_given_up() {
    let store = testing::store().await;
    let client = store.worker().await.unwrap();
    for attempt in 0..5 {
        let task = claim_one(&store).await;
        assert_eq!((task.kind, task.attempt), (Kind::Retention, attempt));
        assert!(!fail(&client, task.lease, ATTEMPTS_MAX, Duration::ZERO, "it broke").await.unwrap().is_dead);
    }
}

#[tokio::test]
async fn a_failure_waits_before_the_next_attempt() {
    let store = idle_store().await;
    submit(&store, &[1]).await;
    let task = claim_one(&store).await;
    let client = store.worker().await.unwrap();
    fail(&client, task.lease, ATTEMPTS_MAX, Duration::from_mins(1), "it broke").await.unwrap();
    assert_eq!(numbers(&claim(&store, 1).await), []);
    assert_eq!(
        column(&store, task.lease, "(state, attempt, worker, error)").await,
        "(ready,1,,\"it broke\")"
    );
    assert_eq!(column(&store, task.lease, "due_at > now() + interval '59 seconds'").await, "true");
}

#[tokio::test]
async fn to_be_put_off_or_handed_back_is_no_failure() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let client = store.worker().await.unwrap();
    let task = claim_one(&store).await;
    hand_back(&client, task.lease).await.unwrap();
    assert_eq!(column(&store, task.lease, "(state, attempt, worker, leased_until)").await, "(ready,0,,)");
    let task = claim_one(&store).await;
    assert_eq!((task.attempt, task.lease.fence), (0, 2));
    snooze(&client, task.lease, Duration::from_mins(1)).await.unwrap();
    assert_eq!(column(&store, task.lease, "(state, attempt, snoozes)").await, "(ready,0,1)");
    assert_eq!(numbers(&claim(&store, 1).await), []);
    run(&store, "update task set due_at = now() where kind = 'chunk'").await;
    assert_eq!(numbers(&claim(&store, 1).await), [(job, 0)]);
}

#[tokio::test]
async fn a_paused_job_is_not_worked_at() {
    let store = idle_store().await;
    let job = submit(&store, &[1, 2]).await;
    let at_work = claim_one(&store).await;
    let mut client = store.worker().await.unwrap();
    assert!(jobs::pause(&mut client, job).await.unwrap());
    assert!(!jobs::pause(&mut client, job).await.unwrap());
    assert_eq!(numbers(&claim(&store, 2).await), []);
    hand_back(&client, at_work.lease).await.unwrap();
    let states = "select string_agg(kind || ' ' || state, ',' order by id) from task";
    assert_eq!(ask(&store, states).await, "chunk held,chunk held,close ready");
    assert!(jobs::resume(&mut client, job).await.unwrap());
    assert!(!jobs::resume(&mut client, job).await.unwrap());
    assert_eq!(numbers(&claim(&store, 2).await), [(job, 0), (job, 1)]);
}
