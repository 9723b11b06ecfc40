//! Assembly: from settings to pipelines. The list of built-in stages is here, in one place and explicit; plugins are
//! the tables `[stage.NAME]` that name a file.

mod choice;
mod parts;
mod plugins;
mod stop_words;
mod switched;
mod up_to;
mod variants;

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use mailsonde_builtin::{
    alias, disposable, dns, domain_trust,
    finder_permutation::{self, FinderPermutation},
    free_provider, history, random_pattern, reverse_dns, role, smtp_probe, syntax, typo,
};
use mailsonde_config::{ConfigError, OnFault, Settings, SlotConfig, StageSection, did_you_mean, nearest};
use mailsonde_engine::{Check, Facts, Pipeline, PipelineError, Policy, Pure, Slot, Stage};
use mailsonde_net::SmtpConfig;
use nix::unistd::Uid;
use serde::Deserialize;

pub(crate) use choice::{Choice, asks_mail_servers};
pub use parts::Parts;
pub use plugins::offline_skips;
pub use switched::Bereft;
use switched::{Supply, Written};
pub(crate) use up_to::up_to;
pub(crate) use variants::Variants;

/// The tables that a configuration may have.
const SECTIONS: &[&str] = &[
    "pipeline",
    "stage",
    "dns",
    "smtp",
    "judge",
    "data",
    "database",
    "encryption",
    "jobs",
    "webhooks",
    "http",
    "relentless",
    "tasks",
];

/// The stage that asks mail servers.
pub(crate) const SMTP_PROBE: &str = "smtp-probe";

/// The stage that looks up the standing of domains.
const DOMAIN_TRUST: &str = "domain-trust";

/// The stage that knows where anyone can open a mailbox.
const FREE_PROVIDER: &str = "free-provider";

/// The stage that makes addresses of names.
const FINDER_PERMUTATION: &str = "finder-permutation";

/// The built-in stages that need a network: what `--offline` leaves out, with the plugins that ask DNS
/// ([`offline_skips`]).
pub const OFFLINE_SKIPS: &[&str] = &["dns", DOMAIN_TRUST, SMTP_PROBE, "reverse-dns"];

/// The built-in stage that needs a store: left out where there is none.
const HISTORY: &str = "history";

/// A stage that pipelines may name.
pub struct StageKind {
    /// Its name.
    pub name: &'static str,
    /// What it finds, as its `facts` say: known without building it, since one that is switched off is not built.
    writes: &'static [&'static str],
    build: fn(&StageSection<'_>, &Parts<'_>) -> Result<Arc<dyn Stage>>,
}

/// Every built-in stage. Adding one is adding its file and a line here.
pub const STAGES: &[StageKind] = &[
    StageKind {
        name: "syntax",
        writes: &["syntax.error"],
        build: |section, parts| {
            let config: syntax::Config = section.options()?;
            let policy = parts.syntax_policy.unwrap_or(config.policy);
            Ok(pure(syntax::Syntax::new(syntax::Config { policy })))
        },
    },
    StageKind {
        name: "typo",
        writes: &["typo.suggestion", "typo.trap"],
        build: |section, parts| {
            let lists = parts.lists.clone();
            let is_known = Arc::new(move |domain: &str| lists.is_free_provider(domain));
            Ok(pure(typo::Typo::new(&section.options()?, is_known)))
        },
    },
    StageKind {
        name: "disposable",
        writes: &["disposable.tier"],
        build: |section, parts| {
            Ok(pure(disposable::Disposable::new(&section.options()?, parts.lists.clone())?))
        },
    },
    StageKind {
        name: FREE_PROVIDER,
        writes: &["free_provider"],
        build: |section, parts| {
            Ok(pure(free_provider::FreeProvider::new(&section.options()?, parts.lists.clone())?))
        },
    },
    StageKind {
        name: "role",
        writes: &["role.type"],
        build: |section, _| Ok(pure(role::Role::new(&section.options()?))),
    },
    StageKind {
        name: "alias",
        writes: &["alias.type"],
        build: |section, parts| Ok(pure(alias::Alias::new(&section.options()?, parts.lists.clone())?)),
    },
    StageKind {
        name: "random-pattern",
        writes: &["random.pattern"],
        build: |section, _| Ok(pure(random_pattern::RandomPatternStage::new(section.options()?))),
    },
    StageKind {
        name: HISTORY,
        writes: &["history"],
        build: |section, parts| Ok(Arc::new(history::Recall::new(section.options()?, parts.history()))),
    },
    StageKind {
        name: FINDER_PERMUTATION,
        writes: &["finder.candidate", "free_provider", "syntax.error"],
        build: |section, parts| {
            let (formats, resolver) = (parts.formats(), parts.resolver()?);
            let free_providers = parts.settings.stage(FREE_PROVIDER)?.options()?;
            let free_providers = free_provider::FreeProvider::new(&free_providers, parts.lists.clone())?;
            let is_free = Arc::new(move |domain: &str| free_providers.is_free(domain));
            Ok(Arc::new(FinderPermutation::new(section.options()?, is_free, formats, resolver)))
        },
    },
    StageKind {
        name: "dns",
        writes: &["dns.route", "dns.operator", "dns.disposable_mx", "dns.parked"],
        build: |section, parts| {
            Ok(Arc::new(dns::Dns::new(section.options()?, parts.resolver()?, parts.lists.clone())))
        },
    },
    StageKind {
        name: DOMAIN_TRUST,
        writes: &["domain.trust"],
        build: |section, parts| {
            let config = section.options()?;
            Ok(Arc::new(domain_trust::DomainTrust::new(&config, parts.resolver()?, parts.lists.clone())?))
        },
    },
    StageKind {
        name: SMTP_PROBE,
        writes: &["smtp.reply", "smtp.catch_all", "smtp.failed"],
        build: |section, parts| Ok(Arc::new(smtp_probe::SmtpProbe::new(section.options()?, parts.prober()?))),
    },
    StageKind {
        name: "reverse-dns",
        writes: &["dns.reverse"],
        build: |section, parts| {
            let destinations = parts.settings.section::<SmtpConfig>("smtp")?.destinations;
            let allowed = Arc::new(move |address| destinations.allow(address));
            Ok(Arc::new(reverse_dns::ReverseDns::new(section.options()?, parts.resolver()?, allowed)))
        },
    },
];

