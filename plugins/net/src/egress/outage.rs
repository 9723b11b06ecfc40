//! An outage in words, for the person who runs mailsonde.

use std::fmt;

use super::health::{Cause, UNANSWERED_MAX};

/// No connection to a mail host gets out under any identity. Prints as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Port of the mail hosts.
    pub(super) port: u16,
    /// One for each identity; there is at least one.
    pub(super) ways: Vec<Way>,
}

/// A way out that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) name: Box<str>,
    pub(super) is_proxied: bool,
    pub(super) cause: Cause,
}

impl Way {
    fn text(&self, port: u16) -> String {
        let culprit = if self.is_proxied { "the proxy's network" } else { "this network" };
        match self.cause {
            Cause::Unanswered => format!(
                "{UNANSWERED_MAX} different mail operators all left connections unanswered: outbound port {port} \
                 seems to be blocked by {culprit}"
            ),
            Cause::Fault(fault) => fault.to_string(),
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no mail server can be reached: ")?;
        let texts: Vec<String> = self.ways.iter().map(|way| way.text(self.port)).collect();
        if let Some(first) = texts.first()
            && texts.iter().all(|text| text == first)
        {
            return f.write_str(first);
        }
        for (n, (way, text)) in self.ways.iter().zip(&texts).enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}egress {}: {text}", way.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialer::EgressFault;

    fn way(name: &str, is_proxied: bool, cause: Cause) -> Way {
        Way { name: name.into(), is_proxied, cause }
    }

    #[test]
    fn is_one_line_that_says_what_to_look_at() {
        let login = Cause::Fault(EgressFault::ProxyLogin);
        for (ways, line) in [
            (
                vec![way("a", false, Cause::Unanswered), way("b", false, Cause::Unanswered)],
                "no mail server can be reached: 5 different mail operators all left connections unanswered: \
                 outbound port 25 seems to be blocked by this network",
            ),
            (vec![way("a", true, login)], "no mail server can be reached: the proxy refuses the login"),
            (
                vec![way("a", true, login), way("b", true, Cause::Unanswered)],
                "no mail server can be reached: egress a: the proxy refuses the login; egress b: 5 different mail \
                 operators all left connections unanswered: outbound port 25 seems to be blocked by the proxy's \
                 network",
            ),
        ] {
            assert_eq!(Outage { port: 25, ways }.to_string(), line);
        }
    }
}
