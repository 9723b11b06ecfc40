//! What a host offers beyond the plain protocol, as its reply to EHLO says (RFC 5321 §4.1.1.1).

use crate::reply::Reply;

/// The keywords, in upper case.
#[derive(Debug, Default)]
pub(super) struct Extensions(Vec<Box<str>>);

impl Extensions {
    /// From the reply to EHLO: its first line is a greeting, each further one a keyword and its parameters.
    pub(super) fn of(reply: &Reply) -> Self {
        let keyword =
            |line: &str| line.split([' ', '=']).next().unwrap_or_default().to_ascii_uppercase().into();
        Self(reply.lines().skip(1).map(keyword).collect())
    }

    pub(super) fn offers(&self, keyword: &str) -> bool {
        self.0.iter().any(|offered| **offered == *keyword)
    }
}
