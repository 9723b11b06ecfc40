//! A call of production as a case: what the plugin was given and what it said, so that `plugin test` repeats it without
//! a network. Each address has a call of its own, with an empty cache.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use mailsonde_config::Settings;
use mailsonde_engine::{
    Batch, BoxFuture, Clock, Context, Facts, Lookup, Opinion, Pipeline, RecordKind, Resolver, Stage,
    StageError, Subject, SystemClock,
};
use mailsonde_wasm::WasmStage;
use serde_json::{Map, Value, json};

use super::{answers, said::Said, stand_ins::StoppedClock, values};
use crate::assembly::{self, Parts};

/// Time for one address, from the first stage to the plugin: as `verify` has by default.
const ADDRESS_MAX: Duration = Duration::from_secs(90);

/// A pipeline up to a plugin, which is watched.
pub(crate) struct Recorder {
    pipeline: Pipeline,
    watched: Arc<Watched>,
    asked: Arc<Asked>,
    config: Map<String, Value>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Recording {
    input: String,
    has_address: bool,
    facts: BTreeMap<String, Value>,
    dns: BTreeMap<String, Value>,
    now: Timestamp,
    said: Said,
}

impl Recorder {
    /// Builds the pipeline up to the plugin `name`.
    ///
    /// # Errors
    /// A configuration that is wrong, or a stage that is no plugin of the pipeline.
    pub(crate) fn new(settings: &Settings, parts: &Parts<'_>, pipeline: &str, name: &str) -> Result<Self> {
        let asked = Arc::new(Asked { resolver: parts.resolver()?, answers: Mutex::default() });
        let up_to = assembly::up_to(settings, parts, pipeline, name, asked.clone())?;
        let watched = Arc::new(Watched { plugin: up_to.plugin, handed: Mutex::default() });
        let mut slots = up_to.before;
        slots.push(up_to.limits.slot(watched.clone()));
        Ok(Self { pipeline: Pipeline::new(pipeline, slots)?, watched, asked, config: up_to.config })
    }

    /// Runs the pipeline for one address.
    ///
    /// # Errors
    /// An address that does not get to the plugin, or at which the plugin fails: no call that could be repeated.
    pub(crate) async fn record(&self, input: &str) -> Result<Recording> {
        // Whole seconds: a case names its moment so.
        let now = Timestamp::try_from(SystemClock.now()).unwrap_or(Timestamp::UNIX_EPOCH).as_second();
        let now = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let clock: Arc<dyn Clock> = Arc::new(StoppedClock(SystemTime::from(now)));
        // A client of its own has an empty cache.
        let client: Arc<str> = uuid::Uuid::now_v7().to_string().into();
        let cx = Context { clock, client: Some(client), ..Context::within(ADDRESS_MAX) };
        // What an address asked that failed is not the next one's.
        self.asked.take();
        let mut batch = Batch::new(vec![Subject::new(input)]);
        self.pipeline.run(&cx, &mut batch).await;
        let Some(handed) = self.watched.take() else {
            bail!("no call is recorded: an earlier stage ends its way");
        };
        let said = Said::of(self.watched.name(), batch.subjects()[0].recorded());
        let said = said.map_err(|fault| anyhow::anyhow!("no call is recorded: {fault}"))?;
        let Handed { has_address, facts, twice } = handed;
        if let Some(key) = twice {
            bail!("no call is recorded: it was handed two facts `{key}`, and a case holds one");
        }
        Ok(Recording { input: input.to_owned(), has_address, facts, dns: self.asked.take(), now, said })
    }

    /// A file of cases with these calls.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub(crate) fn file(&self, recordings: &[Recording]) -> Result<String> {
        let mut text = String::from(
            "# Recorded by `mailsonde plugin record`; `mailsonde plugin test` repeats it.\n\
             # This file holds addresses, and the plugin's configuration: keep it as you keep those.\n\n",
        );
        text.push_str(&lines([("config", self.config.clone().into())])?);
        for recording in recordings {
            text.push_str("\n[[case]]\n");
            text.push_str(&lines(recording.entries())?);
        }
        Ok(text)
    }
}

impl Recording {
    /// The keys of the case and their values.
    fn entries(&self) -> Vec<(&'static str, Value)> {
        let mut entries = vec![
            ("name", json!(format!("{} at {}", self.input, self.now))),
            (if self.has_address { "address" } else { "input" }, json!(self.input)),
            ("now", json!(self.now.to_string())),
            ("facts", json!(self.facts)),
            ("dns", json!(self.dns)),
            ("expect.facts", json!(self.said.facts)),
        ];
        if let Some(Opinion { category, reason, score, .. }) = &self.said.opinion {
            let opinion = json!({ "category": category.word(), "reason": reason, "score": score });
            entries.push(("expect.opinion", opinion));
        }
        entries
    }
}

/// A line of TOML for each entry that is not an empty table.
fn lines(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Result<String> {
    let mut text = String::new();
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    for (key, value) in entries.into_iter().filter(|(_, value)| !is_empty(value)) {
        let value =
            values::to_toml(&value).context("a list with a null in it is nothing that a case can hold")?;
        writeln!(text, "{key} = {value}")?;
    }
    Ok(text)
}

/// The plugin, and what the last call of it was handed.
struct Watched {
    plugin: WasmStage,
    handed: Mutex<Option<Handed>>,
}

struct Handed {
    has_address: bool,
    facts: BTreeMap<String, Value>,
    /// A key that more than one of them has.
    twice: Option<String>,
}

impl Watched {
    fn take(&self) -> Option<Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Stage for Watched {
    fn name(&self) -> &str {
        self.plugin.name()
    }

    fn facts(&self) -> Facts {
        self.plugin.facts()
    }

    fn run<'a>(&'a self, cx: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        let description = self.plugin.description();
        let handed = batch.open().next().map(|(_, subject)| {
            let (mut facts, mut twice) = (BTreeMap::new(), None);
            for finding in subject.findings().filter(|finding| description.may_see(finding.key())) {
                let mut value = String::new();
                finding.value_json(&mut value);
                let value = serde_json::from_str(&value).unwrap_or(Value::Null);
                if facts.insert(finding.key().to_owned(), value).is_some() {
                    twice = Some(finding.key().to_owned());
                }
            }
            Handed { has_address: subject.address().is_some(), facts, twice }
        });
        *self.handed.lock().unwrap_or_else(PoisonError::into_inner) = handed;
        self.plugin.run(cx, batch)
    }
}

/// Asks the real resolver and keeps the answers.
struct Asked {
    resolver: Arc<dyn Resolver>,
    answers: Mutex<BTreeMap<String, Value>>,
}

impl Asked {
    fn take(&self) -> BTreeMap<String, Value> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Resolver for Asked {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            let answer = self.resolver.lookup(name, kind).await;
            let (question, written) = (answers::question(name, kind), answers::written(&answer));
            self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(question, written);
            answer
        })
    }
}
