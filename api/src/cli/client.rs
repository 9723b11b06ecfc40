//! `mailsonde client …`: who is served, and on which terms.

use std::{
    io::{self, Write},
    path::Path,
};

use anstream::println;
use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use mailsonde_config::Settings;
use serde_json::json;
use uuid::Uuid;

use super::{
    Usage,
    args::JobFormat,
    human::{BAD, FAINT, GOOD, escaped},
    service::Service,
};
use crate::{
    store::{
        Store,
        clients::{self, ClientRow, NewClient, Terms},
        keys::Row,
    },
    webhooks::{WebhooksConfig, guard},
};

/// Characters of a client's name, at most: it stands in lists.
const NAME_MAX: usize = 100;

/// What can be done with clients.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Add a client; prints its id
    Create(CreateArgs),
    /// List clients, by name
    List {
        /// How to print
        #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
        format: JobFormat,
    },
    /// Show a client
    Show {
        /// The client: its name or id
        client: String,
        /// How to print
        #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
        format: JobFormat,
    },
    /// Change the terms on which a client is served
    Set(SetArgs),
    /// Serve a client again
    Activate {
        /// The client: its name or id
        client: String,
    },
    /// Refuse a client with all its keys; its jobs go on
    Deactivate {
        /// The client: its name or id
        client: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct CreateArgs {
    /// What to call it
    pub name: String,
    /// Credits of a month (UTC) [default: as many as it likes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub quota: Option<i64>,
    /// Do nothing more for it at the quota, instead of only saying so
    #[arg(long)]
    pub hard_cap: bool,
    /// Where to tell of 80 and 100 % of the quota
    #[arg(long, value_name = "URL")]
    pub alert_url: Option<String>,
    /// Tasks of it that may be at work at the same time [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub running_max: Option<i32>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SetArgs {
    /// The client: its name or id
    pub client: String,
    /// Credits of a month (UTC)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub quota: Option<i64>,
    /// As many credits as it likes
    #[arg(long, conflicts_with = "quota")]
    pub no_quota: bool,
    /// Whether nothing more is done for it at the quota
    #[arg(long, value_name = "BOOL")]
    pub hard_cap: Option<bool>,
    /// Where to tell of 80 and 100 % of the quota
    #[arg(long, value_name = "URL")]
    pub alert_url: Option<String>,
    /// Tell nobody
    #[arg(long, conflicts_with = "alert_url")]
    pub no_alert_url: bool,
    /// Tasks of it that may be at work at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub running_max: Option<i32>,
}

impl SetArgs {
    fn changes_anything(&self) -> bool {
        let (has_quota, has_url) = (self.quota.is_some(), self.alert_url.is_some());
        let has_rest = self.hard_cap.is_some() || self.running_max.is_some();
        has_quota || self.no_quota || has_url || self.no_alert_url || has_rest
    }
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &ClientCommand) -> Result<()> {
    match command {
        ClientCommand::Create(args) => check_name(&args.name)?,
        ClientCommand::Set(args) if !args.changes_anything() => {
            return Err(Usage("say what to change; `client set --help` lists it".into()).into());
        }
        _ => {}
    }
    let service = Service::open(config)?;
    let done = match command {
        ClientCommand::Create(args) => create(&service, args),
        ClientCommand::List { format } => list(&service, *format),
        ClientCommand::Show { client, format } => show(&service, client, *format),
        ClientCommand::Set(args) => set(&service, args),
        ClientCommand::Activate { client } => change(&service, client, |terms| terms.active = true),
        ClientCommand::Deactivate { client } => change(&service, client, |terms| terms.active = false),
    };
    service.close()?;
    done
}

/// A name that can be typed and told from an id.
fn check_name(name: &str) -> Result<()> {
    let fault = if name.trim() != name || name.is_empty() {
        "begins or ends with a space, or is empty"
    } else if name.chars().count() > NAME_MAX {
        "is longer than 100 characters"
    } else if name.chars().any(char::is_control) {
        "holds a control character"
    } else if name.parse::<Uuid>().is_ok() {
        "looks like an id"
    } else {
        return Ok(());
    };
    Err(Usage(format!("the name {fault}")).into())
}

fn create(service: &Service, args: &CreateArgs) -> Result<()> {
    let Service { settings, runtime, store } = service;
    let id = Uuid::now_v7();
    let new = NewClient {
        id,
        name: &args.name,
        monthly_quota: args.quota,
        hard_cap: args.hard_cap,
        alert_url: sealed_url(settings, store, id, args.alert_url.as_deref())?,
        running_max: args.running_max,
    };
    let is_new = runtime.block_on(async { clients::add(&store.request().await?, &new).await })?;
    if !is_new {
        return Err(Usage(format!("there is a client `{}` already", escaped(&args.name))).into());
    }
    println!("{id}");
    Ok(())
}

fn list(service: &Service, format: JobFormat) -> Result<()> {
    let rows = service.runtime.block_on(async { clients::all(&service.store.request().await?).await })?;
    match format {
        JobFormat::Json => {
            let objects = rows.iter().map(|row| object(&service.store, row)).collect::<Result<Vec<_>>>()?;
            println!("{}", serde_json::to_string_pretty(&objects)?);
        }
        JobFormat::Human => rows.iter().for_each(|row| println!("{}", line(row))),
    }
    Ok(())
}

fn show(service: &Service, named: &str, format: JobFormat) -> Result<()> {
    let row = find(service, named)?;
    let object = object(&service.store, &row)?;
    match format {
        JobFormat::Json => println!("{}", serde_json::to_string_pretty(&object)?),
        JobFormat::Human => {
            println!("{}", line(&row));
            let mut out = io::stdout().lock();
            for word in ["created_at", "monthly_quota", "hard_cap", "alert_url", "running_max", "keys"] {
                match &object[word] {
                    serde_json::Value::String(text) => writeln!(out, "  {word:<14} {}", escaped(text))?,
                    serde_json::Value::Null => writeln!(out, "  {word:<14} –")?,
                    other => writeln!(out, "  {word:<14} {other}")?,
                }
            }
        }
    }
    Ok(())
}

fn set(service: &Service, args: &SetArgs) -> Result<()> {
    let Service { settings, store, .. } = service;
    let row = find(service, &args.client)?;
    let url = sealed_url(settings, store, row.id, args.alert_url.as_deref())?;
    change(service, &args.client, |terms| {
        if args.no_quota || args.quota.is_some() {
            terms.monthly_quota = args.quota;
        }
        if args.no_alert_url || url.is_some() {
            terms.alert_url = url;
        }
        terms.hard_cap = args.hard_cap.unwrap_or(terms.hard_cap);
        terms.running_max = args.running_max.unwrap_or(terms.running_max);
    })
}

fn change(service: &Service, named: &str, change: impl FnOnce(&mut Terms)) -> Result<()> {
    let id = find(service, named)?.id;
    let is_done = service
        .runtime
        .block_on(async { clients::change(&mut service.store.request().await?, id, change).await })?;
    if is_done { Ok(()) } else { Err(no_client(named)) }
}

/// The client of this name or id.
pub(super) fn find(service: &Service, named: &str) -> Result<ClientRow> {
    let Service { runtime, store, .. } = service;
    let found = runtime.block_on(async { clients::find(&store.request().await?, named).await })?;
    found.ok_or_else(|| no_client(named))
}

fn no_client(named: &str) -> anyhow::Error {
    Usage(format!("there is no client `{}`", escaped(named))).into()
}

fn sealed_url(
    settings: &Settings,
    store: &Store,
    client: Uuid,
    url: Option<&str>,
) -> Result<Option<Vec<u8>>> {
    let Some(url) = url else { return Ok(None) };
    let config: WebhooksConfig = settings.section("webhooks")?;
    guard::check(url, &config).map_err(|fault| Usage(format!("--alert-url cannot be used: {fault}")))?;
    Ok(Some(store.keys().seal(Row::AlertUrl { client }, url.as_bytes())))
}

fn object(store: &Store, row: &ClientRow) -> Result<serde_json::Value> {
    let Terms { active, monthly_quota, hard_cap, alert_url, running_max } = &row.terms;
    let open = |sealed: &Vec<u8>| store.keys().open(Row::AlertUrl { client: row.id }, sealed);
    let url = alert_url.as_ref().map(open).transpose()?.map(String::from_utf8).transpose()?;
    Ok(json!({
        "id": row.id,
        "name": row.name,
        "active": active,
        "monthly_quota": monthly_quota,
        "hard_cap": hard_cap,
        "alert_url": url,
        "running_max": running_max,
        "keys": row.keys,
        "created_at": format!("{:.0}", row.created_at),
    }))
}

fn line(row: &ClientRow) -> String {
    let (word, style) = if row.terms.active { ("active", GOOD) } else { ("inactive", BAD) };
    let quota = match row.terms.monthly_quota {
        Some(quota) if row.terms.hard_cap => format!("{quota} a month at most"),
        Some(quota) => format!("{quota} a month"),
        None => "no quota".into(),
    };
    let keys = if row.keys == 1 { "1 key".into() } else { format!("{} keys", row.keys) };
    format!("{} {style}{word:<8}{style:#} {:<24} {FAINT}{quota}, {keys}{FAINT:#}", row.id, escaped(&row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_ids_and_can_be_typed() {
        for name in ["acme", "Acme GmbH & Co.", "ü", &"x".repeat(100)] {
            check_name(name).unwrap();
        }
        let id = Uuid::from_u128(7).to_string();
        for name in ["", " acme", "acme ", "a\nb", "a\u{1b}[31m", &id, &"x".repeat(101)] {
            assert!(check_name(name).unwrap_err().is::<Usage>(), "{name:?}");
        }
    }
}
