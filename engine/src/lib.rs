//! The heart of mailsonde: subjects flow through a pipeline of stages, stages find facts, one judge decides.
//!
//! What is here is pure or merely waits: no sockets, no files, no database. The crates around it bring
//! those in behind the traits [`Resolver`], [`Prober`], [`History`] and [`Clock`].
//!
//! ```text
//! Subject -> Pipeline [ Slot(Stage), Slot(Stage), … ] -> findings -> judge -> Verdict + Evidence
//! ```

mod address;
mod batch;
mod clock;
mod confidence;
mod domain;
mod finding;
mod formats;
mod history;
mod judge;
mod limits;
mod operator;
mod person;
mod pipeline;
mod plugin;
mod probe;
mod reason;
mod resolve;
mod stage;
mod subject;
mod verdict;

pub use address::Address;
pub use batch::{Batch, SubjectId};
pub use clock::{Clock, SystemClock};
pub use confidence::Confidence;
pub use domain::{DmarcPolicy, DomainTrust, TldRisk};
pub use finding::{
    AliasType, Fault, FaultCause, Finding, HistoryFact, MailHost, MailRoute, RandomPattern, Recorded,
    RiskSource, RoleType, STOP_WORDS, Signal, SignalName, SyntaxError, SyntaxReason, Tier,
};
pub use formats::{FormatCounts, Formats};
pub use history::{History, HistoryError, HistorySource, Remembered};
pub use judge::{Judgement, Of, Policy, RandomPolicy, RolePolicy, Weight, judge};
pub use limits::*;
pub use operator::{OPERATORS, Operator};
pub use person::{Candidate, Guess};
pub use pipeline::{OnFault, Pipeline, PipelineError, Slot, SlotReport};
pub use plugin::{Authority, Opinion, PluginFact};
pub use probe::{
    Answer, Answered, Answers, Ask, CatchAll, CatchAllSource, DialogueStage, EgressId, MxSet, ProbeFailure,
    Prober, Reading, ReplyClass, Stop, Strength,
};
pub use reason::{Category, MailboxState, Reason};
pub use resolve::{Always, Lookup, LookupFailure, RecordData, RecordKind, Resolver};
pub use stage::{BoxFuture, Check, Context, Facts, Flow, Outcome, Pure, Stage, StageError};
pub use subject::{Deferral, Subject};
pub use verdict::{Evidence, Flags, JUDGE_VERSION, Verdict, WeighedOpinion};
