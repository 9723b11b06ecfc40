//! Cases run against a component: each alone, with the facts, the DNS, the cache and the moment that it names.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use mailsonde_engine::{Batch, Context, Pipeline, Slot, Stage, Subject};
use mailsonde_wasm::{Grant, Host, PluginConfig, PluginError, WasmStage};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::{
    cases::{Case, Expect},
    said::Said,
    stand_ins::{GIVEN, Given, ListedAnswers, StoppedClock},
    values,
};

/// Processor time of one call. What a case costs is not what it tests, and machines that run tests are busy.
const CPU_MAX: Duration = Duration::from_secs(2);

/// Configurations that are kept loaded: each takes room.
const LOADED_MAX: usize = 32;

/// Time for one case.
const CASE_MAX: Duration = Duration::from_mins(1);

/// How long what a case puts into the cache stays there: longer than the case.
const CACHE_TTL: Duration = Duration::from_hours(1);

/// A component, ready for cases.
pub(crate) struct Trial {
    host: Host,
    path: PathBuf,
    name: String,
    grants: Vec<Grant>,
    dns: Arc<ListedAnswers>,
    runtime: Runtime,
    /// By configuration, as JSON: most cases share one. `Err`: what the plugin said against it.
    loaded: HashMap<String, Result<Arc<WasmStage>, String>>,
}

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Came {
    /// Whether it is what was expected.
    pub(crate) is_expected: bool,
    /// What the plugin did.
    pub(crate) what: What,
    /// Questions that the case does not list.
    pub(crate) unlisted: Vec<String>,
    /// What the cache holds instead of what it should, by key.
    pub(crate) cached: BTreeMap<String, Option<String>>,
}

/// What a plugin did with a case.
#[derive(Debug)]
pub(crate) enum What {
    /// It refused the configuration.
    Refused(String),
    /// The call failed.
    Failed(String),
    /// It looked at the subject, and said so much.
    Said(Said),
}

impl Trial {
    /// Looks at a component, which is granted whatever it imports.
    pub(crate) fn new(host: Host, path: &Path) -> Result<Self> {
        let inspection = host.inspect(path)?;
        Ok(Self {
            host,
            path: path.to_owned(),
            name: inspection.description.id,
            grants: inspection.grants,
            dns: Arc::default(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build()?,
            loaded: HashMap::new(),
        })
    }

    /// Runs a case.
    ///
    /// # Errors
    /// A plugin that cannot be loaded whatever its configuration is.
    pub(crate) fn run(&mut self, case: &Case) -> Result<Came> {
        let stage = match self.load(&case.config)? {
            Ok(stage) => stage,
            Err(said) => {
                let is_expected = matches!(&case.expect, Expect::Refused(part) if said.contains(part));
                return Ok(Came::of(is_expected, What::Refused(said)));
            }
        };
        // Each case is a client of its own, so it finds in the cache what it has put there and nothing else.
        let client: Arc<str> = format!("line {}", case.line).into();
        for (key, value) in &case.cache {
            stage.cache().set(Some(&client), key, value, CACHE_TTL);
        }
        self.dns.begin(&case.dns);
        let what = self.runtime.block_on(call(&stage, case, client.clone()))?;
        let mut result = Came::of(false, what);
        result.unlisted = self.dns.unlisted();
        if let Expect::Said { cache, .. } = &case.expect {
            let held = |key: &str| stage.cache().get(Some(&client), key).map(|value| value.to_string());
            let wrong = cache.iter().map(|(key, value)| (key, held(key), value));
            let wrong = wrong.filter(|(_, held, value)| held.as_ref() != Some(*value));
            result.cached = wrong.map(|(key, held, _)| (key.clone(), held)).collect();
        }
        result.is_expected = is_expected(&case.expect, &result);
        Ok(result)
    }

    fn load(&mut self, config: &Map<String, Value>) -> Result<Result<Arc<WasmStage>, String>, PluginError> {
        let key = Value::from(config.clone()).to_string();
        if let Some(loaded) = self.loaded.get(&key) {
            return Ok(loaded.clone());
        }
        if self.loaded.len() >= LOADED_MAX {
            self.loaded.clear();
        }
        let config = PluginConfig {
            grants: self.grants.clone(),
            cpu_max: CPU_MAX,
            instances_max: 1,
            config: config.clone(),
            ..PluginConfig::new(&self.path)
        };
        let loaded = match self.host.load(&self.name, config, self.dns.clone()) {
            Ok(stage) => Ok(Arc::new(stage)),
            Err(PluginError::Refused(said)) => Err(said),
            Err(error) => return Err(error),
        };
        self.loaded.insert(key, loaded.clone());
        Ok(loaded)
    }
}

impl Came {
    fn of(is_expected: bool, what: What) -> Self {
        Self { is_expected, what, unlisted: Vec::new(), cached: BTreeMap::new() }
    }
}

fn is_expected(expect: &Expect, came: &Came) -> bool {
    let (Expect::Said { opinion, facts, .. }, What::Said(said)) = (expect, &came.what) else { return false };
    let is_opinion = match (opinion, &said.opinion) {
        (None, None) => true,
        (Some(expected), Some(said)) => {
            let is_score = expected.score.is_none_or(|score| values::is_same_number(score, said.score));
            (expected.category, &expected.reason) == (said.category, &said.reason) && is_score
        }
        _ => false,
    };
    let is_fact = |(key, value): (&String, &Value)| {
        said.facts.get(key).is_some_and(|said| values::is_same(said, value))
    };
    let is_facts = facts.len() == said.facts.len() && facts.iter().all(is_fact);
    is_opinion && is_facts && came.unlisted.is_empty() && came.cached.is_empty()
}

/// Calls the plugin as a pipeline would.
async fn call(stage: &Arc<WasmStage>, case: &Case, client: Arc<str>) -> Result<What> {
    let mut subject = Subject::new(case.input.as_str());
    let source: Arc<str> = GIVEN.into();
    for fact in &case.facts {
        subject.note(&source, fact.clone());
    }
    let given = Given { is_parsed: case.address.is_some(), writes: stage.facts().reads };
    let pipeline = Pipeline::new("case", vec![Slot::new(Arc::new(given)), Slot::new(stage.clone())])?;
    let clock = Arc::new(StoppedClock(case.now));
    let cx = Context { clock, client: Some(client), ..Context::within(CASE_MAX) };
    let mut batch = Batch::new(vec![subject]);
    pipeline.run(&cx, &mut batch).await;
    let said = Said::of(stage.name(), batch.subjects()[0].recorded());
    Ok(said.map_or_else(What::Failed, What::Said))
}
