//! Forgetting of requests that were answered at once. Tokens say in which of them somebody may stand; of people who were
//! looked for, all of a domain have the same.

use mailsonde_engine::Address;
use uuid::Uuid;

use crate::{
    facade::relentless::kept::Kept,
    store::{
        Connection, StoreError,
        keys::{Keyring, Row, ShortToken},
        requests,
    },
};

/// Removes a person from a client's requests. Returns how many were about it.
pub(super) async fn forget(
    keys: &Keyring,
    client: &mut Connection,
    of: Uuid,
    person: &Address,
    tokens: &[ShortToken],
) -> Result<u64, StoreError> {
    let (mut forgotten, mut after) = (0, Uuid::nil());
    loop {
        let held = requests::holders(client, of, tokens, after).await?;
        let Some((last, _)) = held.last() else { return Ok(forgotten) };
        after = *last;
        let mut meant = Vec::new();
        for (id, sealed) in held {
            if Kept::read(&keys.open(Row::Request { id }, &sealed)?)?.is_about(person) {
                meant.push(id);
            }
        }
        forgotten += requests::forget(client, &meant).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        jobs::forget::forget,
        store::{
            LOCAL_CLIENT, Store,
            requests::{NewRequest, Together, Wanted},
            testing::store_without_tasks,
        },
    };

    /// Somebody was looked for, and this address was told.
    async fn look_for(store: &Store, name: &str, address: Option<&str>) {
        let result = json!({
            "state": "undeliverable", "outcome": "not_found", "address": address, "is_alias": false, "alias": null,
            "is_catchall": false, "identity_providers": [], "mx_hosts": [], "request_id": "r",
        });
        let input = json!({ "name": name, "domain": "https://www.example.com/about" });
        let kept: Kept = serde_json::from_value(json!({ "input": input, "result": result })).unwrap();
        let id = Uuid::now_v7();
        let new = NewRequest {
            id,
            kind: "finder",
            state: "undeliverable",
            outcome: "not_found",
            charge_micros: 0,
            sealed: store.keys().seal(Row::Request { id }, &serde_json::to_vec(&kept).unwrap()),
            tokens: kept.tokens(store.keys(), LOCAL_CLIENT),
        };
        let together = Together { client: LOCAL_CLIENT, took: Duration::ZERO, kept: Duration::from_hours(1) };
        requests::add(&mut store.request().await.unwrap(), together, &[new], None).await.unwrap();
    }

    /// Whoever is still known to have been asked about, the latest first.
    async fn known(store: &Store) -> Vec<String> {
        let wanted = Wanted { client: LOCAL_CLIENT, kind: None, state: None };
        let (rows, total) = requests::page(&mut store.request().await.unwrap(), wanted, 25, 0).await.unwrap();
        assert_eq!(usize::try_from(total).unwrap(), rows.len());
        let open =
            |row: &requests::RequestRow| store.keys().open(Row::Request { id: row.id }, &row.sealed).unwrap();
        let label = |row| Kept::read(&open(row)).unwrap().input.label();
        rows.iter().map(label).collect()
    }

    #[tokio::test]
    async fn who_was_looked_for_in_vain_is_forgotten_and_no_colleague_is() {
        let store = store_without_tasks().await;
        look_for(&store, "John Smith", None).await;
        look_for(&store, "Jane Doe", Some("jdoe@example.com")).await;
        look_for(&store, "Jane Doe", None).await;
        look_for(&store, "Jane D", Some("jane.doe@example.com")).await;
        let jane = Address::new("jane.doe", "example.com");
        assert_eq!(forget(&store, &jane).await.unwrap().requests, 2);
        let site = "https://www.example.com/about";
        assert_eq!(known(&store).await, [format!("Jane Doe @ {site}"), format!("John Smith @ {site}")]);
        assert_eq!(forget(&store, &jane).await.unwrap().requests, 0);
        let other = Address::new("jdoe", "example.com");
        assert_eq!(forget(&store, &other).await.unwrap().requests, 1, "the one that was told");
    }
}
