//! A command, and what is wrong with the way in which it came.

use crate::{counts::Violations, host::Ehlo, verb::Verb};

use super::wire::Line;

/// Octets of a command line with its end (RFC 5321, 4.5.3.1.4). SMTPUTF8 adds more than any local part here has.
const LINE_MAX: usize = 512;

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) verb: Verb,
    /// Behind the verb.
    pub(super) argument: String,
}

impl Command {
    pub(super) fn of(line: &Line) -> Self {
        let argument = line.text.split_once(' ').map_or("", |(_, argument)| argument);
        Self { verb: Verb::of(&line.text), argument: argument.to_owned() }
    }

    /// The path of MAIL or RCPT, without its brackets; `None` when there is none.
    pub(super) fn path(&self) -> Option<&str> {
        let (keyword, path) = self.argument.split_once(':')?;
        let keyword_fits = keyword.eq_ignore_ascii_case(if self.verb == Verb::Mail { "FROM" } else { "TO" });
        let (path, _) = path.trim_start().strip_prefix('<')?.rsplit_once('>')?;
        keyword_fits.then_some(path)
    }

    /// Whether MAIL announces addresses beyond ASCII.
    pub(super) fn says_smtputf8(&self) -> bool {
        self.argument.split(' ').any(|parameter| parameter.eq_ignore_ascii_case("SMTPUTF8"))
    }
}

/// What is wrong with a line that came behind `before` in its burst to a server that offers `ehlo`; `utf8` when its
/// transaction announced addresses beyond ASCII.
pub(super) fn breaches(
    line: &Line,
    command: &Command,
    before: Option<Verb>,
    ehlo: &Ehlo,
    utf8: bool,
) -> Violations {
    let says_utf8 = utf8 || (command.verb == Verb::Mail && command.says_smtputf8());
    let is_wrong_burst = before.is_some_and(|before| !ehlo.pipelining || before.ends_burst());
    Violations {
        pipelining: u64::from(is_wrong_burst),
        data: u64::from(matches!(command.verb, Verb::Data | Verb::Bdat)),
        long_line: u64::from(line.octets > LINE_MAX),
        bare_lf: u64::from(line.bare_lf),
        non_ascii: u64::from(!(line.text.is_ascii() || says_utf8 && ehlo.smtputf8)),
        ..Violations::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { text: text.into(), octets: text.len() + 2, bare_lf: false }
    }

    #[test]
    fn reads_paths() {
        let path = |text: &str| Command::of(&line(text)).path().map(str::to_owned);
        assert_eq!(path("MAIL FROM:<> SMTPUTF8").as_deref(), Some(""));
        assert_eq!(path("rcpt to: <jane@a.test>").as_deref(), Some("jane@a.test"));
        assert_eq!(path("RCPT TO:<\"a>b\"@a.test>").as_deref(), Some("\"a>b\"@a.test"));
        assert_eq!(path("RCPT FROM:<jane@a.test>"), None);
        assert_eq!(path("RCPT TO:jane@a.test"), None);
    }

    #[test]
    fn notices_breaches() {
        let offered = Ehlo { smtputf8: true, ..Ehlo::default() };
        let breaches = |text: &str, before, ehlo: &Ehlo, utf8| {
            let line = line(text);
            breaches(&line, &Command::of(&line), before, ehlo, utf8)
        };
        let none = Violations::default();
        assert_eq!(breaches("RCPT TO:<a@b.test>", Some(Verb::Mail), &offered, false), none);
        assert_eq!(breaches("MAIL FROM:<ä@b.test> SMTPUTF8", None, &offered, false), none);
        assert_eq!(breaches("RCPT TO:<ä@b.test>", None, &offered, true), none);
        assert_eq!(breaches("RCPT TO:<ä@b.test>", None, &offered, false).non_ascii, 1);
        assert_eq!(breaches("RCPT TO:<ä@b.test>", None, &Ehlo::default(), true).non_ascii, 1);
        assert_eq!(breaches("MAIL FROM:<>", Some(Verb::Ehlo), &offered, false).pipelining, 1);
        let without = Ehlo { pipelining: false, ..Ehlo::default() };
        assert_eq!(breaches("RCPT TO:<a@b.test>", Some(Verb::Mail), &without, false).pipelining, 1);
        assert_eq!(breaches("DATA", None, &offered, false).data, 1);
        assert_eq!(breaches(&"x".repeat(511), None, &offered, false).long_line, 1);
    }
}
