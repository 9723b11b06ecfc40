//! `mailsonde verify`: inputs in, verdicts out, streaming.

use std::{
    fs::File,
    future::pending,
    io::{self, IsTerminal, Read},
    path::Path,
    thread,
};

use anyhow::{Context, Result};
use mailsonde_config::Settings;
use tokio::sync::mpsc;

use super::{
    Usage,
    args::{Format, VerifyArgs},
    input,
    output::Output,
    pass::{BATCHES_WAITING_MAX, Pass, progress},
};
use crate::verify::{Inputs, Order};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &VerifyArgs) -> Result<()> {
    let source = Source::of(args)?;
    let settings = Settings::load(config)?;
    let pass = Pass::new(&settings, &args.pass, args.explain)?;
    let is_single = matches!(&source, Source::Arguments(addresses) if addresses.len() == 1);
    let mut output = Output::new(args.format, args.explain, args.as_completed, is_single)?;
    let order = if args.as_completed { Order::Completed } else { Order::Submitted };
    let is_watched = !io::stdout().is_terminal() && source.len() != Some(1);
    let bar = progress(is_watched, source.len(), "addresses");

    let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
    let reader = thread::spawn(move || source.send(&sender));
    let ended = pass.run(receiver, order, pending(), |batch| {
        bar.inc(batch.verdicts.len() as u64);
        output.write(batch)
    });
    bar.finish_and_clear();
    // A reader that waits for a terminal cannot be joined once nobody wants its lines.
    ended?;
    reader.join().map_err(|_| anyhow::anyhow!("reading the input panicked"))??;
    output.finish()?;
    pass.leave();
    Ok(())
}

/// Where the addresses come from.
enum Source {
    Arguments(Vec<String>),
    /// Lines, and how many there are where that is known.
    Lines(Box<dyn Read + Send>, Option<u64>),
}

impl Source {
    fn of(args: &VerifyArgs) -> Result<Self> {
        if args.as_completed && !matches!(args.format, Format::Jsonl | Format::Human) {
            return Err(
                Usage("--as-completed prints row numbers, which only jsonl and human have".into()).into()
            );
        }
        if let Some(path) = &args.input {
            let file = File::open(path).map_err(|error| Usage(format!("{}: {error}", path.display())))?;
            return Ok(Self::Lines(Box::new(file), input::count_lines(path)));
        }
        match args.addresses.as_slice() {
            [] if io::stdin().is_terminal() => {
                Err(Usage("no address: name one, or `-` to type them, or --input FILE".into()).into())
            }
            [] => Ok(Self::Lines(Box::new(io::stdin()), None)),
            [dash] if dash == "-" => Ok(Self::Lines(Box::new(io::stdin()), None)),
            addresses if addresses.iter().any(|address| address == "-") => {
                Err(Usage("`-` reads standard input and stands alone".into()).into())
            }
            addresses => {
                Ok(Self::Arguments(addresses.iter().map(|address| address.trim().to_owned()).collect()))
            }
        }
    }

    /// How many inputs there are, where that is known.
    fn len(&self) -> Option<u64> {
        match self {
            Self::Arguments(addresses) => Some(addresses.len() as u64),
            Self::Lines(_, len) => *len,
        }
    }

    /// Sends the inputs in batches, until they end or nobody wants them.
    fn send(self, batches: &mpsc::Sender<Inputs>) -> Result<()> {
        match self {
            Self::Arguments(inputs) => {
                // Arguments are few: the system limits them to a fraction of what a batch may hold of memory.
                let _ = batches.blocking_send(Inputs { first_row: 1, inputs });
                Ok(())
            }
            Self::Lines(reader, _) => input::send_lines(reader, batches).context("reading the addresses"),
        }
    }
}
