//! Verbs of commands (RFC 5321).

use serde::{Deserialize, Serialize};

/// Commands, as `says` and the counts name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the verbs of RFC 5321, 3030 and 3207")]
pub enum Verb {
    Ehlo,
    Helo,
    StartTls,
    Mail,
    Rcpt,
    Rset,
    Noop,
    Vrfy,
    Data,
    Bdat,
    Quit,
    /// Anything else.
    Other,
}

impl Verb {
    /// The verb at the beginning of a line.
    pub(crate) fn of(line: &str) -> Self {
        const VERBS: &[(&str, Verb)] = &[
            ("EHLO", Verb::Ehlo),
            ("HELO", Verb::Helo),
            ("STARTTLS", Verb::StartTls),
            ("MAIL", Verb::Mail),
            ("RCPT", Verb::Rcpt),
            ("RSET", Verb::Rset),
            ("NOOP", Verb::Noop),
            ("VRFY", Verb::Vrfy),
            ("DATA", Verb::Data),
            ("BDAT", Verb::Bdat),
            ("QUIT", Verb::Quit),
        ];
        let word = line.split(' ').next().unwrap_or_default();
        VERBS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map_or(Self::Other, |(_, verb)| *verb)
    }

    /// Whether a burst has to end with it (RFC 2920, 3.1).
    pub(crate) fn ends_burst(self) -> bool {
        matches!(
            self,
            Self::Ehlo | Self::Helo | Self::StartTls | Self::Noop | Self::Vrfy | Self::Data | Self::Quit
        )
    }
}