fn pure(check: impl Check + 'static) -> Arc<dyn Stage> {
    Arc::new(Pure(check))
}

/// A pipeline as it was asked for.
pub struct Assembled {
    /// The stages that run.
    pub pipeline: Pipeline,
    /// Those that nobody switched off and that cannot run without what was.
    pub bereft: Vec<Bereft>,
}

/// The pipeline of this name without some of its stages, which are not even built, and without `history` where the parts
/// have no memory. A stage that reads what only those would have written is left out too.
///
/// Loads the plugins that it names: not for a thread that serves others.
///
/// # Errors
/// A configuration that is wrong: a [`ConfigError`] with its place.
pub fn assemble(settings: &Settings, parts: &Parts<'_>, name: &str, skips: &[&str]) -> Result<Assembled> {
    settings.sections(SECTIONS)?;
    let names = stages_of(settings, name)?;
    let mut slots = Vec::with_capacity(names.len());
    let (mut written, mut bereft) = (Written::default(), Vec::new());
    for (position, stage) in names.iter().enumerate() {
        let kind = STAGES.iter().find(|kind| kind.name == stage);
        let section = settings.stage(stage)?;
        if kind.is_none() && !section.has(plugins::KEY) {
            return Err(unknown_stage(settings, &format!("pipeline.{name}.stages.{position}"), stage).into());
        }
        stop_words::check(settings, &section)?;
        stop_words::check_order(settings, &section, name, &names, position)?;
        if skips.contains(&&**stage) || (stage == HISTORY && !parts.has_history()) {
            written.skipped(stage, kind.map(|kind| kind.writes));
            continue;
        }
        let (slot, facts) = slot(&section, parts, stage)?;
        match written.supply(stage, &facts, parts)? {
            Supply::Whole => {
                written.by(facts);
                slots.push(slot);
            }
            Supply::SwitchedOff(lost) => {
                written.lost(stage, facts);
                bereft.push(lost);
            }
            Supply::Never(error) => return Err(wrong_order(settings, name, &names, &error).into()),
        }
    }
    let pipeline = Pipeline::new(name, slots).map_err(|error| wrong_order(settings, name, &names, &error))?;
    Ok(Assembled { pipeline, bereft })
}

/// The pipeline of [`assemble`], for whom it does not matter what could not run.
///
/// # Errors
/// A configuration that is wrong: a [`ConfigError`] with its place.
pub fn pipeline(settings: &Settings, parts: &Parts<'_>, name: &str, skips: &[&str]) -> Result<Pipeline> {
    Ok(assemble(settings, parts, name, skips)?.pipeline)
}

/// The tables that there are, are tables that may be there.
///
/// # Errors
/// A [`ConfigError`] with its place.
pub(crate) fn check_sections(settings: &Settings) -> Result<(), ConfigError> {
    settings.sections(SECTIONS)
}

/// The names of a pipeline's stages.
fn stages_of(settings: &Settings, pipeline: &str) -> Result<Vec<String>, ConfigError> {
    let mut pipelines = settings.pipelines()?;
    pipelines.remove(pipeline).map(|config| config.stages).ok_or_else(|| {
        let hint = did_you_mean(pipeline, pipelines.keys().map(String::as_str));
        settings.invalid("pipeline", format!("there is no pipeline `{pipeline}`{hint}"))
    })
}

