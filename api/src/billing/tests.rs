//! The ledger in a real Postgres: several processes at once, others in the way, a database that goes away, months.

mod alerts;
mod faults;
mod limits;
mod months;

use std::sync::Arc;

use futures_util::{FutureExt as _, future::join_all};
use uuid::Uuid;

use super::*;
use crate::{
    access::{Access, Facade},
    store::{
        Connection, Shared, Transaction, billing,
        testing::{WAITS, another, keys, store},
    },
};

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

async fn ask(store: &Store, query: &str) -> i64 {
    let query = format!("select answer::bigint from ({query}) as asked (answer)");
    store.worker().await.unwrap().query_one(&query, &[]).await.unwrap().get(0)
}

async fn until(store: &Store, query: &str) {
    while ask(store, query).await == 0 {}
}

/// A client of these terms, with a key.
async fn client(store: &Store, monthly_quota: Option<i64>, hard_cap: bool) -> Access {
    let client = Uuid::now_v7();
    let add = "insert into client (id, name, monthly_quota, hard_cap) values ($1, $1::uuid::text, $2, $3)";
    store.worker().await.unwrap().execute(add, &[&client, &monthly_quota, &hard_cap]).await.unwrap();
    let (key, facade) = (Uuid::nil(), Facade::EmailVerifier);
    let caller = client.to_string().into();
    Access { key, client, caller, facade, scopes: Box::new([]), monthly_quota, hard_cap }
}

/// Credits that are settled, and that are reserved, in this month.
async fn used(store: &Store, of: &Access) -> (i64, i64) {
    let row = billing::usage(&store.worker().await.unwrap(), of.client, None).await.unwrap().unwrap();
    (row.settled, row.reserved)
}

/// Holds every client's line, so that no group is written until it ends.
async fn in_the_way(other: &mut Connection) -> Transaction<'_> {
    let tx = other.transaction().await.unwrap();
    tx.execute("select from usage for update", &[]).await.unwrap();
    tx
}

