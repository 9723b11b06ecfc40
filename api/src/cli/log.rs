//! Lines on standard error for what is told while a command runs: `plugin blocklist: text`, `warning: text`. Only mailsonde's own events;
//! what libraries tell themselves is of no use to whoever types commands.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use anstyle::Style;
use clap::ValueEnum;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use super::human::{BAD, CARE, FAINT, escaped};

/// What the names of our crates begin with.
const OURS: &str = "mailsonde";

/// Takes the line back to its start and empties it: a progress bar may stand there.
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// What is told while a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// Nothing
    Off,
    /// What failed
    Error,
    /// What needs care, too
    Warn,
    /// What happened, too
    Info,
    /// All there is
    Debug,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// From now on, events are lines on standard error.
pub(super) fn start(level: LogLevel) {
    let lines = Lines { is_watched: io::stderr().is_terminal() }.with_filter(LevelFilter::from(level));
    // Only a second call in the same process could fail, and then there is a log already.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
}

/// From now on, a panic tells where it was and not what it said: that may quote an address.
pub(super) fn panics_without_words() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
        // Nobody can be told that nobody can be told.
        let _ =
            writeln!(anstream::stderr(), "{BAD}error{BAD:#}: a panic{place}; this is a fault of mailsonde");
    }));
}

struct Lines {
    is_watched: bool,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with(OURS) {
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        let clear = if self.is_watched { CLEAR_LINE } else { "" };
        let line = line(*metadata.level(), &said);
        // Nobody can be told that the log cannot be written.
        let _ = writeln!(anstream::stderr(), "{clear}{line}");
    }
}

/// `plugin NAME: text`; with the level's word in front where no plugin is concerned.
fn line(level: Level, said: &Said) -> String {
    let (word, style) = look(level);
    let text = escaped(&said.message);
    match &said.plugin {
        Some(plugin) => format!("{style}plugin {}{style:#}: {text}", escaped(plugin)),
        None => format!("{style}{word}{style:#}: {text}"),
    }
}

fn look(level: Level) -> (&'static str, Style) {
    match level {
        Level::ERROR => ("error", BAD),
        Level::WARN => ("warning", CARE),
        Level::INFO => ("info", FAINT),
        _ => ("debug", FAINT),
    }
}

/// The parts of an event that a line shows.
#[derive(Default)]
struct Said {
    plugin: Option<String>,
    message: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "plugin" => self.plugin = Some(value.to_owned()),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_plugin() {
        let said = Said { plugin: Some("blocklist".into()), message: "text\u{1b}[2J".into() };
        let plain = anstream::adapter::strip_str(&line(Level::WARN, &said)).to_string();
        assert_eq!(plain, "plugin blocklist: text\\u{1b}[2J");
        let said = Said { plugin: None, message: "text".into() };
        let plain = anstream::adapter::strip_str(&line(Level::WARN, &said)).to_string();
        assert_eq!(plain, "warning: text");
    }
}
