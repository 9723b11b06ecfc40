//! Who has come to 80 or 100 % of a monthly quota is told: by a line in the log, and a webhook where the client wants one.
//! Once a month each. What counts is what was done; what is held for work under way may yet cost nothing.

use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

use super::Usage;
use crate::{
    facade::email_verifier,
    store::{
        Connection, Store, StoreError,
        billing::{self, Reached, Telling},
        keys::{Keyring, Row},
        webhooks,
    },
    webhooks::Message,
};

/// `{"type":"usage.threshold","timestamp":…,"data":{"threshold":0.8,"usage":Usage}}`.
#[derive(Debug, Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    timestamp: &'a str,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    threshold: f64,
    usage: &'a Usage,
}

/// Tells all who are to be told. One that cannot be told keeps nobody else from it.
///
/// # Errors
/// The store is away, or does not say who is to be told.
pub(super) async fn tell(store: &Store) -> Result<(), StoreError> {
    let mut connection = store.worker().await?;
    for (of, month) in billing::due(&connection).await? {
        match tell_one(store.keys(), &mut connection, of, month).await {
            Err(error @ StoreError::Away(_)) => return Err(error),
            Err(error) => tracing::warn!("client {of} cannot be told of its usage: {error}"),
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn tell_one(
    keys: &Keyring,
    connection: &mut Connection,
    of: Uuid,
    month: Date,
) -> Result<(), StoreError> {
    let Some(telling) = Telling::begin(connection, of, month).await? else { return Ok(()) };
    for message in messages(keys, &telling.reached) {
        webhooks::add(&telling.tx, &message.sealed(keys, of, None)).await?;
    }
    // The client's requests wait for what comes now.
    if let Some(reached) = telling.end().await? {
        log(&reached);
    }
    Ok(())
}

/// One for each threshold that was reached; none where nobody wants to be told.
fn messages(keys: &Keyring, reached: &Reached) -> Vec<Message> {
    let Some(url) = alert_url(keys, reached) else { return Vec::new() };
    let (timestamp, usage) = (email_verifier::moment(reached.at), Usage::from(&reached.usage));
    let message = |threshold: &i16| {
        let data = Data { threshold: f64::from(*threshold) / 100.0, usage: &usage };
        let envelope = Envelope { r#type: "usage.threshold", timestamp: &timestamp, data };
        let body = serde_json::to_string(&envelope).expect("numbers and texts can be written");
        Message { url: url.clone(), body, is_of_tasks: false }
    };
    reached.thresholds.iter().map(message).collect()
}

/// An address that cannot be read keeps nobody else from being told.
fn alert_url(keys: &Keyring, reached: &Reached) -> Option<String> {
    let client = reached.usage.client;
    let opened = keys.open(Row::AlertUrl { client }, reached.alert_url.as_ref()?);
    match opened.map(String::from_utf8) {
        Ok(Ok(url)) => Some(url),
        Ok(Err(_)) => None,
        Err(error) => {
            tracing::warn!("where client {client} wants to be told of its usage cannot be read: {error}");
            None
        }
    }
}

fn log(reached: &Reached) {
    let usage = Usage::from(&reached.usage);
    for threshold in &reached.thresholds {
        tracing::warn!(
            "client {} has used {threshold} % of its quota for {}: {} of {}",
            usage.client_id,
            usage.period_month,
            usage.billable_units,
            usage.monthly_quota.unwrap_or_default(),
        );
    }
}
