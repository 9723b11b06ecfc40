//! The first run of `make run`: a client and a key, where there is none, and a line to try them with.

use std::net::SocketAddr;

use anyhow::Result;
use uuid::Uuid;

use super::serve::say;
use crate::{
    access::{self, Facade},
    store::{
        LOCAL_CLIENT, Store,
        clients::{self, NewClient},
    },
};

/// What the first client is called.
const NAME: &str = "first";

/// What is said where there is a client.
const BEFORE: &str =
    "keys: those that were made before; `mailsonde key create CLIENT --for email-verifier` makes another";

/// Makes the first client and its key, unless there is a client; says how to use it.
pub(super) async fn tell(store: &Store, address: SocketAddr) -> Result<()> {
    let known = clients::all(&store.request().await?).await?;
    if known.iter().any(|client| client.id != LOCAL_CLIENT) {
        return say(BEFORE);
    }
    let client = NewClient {
        id: Uuid::now_v7(),
        name: NAME,
        monthly_quota: None,
        hard_cap: false,
        alert_url: None,
        running_max: None,
    };
    let facade = Facade::EmailVerifier;
    let made = access::issue_with_client(store, &client, facade, facade.default_scopes()).await?;
    // Another process may have made it just now.
    let Some(key) = made else { return say(BEFORE) };
    say(&format!("a first client, `{NAME}`, has this key, which is shown once: {}", key.expose()))?;
    say(&format!(
        "try it: curl -s http://{address}/api/v1/verify -H 'Api-Key: {}' -H 'Content-Type: application/json' \
         -d '{{\"email\":\"nobody@example.invalid\"}}'",
        key.expose()
    ))
}
