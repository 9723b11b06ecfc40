//! How verdicts are written, how jobs end, and what is kept for how long.

use super::*;
use crate::{
    jobs::item_id::message_id,
    store::{
        billing,
        jobs::{self, End, Ending},
        retention, tasks,
    },
};

async fn end(store: &Store, job: Uuid, how: End) -> bool {
    let mut client = store.worker().await.unwrap();
    match Ending::begin(&mut client, job, how).await.unwrap() {
        None => false,
        Some(ending) => {
            let counts = ending.counts(3).await.unwrap().unwrap_or_default();
            let outcome = billing::Outcome { billable: 0, invalid: 0 };
            ending.end(how, &counts, &outcome).await.unwrap();
            true
        }
    }
}

async fn header(store: &Store, job: Uuid) -> jobs::JobRow {
    jobs::job(&store.worker().await.unwrap(), job).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_job_ends_when_nothing_of_it_is_left() {
    let store = idle_store().await;
    let job = submit(&store, &[1, 2]).await;
    for _ in 0..2 {
        assert!(!end(&store, job, End::Done).await);
        let task = claim_one(&store).await;
        assert!(!end(&store, job, End::Done).await, "somebody is at work");
        write(&store, &task, task.lease, Some(&[])).await.unwrap();
    }
    assert_eq!(header(&store, job).await.done, 4);
    assert!(end(&store, job, End::Done).await);
    let ended = header(&store, job).await;
    assert_eq!((&*ended.state, ended.counts), ("completed", Some(vec![0, 2, 2])));
    assert!(ended.ended_at.is_some() && ended.left_over.is_none());
    // Its task at the deadline is gone too.
    assert_eq!(ask(&store, "select count(*) from task").await, "0");
    for how in [End::Done, End::Canceled, End::DeadlinePassed] {
        assert!(!end(&store, job, how).await);
    }
}

#[tokio::test]
async fn nothing_is_written_after_the_end() {
    let store = idle_store().await;
    for how in [End::Canceled, End::DeadlinePassed] {
        let job = submit(&store, &[1, 2]).await;
        let task = claim_one(&store).await;
        assert!(end(&store, job, how).await);
        let client = store.worker().await.unwrap();
        assert_eq!(tasks::extend(&client, &[task.lease], LEASE).await.unwrap(), []);
        assert_eq!(claim(&store, 5).await.len(), 0);
        // Even if its task were still there.
        run(
            &store,
            &format!(
                "insert into task (id, kind, client, job, chunk, state, fence, deadline_at) overriding system value \
                 values ({}, 'chunk', '{LOCAL_CLIENT}', '{job}', 0, 'running', {}, now())",
                task.lease.task, task.lease.fence,
            ),
        )
        .await;
        for last in [None, Some(&[][..])] {
            let written = write(&store, &task, task.lease, last).await;
            assert!(matches!(written, Err(StoreError::Fenced)));
        }
        assert_eq!(ask(&store, "select count(*) from part").await, "0");
        run(&store, "delete from task").await;
    }
}

#[tokio::test]
async fn a_job_does_not_end_while_somebody_writes() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let task = claim_one(&store).await;
    let mut writer = store.worker().await.unwrap();
    let tx = writer.transaction().await.unwrap();
    tx.execute(chunks::WRITING, &[&chunks::lock_of(job)]).await.unwrap();
    // Others may write beside it.
    write(&store, &task, task.lease, Some(&[])).await.unwrap();
    let ending = end(&store, job, End::Canceled);
    let waits = async {
        let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                       and database = (select oid from pg_database where datname = current_database())";
        while ask(&store, waiting).await == "0" {}
        tx.commit().await.unwrap();
    };
    assert!(tokio::join!(ending, waits).0);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_found_by_its_lease() {
    let store = idle_store().await;
    submit(&store, &[1]).await;
    let task = claim_one(&store).await;
    let client = store.worker().await.unwrap();
    let was_written = async |fence, part| {
        let lease = Lease { fence, ..task.lease };
        chunks::was_written(&client, lease, task.chunk.unwrap(), part).await.unwrap()
    };
    assert!(!was_written(task.lease.fence, 0).await);
    write(&store, &task, task.lease, None).await.unwrap();
    assert!(was_written(task.lease.fence, 0).await);
    assert!(!was_written(task.lease.fence + 1, 0).await && !was_written(task.lease.fence, 1).await);
    // The same once more is refused, and changes nothing.
    let again = write(&store, &task, task.lease, Some(&[])).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    assert_eq!(ask(&store, "select count(*) from task where state = 'running'").await, "1");
    let stored = chunks::chunk(&client, task.chunk.unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.next_part, stored.round, &*stored.operator), (1, 0, "example.com"));
}

#[tokio::test]
async fn who_was_put_off_has_a_chunk_of_his_own() {
    let store = idle_store().await;
    let job = submit(&store, &[1]).await;
    let task = claim_one(&store).await;
    let deferred = |minutes| Deferred {
        operator: "example.com".into(),
        items: 1,
        asks: 1,
        round: 1,
        seal: Box::new(|id| vec![u8::try_from(id.no).unwrap()]),
        tokens: vec![0; 8],
        wait: Duration::from_mins(minutes),
        within: Duration::from_mins(minutes + 1),
    };
    write(&store, &task, task.lease, Some(&[deferred(5), deferred(9)])).await.unwrap();
    let chunks = "select string_agg(format('%s:%s:%s', no, round, sealed), ' ' order by no) from chunk";
    assert_eq!(ask(&store, chunks).await, "0:0:\\x01 1:1:\\x01 2:1:\\x02");
    let due = "select string_agg(round(extract(epoch from due_at - now()) / 60)::text, ' ' order by chunk) \
               from task where kind = 'chunk'";
    assert_eq!(ask(&store, due).await, "5 9");
    assert!(!end(&store, job, End::Done).await);
    assert_eq!(claim(&store, 5).await.len(), 0);
}

#[tokio::test]
async fn what_was_kept_long_enough_goes() {
    let store = idle_store().await;
    let (old, young) = (submit(&store, &[1]).await, submit(&store, &[2]).await);
    for _ in 0..2 {
        let task = claim_one(&store).await;
        write(&store, &task, task.lease, None).await.unwrap();
    }
    run(
        &store,
        &format!(
            "update job set expires_at = now() - interval '1 second', ended_at = now() where id = '{old}'"
        ),
    )
    .await;
    run(&store, "insert into worker (id, host, seen_at) values (gen_random_uuid(), 'gone', now() - interval '2 days')")
        .await;
    let mut client = store.worker().await.unwrap();
    let stay = retention::Stay { expired: Duration::ZERO, headers: Duration::from_hours(24) };
    assert_eq!(retention::prune(&mut client, stay, message_id).await.unwrap().jobs, 1);
    for table in ["chunk", "part", "task"] {
        let left = format!("select string_agg(distinct job::text, ',') from {table}");
        assert_eq!(ask(&store, &left).await, young.to_string(), "{table}");
    }
    assert_eq!(ask(&store, "select count(*) from worker").await, "0");
    assert!(header(&store, old).await.pruned_at.is_some());
    assert_eq!(retention::prune(&mut client, stay, message_id).await.unwrap().jobs, 0);
    run(&store, "update job set deadline_at = now() - interval '25 hours'").await;
    retention::prune(&mut client, stay, message_id).await.unwrap();
    assert!(jobs::job(&client, old).await.unwrap().is_none());
    assert_eq!(header(&store, young).await.pruned_at, None);
}
