//! The first run of `make run`: a client and a key, where there is none, and a line to try them with.

use std::net::SocketAddr;

use anyhow::Result;
use uuid::Uuid;

use super::serve::say;
use crate::{
    access::{self, Facade},
    store::{
        LOCAL_CLIENT, Store,
        access::KeyExpiry,
        clients::{self, NewClient},
    },
};

/// What the first client is called.
const NAME: &str = "first";

/// Makes the first client and its key, unless there is a client; says how to use it.
pub(super) async fn tell(store: &Store, address: SocketAddr) -> Result<()> {
    let has_client =
        clients::all(&store.request().await?).await?.iter().any(|client| client.id != LOCAL_CLIENT);
    if has_client {
        return say(
            "keys: those that were made before; `mailsonde key create CLIENT --for email-verifier` makes another",
        );
    }
    let id = Uuid::now_v7();
    let client = NewClient {
        id,
        name: NAME,
        monthly_quota: None,
        hard_cap: false,
        alert_url: None,
        running_max: None,
    };
    clients::add(&store.request().await?, &client).await?;
    let facade = Facade::EmailVerifier;
    let key = access::issue(store, id, facade, facade.default_scopes(), KeyExpiry::default()).await?;
    say(&format!("a first client, `{NAME}`, has this key, which is shown once: {}", key.expose()))?;
    say(&format!(
        "try it: curl -s http://{address}/api/v1/verify -H 'Api-Key: {}' -H 'Content-Type: application/json' \
         -d '{{\"email\":\"nobody@example.invalid\"}}'",
        key.expose()
    ))
}
