//! A mail server that takes its time, so that a chunk does.

use mailsonde_lab::{Internet, Net};

use crate::site::MARK;

/// A server of `slow.test` that thinks for so long about every recipient.
pub(crate) fn slow(delay: &str) -> Net {
    let host = format!("[host.\"mx.slow.test\"]\naccepts = ['{MARK}*@slow.test']\ntarpit.rcpt = '{delay}'");
    Internet::parse("slow.test MX 10 mx.slow.test", &host).unwrap().listen().unwrap()
}

/// So many addresses at `slow.test`, all of which exist.
pub(crate) fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{MARK}{number}@slow.test")).collect()
}

/// How many recipients were asked about.
pub(crate) fn asked(net: &Net) -> u64 {
    net.internet().counts().total.commands_of(mailsonde_lab::Verb::Rcpt)
}
