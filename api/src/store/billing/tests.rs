//! What jobs reserve and settle, and what becomes of a group of requests whose commit nobody heard of.

use std::sync::Arc;

use tokio_postgres::NoTls;

use super::{groups::Group, *};
use crate::{
    access::{Access, Facade},
    billing::Ledger,
    store::{Store, cluster, migrations, testing},
};

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

async fn client(store: &Store, monthly_quota: Option<i64>, hard_cap: bool) -> Uuid {
    let client = Uuid::now_v7();
    let add = "insert into client (id, name, monthly_quota, hard_cap) values ($1, $1::uuid::text, $2, $3)";
    store.worker().await.unwrap().execute(add, &[&client, &monthly_quota, &hard_cap]).await.unwrap();
    client
}

/// Reserves in a transaction of its own.
async fn reserve_for(store: &Store, client: Uuid, units: i64, blank: i64) -> Result<Uuid, Overdrawn> {
    let mut connection = store.worker().await.unwrap();
    let tx = connection.transaction().await.unwrap();
    let job = Uuid::now_v7();
    let reserved = reserve(&tx, job, client, &Bill { units, blank }).await.unwrap();
    tx.commit().await.unwrap();
    reserved.map(|()| job)
}

async fn settle_for(store: &Store, job: Uuid, billable: i64, invalid: i64) {
    let mut connection = store.worker().await.unwrap();
    let tx = connection.transaction().await.unwrap();
    settle(&tx, job, &Outcome { billable, invalid }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn used(store: &Store, client: Uuid) -> (i64, i64) {
    let row = usage(&store.worker().await.unwrap(), client, None).await.unwrap().unwrap();
    (row.settled, row.reserved)
}

#[tokio::test]
async fn a_job_is_settled_once_and_for_no_more_than_it_reserved() {
    let store = testing::store().await;
    let of = client(&store, Some(10), true).await;
    let job = reserve_for(&store, of, 6, 0).await.unwrap();
    assert_eq!(used(&store, of).await, (0, 6));
    let overdrawn = reserve_for(&store, of, 5, 0).await.unwrap_err();
    assert_eq!(overdrawn, Overdrawn { used: 6, monthly_quota: 10, remaining: 4 });
    let other = reserve_for(&store, of, 4, 0).await.unwrap();
    assert_eq!(used(&store, of).await, (0, 10));
    for _ in 0..2 {
        settle_for(&store, job, 5, 0).await;
        assert_eq!(used(&store, of).await, (5, 4));
    }
    settle_for(&store, other, 9, 0).await;
    settle_for(&store, Uuid::now_v7(), 9, 0).await;
    assert_eq!(used(&store, of).await, (9, 0));
}

#[tokio::test]
async fn a_soft_cap_and_no_quota_never_block() {
    let store = testing::store().await;
    for (quota, hard_cap) in [(Some(3), false), (None, true), (None, false)] {
        let of = client(&store, quota, hard_cap).await;
        let job = reserve_for(&store, of, 5, 0).await.unwrap();
        settle_for(&store, job, 5, 0).await;
        assert_eq!(used(&store, of).await, (5, 0));
    }
}

#[tokio::test]
async fn blank_items_cost_nothing() {
    let store = testing::store().await;
    let of = client(&store, None, false).await;
    // Five addresses and two blank ones. All known: four verdicts, an address that is none, two that are blank.
    let all = reserve_for(&store, of, 5, 2).await.unwrap();
    settle_for(&store, all, 7, 3).await;
    assert_eq!(used(&store, of).await, (5, 0));
    // Two of the addresses are unknown.
    let some = reserve_for(&store, of, 5, 2).await.unwrap();
    settle_for(&store, some, 5, 3).await;
    assert_eq!(used(&store, of).await, (8, 0));
    // It was canceled before anybody came to the blank ones.
    let few = reserve_for(&store, of, 5, 2).await.unwrap();
    settle_for(&store, few, 3, 0).await;
    assert_eq!(used(&store, of).await, (11, 0));
    let none = reserve_for(&store, of, 5, 2).await.unwrap();
    settle_for(&store, none, 0, 0).await;
    assert_eq!(used(&store, of).await, (11, 0));
}

#[tokio::test]
async fn a_job_is_settled_in_the_month_in_which_it_was_reserved() {
    let store = testing::store().await;
    let of = client(&store, Some(10), true).await;
    let job = reserve_for(&store, of, 10, 0).await.unwrap();
    run(
        &store,
        "update usage set month = month - interval '1 month'; update reservation set month = month - interval '1 month'",
    )
    .await;
    assert_eq!(used(&store, of).await, (0, 0));
    assert!(reserve_for(&store, of, 10, 0).await.is_ok());
    settle_for(&store, job, 7, 0).await;
    assert_eq!(used(&store, of).await, (0, 10));
    let connection = store.worker().await.unwrap();
    let last = usage(&connection, of, None).await.unwrap().unwrap().month.yesterday().unwrap();
    let row = usage(&connection, of, Some(last)).await.unwrap().unwrap();
    assert_eq!((row.settled, row.reserved, row.month), (7, 0, last.first_of_month()));
    assert_eq!(usage(&connection, Uuid::nil(), None).await.unwrap(), None);
}

#[tokio::test]
async fn a_group_that_is_written_again_changes_nothing() {
    let store = testing::store().await;
    let of = client(&store, Some(10), true).await;
    let connection = store.worker().await.unwrap();
    add_usage(&connection, &[of]).await.unwrap();
    let (ledger, [held, refused]) = (Uuid::now_v7(), [Uuid::now_v7(), Uuid::now_v7()]);
    let mut group = Group::default();
    group.hold(held, of, 4);
    group.hold(refused, of, 5);
    group.count(of, None, 3);
    let first = groups::write(&connection, ledger, 1, &group).await.unwrap();
    assert_eq!(first.held(held, of), groups::Held::Granted);
    let overdrawn = Overdrawn { used: 7, monthly_quota: 10, remaining: 3 };
    assert_eq!(first.held(refused, of), groups::Held::Refused(overdrawn));
    for _ in 0..2 {
        let again = groups::write(&connection, ledger, 1, &group).await.unwrap();
        assert_eq!(again.held(held, of), groups::Held::Granted);
        assert_eq!(again.held(refused, of), groups::Held::NoLine, "it may ask again");
        assert!(again.counted(of) && again.month == first.month);
        assert_eq!(used(&store, of).await, (3, 4));
    }
    let mut end = Group::default();
    end.end(held, 4);
    for _ in 0..2 {
        assert!(groups::write(&connection, ledger, 2, &end).await.unwrap().ended(held));
        assert_eq!(used(&store, of).await, (7, 0));
    }
    assert!(!groups::write(&connection, ledger, 3, &end).await.unwrap().ended(held));
    assert_eq!(used(&store, of).await, (7, 0));
    // A process that has been silent for days begins with a new line.
    run(&store, "delete from ledger").await;
    let mut group = Group::default();
    group.count(of, None, 1);
    assert!(groups::write(&connection, ledger, 4, &group).await.unwrap().counted(of));
    assert_eq!(used(&store, of).await, (8, 0));
}

#[tokio::test]
async fn ledgers_of_processes_that_are_gone_go() {
    let store = testing::store().await;
    run(
        &store,
        "insert into ledger (id, seen_at) values (gen_random_uuid(), now() - interval '25 hours'), (gen_random_uuid(), now())",
    )
    .await;
    let connection = store.worker().await.unwrap();
    assert_eq!(connection.execute(DROP_LEDGERS, &[]).await.unwrap(), 1);
}

async fn commit(store: &Store) -> Result<u64, tokio_postgres::Error> {
    store.worker().await.unwrap().execute("insert into ledger (id) values (gen_random_uuid())", &[]).await
}

/// Of a server of our own: it waits with each commit for another one that is not there, so connections can be broken after
/// the commit and before its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_counted_once() {
    let folder = cluster::folder_of_tests();
    let path = folder.path().join("pg");
    let cluster = tokio::task::spawn_blocking(move || cluster::open_of_tests(&path)).await.unwrap().unwrap();
    let store = testing::store_of(cluster.config(), testing::keys());
    migrations::migrate(&mut store.worker().await.unwrap()).await.unwrap();
    let of = client(&store, Some(100), true).await;
    let key = Uuid::nil();
    let (scopes, monthly_quota) = (Box::new([]), Some(100));
    let access = Access { key, client: of, facade: Facade::Tasks, scopes, monthly_quota, hard_cap: true };
    let store = Arc::new(store);
    let ledger = Ledger::new(store.clone());
    let hold = ledger.hold(&access, 5).await.unwrap();

    let (other, connection) = cluster.config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let wait_for = |standby: &str| format!("alter system set synchronous_standby_names = '{standby}'");
    for statement in ["set synchronous_commit = local", &wait_for("nobody"), "select pg_reload_conf()"] {
        other.batch_execute(statement).await.unwrap();
    }
    // Breaks the connection of whoever has committed and waits.
    let broken = async || {
        let waiting = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
        while other.query(waiting, &[]).await.unwrap().is_empty() {}
    };
    // It takes a moment until they do.
    let first = async { while commit(&store).await.is_ok() {} };
    tokio::join!(first, broken());
    let (settled, ()) = tokio::join!(ledger.settle(&access, 3, hold), broken());
    settled.unwrap();
    let (held, ()) = tokio::join!(ledger.hold(&access, 7), broken());
    let held = held.unwrap();
    assert!(held.is_some());
    for statement in [&*wait_for(""), "select pg_reload_conf()"] {
        other.batch_execute(statement).await.unwrap();
    }
    assert_eq!(used(&store, of).await, (3, 7));
    ledger.settle(&access, 7, held).await.unwrap();
    assert_eq!(used(&store, of).await, (10, 0));
    ledger.close().await;
    drop((store, other));
    tokio::task::spawn_blocking(move || cluster.release()).await.unwrap().unwrap();
}
