//! A file of cases: what a plugin is given, and what it must say. TOML; what is wrong in it is told with its line.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use jiff::Timestamp;
use mailsonde_builtin::syntax;
use mailsonde_engine::{Address, Category, Finding, Lookup};
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::{answers, values};

/// File of a project that holds its cases.
pub(crate) const CASES: &str = "cases.toml";

/// The moment of cases that name none: a case must come out alike every day.
const NOW: &str = "2026-01-01T00:00:00Z";

/// Cases may hold whatever is an address anywhere.
pub(super) const SYNTAX: syntax::Policy = syntax::Policy::Rfc5322;

/// A file that was read and understood.
#[derive(Debug)]
pub(crate) struct Cases {
    /// The file.
    pub(crate) file: PathBuf,
    /// What `configure` gets where a case has nothing of its own.
    pub(crate) config: Map<String, Value>,
    /// In the order of the file.
    pub(crate) all: Vec<Case>,
}

/// What a plugin is given once, and what it must say.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Line of the file, from 1.
    pub(crate) line: usize,
    pub(crate) input: String,
    /// The address that the input means, unless no stage has parsed it.
    pub(crate) address: Option<Address>,
    pub(crate) facts: Vec<Finding>,
    /// Answers by their question.
    pub(crate) dns: BTreeMap<String, Lookup>,
    pub(crate) cache: BTreeMap<String, String>,
    pub(crate) now: SystemTime,
    pub(crate) config: Map<String, Value>,
    pub(crate) expect: Expect,
}

/// What must come out.
#[derive(Debug)]
pub(crate) enum Expect {
    /// `configure` refuses, and says this among other things.
    Refused(String),
    /// The plugin says exactly this.
    Said {
        opinion: Option<ExpectedOpinion>,
        facts: BTreeMap<String, Value>,
        /// What the cache must hold afterwards, besides whatever else it does.
        cache: BTreeMap<String, String>,
    },
}

/// An opinion, with or without its score.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedOpinion {
    pub(crate) category: Category,
    pub(crate) reason: Arc<str>,
    pub(crate) score: Option<f64>,
}

/// What is wrong with a file of cases.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CasesError {
    /// It cannot be read.
    #[error("{}: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    /// Something in it makes no sense.
    #[error("{}:{line}: {message}", file.display())]
    Wrong { file: PathBuf, line: usize, message: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    config: toml::Table,
    #[serde(default, rename = "case")]
    cases: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    address: Option<String>,
    input: Option<String>,
    #[serde(default)]
    facts: BTreeMap<Spanned<String>, toml::Value>,
    #[serde(default)]
    dns: BTreeMap<Spanned<String>, toml::Value>,
    #[serde(default)]
    cache: BTreeMap<String, String>,
    now: Option<String>,
    config: Option<toml::Table>,
    #[serde(default)]
    expect: Wanted,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    opinion: Option<ExpectedOpinion>,
    #[serde(default)]
    facts: BTreeMap<String, toml::Value>,
    #[serde(default)]
    cache: BTreeMap<String, String>,
    refused: Option<String>,
}

impl Cases {
    /// Reads a file.
    pub(crate) fn read(file: &Path) -> Result<Self, CasesError> {
        let text = fs::read_to_string(file)
            .map_err(|source| CasesError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(file, &text)
    }

    /// Understands the text of a file.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, CasesError> {
        let line = |span: &Range<usize>| 1 + text[..span.start.min(text.len())].matches('\n').count();
        let wrong = |line, message| CasesError::Wrong { file: file.to_owned(), line, message };
        let File { config, cases } = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(1, |span| line(&span));
            wrong(at, error.message().replace("unknown field", "unknown key"))
        })?;
        let config = values::table_from_toml(&config);
        let read = |table: Spanned<Table>| {
            let at = line(&table.span());
            let found = table.into_inner().understood(at, &config);
            found.map_err(|(span, message)| wrong(span.map_or(at, |span| line(&span)), message))
        };
        let all = cases.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { file: file.to_owned(), config, all })
    }
}

/// What is wrong in a case, and where, if that is not the case as a whole.
type Mistake = (Option<Range<usize>>, String);

