//! Others in the way, and a database that goes away.

use super::*;
use crate::store::testing::shut;

/// The next changes of `usage` meet somebody.
async fn meet(store: &Store, times: i64) {
    run(
        store,
        &format!(
            "create sequence met;
             create function meet() returns trigger language plpgsql as $$ begin
                 if nextval('met') <= {times} then raise exception 'met' using errcode = '40001'; end if;
                 return new;
             end $$;
             create trigger meet before update on usage for each row execute function meet()"
        ),
    )
    .await;
}

#[tokio::test]
async fn conflicts_are_tried_again_and_counted_once() {
    let store = store().await;
    let of = client(&store, Some(10), true).await;
    let (_, ledger) = process(&store);
    let hold = ledger.hold(&of, 2).await.unwrap();
    meet(&store, 3).await;
    ledger.settle(&of, 2, hold).await.unwrap();
    assert_eq!(used(&store, &of).await, (2, 0));
    assert_eq!(ask(&store, "select last_value from met").await, 4);
}

#[tokio::test]
async fn after_too_many_conflicts_callers_are_told_and_nothing_is_counted() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (_, ledger) = process(&store);
    ledger.settle(&of, 1, None).await.unwrap();
    meet(&store, 4).await;
    let refused = join_all((0..5).map(|_| ledger.settle(&of, 1, None))).await;
    let is_conflict =
        |settled: &Result<_, _>| matches!(settled, Err(BillingError::Store(StoreError::Conflict(_))));
    assert!(refused.iter().all(is_conflict), "{refused:?}");
    assert_eq!(used(&store, &of).await, (1, 0));
    ledger.settle(&of, 1, None).await.unwrap();
    assert_eq!(used(&store, &of).await, (2, 0));
}

#[tokio::test]
async fn while_the_database_is_away_callers_are_told_and_nothing_is_counted() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (_, ledger) = process(&store);
    ledger.settle(&of, 1, None).await.unwrap();
    shut(&store, true).await;
    for _ in 0..3 {
        let away = ledger.settle(&of, 1, None).await.unwrap_err();
        assert!(matches!(&away, BillingError::Store(error) if error.is_transient()), "{away}");
    }
    shut(&store, false).await;
    // What nobody could find out then is found out now.
    while ledger.settle(&of, 1, None).await.is_err() {}
    ledger.close().await;
    assert_eq!(used(&another(&store, keys()), &of).await, (2, 0));
}

#[tokio::test]
async fn a_connection_that_breaks_between_groups_is_made_anew() {
    let store = store().await;
    let of = client(&store, Some(100), true).await;
    let (_, ledger) = process(&store);
    for round in 1..=3 {
        let hold = ledger.hold(&of, 2).await.unwrap();
        let others = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                      where datname = current_database() and pid <> pg_backend_pid()";
        assert!(ask(&store, others).await > 0);
        ledger.settle(&of, 2, hold).await.unwrap();
        assert_eq!(used(&store, &of).await, (2 * round, 0));
    }
}
