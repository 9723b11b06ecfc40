//! `mailsonde key …`: the keys of clients. A key is printed once, when it is made.

use std::{io, path::Path, str::FromStr, time::Duration};

use anstream::println;
use anyhow::{Context as _, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;
use mailsonde_config::did_you_mean;
use serde_json::json;
use uuid::Uuid;

use super::{
    Usage,
    args::JobFormat,
    client,
    human::{BAD, CARE, FAINT, GOOD, escaped},
    service::Service,
};
use crate::{
    access::{self, Facade, Scope},
    bounces,
    store::access::{self as kept, KeyExpiry, KeyRow},
};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key for a client, and print it: it is shown this once
    Create(CreateArgs),
    /// List keys, the newest first
    List {
        /// Those of this client alone: its name or id
        client: Option<String>,
        /// How to print
        #[arg(long, short, value_enum, default_value_t = JobFormat::Human)]
        format: JobFormat,
    },
    /// End a key at once
    Revoke {
        /// The key's id; `-` reads the key itself from standard input
        key: String,
    },
    /// Make a key in the place of another one, and print it
    Rotate(RotateArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct CreateArgs {
    /// The client: its name or id
    pub client: String,
    /// The product whose API it opens
    #[arg(long = "for", value_enum, value_name = "PRODUCT")]
    pub facade: Facade,
    /// What it is good for [default: email-verifier: verify; relentless: identity,jobs,account; tasks: verify]
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// How long it is good, e.g. 90d, or until when, e.g. 2027-06-30 [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Expires>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RotateArgs {
    /// The key's id; `-` reads the key itself from standard input
    pub key: String,
    /// How long the old one is still good, e.g. 24h
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub grace: Duration,
    /// How long the new one is good, or until when [default: as long as the old one was]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Expires>,
}

/// When a key expires: in the future, and not later than a person can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expires {
    After(Duration),
    At(Timestamp),
}

/// A hundred years: beyond is a slip of the keyboard, and what dates cannot hold.
const EXPIRES_MAX: Duration = Duration::from_hours(100 * 365 * 24);

impl FromStr for Expires {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let now = Timestamp::now();
        if let Some(at) = bounces::date(text) {
            let is_far = now.checked_add(EXPIRES_MAX).is_ok_and(|last| at > last);
            return if at > now && !is_far { Ok(Self::At(at)) } else { Err(OUT_OF_RANGE.into()) };
        }
        match humantime::parse_duration(text) {
            Ok(after) if !after.is_zero() && after <= EXPIRES_MAX => Ok(Self::After(after)),
            Ok(_) => Err(OUT_OF_RANGE.into()),
            Err(_) => Err("no time such as 90d, and no date such as 2027-06-30".into()),
        }
    }
}

const OUT_OF_RANGE: &str = "not within the next 100 years";

/// As the store takes it.
fn expiry(expires: Option<Expires>) -> KeyExpiry {
    match expires {
        None => KeyExpiry::default(),
        Some(Expires::After(after)) => KeyExpiry { after: Some(after), at: None },
        Some(Expires::At(at)) => KeyExpiry { at: Some(at), after: None },
    }
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &KeyCommand) -> Result<()> {
    if let KeyCommand::Create(args) = command {
        scopes(args.facade, &args.scopes)?;
    }
    let service = Service::open(config)?;
    let done = match command {
        KeyCommand::Create(args) => create(&service, args),
        KeyCommand::List { client, format } => list(&service, client.as_deref(), *format),
        KeyCommand::Revoke { key } => revoke(&service, key),
        KeyCommand::Rotate(args) => rotate(&service, args),
    };
    service.close()?;
    done
}

