//! What SMTP sessions consisted of, as Postfix counts it: `disconnect from localhost[127.0.0.1] ehlo=1 mail=1
//! rcpt=8/10 quit=1 commands=11/13`, where 8 of 10 were accepted.

use std::collections::BTreeMap;
use std::fmt;

/// One session that has ended.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Session(BTreeMap<String, Count>);

/// How often a command was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// In all.
    pub given: usize,
    /// Not accepted of these.
    pub refused: usize,
}

impl Session {
    /// Reads a line of the log. None if it is not about the end of a session.
    pub fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("]: disconnect from ")?;
        let read = |word: &str| {
            let (command, counts) = word.split_once('=')?;
            let (accepted, given) = counts.split_once('/').unwrap_or((counts, counts));
            let (accepted, given): (usize, usize) = (accepted.parse().ok()?, given.parse().ok()?);
            Some((command.to_owned(), Count { given, refused: given - accepted }))
        };
        Some(Self(counts.split_whitespace().filter_map(read).collect()))
    }

    /// How often `command`, in lower case, was given; `commands` are all of them.
    pub fn count(&self, command: &str) -> Count {
        self.0.get(command).copied().unwrap_or_default()
    }
}

/// On one line, as in the log, but with what was refused.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (command, Count { given, refused }) in &self.0 {
            write!(f, "{command}={given}")?;
            f.write_str(&if *refused > 0 { format!("(-{refused}) ") } else { " ".to_owned() })?;
        }
        Ok(())
    }
}

/// How often `command` was given in all `sessions` together.
pub fn total(sessions: &[Session], command: &str) -> usize {
    sessions.iter().map(|session| session.count(command).given).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_last_line_of_a_session() {
        let line = "Nov 20 12:00:00 host postfix/batch/smtpd[12]: disconnect from localhost[127.0.0.1] ehlo=1 \
                    mail=1 rcpt=8/10 commands=10/12";
        let session = Session::read(line).unwrap();
        assert_eq!(session.count("rcpt"), Count { given: 10, refused: 2 });
        assert_eq!(session.count("mail"), Count { given: 1, refused: 0 });
        assert_eq!(session.count("data"), Count::default());
        assert_eq!(total(&[session.clone(), session], "commands"), 24);
        assert_eq!(Session::read("postfix/batch/smtpd[12]: connect from localhost[127.0.0.1]"), None);
    }
}
