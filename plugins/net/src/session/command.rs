//! The commands of a session. There are no others: what cannot be named here cannot be sent, DATA above all.

/// An argument that could end its command or begin another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an argument that may not be written")]
pub(crate) struct Unwritable;

/// One command. Not `Debug`: it holds a whole address.
#[derive(Clone, Copy)]
pub(super) enum Command<'a> {
    Ehlo(&'a str),
    Helo(&'a str),
    Mail {
        /// Without angle brackets; empty for the null sender.
        sender: &'a str,
        smtputf8: bool,
    },
    /// Without angle brackets.
    Rcpt(&'a str),
    Rset,
    StartTls,
    Quit,
}

impl Command<'_> {
    /// The line as it is written.
    ///
    /// # Errors
    /// The parser of addresses lets nothing unwritable pass; this is the second lock on the door.
    pub(super) fn encode(self) -> Result<String, Unwritable> {
        let argument = match self {
            Self::Ehlo(text) | Self::Helo(text) | Self::Mail { sender: text, .. } | Self::Rcpt(text) => text,
            Self::Rset | Self::StartTls | Self::Quit => "",
        };
        if !is_writable(argument) {
            return Err(Unwritable);
        }
        Ok(match self {
            Self::Ehlo(name) => format!("EHLO {name}\r\n"),
            Self::Helo(name) => format!("HELO {name}\r\n"),
            Self::Mail { sender, smtputf8: false } => format!("MAIL FROM:<{sender}>\r\n"),
            Self::Mail { sender, smtputf8: true } => format!("MAIL FROM:<{sender}> SMTPUTF8\r\n"),
            Self::Rcpt(address) => format!("RCPT TO:<{address}>\r\n"),
            Self::Rset => "RSET\r\n".into(),
            Self::StartTls => "STARTTLS\r\n".into(),
            Self::Quit => "QUIT\r\n".into(),
        })
    }
}

/// Whether an argument stays inside its command: no control characters; spaces and angle brackets in quotes alone.
fn is_writable(argument: &str) -> bool {
    let mut quoted = false;
    let mut escaped = false;
    argument.chars().all(|c| {
        let is_fine = !c.is_control() && (quoted || !matches!(c, ' ' | '<' | '>'));
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        is_fine
    }) && !quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_each_command() {
        for (command, line) in [
            (Command::Ehlo("probe.example.net"), "EHLO probe.example.net\r\n"),
            (Command::Helo("[192.0.2.1]"), "HELO [192.0.2.1]\r\n"),
            (Command::Mail { sender: "", smtputf8: false }, "MAIL FROM:<>\r\n"),
            (
                Command::Mail { sender: "p@example.net", smtputf8: true },
                "MAIL FROM:<p@example.net> SMTPUTF8\r\n",
            ),
            (Command::Rcpt("\"a > b\"@example.org"), "RCPT TO:<\"a > b\"@example.org>\r\n"),
            (Command::Rset, "RSET\r\n"),
            (Command::StartTls, "STARTTLS\r\n"),
            (Command::Quit, "QUIT\r\n"),
        ] {
            assert_eq!(command.encode().unwrap(), line);
        }
    }

    #[test]
    fn refuses_what_would_leave_the_command() {
        for argument in [
            "a@b.test>\r\nRCPT TO:<x",
            "a\rb@c.test",
            "a\nb@c.test",
            "a\0b@c.test",
            "a\u{85}b@c.test",
            "a>@b.test",
            "a b@c.test",
            "\"a\r\n\"@b.test",
            "\"a\\\"@b.test> SIZE=1",
            "\"open@b.test",
        ] {
            assert_eq!(Command::Rcpt(argument).encode(), Err(Unwritable), "{argument:?}");
            assert_eq!(Command::Mail { sender: argument, smtputf8: false }.encode(), Err(Unwritable));
            assert_eq!(Command::Ehlo(argument).encode(), Err(Unwritable));
        }
    }

    proptest! {
        #[test]
        fn a_command_is_one_line(argument: String) {
            if let Ok(line) = Command::Rcpt(&argument).encode() {
                prop_assert!(line.ends_with("\r\n"));
                prop_assert!(!line[..line.len() - 2].contains(char::is_control));
            }
        }
    }
}
