//! `mailsonde reply`: what SMTP replies mean to the rules, and so to a verdict.

use std::io::{self, BufReader, BufWriter, Write};

use anyhow::{Context, Result};
use mailsonde_engine::{
    CatchAll, CatchAllSource, Category, DialogueStage, Finding, Policy, Reading, Reason, ReplyClass, judge,
};
use mailsonde_net::{Peer, Reply};
use serde::{Deserialize, Serialize};

use super::{
    args::{ReplyArgs, ReplyFormat, ReplyStage},
    human::{FAINT, escaped},
    input,
};

/// Octets of a line that are kept: as much as is read of a reply on the wire.
const LINE_OCTETS_MAX: usize = 64 * 1024;

/// The rule named for what is no reply at all.
const MALFORMED: &str = "malformed";

/// A reply and where it comes from; what is missing is as the arguments say.
#[derive(Deserialize)]
struct Question {
    text: String,
    mx: Option<String>,
    stage: Option<ReplyStage>,
}

/// What a reply means.
#[derive(Serialize)]
struct Meaning {
    class: ReplyClass,
    category: Category,
    reason: Option<Reason>,
    rule: String,
}

/// Runs the command.
pub(super) fn run(args: &ReplyArgs) -> Result<()> {
    let mut out: Box<dyn Write> = match args.format {
        ReplyFormat::Human => Box::new(anstream::AutoStream::auto(io::stdout().lock())),
        ReplyFormat::Jsonl => Box::new(BufWriter::new(io::stdout().lock())),
    };
    for text in &args.replies {
        answer(&mut out, args, Question { text: text.clone(), mx: None, stage: None })?;
    }
    if args.replies.is_empty() {
        let mut reader = BufReader::new(io::stdin());
        let mut line = Vec::new();
        while input::read_line(&mut reader, &mut line, LINE_OCTETS_MAX).context("reading the replies")? {
            answer(&mut out, args, Question::read(&String::from_utf8_lossy(&line)))?;
            line.clear();
        }
    }
    Ok(out.flush()?)
}

fn answer(out: &mut impl Write, args: &ReplyArgs, question: Question) -> Result<()> {
    let text = question.text.clone();
    let meaning = question.meaning(args);
    match args.format {
        ReplyFormat::Jsonl => {
            serde_json::to_writer(&mut *out, &meaning)?;
            writeln!(out)?;
        }
        ReplyFormat::Human => {
            let Meaning { category, reason, rule, .. } = &meaning;
            let cause = reason.as_ref().map(|reason| format!(" · {}", reason.word())).unwrap_or_default();
            let words = format!("{}{cause}", category.word());
            writeln!(out, "{words:<36} {FAINT}rule {rule:<24}{FAINT:#} {}", escaped(&text))?;
        }
    }
    Ok(())
}

impl Question {
    /// A line: an object, a JSON string, or the reply as it is.
    fn read(line: &str) -> Self {
        let plain = |text| Self { text, mx: None, stage: None };
        match line.chars().next() {
            Some('{') => serde_json::from_str(line).unwrap_or_else(|_| plain(line.to_owned())),
            Some('"') => plain(serde_json::from_str(line).unwrap_or_else(|_| line.to_owned())),
            _ => plain(line.to_owned()),
        }
    }

    fn meaning(self, args: &ReplyArgs) -> Meaning {
        let mx = self.mx.or_else(|| args.mx.clone()).unwrap_or_default();
        let peer = Peer::named(mx.to_ascii_lowercase().trim_end_matches('.'));
        let Some(reply) = Reply::from_text(&self.text) else { return Meaning::malformed() };
        let stage = stage(self.stage.unwrap_or(args.stage));
        let accepts_all = peer.operator.is_some_and(|operator| operator.row().accepts_all);
        Meaning::of(peer.read(stage, &reply, None), accepts_all)
    }
}

fn stage(stage: ReplyStage) -> DialogueStage {
    match stage {
        ReplyStage::Connect => DialogueStage::Connect,
        ReplyStage::Hello => DialogueStage::Hello,
        ReplyStage::Starttls => DialogueStage::StartTls,
        ReplyStage::Mail => DialogueStage::Mail,
        ReplyStage::Rcpt => DialogueStage::Rcpt,
    }
}

impl Meaning {
    /// What a verdict would be, if the reply were all that there is, from a domain that refuses unknown recipients.
    fn of(reading: Reading, accepts_all: bool) -> Self {
        let (class, rule) = (reading.class, reading.rule.to_string());
        let catch_all = if accepts_all {
            CatchAll::Yes { source: CatchAllSource::Operator }
        } else {
            CatchAll::No { source: CatchAllSource::Session }
        };
        let findings = [Finding::Reply(Box::new(reading)), Finding::CatchAll(catch_all)];
        let judged = judge(&findings, Policy::default());
        Self { class, category: judged.category, reason: judged.reason, rule }
    }

    fn malformed() -> Self {
        Self {
            class: ReplyClass::ProtocolError,
            category: Category::Unknown,
            reason: Some(Reason::ProtocolError),
            rule: MALFORMED.to_owned(),
        }
    }
}
