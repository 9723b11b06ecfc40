//! Verdicts: what the judge said of a subject, with the evidence that lets anyone judge it again.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Address, AliasType, Finding, Judgement, Policy, Recorded, RoleType, Subject, judge};

/// Version of the rules in `judge.rs`. Raised when the same findings may get another verdict.
pub const JUDGE_VERSION: u32 = 1;

/// What an address is besides its category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flags {
    /// On a disposable list of either tier, or on a disposable fleet's mail hosts.
    pub is_disposable: bool,
    /// At a provider where anyone can open a mailbox.
    pub is_free_provider: bool,
    /// A recipient that cannot exist was accepted.
    pub is_catch_all: bool,
    /// The local part looks random.
    pub is_random: bool,
    /// The function that the local part names.
    pub role: Option<RoleType>,
    /// How it is a variant of another address.
    pub alias: Option<AliasType>,
}

/// A subject's end: the judgement, and what it rests on.
#[derive(Clone)]
pub struct Verdict {
    /// The input as submitted.
    pub input: Box<str>,
    /// The address, when the input is one.
    pub address: Option<Address>,
    /// What the judge said.
    pub judgement: Judgement,
    /// What it rests on.
    pub evidence: Evidence,
    /// Position of the last slot that settled the subject.
    pub last_slot: Option<usize>,
}

/// Everything the judge saw. Serialised, it is what a verdict can be judged by again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Version of the judge.
    pub judge: u32,
    /// The policy it judged by.
    pub policy: Policy,
    /// What was found, and by which stage.
    pub findings: Vec<Recorded>,
}

/// Without the input: no address gets into a log in full.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Verdict");
        shown.field("address", &self.address).field("judgement", &self.judgement).finish_non_exhaustive()
    }
}

impl Verdict {
    /// Judges a subject by what was found of it.
    pub fn of(subject: Subject, policy: Policy) -> Self {
        let Subject { input, address, findings, settled, .. } = subject;
        let evidence = Evidence { judge: JUDGE_VERSION, policy, findings };
        Self { input, address, judgement: evidence.judge_again(), evidence, last_slot: settled }
    }
}

impl Evidence {
    /// The judgement that this evidence leads to.
    pub fn judge_again(&self) -> Judgement {
        judge(self.findings(), self.policy)
    }

    /// What was found, in order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|recorded| &recorded.finding)
    }
}
