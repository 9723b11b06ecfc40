//! Verdicts: what the judge said of a subject, with the evidence that lets anyone judge it again.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Address, AliasType, Finding, Judgement, Policy, Recorded, RoleType, Subject, Weight, judge};

/// Version of the rules of the judge. Raised when the same findings may get another verdict.
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
    /// Of a person: the verdicts of all candidates, the likeliest first.
    pub candidates: Vec<Self>,
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
    /// What became of each opinion among the findings, in their order. Told, not judged by: judging again weighs anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<WeighedOpinion>,
}

/// What became of a stage's opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeighedOpinion {
    /// The stage that holds it.
    pub stage: Arc<str>,
    /// What became of it.
    pub weight: Weight,
    /// The stage whose opinion took part instead, where this one was overruled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overruled_by: Option<Arc<str>>,
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
        let Subject { input, address, findings, settled, candidates, .. } = subject;
        let mut evidence = Evidence { judge: JUDGE_VERSION, policy, findings, opinions: Vec::new() };
        let judgement = evidence.judge_again();
        evidence.weigh(&judgement.opinions);
        let candidates = candidates.into_iter().map(|candidate| Self::of(candidate, policy)).collect();
        Self { input, address, judgement, evidence, last_slot: settled, candidates }
    }
}

impl Evidence {
    /// The judgement that this evidence leads to.
    pub fn judge_again(&self) -> Judgement {
        judge(self.findings(), self.policy)
    }

    /// Puts the names of stages to what the judge said of their opinions.
    fn weigh(&mut self, weights: &[Weight]) {
        if weights.is_empty() {
            return;
        }
        let stages = self.findings.iter().filter(|recorded| matches!(recorded.finding, Finding::Opinion(_)));
        let weighed: Vec<_> =
            stages.map(|recorded| recorded.stage.clone()).zip(weights.iter().copied()).collect();
        let first = weighed.iter().find(|(_, weight)| matches!(weight, Weight::Decided | Weight::Outranked));
        let first = first.map(|(stage, _)| stage.clone());
        let told = |(stage, weight)| WeighedOpinion {
            stage,
            weight,
            overruled_by: first.clone().filter(|_| weight == Weight::Overruled),
        };
        self.opinions = weighed.into_iter().map(told).collect();
    }

    /// What was found, in order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|recorded| &recorded.finding)
    }
}
