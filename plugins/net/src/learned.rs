//! What a prober has learned, as one process tells others: through a store that keeps it, or in any other way.
//!
//! A prober tells what is news, and takes in what others tell without telling it on. Nothing here is sent anywhere; who
//! listens to [`Lessons`] does that.

mod lessons;

use std::{fmt, sync::Arc, time::Duration};

use mailsonde_engine::EgressId;
use serde::{Deserialize, Serialize};

pub use self::lessons::Lessons;
pub(crate) use self::lessons::Outbox;
use crate::{
    budget::BudgetKey,
    memory::{Manners, Rest},
};

/// Something learned, and for how long it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// What.
    pub learned: Learned,
    /// From now.
    pub life: Duration,
}

/// Something learned of mail hosts. Opaque but for what a store needs; serialise it to keep it. Its key and its content
/// name domains, and its content a recipient that does not exist: a store keeps neither in the clear.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Learned(pub(crate) Fact);

/// What can be learned.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// How hosts want to be asked.
    Manners { of: BudgetKey, manners: Manners },
    /// Sessions that they bear.
    Sessions { egress: EgressId, of: BudgetKey, max: usize },
    /// Recipients a minute that they bear.
    Pace { egress: EgressId, of: BudgetKey, ceiling: usize },
    /// A host, or a domain at it, is let alone.
    Rest { egress: EgressId, host: Arc<str>, domain: Option<Box<str>>, why: Rest },
    /// Whether a domain accepts everybody at a host; none: that is open again.
    CatchAll { domain: Box<str>, host: Box<str>, accepts_all: Option<bool> },
    /// The local part of the random recipient that a host has put off; none: he is not needed any more.
    Random { domain: Box<str>, host: Arc<str>, local: Option<Box<str>> },
}

impl Learned {
    /// What kind of thing it is: a stable word.
    pub fn kind(&self) -> &'static str {
        match self.0 {
            Fact::Manners { .. } => "manners",
            Fact::Sessions { .. } => "sessions",
            Fact::Pace { .. } => "pace",
            Fact::Rest { .. } => "rest",
            Fact::CatchAll { .. } => "catch_all",
            Fact::Random { .. } => "random",
        }
    }

    /// What it is about, among those of its kind: what is learned later under the same key takes its place. Stable, and at
    /// most some 520 octets.
    pub fn key(&self) -> String {
        match &self.0 {
            Fact::Manners { of, .. } => of.text(),
            Fact::Sessions { egress, of, .. } | Fact::Pace { egress, of, .. } => {
                format!("{} {}", egress.0, of.text())
            }
            Fact::Rest { egress, host, domain, .. } => {
                format!("{} {host} {}", egress.0, domain.as_deref().unwrap_or_default())
            }
            Fact::CatchAll { domain, host, .. } => format!("{domain} {host}"),
            Fact::Random { domain, host, .. } => format!("{domain} {host}"),
        }
    }
}

/// Without what it is about: no address gets into a log in full.
impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").field("kind", &self.kind()).finish_non_exhaustive()
    }
}
