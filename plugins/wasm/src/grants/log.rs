//! `log`, and what guests print: lines for the operator, with the plugin's name. Addresses in them
//! are shortened, and a flood is cut off.

use std::sync::Arc;

use wasmtime::Result;

use crate::{
    bindings::mailsonde::stage::log::{self, Level},
    limits::{LOG_LINE_OCTETS_MAX, LOG_LINES_MAX},
    state::State,
};

/// The lines of one plugin.
#[derive(Debug)]
pub(crate) struct LogLines {
    plugin: Arc<str>,
    /// Lines of this call.
    count: u32,
    /// Every line is for authors only.
    is_hushed: bool,
}

impl LogLines {
    pub(crate) fn of(plugin: Arc<str>) -> Self {
        Self { plugin, count: 0, is_hushed: false }
    }

    /// Name of the stage.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// From now on every line is one of the level `debug`.
    pub(crate) fn hush(&mut self) {
        self.is_hushed = true;
    }

    /// A call has ended: says how many of its lines were dropped.
    pub(crate) fn end(&mut self) {
        let dropped = std::mem::take(&mut self.count).saturating_sub(LOG_LINES_MAX);
        if dropped > 0 {
            self.tell(Level::Warn, &format!("{dropped} more lines of this call are dropped"));
        }
    }

    /// Counts lines that were dropped before they came here.
    pub(crate) fn dropped(&mut self, lines: u32) {
        // As if those before them had been as many as may be printed.
        self.count = self.count.max(LOG_LINES_MAX).saturating_add(lines);
    }

    /// Prints a line, unless there were too many.
    pub(crate) fn write(&mut self, level: Level, message: &str) {
        self.count = self.count.saturating_add(1);
        if self.count > LOG_LINES_MAX {
            return;
        }
        self.tell(level, &redacted(message));
    }

    fn tell(&self, level: Level, line: &str) {
        let plugin = &*self.plugin;
        match if self.is_hushed { Level::Debug } else { level } {
            Level::Debug => tracing::debug!(plugin, "{line}"),
            Level::Info => tracing::info!(plugin, "{line}"),
            Level::Warn => tracing::warn!(plugin, "{line}"),
            Level::Error => tracing::error!(plugin, "{line}"),
        }
    }
}

/// Not every call comes to its end.
impl Drop for LogLines {
    fn drop(&mut self) {
        self.end();
    }
}

impl log::Host for State {
    fn write(&mut self, level: Level, message: String) -> Result<()> {
        self.host_call()?;
        self.log.write(level, &message);
        Ok(())
    }
}

/// What parts an address, in the width of any script.
const AT_SIGNS: [char; 3] = ['@', '\u{ff20}', '\u{fe6b}'];

/// The message on one line, cut to its limit, every address in it as `j…@example.com`.
pub(crate) fn redacted(message: &str) -> String {
    let end = message.floor_char_boundary(LOG_LINE_OCTETS_MAX);
    let mut line = String::with_capacity(end);
    for (position, part) in message[..end].split(AT_SIGNS).enumerate() {
        if position > 0 {
            shorten_local_part(&mut line);
            line.push('@');
        }
        line.extend(part.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
    }
    if end < message.len() {
        // A cut address would no longer be known by its `@`.
        let word = line.rfind(char::is_whitespace).unwrap_or(0);
        line.truncate(word);
        line.push_str(" …");
    }
    line
}

/// Leaves the first letter of the word at the end of the line: what stands before an `@`. White space, comments and text
/// in quotes between the two are part of it (RFC 5322 §3.4.1).
fn shorten_local_part(line: &mut String) {
    loop {
        line.truncate(line.trim_end().len());
        match line.chars().next_back() {
            Some('"') => line.truncate(opening_quote(line)),
            Some(')') => line.truncate(line.rfind('(').unwrap_or(0)),
            _ => break,
        }
    }
    // Only what no local part may hold outside of quotes.
    let is_part_of_it = |letter: char| !letter.is_whitespace() && !"<>()[],;:\"\\…".contains(letter);
    let begin = line.trim_end_matches(is_part_of_it).len();
    let mut letters = line[begin..].chars();
    let first = letters.next().filter(|_| letters.next().is_some());
    line.truncate(begin);
    line.extend(first);
    line.push('…');
}

/// Where the text in quotes at the end of the line begins.
fn opening_quote(line: &str) -> usize {
    let mut end = line.len() - 1;
    while let Some(quote) = line[..end].rfind('"') {
        let escapes = line[..quote].bytes().rev().take_while(|octet| *octet == b'\\').count();
        if escapes % 2 == 0 {
            return quote;
        }
        end = quote;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shortened() {
        for (message, line) in [
            ("nothing to see", "nothing to see"),
            ("saw jane.doe@example.com today", "saw j…@example.com today"),
            ("<jane@a.example>,<j@b.example>", "<j…@a.example>,<…@b.example>"),
            ("mail=jane+tag@example.com", "m…@example.com"),
            ("jane.doe=x@example.com", "j…@example.com"),
            ("jane.o'b@example.com, 'jane'@example.com", "j…@example.com, '…@example.com"),
            ("jane.doe @example.com", "j…@example.com"),
            ("jane.doe(work)@example.com", "j…@example.com"),
            (r#"saw "jane \"doe"@example.com"#, "s…@example.com"),
            ("jane.doe\u{ff20}example.com", "j…@example.com"),
            ("\"@example.com", "…@example.com"),
            ("\"jane doe\"@example.com", "…@example.com"),
            ("a@b@c", "…@…@c"),
            ("two\nlines\u{7}", "two lines "),
            ("bücher@example.com", "b…@example.com"),
        ] {
            assert_eq!(redacted(message), line);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_words() {
        let long = format!("{} jane.doe@example.com", "x".repeat(LOG_LINE_OCTETS_MAX - 8));
        let line = redacted(&long);
        assert!(line.ends_with("x …") && !line.contains("jane"), "{line}");
    }
}
