//! `mailsonde find`: a person's name and a company's domain in, the person's address out; or the addresses that it may be,
//! of which nobody is asked.

mod told;

use std::{
    future::pending,
    io::{self, BufReader, IsTerminal, Write},
    path::Path,
    sync::Arc,
    thread,
};

use anyhow::{Context, Result};
use mailsonde_builtin::{
    finder_permutation::{candidates, known},
    person::Person,
    syntax,
};
use mailsonde_config::Settings;
use serde::Deserialize;
use tokio::sync::mpsc;

use self::told::{Candidates, Found, Input};
use super::{
    Usage,
    args::FindArgs,
    input,
    pass::{BATCHES_WAITING_MAX, Pass, progress},
    pipeline_named,
};
use crate::{
    assembly::{self, Parts},
    formats::Remembered,
    verify::{Inputs, Order, Verified, Verifier},
};

/// Octets of a line that are kept: a name and a domain, with what JSON needs around them.
const LINE_OCTETS_MAX: usize = 4096;

/// Persons of one batch: what is found of one helps to find the next at the same company.
const PERSONS_AT_ONCE: usize = 250;

/// A line of standard input.
#[derive(Deserialize)]
struct Line {
    full_name: String,
    email_domain: String,
    /// Addresses at the company that somebody knows to be right.
    #[serde(default)]
    colleagues: Vec<String>,
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &FindArgs) -> Result<()> {
    let source = Source::of(args)?;
    let settings = Settings::load(config)?;
    let memory = Arc::new(Remembered::default());
    for colleague in &args.colleagues {
        let address = syntax::parse(colleague, syntax::Policy::Strict);
        memory.learn_from(&address.map_err(|error| Usage(format!("{colleague}: {}", error.message)))?);
    }
    if args.candidates {
        list(&settings, source, args, &memory)
    } else {
        find(&settings, source, args, memory)
    }
}

/// Prints the addresses that each person may have.
fn list(settings: &Settings, source: Source, args: &FindArgs, memory: &Remembered) -> Result<()> {
    let max = assembly::candidates_max(settings)?;
    let mut out = told::output(args.format);
    source.each(memory, |input| {
        let person = Person::read(&input).transpose();
        let candidates = match &person {
            Ok(Some(person)) => candidates(person, person.domain(), &known(&memory.of(person.domain())), max),
            _ => Vec::new(),
        };
        let error = person.err().map(|error| error.to_string());
        Candidates { input: Input::of(&input), ranked: &candidates, error: error.as_deref() }
            .write(&mut out, args.format)
    })?;
    Ok(out.flush()?)
}

/// Looks for each person.
fn find(settings: &Settings, source: Source, args: &FindArgs, memory: Arc<Remembered>) -> Result<()> {
    let parts = Parts::new(settings)?.with_formats(memory.clone());
    pipeline_named(settings, &args.pipeline)?;
    let pipeline = assembly::pipeline(settings, &parts, &args.pipeline, &[])?;
    let policy = assembly::policy(settings)?.of_mailbox();
    let verifier = Verifier::new(pipeline, policy, args.deadline).with_patience(args.patience);
    let verifier = verifier.learning(memory.clone());
    let pass = Pass::of(parts, verifier)?;
    let is_watched = matches!(source, Source::Lines) && !io::stdout().is_terminal();
    let bar = progress(is_watched, None, "people");
    let mut out = told::output(args.format);
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
    let reader = thread::spawn(move || source.send(&memory, &sender));
    let ended = pass.run(receiver, Order::Submitted, pending(), |batch: &Verified| {
        bar.inc(batch.verdicts.len() as u64);
        for verdict in &batch.verdicts {
            Found::of(verdict, args.explain).write(&mut out, args.format)?;
        }
        out.flush()
    });
    bar.finish_and_clear();
    // A reader that waits for a terminal cannot be joined once nobody wants its lines.
    ended?;
    reader.join().map_err(|_| anyhow::anyhow!("reading the input panicked"))??;
    pass.leave();
    Ok(())
}

/// Where the persons come from.
enum Source {
    One(String),
    /// A person a line, on standard input.
    Lines,
}

impl Source {
    fn of(args: &FindArgs) -> Result<Self> {
        match (&*args.name, &args.domain) {
            ("-", None) => Ok(Self::Lines),
            ("-", Some(_)) => Err(Usage("`-` reads standard input and stands alone".into()).into()),
            (_, None) => Err(Usage("no domain: `mailsonde find NAME DOMAIN`".into()).into()),
            (name, Some(domain)) => {
                let person = Person::new(name, domain).map_err(|error| Usage(error.to_string()))?;
                Ok(Self::One(person.input()))
            }
        }
    }

    /// Hands on each person as an input; colleagues are remembered before.
    fn each(self, memory: &Remembered, mut hand: impl FnMut(String) -> io::Result<()>) -> Result<()> {
        match self {
            Self::One(input) => Ok(hand(input)?),
            Self::Lines => {
                let mut reader = BufReader::new(io::stdin());
                let mut line = Vec::new();
                while input::read_line(&mut reader, &mut line, LINE_OCTETS_MAX)
                    .context("reading the names")?
                {
                    hand(read(&String::from_utf8_lossy(&line), memory))?;
                    line.clear();
                }
                Ok(())
            }
        }
    }

    /// Sends the persons in batches, until they end or nobody wants them.
    fn send(self, memory: &Remembered, batches: &mpsc::Sender<Inputs>) -> Result<()> {
        let (mut first_row, mut inputs) = (1, Vec::new());
        let mut leave = |inputs: &mut Vec<String>| {
            let rows = inputs.len() as u64;
            // Who has left wants no more.
            let _ = batches.blocking_send(Inputs { first_row, inputs: std::mem::take(inputs) });
            first_row += rows;
        };
        self.each(memory, |input| {
            inputs.push(input);
            if inputs.len() == PERSONS_AT_ONCE {
                leave(&mut inputs);
            }
            Ok(())
        })?;
        if !inputs.is_empty() {
            leave(&mut inputs);
        }
        Ok(())
    }
}

/// A line is an object, or a name, a tab and a domain. What is neither is a name without a domain, and is told so. A
/// colleague whose address is none tells nothing.
fn read(line: &str, memory: &Remembered) -> String {
    let line = line.trim();
    let (name, domain) = match serde_json::from_str(line) {
        Ok(Line { full_name, email_domain, colleagues }) => {
            let addresses =
                colleagues.iter().filter_map(|text| syntax::parse(text, syntax::Policy::Strict).ok());
            addresses.for_each(|address| memory.learn_from(&address));
            (full_name, email_domain)
        }
        Err(_) => match line.rsplit_once('\t') {
            Some((name, domain)) => (name.to_owned(), domain.to_owned()),
            None => (line.to_owned(), String::new()),
        },
    };
    match Person::new(&name, &domain) {
        Ok(person) => person.input(),
        Err(_) => format!("{name}\t{domain}"),
    }
}
