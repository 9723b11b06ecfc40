//! Mail servers that take their time, so that a chunk does.

use mailsonde_lab::{Internet, Net};

use crate::site::MARK;

/// A server of `slow.test` that thinks for so long about every recipient.
pub(crate) fn slow(delay: &str) -> Net {
    let host = format!("[host.\"mx.slow.test\"]\naccepts = ['{MARK}*@slow.test']\ntarpit.rcpt = '{delay}'");
    Internet::parse("slow.test MX 10 mx.slow.test", &host).unwrap().listen().unwrap()
}

/// A server of `later.test` that wants everybody to come back after some time.
pub(crate) fn greylisting(delay: &str) -> Net {
    let host = format!(
        "[host.\"mx.later.test\"]\naccepts = ['{MARK}*@later.test', '{}*@later.test']\n\
         greylist = {{ delay = '{delay}', text = '451 4.7.1 Greylisted, please come back in {{wait}} seconds' }}",
        MARK.to_uppercase()
    );
    Internet::parse("later.test MX 10 mx.later.test", &host).unwrap().listen().unwrap()
}

/// So many addresses at `slow.test`, all of which exist.
pub(crate) fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{MARK}{number}@slow.test")).collect()
}

/// How many recipients were asked about.
pub(crate) fn asked(net: &Net) -> u64 {
    net.internet().counts().total.commands_of(mailsonde_lab::Verb::Rcpt)
}
