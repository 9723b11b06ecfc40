//! Mail servers that take their time, so that a chunk does.

use std::collections::BTreeMap;

use mailsonde_lab::{Internet, Net};

use super::{LIMIT, MARK};
use crate::real::daemon::wait_until;

/// A server of `slow.test` that thinks for so long about every recipient, and notes who was asked about.
pub fn slow(delay: &str) -> Net {
    let host = format!(
        "[host.\"mx.slow.test\"]\naccepts = ['{MARK}*@slow.test']\ntarpit.rcpt = '{delay}'\nnotes_recipients = true"
    );
    Internet::parse("slow.test MX 10 mx.slow.test", &host).unwrap().listen().unwrap()
}

/// A server of `later.test` that wants everybody to come back after some time.
pub fn greylisting(delay: &str) -> Net {
    let host = format!(
        "[host.\"mx.later.test\"]\naccepts = ['{MARK}*@later.test', '{}*@later.test']\n\
         greylist = {{ delay = '{delay}', text = '451 4.7.1 Greylisted, please come back in {{wait}} seconds' }}",
        MARK.to_uppercase()
    );
    Internet::parse("later.test MX 10 mx.later.test", &host).unwrap().listen().unwrap()
}

/// So many addresses at `slow.test`, all of which exist.
pub fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{MARK}{number}@slow.test")).collect()
}

/// How many recipients were asked about.
pub fn asked(net: &Net) -> u64 {
    net.internet().counts().total.commands_of(mailsonde_lab::Verb::Rcpt)
}

/// How often each recipient was asked about.
pub fn asked_about(net: &Net) -> BTreeMap<String, u64> {
    net.internet().counts().total.recipients
}

/// Waits until no client is connected: what one that was killed had sent was heard, or never will be.
pub fn wait_until_alone(net: &Net) {
    assert!(wait_until(LIMIT, || net.internet().counts().total.sessions_open == 0), "sessions stay open");
}

/// Processes that were killed keep their sessions for half a minute, as far as others know: with this there are enough.
pub const MANY_SESSIONS: [(&str, &str); 3] = [
    ("MAILSONDE_SMTP__SESSIONS_PER_MX_MAX", "10000"),
    ("MAILSONDE_SMTP__SESSIONS_PER_OPERATOR_MAX", "10000"),
    ("MAILSONDE_SMTP__SESSIONS_MAX", "10000"),
];
