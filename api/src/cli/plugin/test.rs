//! `mailsonde plugin test`: a line for each case, and where one fails, what was expected and what came.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use anstream::AutoStream;
use anyhow::{Result, bail};
use mailsonde_engine::Category;
use serde_json::Value;

use super::{
    super::{
        Usage,
        human::{BAD, GOOD, escaped},
    },
    TestArgs, component, host, usual_cases,
};
use crate::plugin::{Came, Case, Cases, Expect, Trial, What};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &TestArgs) -> Result<()> {
    let component = component(&args.plugin)?;
    let file = args.cases.clone().or_else(|| usual_cases(&args.plugin)).ok_or_else(|| {
        Usage(format!("{}: there are no cases; --cases FILE names them", args.plugin.display()))
    })?;
    let cases = Cases::read(&file).map_err(|error| Usage(error.to_string()))?;
    if cases.all.is_empty() {
        return Err(Usage(format!("{}: no case in it", file.display())).into());
    }
    let mut trial = Trial::new(host(config)?, &component)?;
    let mut out = AutoStream::auto(io::stdout().lock());
    let mut failed = 0;
    for case in &cases.all {
        let result = trial.run(case)?;
        failed += usize::from(!result.is_expected);
        write_case(&mut out, &cases.file, case, &result)?;
    }
    let all = cases.all.len();
    match failed {
        0 => writeln!(out, "{all} {} passed", if all == 1 { "case" } else { "cases" })?,
        _ => bail!("{failed} of {all} cases failed"),
    }
    Ok(())
}

fn write_case(out: &mut impl Write, file: &Path, case: &Case, result: &Came) -> io::Result<()> {
    let name = escaped(&case.name);
    if result.is_expected {
        return writeln!(out, "{GOOD}✓{GOOD:#} {name}");
    }
    writeln!(out, "{BAD}✗{BAD:#} {name} ({}:{})", file.display(), case.line)?;
    let mut tell = |what: &str, text: &str| writeln!(out, "    {what:<9} {}", escaped(text));
    tell("expected", &expected(&case.expect))?;
    tell("came", &came_out(&result.what))?;
    for question in &result.unlisted {
        tell("asked", &format!("`{question}`, which the case does not list under `dns`"))?;
    }
    for (key, held) in &result.cached {
        let held = held.as_ref().map_or("nothing".to_owned(), |held| format!("{held:?}"));
        tell("cache", &format!("holds {held} under {key:?}"))?;
    }
    Ok(())
}

fn expected(expect: &Expect) -> String {
    match expect {
        Expect::Refused(part) => format!("the configuration refused: {part}"),
        Expect::Said { opinion, facts, cache } => {
            let opinion = opinion.as_ref();
            let mut told = said(opinion.map(|said| (said.category, &*said.reason, said.score)), facts);
            if !cache.is_empty() {
                told.push_str("; and in the cache ");
                let entries = cache.iter().map(|(key, value)| format!("{key:?} = {value:?}"));
                told.push_str(&entries.collect::<Vec<_>>().join(", "));
            }
            told
        }
    }
}

fn came_out(what: &What) -> String {
    match what {
        What::Refused(message) => format!("the configuration refused: {message}"),
        What::Failed(fault) => format!("a fault: {fault} (--log debug tells more)"),
        What::Said(came) => {
            let opinion = came.opinion.as_ref();
            said(opinion.map(|said| (said.category, &*said.reason, Some(said.score))), &came.facts)
        }
    }
}

/// `high_risk · blocked_domain 0.95; blocklist.rule = "*.example.net"`.
fn said(opinion: Option<(Category, &str, Option<f64>)>, facts: &BTreeMap<String, Value>) -> String {
    let opinion = opinion.map(|(category, reason, score)| {
        let score = score.map_or(String::new(), |score| format!(" {score}"));
        format!("{} · {reason}{score}", category.word())
    });
    let facts = facts.iter().map(|(key, value)| format!("{key} = {value}"));
    let parts: Vec<String> = opinion.into_iter().chain(facts).collect();
    if parts.is_empty() { "neither opinion nor facts".into() } else { parts.join("; ") }
}