impl Table {
    fn understood(self, line: usize, config: &Map<String, Value>) -> Result<Case, Mistake> {
        let (input, address) = match (self.address, self.input) {
            (Some(address), None) => {
                let parsed = syntax::parse(&address, SYNTAX)
                    .map_err(|error| (None, format!("{address:?} is no address: {}", error.message)))?;
                (address, Some(parsed))
            }
            (None, Some(input)) => (input, None),
            _ => return Err((None, "a case has either an `address` or an `input`".into())),
        };
        let finding = |(key, value): (&Spanned<String>, &toml::Value)| {
            values::finding(key.get_ref(), &values::from_toml(value))
                .map_err(|message| (Some(key.span()), message))
        };
        let answer = |(asked, answer): (&Spanned<String>, &toml::Value)| {
            answers::read(asked.get_ref(), &values::from_toml(answer))
                .map_err(|message| (Some(asked.span()), message))
        };
        let now = self.now.as_deref().unwrap_or(NOW);
        let now: Timestamp =
            now.parse().map_err(|_| (None, format!("{now:?} is no time such as {NOW:?}")))?;
        Ok(Case {
            name: self.name,
            line,
            input,
            address,
            facts: self.facts.iter().map(finding).collect::<Result<_, _>>()?,
            dns: self.dns.iter().map(answer).collect::<Result<_, _>>()?,
            cache: self.cache,
            now: now.into(),
            config: self.config.as_ref().map_or_else(|| config.clone(), values::table_from_toml),
            expect: self.expect.understood().map_err(|message| (None, message))?,
        })
    }
}

impl Wanted {
    fn understood(self) -> Result<Expect, String> {
        let Self { opinion, facts, cache, refused } = self;
        let Some(refused) = refused else {
            let facts = facts.iter().map(|(key, value)| (key.clone(), values::from_toml(value))).collect();
            return Ok(Expect::Said { opinion, facts, cache });
        };
        if opinion.is_some() || !facts.is_empty() || !cache.is_empty() {
            return Err("a plugin that refuses its configuration says nothing else".into());
        }
        Ok(Expect::Refused(refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Cases, String> {
        Cases::parse(Path::new("cases.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_case_has_what_it_needs() {
        let text = concat!(
            "[config]\nblocked = ['a.example']\n",
            "[[case]]\nname = 'one'\naddress = 'jane@a.example'\n",
            "facts = { 'role.type' = 'sales', free_provider = true, 'other.fact' = [1] }\n",
            "dns = { 'TXT a.example' = ['x'] }\ncache = { k = 'v' }\nnow = '2026-11-21T12:00:00Z'\n",
            "expect.opinion = { category = 'high_risk', reason = 'blocked' }\n",
            "[[case]]\nname = 'two'\ninput = 'x'\nconfig = { other = 1979-05-27 }\nexpect.refused = 'no'\n",
        );
        let Cases { all, .. } = parse(text).unwrap();
        let [one, two] = all.as_slice() else { panic!("two cases") };
        assert_eq!((one.line, one.address.as_ref().unwrap().domain()), (3, "a.example"));
        let keys: Vec<_> = one.facts.iter().map(Finding::key).collect();
        assert_eq!(keys, ["free_provider", "other.fact", "role.type"]);
        assert_eq!(one.config["blocked"][0], "a.example");
        assert!(one.dns.contains_key("TXT a.example"));
        assert!(
            matches!(&one.expect, Expect::Said { opinion: Some(opinion), .. } if opinion.score.is_none())
        );
        // As the configuration itself reads times.
        assert_eq!((two.address.is_none(), &two.config["other"]), (true, &Value::from("1979-05-27")));
        assert!(matches!(&two.expect, Expect::Refused(part) if part == "no"));
    }

    #[test]
    fn mistakes_have_their_line() {
        let case = "[[case]]\nname = 'x'\naddress = 'a@b.example'\n";
        for (text, said) in [
            ("[confg]\n".to_owned(), "cases.toml:1: unknown key `confg`"),
            (format!("{case}fact = {{}}\n"), "cases.toml:4: unknown key `fact`"),
            (format!("{case}expect.opinon = {{}}\n"), "cases.toml:4: unknown key `opinon`"),
            (
                format!("{case}facts.'role.type' = 'boss'\n"),
                "cases.toml:4: the value does not fit `role.type`",
            ),
            (
                format!("{case}facts.free_provider = false\n"),
                "cases.toml:4: the value does not fit `free_provider`",
            ),
            (format!("{case}dns.'A b' = 'maybe'\n"), "cases.toml:4: maybe is no answer"),
            (format!("{case}now = 'noon'\n"), "cases.toml:1: \"noon\" is no time"),
            (format!("{case}input = 'x'\n"), "cases.toml:1: a case has either"),
            ("\n[[case]]\nname = 'x'\naddress = 'nobody'\n".into(), "cases.toml:2: \"nobody\" is no address"),
            ("[[case]]\naddress = 'a@b.example'\n".into(), "cases.toml:1: missing field `name`"),
            ("x = [\n".into(), "cases.toml:1: "),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(said), "{text}\n{error}");
        }
    }
}
