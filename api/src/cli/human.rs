//! A verdict in one line for a person.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mailsonde_engine::{Category, Reason, Verdict};

use crate::verification::Suggestion;

/// Mail arrives.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Mail does not arrive, or something failed.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Nobody can tell, or care is needed.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default();
/// Beside the point.
pub(super) const FAINT: Style = Style::new().dimmed();

/// Columns for the address: most are shorter, and longer ones push the rest aside.
const ADDRESS_WIDTH: usize = 34;

/// Writes `✓ jane@example.com  deliverable  0.98`, with the cause and a suggestion where there is one.
pub(super) fn write_line(out: &mut impl Write, row: Option<u64>, verdict: &Verdict) -> io::Result<()> {
    let judgement = &verdict.judgement;
    let (mark, style) = mark(judgement.category);
    if let Some(row) = row {
        write!(out, "{FAINT}{row:>7}{FAINT:#} ")?;
    }
    let address = escaped(&verdict.input);
    write!(out, "{style}{mark}{style:#} {address:<ADDRESS_WIDTH$} {style}{}{style:#}", words(verdict))?;
    write!(out, "  {FAINT}{:.2}{FAINT:#}", judgement.confidence.as_f64())?;
    if let Some(suggestion) = Suggestion::of(verdict) {
        write!(out, "  did you mean {GOOD}{}{GOOD:#}?", escaped(&suggestion.to_string()))?;
    }
    writeln!(out)
}

/// Category and cause: `undeliverable · mailbox_not_found`.
pub(super) fn words(verdict: &Verdict) -> String {
    let category = verdict.judgement.category.word();
    match verdict.judgement.reason.as_ref().map(Reason::word) {
        Some(reason) => format!("{category} · {}", escaped(reason)),
        None => category.to_owned(),
    }
}

fn mark(category: Category) -> (char, Style) {
    match category {
        Category::Deliverable => ('✓', GOOD),
        Category::Undeliverable | Category::InvalidSyntax | Category::HighRisk => ('✗', BAD),
        Category::Risky | Category::Disposable | Category::RandomPattern | Category::AcceptAll => ('!', CARE),
        Category::Unknown => ('?', CARE),
        Category::Duplicate => ('=', FAINT),
    }
}

/// Submitted text never moves the cursor or hides what stands beside it.
pub(super) fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_hidden(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// Control characters, and those that change how the text around them reads.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
