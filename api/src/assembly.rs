//! Assembly: from settings to pipelines. The list of stages is here, in one place and explicit.

use std::{
    env,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use anyhow::Result;
use mailsonde_builtin::{
    alias, disposable, dns, domain_trust, free_provider, lists::Lists, random_pattern, role, smtp_probe,
    syntax, typo,
};
use mailsonde_config::{ConfigError, OnFault, Settings, StageSection, did_you_mean};
use mailsonde_engine::{
    Check, Pipeline, PipelineError, Policy, Prober, Pure, Resolver, STOP_WORDS, Slot, Stage,
};
use mailsonde_net::{HickoryResolver, SmtpProber};
use serde::Deserialize;

/// The tables that a configuration may have.
const SECTIONS: &[&str] = &["pipeline", "stage", "dns", "smtp", "judge", "data"];

/// The stages that need a network: what `--offline` leaves out.
pub const OFFLINE_SKIPS: &[&str] = &["dns", "domain-trust", "smtp-probe"];

/// A stage that pipelines may name.
pub struct StageKind {
    /// Its name.
    pub name: &'static str,
    build: fn(&StageSection<'_>, &Parts<'_>) -> Result<Arc<dyn Stage>>,
}

/// Every built-in stage. Adding one is adding its file and a line here.
pub const STAGES: &[StageKind] = &[
    StageKind {
        name: "syntax",
        build: |section, parts| {
            let config: syntax::Config = section.options()?;
            let policy = parts.syntax_policy.unwrap_or(config.policy);
            Ok(pure(syntax::Syntax::new(syntax::Config { policy })))
        },
    },
    StageKind {
        name: "typo",
        build: |section, parts| {
            let lists = parts.lists.clone();
            let is_known = Arc::new(move |domain: &str| lists.is_free_provider(domain));
            Ok(pure(typo::Typo::new(&section.options()?, is_known)))
        },
    },
    StageKind {
        name: "disposable",
        build: |section, parts| {
            Ok(pure(disposable::Disposable::new(&section.options()?, parts.lists.clone())?))
        },
    },
    StageKind {
        name: "free-provider",
        build: |section, parts| {
            Ok(pure(free_provider::FreeProvider::new(&section.options()?, parts.lists.clone())?))
        },
    },
    StageKind { name: "role", build: |section, _| Ok(pure(role::Role::new(&section.options()?))) },
    StageKind {
        name: "alias",
        build: |section, parts| Ok(pure(alias::Alias::new(&section.options()?, parts.lists.clone())?)),
    },
    StageKind {
        name: "random-pattern",
        build: |section, _| Ok(pure(random_pattern::RandomPatternStage::new(section.options()?))),
    },
    StageKind {
        name: "dns",
        build: |section, parts| {
            Ok(Arc::new(dns::Dns::new(section.options()?, parts.resolver()?, parts.lists.clone())))
        },
    },
    StageKind {
        name: "domain-trust",
        build: |section, parts| {
            let config = section.options()?;
            Ok(Arc::new(domain_trust::DomainTrust::new(&config, parts.resolver()?, parts.lists.clone())?))
        },
    },
    StageKind {
        name: "smtp-probe",
        build: |section, parts| Ok(Arc::new(smtp_probe::SmtpProbe::new(section.options()?, parts.prober()?))),
    },
];

fn pure(check: impl Check + 'static) -> Arc<dyn Stage> {
    Arc::new(Pure(check))
}

/// What stages are made of. The network's parts are made when the first stage asks for them.
pub struct Parts<'s> {
    settings: &'s Settings,
    lists: Arc<Lists>,
    resolver: OnceLock<Arc<dyn Resolver>>,
    prober: OnceLock<SmtpProber>,
    syntax_policy: Option<syntax::Policy>,
}

impl<'s> Parts<'s> {
    /// Reads what every stage may need.
    ///
    /// # Errors
    /// A configuration that is wrong, or a data folder that cannot be used.
    pub fn new(settings: &'s Settings) -> Result<Self> {
        let lists = Arc::new(Lists::load(&data_folder(settings)?)?);
        Ok(Self { settings, lists, resolver: OnceLock::new(), prober: OnceLock::new(), syntax_policy: None })
    }

    /// The same parts with a syntax policy that overrides the configuration's, if there is one.
    #[must_use]
    pub fn with_syntax_policy(self, policy: Option<syntax::Policy>) -> Self {
        Self { syntax_policy: policy, ..self }
    }