/// The error of stages that cannot stand in this order, at the one that cannot.
fn wrong_order(settings: &Settings, pipeline: &str, names: &[String], error: &PipelineError) -> ConfigError {
    let path = match error {
        PipelineError::MissingFact { stage, .. } | PipelineError::Twice { stage } => {
            let position = names.iter().rposition(|other| other == stage).unwrap_or(0);
            format!("pipeline.{pipeline}.stages.{position}")
        }
        _ => format!("pipeline.{pipeline}.stages"),
    };
    settings.invalid(&path, error.to_string())
}

/// A stage with the limits of its table, and the facts that it reads and writes.
fn slot(section: &StageSection<'_>, parts: &Parts<'_>, name: &str) -> Result<(Slot, Facts)> {
    let kind = STAGES.iter().find(|kind| kind.name == name);
    // What names a file is a plugin, and refused where its name is a built-in stage's.
    let (stage, deadline) = if let Some(kind) = kind.filter(|_| !section.has(plugins::KEY)) {
        // A stage's own complaint has no place yet: its table is the nearest.
        let stage = (kind.build)(section, parts).map_err(|error| match error.downcast::<ConfigError>() {
            Ok(error) => error,
            Err(error) => section.invalid("", format!("{error:#}")),
        })?;
        (stage, section.slot.deadline)
    } else {
        let plugin: Arc<dyn Stage> = parts.plugin(name, section)?;
        (plugin, plugins::deadline(&section.slot))
    };
    let facts = stage.facts();
    Ok((limited(stage, &section.slot, deadline, policy(parts.settings)?), facts))
}

fn limited(stage: Arc<dyn Stage>, limits: &SlotConfig, deadline: Option<Duration>, policy: Policy) -> Slot {
    Slot::new(stage)
        .deadline(deadline)
        .on_fault(on_fault(limits.on_fault))
        .stop_on(limits.stop_on.iter().map(String::as_str))
        .history_trust_days(policy.history_trust_days)
}

fn on_fault(configured: OnFault) -> mailsonde_engine::OnFault {
    match configured {
        OnFault::Continue => mailsonde_engine::OnFault::Continue,
        OnFault::Stop => mailsonde_engine::OnFault::Stop,
    }
}

/// The names that a pipeline may list: the built-in stages and the plugins.
fn unknown_stage(settings: &Settings, path: &str, stage: &str) -> ConfigError {
    let plugins: Vec<&str> = plugins::names(settings).collect();
    let hint = did_you_mean(stage, STAGES.iter().map(|kind| kind.name).chain(plugins));
    settings.invalid(path, format!("unknown stage `{stage}`{hint}"))
}

/// How many addresses a person is looked for under.
///
/// # Errors
/// A [`ConfigError`] with its place.
pub(crate) fn candidates_max(settings: &Settings) -> Result<usize, ConfigError> {
    let config: finder_permutation::Config = settings.stage(FINDER_PERMUTATION)?.options()?;
    Ok(config.candidates_max)
}

/// How findings are judged.
///
/// # Errors
/// A [`ConfigError`] with its place.
pub fn policy(settings: &Settings) -> Result<Policy> {
    Ok(settings.section("judge")?)
}

/// Builds everything that the configuration names, used or not. Returns the names of the pipelines.
///
/// # Errors
/// The first thing that is wrong: a [`ConfigError`] with its place.
pub fn check(settings: &Settings) -> Result<Vec<String>> {
    settings.sections(SECTIONS)?;
    policy(settings)?;
    let parts = Parts::new(settings)?;
    parts.prober()?;
    for stage in settings.stages() {
        let section = settings.stage(stage)?;
        if !section.has(plugins::KEY) && !STAGES.iter().any(|kind| kind.name == stage) {
            return Err(neither_built_in_nor_plugin(settings, &section, stage).into());
        }
        stop_words::check(settings, &section)?;
        slot(&section, &parts, stage)?;
    }
    let names: Vec<String> = settings.pipelines()?.into_keys().collect();
    for name in &names {
        pipeline(settings, &parts, name, &[])?;
    }
    Ok(names)
}

/// The error of a table `[stage.NAME]` that is nobody's.
fn neither_built_in_nor_plugin(settings: &Settings, section: &StageSection<'_>, name: &str) -> ConfigError {
    if nearest(name, STAGES.iter().map(|kind| kind.name)).is_some() {
        return unknown_stage(settings, &format!("stage.{name}"), name);
    }
    section.invalid("", format!("unknown stage `{name}`; a plugin has the key `{}`", plugins::KEY))
}

/// The table `[data]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    dir: PathBuf,
}

/// Folder of compiled plugins within the data folder.
const COMPILED_FOLDER: &str = "compiled";

