//! What jobs reserve and settle, and what becomes of a group of requests whose commit nobody heard of.

use std::sync::Arc;

use futures_util::future::join_all;
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

/// A group of one credit for each.
fn one_of_each(clients: &[Uuid]) -> Group {
    let mut group = Group::default();
    for client in clients {
        group.count(*client, None, 1);
    }
    group
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credits_alone_are_counted_once_also_where_two_tries_of_two_ledgers_meet() {
    const GROUPS: i64 = 20;
    let store = testing::store().await;
    let clients = [client(&store, None, false).await, client(&store, Some(10), false).await];
    add_usage(&store.worker().await.unwrap(), &clients).await.unwrap();
    let ledgers = [Uuid::now_v7(), Uuid::now_v7()].map(async |ledger| {
        let tries = [store.worker().await.unwrap(), store.worker().await.unwrap()];
        groups::write(&tries[0], ledger, 1, &one_of_each(&clients)).await.unwrap();
        for number in 2..=GROUPS {
            let group = one_of_each(&clients);
            let answers = join_all(tries.iter().map(|at| groups::write(at, ledger, number, &group))).await;
            assert!(
                answers
                    .into_iter()
                    .all(|answer| clients.iter().all(|of| answer.as_ref().unwrap().counted(*of)))
            );
        }
    });
    join_all(ledgers).await;
    for of in clients {
        assert_eq!(used(&store, of).await, (2 * GROUPS, 0));
    }
}

#[tokio::test]
async fn credits_alone_are_counted_for_those_who_have_a_line() {
    let store = testing::store().await;
    let (of, without_line) = (client(&store, None, false).await, client(&store, None, false).await);
    let connection = store.worker().await.unwrap();
    add_usage(&connection, &[of]).await.unwrap();
    let ledger = Uuid::now_v7();
    for (number, times) in [(1, 1), (2, 2), (2, 2)] {
        let answer =
            groups::write(&connection, ledger, number, &one_of_each(&[of, without_line])).await.unwrap();
        assert!(answer.counted(of) && !answer.counted(without_line));
        assert_eq!((used(&store, of).await, used(&store, without_line).await), ((times, 0), (0, 0)));
    }
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
    let access = Access {
        key,
        client: of,
        caller: of.to_string().into(),
        facade: Facade::Tasks,
        scopes: Box::new([]),
        monthly_quota: Some(100),
        hard_cap: true,
    };
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

#[tokio::test]
async fn who_was_left_out_of_a_group_hears_so_also_where_its_answer_was_lost() {
    let store = testing::store().await;
    let (of, without_line) = (client(&store, Some(10), true).await, client(&store, None, false).await);
    let connection = store.worker().await.unwrap();
    add_usage(&connection, &[of]).await.unwrap();
    let (ledger, held, over) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let mut hold = Group::default();
    hold.hold(held, of, 2);
    groups::write(&connection, ledger, 1, &hold).await.unwrap();
    let mut group = Group::default();
    group.count(of, None, 3);
    group.count(without_line, None, 4);
    group.end(held, 2);
    group.end(over, 2);
    // The second time as if nothing had been heard of the first one.
    for _ in 0..2 {
        let answer = groups::write(&connection, ledger, 2, &group).await.unwrap();
        assert!(answer.counted(of) && answer.ended(held));
        assert!(!answer.counted(without_line) && !answer.ended(over), "{answer:?}");
        assert_eq!((used(&store, of).await, used(&store, without_line).await), ((5, 0), (0, 0)));
    }
    // The next group knows nothing of it.
    add_usage(&connection, &[without_line]).await.unwrap();
    let mut again = Group::default();
    again.count(without_line, None, 4);
    for _ in 0..2 {
        assert!(groups::write(&connection, ledger, 3, &again).await.unwrap().counted(without_line));
        assert_eq!(used(&store, without_line).await, (4, 0));
    }
}

#[tokio::test]
async fn quotas_are_told_of_those_who_have_used_most_of_theirs() {
    let store = testing::store().await;
    let connection = store.worker().await.unwrap();
    let mut expected = Vec::new();
    // Used and reserved, of the quota.
    for (settled, reserved, quota) in [(0, 0, 0), (0, 0, 5), (90, 10, 1_000), (1, 3, 10), (7, 0, 5)] {
        let of = client(&store, Some(quota), false).await;
        if settled + reserved > 0 {
            let add = "insert into usage values ($1, billing_month(), $2, $3)";
            connection.execute(add, &[&of, &i64::from(settled), &i64::from(reserved)]).await.unwrap();
        }
        expected.insert(0, of);
    }
    let told = async |limit| {
        let rows = quotas(&connection, limit).await.unwrap();
        rows.iter().map(|row| row.client).collect::<Vec<_>>()
    };
    assert_eq!(told(10).await, expected);
    assert_eq!(told(2).await, expected[..2]);
}

#[tokio::test]
async fn a_threshold_is_reached_by_all_of_its_share() {
    let store = testing::store().await;
    let connection = store.worker().await.unwrap();
    let reached = "select array(select percent from reached($1, $2) as percent order by percent)";
    let most = i64::MAX;
    let cases: [(i64, Option<i64>, &[i16]); 11] = [
        (0, Some(10), &[]),
        (7, Some(10), &[]),
        (8, Some(10), &[80]),
        (9, Some(10), &[80]),
        (10, Some(10), &[80, 100]),
        (11, Some(10), &[80, 100]),
        (2, Some(3), &[]),
        (0, Some(0), &[]),
        (1, Some(0), &[80, 100]),
        (most, Some(most), &[80, 100]),
        (most, None, &[]),
    ];
    for (settled, quota, expected) in cases {
        let row = connection.query_one(reached, &[&settled, &quota]).await.unwrap();
        assert_eq!(row.get::<_, Vec<i16>>(0), expected, "{settled} of {quota:?}");
    }
}

#[tokio::test]
async fn who_is_to_be_told_is_found_without_a_look_at_all_months() {
    let store = testing::store().await;
    run(
        &store,
        "insert into client (id, name, monthly_quota)
             select gen_random_uuid(), 'client ' || no, 10 from generate_series(1, 200) as no;
         insert into usage (client, month, settled)
             select id, (billing_month() - no * interval '1 month')::date, 5
             from client, generate_series(0, 59) as no where monthly_quota = 10;
         analyze client; analyze usage",
    )
    .await;
    let explain = format!("explain {}", DUE.replace("$1", &DUE_MAX.to_string()));
    let rows = store.worker().await.unwrap().query(&explain, &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("usage_of_month")), "{plan:#?}");
}
