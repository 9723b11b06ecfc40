//! `mailsonde webhook …`: the secrets that sign a client's webhooks, and a message to try a receiver with.

use std::{path::Path, time::Duration};

use anstream::println;
use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{Usage, args::JobFormat, client, human::FAINT, service::Service};
use crate::{
    assembly::Parts,
    facade::email_verifier::moment,
    store::webhooks::{self, StoredSecret},
    webhooks::{
        Guard, Message,
        secrets::{self, SecretError},
    },
};

/// For how long old secrets may sign beside a new one.
const OVERLAP_MAX: Duration = Duration::from_hours(24 * 30);

/// What can be done with webhooks.
#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Make, list and replace the secrets that sign a client's webhooks
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Send a client's receiver a message to try it with; whoever works delivers it. Prints its id
    Test {
        /// The client: its name or id
        client: String,
        /// Where to
        url: String,
    },
}

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Make a client's first secret; prints it, and never again
    Create {
        /// The client: its name or id
        client: String,
    },
    /// List the secrets that sign a client's webhooks now, the newest first
    List {
        /// The client: its name or id
        client: String,
        /// How to print
        #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
        format: JobFormat,
    },
    /// Make a new secret; prints it, and never again. The old one signs too, for a while
    Rotate(RotateArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct RotateArgs {
    /// The client: its name or id
    pub client: String,
    /// For how long the old one signs too; 0s: no longer
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = overlap)]
    pub overlap: Duration,
}

fn overlap(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(overlap) if overlap <= OVERLAP_MAX => Ok(overlap),
        Ok(_) => Err("more than 30 days".into()),
        Err(_) => Err("not a time such as 24h".into()),
    }
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &WebhookCommand) -> Result<()> {
    let service = Service::open(config)?;
    let done = match command {
        WebhookCommand::Secret(SecretCommand::Create { client }) => create(&service, client),
        WebhookCommand::Secret(SecretCommand::List { client, format }) => list(&service, client, *format),
        WebhookCommand::Secret(SecretCommand::Rotate(args)) => rotate(&service, args),
        WebhookCommand::Test { client, url } => test(&service, client, url),
    };
    service.close()?;
    done
}

fn create(service: &Service, named: &str) -> Result<()> {
    let client = client::find(service, named)?;
    print(service.runtime.block_on(secrets::create(&service.store, client.id)))
}

fn rotate(service: &Service, args: &RotateArgs) -> Result<()> {
    let client = client::find(service, &args.client)?;
    print(service.runtime.block_on(secrets::rotate(&service.store, client.id, args.overlap)))
}

/// Alone, so that it can be handed on.
fn print(drawn: Result<secrets::Secret, SecretError>) -> Result<()> {
    match drawn {
        Ok(secret) => println!("{}", secret.written()),
        Err(SecretError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Usage(error.to_string()).into()),
    }
    Ok(())
}

fn list(service: &Service, named: &str, format: JobFormat) -> Result<()> {
    let client = client::find(service, named)?;
    let Service { runtime, store, .. } = service;
    let stored = runtime.block_on(async { webhooks::secrets(&store.request().await?, client.id).await })?;
    match format {
        JobFormat::Json => {
            println!("{}", serde_json::to_string_pretty(&stored.iter().map(object).collect::<Vec<_>>())?);
        }
        JobFormat::Human => stored.iter().for_each(|secret| println!("{}", line(secret))),
    }
    Ok(())
}

fn object(secret: &StoredSecret) -> serde_json::Value {
    json!({
        "id": secret.id,
        "created_at": moment(secret.created_at),
        "expires_at": secret.expires_at.map(moment),
    })
}

fn line(secret: &StoredSecret) -> String {
    let end = match secret.expires_at {
        Some(expires_at) => format!("signs until {}", moment(expires_at)),
        None => "signs".into(),
    };
    format!("{} {end} {FAINT}made {}{FAINT:#}", secret.id, moment(secret.created_at))
}

fn test(service: &Service, named: &str, url: &str) -> Result<()> {
    let Service { settings, runtime, .. } = service;
    let client = client::find(service, named)?;
    let resolver = {
        let _within = runtime.enter();
        Parts::new(settings)?.resolver()?
    };
    let guard = Guard::new(settings.section("webhooks")?, resolver);
    runtime
        .block_on(guard.check(url))
        .map_err(|fault| Usage(format!("webhooks cannot go there: {fault}")))?;
    let id = runtime.block_on(send(service, client.id, url))?;
    println!("{id}");
    Ok(())
}

async fn send(service: &Service, client: Uuid, url: &str) -> Result<Uuid> {
    let store = &service.store;
    let body = json!({ "type": "webhook.test", "timestamp": moment(Timestamp::now()), "data": {} });
    let message = Message { url: url.into(), body: body.to_string(), is_of_tasks: false };
    let webhook = message.sealed(store.keys(), client, None);
    webhooks::add(&store.request().await?, &webhook).await?;
    Ok(webhook.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_secrets_sign_for_a_time_that_can_be_read_and_not_for_ever() {
        assert_eq!(overlap("24h"), Ok(Duration::from_hours(24)));
        assert_eq!(overlap("30d"), Ok(OVERLAP_MAX));
        assert_eq!(overlap("31d"), Err("more than 30 days".into()));
        assert_eq!(overlap("soon"), Err("not a time such as 24h".into()));
    }
}
