//! The pipeline in which guests run: a neighbour before, a neighbour after, and what was said in between.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use mailsonde_engine::{
    Address, AliasType, Batch, BoxFuture, Check, Clock, Context, Facts, Finding, Lookup, Outcome, Pipeline,
    Pure, RecordKind, Resolver, RoleType, Slot, SlotReport, Stage, Subject,
};
use mailsonde_wasm::{Host, PluginConfig, PluginError, WasmStage};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::guest::Guest;

/// Time of a run that is not about time.
pub(crate) const AMPLE: Duration = Duration::from_mins(2);

/// A folder with a plugin's file.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes the plugin's file.
    pub(crate) fn write(&self, octets: impl AsRef<[u8]>) -> PluginConfig {
        std::fs::write(self.file(), octets).unwrap();
        PluginConfig::new(self.file())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("plugin.wasm")
    }
}

/// Loads what a file would hold, with its table as `change` makes it.
pub(crate) fn try_load(
    octets: impl AsRef<[u8]>,
    change: impl FnOnce(&mut PluginConfig),
) -> Result<Arc<WasmStage>, PluginError> {
    let folder = Folder::new();
    let mut config = folder.write(octets);
    change(&mut config);
    Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).map(Arc::new)
}

/// Loads a guest that is good enough for that.
pub(crate) fn load_with(guest: &Guest, change: impl FnOnce(&mut PluginConfig)) -> Arc<WasmStage> {
    try_load(guest.wat(), change).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads a guest as it is.
pub(crate) fn load(guest: &Guest) -> Arc<WasmStage> {
    load_with(guest, |_| {})
}

/// Why a guest is not loaded.
pub(crate) fn refusal(octets: impl AsRef<[u8]>) -> String {
    try_load(octets, |_| {}).err().expect("refused").to_string()
}

/// One thread for everything: what a guest holds up, it holds up here.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// The plugin between its neighbours, with so much time for a batch.
pub(crate) fn pipeline(stage: &Arc<WasmStage>, deadline: Duration) -> Pipeline {
    let slots = vec![
        Slot::new(Arc::new(Pure(Before))),
        Slot::new(stage.clone()).deadline(Some(deadline)),
        Slot::new(Arc::new(Pure(After))),
    ];
    Pipeline::new("test", slots).unwrap()
}

/// Runs inputs through a pipeline, whose neighbours must have done their work whatever the plugin does. Returns what
/// the plugin said of each, and what its slot cost.
pub(crate) async fn run_in(
    pipeline: &Pipeline,
    cx: &Context,
    inputs: &[impl AsRef<str>],
) -> (Vec<String>, SlotReport) {
    let subjects = inputs.iter().map(|input| Subject::new(input.as_ref())).collect();
    let mut batch = Batch::new(subjects);
    let mut reports = pipeline.run(cx, &mut batch).await;
    let said = batch.subjects().iter().map(said_between_neighbours).collect();
    (said, reports.remove(1))
}

/// Runs inputs through a plugin.
pub(crate) async fn run(stage: &Arc<WasmStage>, inputs: &[impl AsRef<str>]) -> Vec<String> {
    run_in(&pipeline(stage, AMPLE), &Context::within(AMPLE), inputs).await.0
}

/// Runs inputs through a plugin, and waits for it.
pub(crate) fn run_now(stage: &Arc<WasmStage>, inputs: &[impl AsRef<str>]) -> Vec<String> {
    runtime().block_on(run(stage, inputs))
}

/// What becomes of one address at which a guest misbehaves. The guest must bear another one in the same batch.
pub(crate) fn struck(guest: &Guest) -> String {
    struck_in(&load(guest))
}

/// The same of a plugin that is loaded.
pub(crate) fn struck_in(stage: &Arc<WasmStage>) -> String {
    let said = run_now(stage, &["jane@example.com", "x@example.com"]);
    assert_eq!(said[0], SEEN);
    said[1].clone()
}

/// What guests say of an address that is not struck.
pub(crate) const SEEN: &str = "risky seen 0.5";

fn said_between_neighbours(subject: &Subject) -> String {
    let recorded = subject.recorded();
    let [before, between @ .., after] = recorded else { panic!("neighbours are missing: {subject:?}") };
    assert_eq!((&*before.stage, &before.finding), ("before", &Finding::Role(RoleType::Other)));
    assert_eq!((&*after.stage, &after.finding), ("after", &Finding::Alias(AliasType::PlusTag)));
    assert!(between.iter().all(|recorded| &*recorded.stage == "plugin"), "{between:?}");
    assert_eq!(subject.stopped_by(), None);
    between.iter().map(|recorded| words(&recorded.finding)).collect::<Vec<_>>().join(", ")
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Opinion(opinion) => {
            format!("{} {} {}", category(finding), opinion.reason, opinion.score)
        }
        Finding::Plugin(fact) => format!("{}={}", fact.key, fact.value),
        Finding::Fault(fault) => fault.message.to_string(),
        other => panic!("a plugin found {other:?}"),
    }
}

fn category(opinion: &Finding) -> String {
    let mut value = String::new();
    opinion.value_json(&mut value);
    let value: serde_json::Value = serde_json::from_str(&value).unwrap();
    value["category"].as_str().unwrap().to_owned()
}

/// Parses, and finds the same of everybody.
struct Before;

impl Check for Before {
    fn name(&self) -> &'static str {
        "before"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["role.type"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        if let Some((local, domain)) = subject.input().rsplit_once('@') {
            outcome.resolved(Address::new(local, domain));
        }
        outcome.found(Finding::Role(RoleType::Other));
    }
}

struct After;

impl Check for After {
    fn name(&self) -> &'static str {
        "after"
    }

    fn facts(&self) -> Facts {
        Facts::new(&["role.type"], &["alias.type"])
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        assert!(subject.findings().any(|finding| *finding == Finding::Role(RoleType::Other)));
        outcome.found(Finding::Alias(AliasType::PlusTag));
    }
}

/// A resolver that is not asked.
pub(crate) struct Nobody;

impl Resolver for Nobody {
    fn lookup<'a>(&'a self, name: &'a str, _: RecordKind) -> BoxFuture<'a, Lookup> {
        panic!("nobody should be asked about {name}")
    }
}

/// A clock that stands.
pub(crate) struct At(pub(crate) u64);

impl Clock for At {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

/// A plugin is a stage like every other.
const _: fn(&WasmStage) -> &dyn Stage = |stage| stage;