/// Where compiled plugins are kept.
pub(crate) fn compiled_folder(settings: &Settings) -> Result<PathBuf> {
    Ok(data_folder(settings)?.join(COMPILED_FOLDER))
}

/// Where we keep what is ours: as configured, else the user's data folder, else the system's. Root's is the system's: it is
/// one installation, whether it is started at boot, by `sudo` or in a shell, each with a home of its own or with none.
pub(crate) fn data_folder(settings: &Settings) -> Result<PathBuf> {
    let Data { dir } = settings.section("data")?;
    if !dir.as_os_str().is_empty() {
        return Ok(dir);
    }
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Ok(usual_folder(set("XDG_DATA_HOME"), set("HOME"), Uid::effective().is_root()))
}

fn usual_folder(data_home: Option<PathBuf>, home: Option<PathBuf>, is_root: bool) -> PathBuf {
    let home = home.filter(|_| !is_root).map(|home| home.join(".local/share"));
    data_home.or(home).unwrap_or_else(|| "/var/lib".into()).join("mailsonde")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use mailsonde_engine::{
        Address, Batch, BoxFuture, Context, History, HistoryError, HistorySource, Remembered, Subject,
    };

    use super::*;

    #[test]
    fn roots_data_are_in_one_place_whatever_its_home() {
        let folder = |data_home: Option<&str>, home: Option<&str>, is_root| {
            usual_folder(data_home.map(PathBuf::from), home.map(PathBuf::from), is_root)
        };
        for (data_home, home, is_root, expected) in [
            (None, Some("/home/jane"), false, "/home/jane/.local/share/mailsonde"),
            (Some("/home/jane/data"), Some("/home/jane"), false, "/home/jane/data/mailsonde"),
            (None, None, false, "/var/lib/mailsonde"),
            (None, Some("/root"), true, "/var/lib/mailsonde"),
            (None, None, true, "/var/lib/mailsonde"),
            (Some("/srv"), Some("/root"), true, "/srv/mailsonde"),
        ] {
            let found = folder(data_home, home, is_root);
            assert_eq!(found, PathBuf::from(expected), "{data_home:?} {home:?} {is_root}");
        }
    }

    #[test]
    fn what_a_stage_writes_is_known_without_building_it() {
        let settings: Settings = "[dns]\nservers = ['127.0.0.1:9']".parse().unwrap();
        let parts = Parts::new(&settings).unwrap();
        for kind in STAGES {
            let stage = (kind.build)(&settings.stage(kind.name).unwrap(), &parts).unwrap();
            assert_eq!(stage.facts().writes, kind.writes, "{}", kind.name);
            assert_eq!(stage.name(), kind.name);
        }
    }

    /// Remembers everybody since a day and a half.
    struct Everybody;

    impl History for Everybody {
        fn recall<'a>(
            &'a self,
            addresses: &'a [&'a Address],
        ) -> BoxFuture<'a, Result<Vec<Option<Remembered>>, HistoryError>> {
            let seen_at = SystemTime::now() - Duration::from_hours(36);
            let remembered = Remembered { source: HistorySource::Bounce, seen_at };
            Box::pin(std::future::ready(Ok(vec![Some(remembered); addresses.len()])))
        }
    }

    async fn found(settings: &Settings, parts: &Parts<'_>, skips: &[&str]) -> Vec<String> {
        let mut batch = Batch::new(vec![Subject::new("sales@example.com")]);
        let cx = Context::within(Duration::from_secs(10));
        pipeline(settings, parts, "verify", skips).unwrap().run(&cx, &mut batch).await;
        batch.subjects()[0].findings().map(|finding| finding.key().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_memory_spares_the_work_for_as_long_as_the_judge_trusts_it() {
        for (days, expected) in [(2, vec!["history"]), (1, vec!["history", "role.type"])] {
            let toml = "[pipeline.verify]\nstages = ['syntax', 'history', 'role']\n\
                [stage.role]\nstop_on = ['remembered']\n";
            let settings: Settings = format!("{toml}[judge]\nhistory_trust_days = {days}").parse().unwrap();
            let parts = Parts::new(&settings).unwrap().with_history(Arc::new(Everybody));
            assert_eq!(found(&settings, &parts, &[]).await, expected, "{days} days");
        }
    }

    #[tokio::test]
    async fn without_a_memory_the_stage_is_left_out() {
        let settings: Settings = "[pipeline.verify]\nstages = ['syntax', 'history']".parse().unwrap();
        let parts = Parts::new(&settings).unwrap();
        assert!(found(&settings, &parts, &[]).await.is_empty());
        assert_eq!(check(&settings).unwrap(), ["find", "tasks", "verify"]);
        let parts = parts.with_history(Arc::new(Everybody));
        assert_eq!(found(&settings, &parts, &[]).await, ["history"]);
        assert!(found(&settings, &parts, &["history"]).await.is_empty());
    }
}
