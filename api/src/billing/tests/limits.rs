//! What is scarce: connections, and places in the line.

use super::{super::ledger::WAITING_MAX, *};

#[tokio::test]
async fn the_clerk_and_all_others_take_no_connections_from_each_other() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (shared, ledger) = process(&store);
    let mut taken = Vec::new();
    while let Ok(connection) = shared.request().await {
        taken.push(connection);
    }
    ledger.settle(&of, 1, None).await.unwrap();
    // While the clerk has his, there are as many as before.
    let all = taken.len();
    taken.clear();
    for no in 0..all {
        taken.push(shared.request().await.unwrap_or_else(|error| panic!("{no} of {all}: {error}")));
    }
    ledger.settle(&of, 1, None).await.unwrap();
    assert_eq!(used(&store, &of).await, (2, 0));
}

#[tokio::test]
async fn when_too_many_wait_others_are_refused_at_once() {
    let store = store().await;
    let of = client(&store, None, false).await;
    let (_, ledger) = process(&store);
    ledger.settle(&of, 1, None).await.unwrap();
    let mut other = store.worker().await.unwrap();
    let tx = in_the_way(&mut other).await;
    let mut first = Box::pin(ledger.settle(&of, 1, None));
    assert!((&mut first).now_or_never().is_none());
    until(&store, WAITS).await;
    let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(ledger.settle(&of, 1, None))).collect();
    assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
    let refused = ledger.settle(&of, 1, None).now_or_never();
    assert!(matches!(refused, Some(Err(BillingError::Store(StoreError::Busy(_))))), "{refused:?}");
    drop((first, waiting));
    tx.commit().await.unwrap();
    ledger.close().await;
    assert_eq!(used(&store, &of).await, (1, 0), "they are gone, and so pay nothing");
}
