//! What `mailsonde find` tells of a person, as JSON or as a line for a person.

use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use mailsonde_engine::{
    Address, Candidate, Category, Confidence, Finding, Guess, MailboxState, Reason, Verdict,
};
use serde::Serialize;

use crate::{
    cli::{
        args::FindFormat,
        human::{BAD, CARE, FAINT, GOOD, escaped},
        meaning::meaning,
    },
    words::Relentless,
};

/// Columns for who is looked for.
const PERSON_WIDTH: usize = 40;

/// All candidates were asked about.
const NOBODY: &str = "The server refuses each address that is usual for the name.";

/// Nobody was looked for.
const NAMESAKES: &str = "Anyone can open a mailbox there, so a name leads to namesakes.";

/// Standard output, for this format.
pub(super) fn output(format: FindFormat) -> Box<dyn Write> {
    let stdout = io::stdout().lock();
    match format {
        FindFormat::Human => Box::new(AutoStream::auto(stdout)),
        FindFormat::Json | FindFormat::Jsonl => Box::new(BufWriter::new(stdout)),
    }
}

/// Who is looked for, as submitted.
#[derive(Serialize)]
pub(super) struct Input<'a> {
    full_name: &'a str,
    email_domain: &'a str,
}

impl<'a> Input<'a> {
    pub(super) fn of(input: &'a str) -> Self {
        let (full_name, email_domain) = input.rsplit_once('\t').unwrap_or((input, ""));
        Self { full_name, email_domain }
    }

    fn human(&self) -> String {
        escaped(&format!("{} at {}", self.full_name, self.email_domain))
    }
}

/// Addresses of which nobody was asked.
pub(super) struct Candidates<'a> {
    pub(super) input: Input<'a>,
    pub(super) ranked: &'a [Candidate],
    pub(super) error: Option<&'a str>,
}

/// An address that a person may have.
#[derive(Serialize)]
struct Listed<'a> {
    address: &'a str,
    format: &'a str,
    chance: f64,
    /// What is known of the mailbox, where somebody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    mailbox: Option<MailboxState>,
}

impl<'a> Candidates<'a> {
    pub(super) fn write(&self, out: &mut impl Write, format: FindFormat) -> io::Result<()> {
        #[derive(Serialize)]
        struct Object<'a> {
            input: &'a Input<'a>,
            candidates: Vec<Listed<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
        }
        let listed = |candidate: &'a Candidate| {
            let Candidate { address, guess } = candidate;
            let chance = rounded(guess.chance);
            Listed { address: address.as_str(), format: &guess.format, chance, mailbox: None }
        };
        let candidates: Vec<Listed<'_>> = self.ranked.iter().map(listed).collect();
        if format != FindFormat::Human {
            return json(out, format, &Object { input: &self.input, candidates, error: self.error });
        }
        writeln!(out, "{}", self.input.human())?;
        if let Some(error) = self.error {
            writeln!(out, "    {BAD}{error}{BAD:#}")?;
        }
        candidates.iter().try_for_each(|listed| line(out, listed))
    }
}

/// What came of looking for a person.
#[derive(Serialize)]
pub(super) struct Found<'a> {
    input: Input<'a>,
    /// `found`, `not_found` or `error`: nobody knows.
    outcome: &'static str,
    /// The address, where it is found.
    address: Option<&'a str>,
    /// How it is made of the name.
    format: Option<&'a str>,
    category: Category,
    reason: Option<&'a Reason>,
    confidence_score: Confidence,
    is_catch_all: bool,
    /// The likeliest address, where nobody can tell.
    guess: Option<Listed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates: Option<Vec<Listed<'a>>>,
    #[serde(skip)]
    verdict: &'a Verdict,
    #[serde(skip)]
    tried: Option<&'a Guess>,
}

impl<'a> Found<'a> {
    pub(super) fn of(verdict: &'a Verdict, explain: bool) -> Self {
        let judgement = &verdict.judgement;
        let outcome = Relentless::of(judgement.mailbox).outcome;
        let is_found = outcome == "found";
        let tried = guess_of(verdict);
        let listed = |verdict: &'a Verdict| {
            let guess = guess_of(verdict)?;
            Some(Listed {
                address: verdict.address.as_ref()?.as_str(),
                format: &guess.format,
                chance: rounded(guess.chance),
                mailbox: Some(verdict.judgement.mailbox),
            })
        };
        Self {
            input: Input::of(&verdict.input),
            outcome,
            address: verdict.address.as_ref().filter(|_| is_found).map(Address::as_str),
            format: tried.filter(|_| is_found).map(|guess| &*guess.format),
            category: judgement.category,
            reason: judgement.reason.as_ref(),
            confidence_score: judgement.confidence,
            is_catch_all: judgement.flags.is_catch_all,
            guess: if outcome == "error" { listed(verdict) } else { None },
            candidates: explain.then(|| verdict.candidates.iter().filter_map(listed).collect()),
            verdict,
            tried,
        }
    }

    pub(super) fn write(&self, out: &mut impl Write, format: FindFormat) -> io::Result<()> {
        if format != FindFormat::Human {
            return json(out, format, self);
        }
        let (mark, style) = match self.outcome {
            "found" => ('✓', GOOD),
            "not_found" => ('✗', BAD),
            _ => ('?', CARE),
        };
        write!(out, "{style}{mark}{style:#} {:<PERSON_WIDTH$} ", self.input.human())?;
        match (self.address, &self.guess, self.tried) {
            (Some(address), _, Some(guess)) => {
                let Guess { format, rank, of, .. } = guess;
                writeln!(out, "{style}{address}{style:#}  {FAINT}{format}, {rank} of {of}{FAINT:#}")?;
            }
            (_, Some(guess), _) => {
                let Listed { address, chance, .. } = guess;
                let sentence = meaning(&self.verdict.judgement);
                writeln!(out, "{sentence} {FAINT}Perhaps {address} ({chance:.2}).{FAINT:#}")?;
            }
            _ => writeln!(out, "{}", self.sentence())?,
        }
        self.candidates.iter().flatten().try_for_each(|listed| line(out, listed))
    }

    /// What the verdict means for who looked for a person.
    fn sentence(&self) -> &'static str {
        let Verdict { judgement, candidates, .. } = self.verdict;
        if candidates.is_empty() && judgement.flags.is_free_provider {
            NAMESAKES
        } else if !candidates.is_empty() && judgement.mailbox == MailboxState::NotFound {
            NOBODY
        } else {
            meaning(judgement)
        }
    }
}

/// How an address came about.
fn guess_of(verdict: &Verdict) -> Option<&Guess> {
    verdict.evidence.findings().find_map(|finding| match finding {
        Finding::Candidate(guess) => Some(guess),
        _ => None,
    })
}

fn line(out: &mut impl Write, listed: &Listed<'_>) -> io::Result<()> {
    let Listed { address, format, chance, mailbox } = listed;
    let state = mailbox.map(|state| format!("{state:?}")).unwrap_or_default();
    writeln!(out, "    {chance:.3}  {address:<PERSON_WIDTH$} {FAINT}{format:<14} {state}{FAINT:#}")
}

/// Nobody knows a chance more closely.
fn rounded(chance: f64) -> f64 {
    (chance * 10_000.0).round() / 10_000.0
}

fn json(out: &mut impl Write, format: FindFormat, object: &impl Serialize) -> io::Result<()> {
    match format {
        FindFormat::Json => serde_json::to_writer_pretty(&mut *out, object)?,
        FindFormat::Human | FindFormat::Jsonl => serde_json::to_writer(&mut *out, object)?,
    }
    out.write_all(b"\n")
}