/// The scopes that were asked for, each once; the usual ones where none was.
fn scopes(facade: Facade, words: &[String]) -> Result<Vec<Scope>> {
    if words.is_empty() {
        return Ok(facade.default_scopes().to_vec());
    }
    let mut scopes = Vec::new();
    for word in words {
        let Some(scope) = Scope::of(word.trim()).filter(|scope| facade.scopes().contains(scope)) else {
            let known: Vec<&str> = facade.scopes().iter().map(|scope| scope.word()).collect();
            let hint = did_you_mean(word, known);
            let (word, facade) = (escaped(word), facade.word());
            return Err(Usage(format!("keys for {facade} have no scope `{word}`{hint}")).into());
        };
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn create(service: &Service, args: &CreateArgs) -> Result<()> {
    let client = client::find(service, &args.client)?;
    let scopes = scopes(args.facade, &args.scopes)?;
    let Service { runtime, store, .. } = service;
    let token =
        runtime.block_on(access::issue(store, client.id, args.facade, &scopes, expiry(args.expires)))?;
    println!("{}", token.expose());
    Ok(())
}

fn list(service: &Service, named: Option<&str>, format: JobFormat) -> Result<()> {
    let client = named.map(|named| client::find(service, named)).transpose()?;
    let Service { runtime, store, .. } = service;
    let of = client.map(|client| client.id);
    let rows = runtime.block_on(async { kept::all(&store.request().await?, of).await })?;
    match format {
        JobFormat::Json => {
            println!("{}", serde_json::to_string_pretty(&rows.iter().map(object).collect::<Vec<_>>())?);
        }
        JobFormat::Human => rows.iter().for_each(|row| println!("{}", line(row))),
    }
    Ok(())
}

fn revoke(service: &Service, named: &str) -> Result<()> {
    let row = find(service, named)?;
    let Service { runtime, store, .. } = service;
    let is_done = runtime
        .block_on(async { kept::revoke(&mut store.request().await?, row.id, Duration::ZERO).await })?;
    if is_done { Ok(()) } else { has_ended(&row) }
}

fn rotate(service: &Service, args: &RotateArgs) -> Result<()> {
    let row = find(service, &args.key)?;
    let facade = Facade::of(&row.facade).context("the key is of a later version of mailsonde")?;
    let Service { runtime, store, .. } = service;
    let made = runtime.block_on(access::rotate(store, row.id, facade, args.grace, expiry(args.expires)))?;
    let Some(token) = made else { return has_ended(&row) };
    println!("{}", token.expose());
    Ok(())
}

fn has_ended(row: &KeyRow) -> Result<()> {
    bail!("{} was revoked before: nothing is changed", row.id)
}

/// The key of this id, or the one that stands on standard input: on a command line others could read it.
fn find(service: &Service, named: &str) -> Result<KeyRow> {
    let Service { runtime, store, .. } = service;
    let id = if named == "-" {
        let presented = io::read_to_string(io::stdin()).context("reading the key")?;
        runtime.block_on(access::id_of(store, presented.trim()))?
    } else {
        let id: Result<Uuid, _> = named.parse();
        // What was given may be a key: it is not repeated.
        Some(id.map_err(|_| Usage("that is no id of a key; `key list` shows them".into()))?)
    };
    let found = match id {
        Some(id) => runtime.block_on(async { kept::find(&store.request().await?, id).await })?,
        None => None,
    };
    found.ok_or_else(|| Usage("there is no such key".into()).into())
}

fn object(row: &KeyRow) -> serde_json::Value {
    json!({
        "id": row.id,
        "client": row.client,
        "for": row.facade,
        "hint": row.hint,
        "scopes": row.scopes,
        "state": state(row),
        "created_at": format!("{:.0}", row.created_at),
        "expires_at": row.expires_at.map(|at| format!("{at:.0}")),
        "revoked_at": row.revoked_at.map(|at| format!("{at:.0}")),
    })
}

fn state(row: &KeyRow) -> &'static str {
    match row {
        KeyRow { is_revoked: true, .. } => "revoked",
        KeyRow { is_expired: true, .. } => "expired",
        KeyRow { revoked_at: Some(_), .. } => "replaced",
        _ => "active",
    }
}

fn line(row: &KeyRow) -> String {
    let word = state(row);
    let style = match word {
        "active" => GOOD,
        "replaced" => CARE,
        _ => BAD,
    };
    let end = match (row.revoked_at, row.expires_at) {
        (Some(at), _) if row.is_revoked => format!(", revoked {at:.0}"),
        (Some(at), _) => format!(", good until {at:.0}"),
        (None, Some(at)) if row.is_expired => format!(", expired {at:.0}"),
        (None, Some(at)) => format!(", until {at:.0}"),
        (None, None) => String::new(),
    };
    let hint = format!("{}…", row.hint);
    format!(
        "{} {style}{word:<8}{style:#} {hint:<15} {:<24} {FAINT}{}: {}{end}{FAINT:#}",
        row.id,
        escaped(&row.client),
        row.facade,
        row.scopes.join(","),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn scopes_are_those_of_the_product() {
        let of = |facade, text| scopes(facade, &words(text)).unwrap();
        assert_eq!(of(Facade::EmailVerifier, "verify,admin,verify"), [Scope::Verify, Scope::Admin]);
        assert_eq!(of(Facade::Relentless, "jobs, account"), [Scope::Jobs, Scope::Account]);
        assert_eq!(scopes(Facade::Tasks, &[]).unwrap(), [Scope::Verify]);
        let refused = scopes(Facade::EmailVerifier, &words("verifi")).unwrap_err();
        assert!(refused.is::<Usage>());
        assert!(refused.to_string().contains("`verify`"), "{refused}");
        assert!(scopes(Facade::Tasks, &words("identity")).is_err());
        assert!(scopes(Facade::Tasks, &words("")).is_err());
    }

    #[test]
    fn a_key_expires_after_a_time_or_at_a_date_to_come() {
        assert_eq!("90d".parse(), Ok(Expires::After(Duration::from_hours(90 * 24))));
        let at = Timestamp::now().checked_add(Duration::from_hours(30 * 24)).unwrap();
        let date = at.to_string()[..10].to_owned();
        assert!(matches!(date.parse(), Ok(Expires::At(at)) if at > Timestamp::now()), "{date}");
        for wrong in ["", "soon", "0s", "-1d", "2020-01-01", "200years", "9999-12-30", "90"] {
            assert!(wrong.parse::<Expires>().is_err(), "{wrong}");
        }
    }
}
