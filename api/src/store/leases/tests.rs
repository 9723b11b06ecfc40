//! Several processes that lease of the same store.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use mailsonde_engine::EgressId;

use super::*;
use crate::store::{Store, testing};

const GOOGLE: &str = "operator:google";

fn key(key: &str) -> RationKey {
    RationKey { egress: EgressId(0), key: key.into() }
}

fn claim_of(name: &str, held: usize, wanted: usize, max: usize) -> Claim {
    Claim { key: key(name), held, wanted, max, yields: false }
}

fn process(store: &Store) -> StoredRation {
    StoredRation::new(store.workers().clone(), store.keys().clone(), Uuid::now_v7())
}

async fn portion(process: &StoredRation, held: usize, wanted: usize, max: usize) -> (usize, usize, usize) {
    let leave = process.claim(&[claim_of(GOOGLE, held, wanted, max)]).await.unwrap();
    let Portion { sessions, others, keep } = leave.portions[0];
    (sessions, others, keep)
}

async fn rows(store: &Store) -> Vec<(String, i32, i32)> {
    let client = store.worker().await.unwrap();
    let rows = client
        .query("select key, sessions, wanted from session_lease order by key, sessions", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// As if so much time had gone by since the last claim of a process.
async fn time_goes_by(store: &Store, process: &StoredRation, time: Duration) {
    let client = store.worker().await.unwrap();
    let statement = "update session_lease set until = until - $2 * interval '1 second' where worker = $1";
    client.execute(statement, &[&process.worker, &time.as_secs_f64()]).await.unwrap();
}

#[tokio::test]
async fn who_has_all_makes_room_for_who_waits() {
    let store = testing::store().await;
    let (one, two) = (process(&store), process(&store));
    assert_eq!(portion(&one, 0, 9, 4).await, (4, 0, 4));
    assert_eq!(portion(&two, 0, 9, 4).await, (0, 4, 0));
    assert_eq!(rows(&store).await, [(GOOGLE.into(), 0, 9), (GOOGLE.into(), 4, 9)], "he is known to wait");
    assert_eq!(portion(&one, 4, 9, 4).await, (4, 0, 2));
    assert_eq!(portion(&one, 2, 9, 4).await, (2, 0, 2));
    assert_eq!(portion(&two, 0, 9, 4).await, (2, 2, 2));
}

#[tokio::test]
async fn what_is_neither_held_nor_wanted_is_forgotten() {
    let store = testing::store().await;
    let (one, two) = (process(&store), process(&store));
    portion(&one, 0, 2, 4).await;
    portion(&two, 0, 1, 4).await;
    assert_eq!(portion(&one, 0, 0, 4).await, (0, 1, 0));
    assert_eq!(rows(&store).await, [(GOOGLE.into(), 1, 1)]);
    two.leave().await.unwrap();
    assert_eq!(rows(&store).await, []);
}

#[tokio::test]
async fn who_is_not_heard_of_loses_what_it_had_after_its_life() {
    let store = testing::store().await;
    let (dead, alive) = (process(&store), process(&store));
    let leave = dead.claim(&[claim_of(GOOGLE, 0, 3, 4)]).await.unwrap();
    assert_eq!((leave.portions[0].sessions, leave.life), (3, LIFE));
    time_goes_by(&store, &dead, LIFE.saturating_sub(Duration::from_secs(5))).await;
    assert_eq!(portion(&alive, 0, 4, 4).await, (1, 3, 1));
    time_goes_by(&store, &dead, Duration::from_secs(5)).await;
    assert_eq!(portion(&alive, 1, 4, 4).await, (4, 0, 4));
}

#[tokio::test]
async fn many_keys_are_claimed_at_once_and_hosts_are_not_named() {
    let store = testing::store().await;
    let (one, two) = (process(&store), process(&store));
    let claims: Vec<Claim> = (0..150).map(|n| claim_of(&format!("mx:10 mx{n}.test"), 0, n, 2)).collect();
    let backwards: Vec<Claim> = claims.iter().rev().cloned().collect();
    // In opposite orders, which must not lock each other out.
    let (ones, twos) = tokio::join!(one.claim(&claims), two.claim(&backwards));
    let (ones, twos) = (ones.unwrap().portions, twos.unwrap().portions);
    for (n, (one, two)) in ones.iter().zip(twos.iter().rev()).enumerate() {
        assert_eq!(one.sessions + two.sessions, (2 * n).min(2), "{n}");
    }
    let rows = rows(&store).await;
    assert_eq!(rows.len(), 2 * 149);
    assert!(rows.iter().all(|(key, ..)| !key.contains("test")));
}

#[tokio::test]
async fn identities_are_counted_apart() {
    let store = testing::store().await;
    let one = process(&store);
    assert_eq!(portion(&one, 0, 4, 4).await, (4, 0, 4));
    let other = RationKey { egress: EgressId(45_651), key: GOOGLE.into() };
    let leave = process(&store).claim(&[Claim { key: other, ..claim_of(GOOGLE, 0, 4, 4) }]).await.unwrap();
    assert_eq!(leave.portions[0].sessions, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_who_claim_all_the_time_never_hold_more_than_there_are() {
    const MAX: usize = 5;
    let store = testing::store().await;
    let (held, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = |n: usize| {
        let (ration, held, peak) = (process(&store), held.clone(), peak.clone());
        async move {
            let (mut mine, mut most) = (0, 0);
            for round in 0..60 {
                // What it gives up, it gives up before it says so.
                let kept = if (round + n).is_multiple_of(7) { 0 } else { mine };
                held.fetch_sub(mine - kept, SeqCst);
                let wanted = 1 + (round * 3 + n) % 6;
                let portion = portion(&ration, kept, wanted, MAX).await;
                let sum = held.fetch_add(portion.0 - kept, SeqCst) + portion.0 - kept;
                peak.fetch_max(sum, SeqCst);
                // And then goes down to what it may keep.
                held.fetch_sub(portion.0 - portion.2, SeqCst);
                (mine, most) = (portion.2, most.max(portion.0));
            }
            held.fetch_sub(mine, SeqCst);
            most
        }
    };
    let most = tokio::join!(tokio::spawn(work(0)), tokio::spawn(work(1)), tokio::spawn(work(2)));
    let most = [most.0.unwrap(), most.1.unwrap(), most.2.unwrap()];
    assert!(most.iter().all(|most| *most > 0), "{most:?}");
    assert!((2..=MAX).contains(&peak.load(SeqCst)), "{peak:?}");
}

#[tokio::test]
async fn a_call_that_was_given_up_takes_no_effect() {
    let store = testing::store().await;
    let (one, two) = (process(&store), process(&store));
    // Somebody holds the key's lock for longer than anybody waits.
    let mut client = store.worker().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let lock = locks(&[0], &[GOOGLE.into()]);
    tx.execute(LOCK, &[&KEYS_LOCK, &lock]).await.unwrap();
    let claims = [claim_of(GOOGLE, 0, 4, 4)];
    assert!(timeout(Duration::from_millis(300), one.claim(&claims)).await.is_err());
    assert!(two.claim(&claims).await.is_err(), "the wait ends by itself");
    tx.commit().await.unwrap();
    assert_eq!(portion(&two, 0, 4, 4).await, (4, 0, 4));
    assert_eq!(rows(&store).await.len(), 1);
}