/// The same store, as another process has it, and its ledger.
fn process(store: &Store) -> (Shared, Arc<Ledger>) {
    let store = Arc::new(another(store, keys()));
    (store.clone(), Ledger::new(store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_at_once_never_pass_a_hard_cap_and_use_all_of_it() {
    const QUOTA: i64 = 500;
    let store = store().await;
    let of = client(&store, Some(QUOTA), true).await;
    let processes: Vec<_> = (0..4).map(|_| process(&store)).collect();
    let request = async |ledger: &Ledger, no: u32| {
        // Requests of one to three credits; every fifth costs nothing in the end.
        let units = 1 + no % 3;
        match ledger.hold(&of, units).await {
            Ok(hold) => {
                assert!(hold.is_some());
                let units = if no.is_multiple_of(5) { 0 } else { units };
                ledger.settle(&of, units, hold).await.unwrap();
                i64::from(units)
            }
            Err(BillingError::Overdrawn(overdrawn)) => {
                assert_eq!(overdrawn.monthly_quota, QUOTA);
                assert!(overdrawn.used <= QUOTA, "{overdrawn}");
                0
            }
            Err(error) => panic!("{error}"),
        }
    };
    let requests =
        join_all(processes.iter().map(|(_, ledger)| join_all((0..200).map(|no| request(ledger, no)))));
    let mut requests = Box::pin(requests);
    let settled: i64 = loop {
        tokio::select! {
            settled = &mut requests => break settled.into_iter().flatten().sum(),
            (settled, reserved) = used(&store, &of) => assert!(settled + reserved <= QUOTA, "{settled} + {reserved}"),
        }
    };
    // What was released last is on its way.
    until(&store, "select (count(*) = 0)::int from reservation").await;
    assert_eq!(used(&store, &of).await, (settled, 0));
    // Whoever still fits is let in: all of it can be used, one by one.
    let ledger = &processes[0].1;
    for _ in settled..QUOTA {
        let hold = ledger.hold(&of, 1).await.unwrap();
        ledger.settle(&of, 1, hold).await.unwrap();
    }
    let refused = ledger.hold(&of, 1).await.unwrap_err();
    let expected = Overdrawn { used: QUOTA, monthly_quota: QUOTA, remaining: 0 };
    assert!(matches!(refused, BillingError::Overdrawn(overdrawn) if overdrawn == expected), "{refused}");
    assert_eq!(used(&store, &of).await, (QUOTA, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sum_of_many_processes_and_clients_is_exact() {
    let store = store().await;
    let mut clients = Vec::new();
    for no in 0..7 {
        // A soft cap never blocks.
        clients.push(client(&store, (no % 2 == 0).then_some(10), false).await);
    }
    let processes: Vec<_> = (0..4).map(|_| process(&store)).collect();
    let settles = processes.iter().flat_map(|(_, ledger)| {
        clients.iter().flat_map(move |of| {
            (0..100).map(move |no| async move {
                let hold = ledger.hold(of, 1).await.unwrap();
                assert!(hold.is_none());
                ledger.settle(of, no % 4, hold).await.unwrap();
            })
        })
    });
    join_all(settles).await;
    for of in &clients {
        // 0 + 1 + 2 + 3, 25 times, by each of four.
        assert_eq!(used(&store, of).await, (600, 0));
    }
    assert_eq!(ask(&store, "select count(*) from ledger").await, 4);
    for (_, ledger) in &processes {
        ledger.close().await;
    }
}

#[tokio::test]
async fn who_comes_while_others_are_written_is_written_with_the_next_group() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (_, ledger) = process(&store);
    ledger.settle(&of, 1, None).await.unwrap();
    let before = ask(&store, "select written from ledger").await;
    for _ in 0..3 {
        ledger.settle(&of, 1, None).await.unwrap();
    }
    assert_eq!(
        ask(&store, "select written from ledger").await,
        before + 3,
        "one that is alone waits for nobody"
    );
    let mut other = store.worker().await.unwrap();
    let tx = in_the_way(&mut other).await;
    let first = ledger.settle(&of, 1, None);
    let rest = async {
        until(&store, WAITS).await;
        let mut rest = Box::pin(join_all((0..99).map(|_| ledger.settle(&of, 1, None))));
        assert!((&mut rest).now_or_never().is_none());
        tx.commit().await.unwrap();
        rest.await
    };
    let (first, rest) = tokio::join!(first, rest);
    assert!(first.is_ok() && rest.iter().all(Result::is_ok));
    assert_eq!(ask(&store, "select written from ledger").await, before + 5);
    assert_eq!(used(&store, &of).await, (104, 0));
}

#[tokio::test]
async fn what_is_not_settled_is_free_again() {
    let store = store().await;
    let of = client(&store, Some(10), true).await;
    let (_, ledger) = process(&store);
    let hold = ledger.hold(&of, 6).await.unwrap();
    assert_eq!(used(&store, &of).await, (0, 6));
    let refused = ledger.hold(&of, 5).await.unwrap_err();
    let expected = Overdrawn { used: 6, monthly_quota: 10, remaining: 4 };
    assert!(matches!(refused, BillingError::Overdrawn(overdrawn) if overdrawn == expected), "{refused}");
    drop(hold);
    let hold = ledger.hold(&of, 5).await.unwrap();
    assert_eq!(used(&store, &of).await, (0, 5), "what was dropped is written with the next group");
    ledger.settle(&of, 2, hold).await.unwrap();
    assert_eq!(used(&store, &of).await, (2, 0), "the rest is free too");
    let hold = ledger.hold(&of, 8).await.unwrap();
    ledger.settle(&of, 9, hold).await.unwrap();
    assert_eq!(used(&store, &of).await, (10, 0), "never more than was held");
}

#[tokio::test]
async fn who_does_not_fit_keeps_out_nobody_who_does() {
    let store = store().await;
    let of = client(&store, Some(10), true).await;
    let (_, ledger) = process(&store);
    let hold = ledger.hold(&of, 2).await.unwrap();
    // All in one group.
    let mut other = store.worker().await.unwrap();
    let tx = in_the_way(&mut other).await;
    let writing = ledger.settle(&of, 2, hold);
    let rest = async {
        until(&store, WAITS).await;
        let mut rest = Box::pin(join_all([9, 5, 3].map(|units| ledger.hold(&of, units))));
        assert!((&mut rest).now_or_never().is_none());
        tx.commit().await.unwrap();
        rest.await
    };
    let (settled, rest) = tokio::join!(writing, rest);
    settled.unwrap();
    assert_eq!(rest.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(used(&store, &of).await, (2, 8));
}

#[tokio::test]
async fn what_a_dead_process_held_is_given_back() {
    let store = store().await;
    let of = client(&store, Some(10), true).await;
    let (_, ledger) = process(&store);
    let (dead, late) = (ledger.hold(&of, 4).await.unwrap(), ledger.hold(&of, 3).await.unwrap());
    // As if it had been killed.
    std::mem::forget(dead);
    sweep(&store).await.unwrap();
    assert_eq!(used(&store, &of).await, (0, 7), "it may live yet");
    run(&store, "update reservation set until = now() - interval '1 second'").await;
    sweep(&store).await.unwrap();
    assert_eq!(used(&store, &of).await, (0, 0));
    // Whoever was only slow is not answered, since others may have what was his.
    let hold = ledger.hold(&of, 10).await.unwrap();
    let lapsed = ledger.settle(&of, 3, late).await.unwrap_err();
    assert!(matches!(lapsed, BillingError::Lapsed), "{lapsed}");
    ledger.settle(&of, 10, hold).await.unwrap();
    assert_eq!(used(&store, &of).await, (10, 0));
}

#[tokio::test]
async fn who_is_gone_pays_nothing() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (_, ledger) = process(&store);
    ledger.settle(&of, 1, None).await.unwrap();
    let mut other = store.worker().await.unwrap();
    let tx = in_the_way(&mut other).await;
    // One is being written when its caller goes, the other one waits for that.
    let mut written = Box::pin(ledger.settle(&of, 10, None));
    assert!((&mut written).now_or_never().is_none());
    until(&store, WAITS).await;
    let mut waiting = Box::pin(ledger.settle(&of, 100, None));
    assert!((&mut waiting).now_or_never().is_none());
    drop((written, waiting));
    tx.commit().await.unwrap();
    ledger.settle(&of, 1_000, None).await.unwrap();
    until(&store, "select count(*) from usage where settled = 1001").await;
    ledger.close().await;
    assert_eq!(used(&store, &of).await, (1_001, 0));
}

#[tokio::test]
async fn what_has_arrived_is_written_before_the_end() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (shared, ledger) = process(&store);
    let mut settles = Box::pin(join_all((0..50).map(|_| ledger.settle(&of, 1, None))));
    assert!((&mut settles).now_or_never().is_none());
    let (settled, ()) = tokio::join!(settles, ledger.close());
    assert!(settled.iter().all(Result::is_ok));
    assert_eq!(used(&store, &of).await, (50, 0));
    assert!(matches!(ledger.settle(&of, 1, None).await, Err(BillingError::Store(StoreError::Away(_)))));
    assert!(Arc::into_inner(shared).is_some(), "the store is left");
}

#[tokio::test]
async fn a_request_that_is_billed_to_nobody_harms_nobody() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let nobody = Access { client: Uuid::from_u128(99), ..of.clone() };
    let (_, ledger) = process(&store);
    let (one, other) = tokio::join!(ledger.settle(&nobody, 1, None), ledger.settle(&of, 1, None));
    assert!(matches!(one, Err(BillingError::Store(StoreError::Refused(_)))), "{one:?}");
    other.unwrap();
    // And one that the database cannot count.
    run(&store, "update usage set settled = 9223372036854775807").await;
    let third = client(&store, None, false).await;
    let (one, other) = tokio::join!(ledger.settle(&of, 1, None), ledger.settle(&third, 1, None));
    assert!(matches!(one, Err(BillingError::Store(StoreError::Refused(_)))), "{one:?}");
    other.unwrap();
    assert_eq!(used(&store, &third).await, (1, 0));
}
