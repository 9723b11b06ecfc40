//! `mailsonde data`: what the lists hold, and newer ones in their place.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use mailsonde_builtin::lists::{ListName, Lists, Refresh, Source, refresh};
use mailsonde_config::{Settings, did_you_mean};
use mailsonde_engine::Tier;

use super::{
    Usage,
    args::{DataCommand, RefreshArgs},
};
use crate::assembly;

/// Octets of a downloaded list that are taken: ten times the largest one known.
const DOWNLOAD_OCTETS_MAX: u64 = 32 * 1024 * 1024;

/// Time for one download.
const DOWNLOAD_TIME_MAX: Duration = Duration::from_mins(2);

/// A list as `--list` and the files of a folder name it; the two tiers of disposable domains are refreshed apart.
struct Target {
    name: &'static str,
    list: ListName,
    tier: Option<Tier>,
}

const TARGETS: &[Target] = &[
    Target { name: "mainstream", list: ListName::Mainstream, tier: None },
    Target { name: "alias-relays", list: ListName::AliasRelays, tier: None },
    Target { name: "alias-operators", list: ListName::AliasOperators, tier: None },
    Target { name: "disposable-curated", list: ListName::Disposable, tier: Some(Tier::Curated) },
    Target { name: "disposable-broad", list: ListName::Disposable, tier: Some(Tier::Broad) },
    Target { name: "free-providers", list: ListName::FreeProviders, tier: None },
    Target { name: "disposable-mx", list: ListName::DisposableMx, tier: None },
    Target { name: "parking", list: ListName::Parking, tier: None },
    Target { name: "tld-risk", list: ListName::TldRisk, tier: None },
];

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &DataCommand) -> Result<()> {
    let folder = assembly::data_folder(&Settings::load(config)?)?;
    match command {
        DataCommand::Stats { json } => stats(&Lists::load(&folder)?, *json),
        DataCommand::Refresh(args) => refresh_lists(&folder, args),
    }
}

fn stats(lists: &Lists, json: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, lists.manifest())?;
        return Ok(writeln!(out)?);
    }
    writeln!(out, "{:<16}{:>9}  {:<11}source", "list", "entries", "date")?;
    for name in ListName::ALL {
        let size = lists.get(name).len();
        writeln!(out, "{:<16}{size:>9}", name.as_str())?;
        for source in lists.manifest().get(&name).into_iter().flatten() {
            let Source { name, version, date, licence, tier, entries } = source;
            let tier = match tier {
                Some(Tier::Curated) => "curated",
                Some(Tier::Broad) => "broad",
                None => "",
            };
            writeln!(out, "  {tier:<14}{entries:>9}  {date:<11}{name} {version} ({licence})")?;
        }
    }
    Ok(())
}

fn refresh_lists(folder: &Path, args: &RefreshArgs) -> Result<()> {
    let Some(wanted) = &args.list else {
        return refresh_all(folder, args);
    };
    let Some(target) = TARGETS.iter().find(|target| target.name == wanted) else {
        let hint = did_you_mean(wanted, TARGETS.iter().map(|target| target.name));
        return Err(Usage(format!("there is no list `{wanted}`{hint}")).into());
    };
    let text = fetch(&args.from)?.with_context(|| format!("{} is not there", args.from))?;
    replace(folder, target, &text, &args.from, args.force)
}

/// Replaces every list for which the folder, or the place behind the URL, has a text of that name.
fn refresh_all(folder: &Path, args: &RefreshArgs) -> Result<()> {
    let mut replaced = 0;
    for target in TARGETS {
        let from = format!("{}/{}.txt", args.from.trim_end_matches('/'), target.name);
        if let Some(text) = fetch(&from)? {
            replace(folder, target, &text, &from, args.force)?;
            replaced += 1;
        }
    }
    if replaced == 0 {
        let names: Vec<_> = TARGETS.iter().map(|target| format!("{}.txt", target.name)).collect();
        let message = format!("{} holds none of {}; a single file needs --list", args.from, names.join(", "));
        return Err(Usage(message).into());
    }
    Ok(())
}

fn replace(folder: &Path, target: &Target, text: &str, from: &str, force: bool) -> Result<()> {
    let source = Source {
        name: from.to_owned(),
        version: String::new(),
        date: Timestamp::now().strftime("%F").to_string(),
        licence: String::new(),
        tier: target.tier,
        entries: 0,
    };
    let done = refresh(folder, &Refresh { list: target.list, text, source, force })?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {} entries, {} before", target.name, done.after, done.before)?;
    if done.kept_out > 0 {
        writeln!(out, "  {} left out: another list knows better", done.kept_out)?;
    }
    if let Some(first) = done.refused.first() {
        let count = done.refused.len();
        writeln!(out, "  {count} lines are no domain; the first is line {}: {}", first.number, first.reason)?;
    }
    Ok(())
}

/// The text of a file or URL; `None` when there is none.
fn fetch(from: &str) -> Result<Option<String>> {
    if !from.starts_with("https://") && !from.starts_with("http://") {
        return match fs::read_to_string(from) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| from.to_owned()),
        };
    }
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(DOWNLOAD_TIME_MAX)).build().into();
    match agent.get(from).call() {
        Ok(mut response) => {
            let body = response.body_mut().with_config().limit(DOWNLOAD_OCTETS_MAX);
            Ok(Some(body.read_to_string().with_context(|| from.to_owned())?))
        }
        Err(ureq::Error::StatusCode(404)) => Ok(None),
        Err(error) => Err(error).with_context(|| from.to_owned()),
    }
}
