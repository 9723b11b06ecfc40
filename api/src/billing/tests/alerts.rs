//! Who is told of thresholds, where that goes wrong for somebody, or takes its time.

use super::*;
use crate::store::keys::Row;

/// A client with a quota of ten that wants to be told.
async fn told_client(store: &Store) -> Access {
    let of = client(store, Some(10), false).await;
    let url = store.keys().seal(Row::AlertUrl { client: of.client }, b"https://hooks.example.com/usage");
    let add = "update client set alert_url = $2 where id = $1";
    store.worker().await.unwrap().execute(add, &[&of.client, &url]).await.unwrap();
    of
}

#[tokio::test]
async fn one_that_cannot_be_told_keeps_no_other_from_it() {
    let store = store().await;
    let (first, second) = (told_client(&store).await, told_client(&store).await);
    assert!(first.client < second.client, "so the first one is told first");
    let (_, ledger) = process(&store);
    for of in [&first, &second] {
        ledger.settle(of, 10, None).await.unwrap();
    }
    let refuse = format!(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
         create trigger refuse before insert on webhook for each row when (new.client = '{}')
             execute function refuse()",
        first.client,
    );
    run(&store, &refuse).await;
    sweep(&store).await.unwrap();
    let told = async |of: &Access| {
        let told = format!("select told from usage where client = '{}'", of.client);
        let webhooks = format!("select count(*) from webhook where client = '{}'", of.client);
        (ask(&store, &told).await, ask(&store, &webhooks).await)
    };
    assert_eq!((told(&first).await, told(&second).await), ((0, 0), (100, 2)));
    run(&store, "drop trigger refuse on webhook").await;
    sweep(&store).await.unwrap();
    assert_eq!((told(&first).await, told(&second).await), ((100, 2), (100, 2)));
}

#[tokio::test]
async fn requests_of_a_client_do_not_wait_while_it_is_told() {
    let store = store().await;
    let of = told_client(&store).await;
    let (_, ledger) = process(&store);
    ledger.settle(&of, 8, None).await.unwrap();
    let mut other = store.worker().await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("lock table webhook in share mode").await.unwrap();
    let meanwhile = async {
        until(&store, WAITS).await;
        ledger.settle(&of, 1, None).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (swept, ()) = tokio::join!(sweep(&store), meanwhile);
    swept.unwrap();
    assert_eq!(used(&store, &of).await, (9, 0));
    assert_eq!(ask(&store, "select count(*) from webhook").await, 1);
    assert_eq!(ask(&store, "select told from usage").await, 80);
}