    fn resolver(&self) -> Result<Arc<dyn Resolver>> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver.clone());
        }
        let resolver = HickoryResolver::new(&self.settings.section("dns")?)
            .map_err(|error| self.settings.invalid("dns.servers", error.to_string()))?;
        Ok(self.resolver.get_or_init(|| Arc::new(resolver)).clone())
    }

    fn prober(&self) -> Result<Arc<dyn Prober>> {
        if let Some(prober) = self.prober.get() {
            return Ok(Arc::new(prober.clone()));
        }
        let prober = SmtpProber::new(self.settings.section("smtp")?, self.resolver()?)
            .map_err(|error| self.settings.invalid(&format!("smtp.{}", error.key), error.message))?;
        Ok(Arc::new(self.prober.get_or_init(|| prober).clone()))
    }

    /// The process's prober, if a stage has asked for it.
    pub fn smtp(&self) -> Option<&SmtpProber> {
        self.prober.get()
    }
}

/// The pipeline of this name without some of its stages, which are not even built.
///
/// # Errors
/// A configuration that is wrong: a [`ConfigError`] with its place.
pub fn pipeline(settings: &Settings, parts: &Parts<'_>, name: &str, skips: &[&str]) -> Result<Pipeline> {
    settings.sections(SECTIONS)?;
    let pipelines = settings.pipelines()?;
    let Some(config) = pipelines.get(name) else {
        let hint = did_you_mean(name, pipelines.keys().map(String::as_str));
        return Err(settings.invalid("pipeline", format!("there is no pipeline `{name}`{hint}")).into());
    };
    let mut slots = Vec::with_capacity(config.stages.len());
    for (position, stage) in config.stages.iter().enumerate() {
        let Some(kind) = STAGES.iter().find(|kind| kind.name == stage) else {
            return Err(unknown_stage(settings, &format!("pipeline.{name}.stages.{position}"), stage).into());
        };
        if !skips.contains(&kind.name) {
            slots.push(slot(settings, parts, kind)?);
        }
    }
    Pipeline::new(name, slots).map_err(|error| {
        let (PipelineError::MissingFact { stage, .. } | PipelineError::Twice { stage }) = &error else {
            return settings.invalid(&format!("pipeline.{name}.stages"), error.to_string()).into();
        };
        let position = config.stages.iter().rposition(|other| other == stage).unwrap_or(0);
        settings.invalid(&format!("pipeline.{name}.stages.{position}"), error.to_string()).into()
    })
}

fn slot(settings: &Settings, parts: &Parts<'_>, kind: &StageKind) -> Result<Slot> {
    let section = settings.stage(kind.name)?;
    let path = format!("stage.{}", kind.name);
    for (position, word) in section.slot.stop_on.iter().enumerate() {
        if !STOP_WORDS.contains(&word.as_str()) {
            let hint = did_you_mean(word, STOP_WORDS.iter().copied());
            let message = format!("nothing is called `{word}`{hint}");
            return Err(settings.invalid(&format!("{path}.stop_on.{position}"), message).into());
        }
    }
    // A stage's own complaint has no place yet: its table is the nearest.
    let stage = (kind.build)(&section, parts).map_err(|error| match error.downcast::<ConfigError>() {
        Ok(error) => error,
        Err(error) => settings.invalid(&path, format!("{error:#}")),
    })?;
    Ok(Slot::new(stage)
        .deadline(section.slot.deadline)
        .on_fault(on_fault(section.slot.on_fault))
        .stop_on(section.slot.stop_on.iter().map(String::as_str)))
}

fn on_fault(configured: OnFault) -> mailsonde_engine::OnFault {
    match configured {
        OnFault::Continue => mailsonde_engine::OnFault::Continue,
        OnFault::Stop => mailsonde_engine::OnFault::Stop,
    }
}

fn unknown_stage(settings: &Settings, path: &str, stage: &str) -> ConfigError {
    let hint = did_you_mean(stage, STAGES.iter().map(|kind| kind.name));
    settings.invalid(path, format!("unknown stage `{stage}`{hint}"))
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
    for stage in settings.stages() {
        if !STAGES.iter().any(|kind| kind.name == stage) {
            return Err(unknown_stage(settings, &format!("stage.{stage}"), stage).into());
        }
    }
    policy(settings)?;
    let parts = Parts::new(settings)?;
    parts.prober()?;
    for kind in STAGES {
        slot(settings, &parts, kind)?;
    }
    let names: Vec<String> = settings.pipelines()?.into_keys().collect();
    for name in &names {
        pipeline(settings, &parts, name, &[])?;
    }
    Ok(names)
}

/// The table `[data]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    dir: PathBuf,
}

/// Where refreshed lists are kept: as configured, else the user's data folder, else the system's.
pub(crate) fn data_folder(settings: &Settings) -> Result<PathBuf> {
    let Data { dir } = settings.section("data")?;
    if !dir.as_os_str().is_empty() {
        return Ok(dir);
    }
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    Ok(data.unwrap_or_else(|| "/var/lib".into()).join("mailsonde"))
}
