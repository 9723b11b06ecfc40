//! The Postfix as it comes: limits of errors at 10 and 20, a second's pause for transactions in a flood
//! (`in_flow_delay`), and a queue manager. What it has to deliver are the messages by which it asks other servers
//! about an address; they end at RCPT too.

use super::super::postfix::{Instance, Listener};

/// `transport_maps`: whom to ask. `address_verify_poll_delay`: RCPT waits that long for the answer, as long as three
/// times; elsewhere it is 3 s. `postscreen_greet_wait`: elsewhere it is 6 s.
pub(super) const INSTANCE: Instance = Instance {
    name: "stock",
    parameters: "
transport_maps = inline:{
    {callout.test = smtp:[{ordinary}]:{port}},
    {callout-stock.test = smtp:[{ordinary}]:{port}},
    {callout-pending.test = smtp:[{ordinary}]:{port}},
    {callout-dead.test = smtp:[{nobody}]:{port}},
    {lab.test = smtp:[{ordinary}]:{port}}}
address_verify_poll_delay = 1s
fast_flush_domains =
postscreen_greet_wait = 2s
postscreen_greet_action = enforce
postscreen_pipelining_enable = yes
postscreen_access_list =
",
    services: "
qmgr unix n - n 300 1 qmgr
verify unix - - n - 1 verify
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
scache unix - - n - 1 scache
{postscreen}:{port} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
  -o syslog_name=postfix/postscreen
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
",
    listeners: LISTENERS,
};

const LISTENERS: &[Listener] = &[
    // The recipient's server is asked whether it knows the recipient, and believed …
    Listener {
        name: "callout",
        settings: &[ANYBODY, ASK_ABOUT_RECIPIENT, ("unverified_recipient_reject_code", "550")],
    },
    // … or quoted: 450 4.1.1 for the unknown too, as it comes …
    Listener { name: "callout-stock", settings: &[ANYBODY, ASK_ABOUT_RECIPIENT] },
    // … and nobody waits for its answer: 450 4.1.1, once for each recipient
    Listener {
        name: "callout-pending",
        settings: &[
            ANYBODY,
            ASK_ABOUT_RECIPIENT,
            ("unverified_recipient_reject_code", "550"),
            ("address_verify_poll_count", "1"),
        ],
    },
    // The sender's server is asked whether it knows the sender
    Listener {
        name: "callout-sender",
        settings: &[("smtpd_sender_restrictions", "reject_unverified_sender")],
    },
    // For the tests that count, one each
    Listener { name: "stock-known", settings: &[] },
    Listener { name: "stock-unknown", settings: &[] },
    Listener { name: "stock-mixed", settings: &[] },
];

const ANYBODY: (&str, &str) = ("smtpd_reject_unlisted_recipient", "no");
const ASK_ABOUT_RECIPIENT: (&str, &str) = ("smtpd_recipient_restrictions", "reject_unverified_recipient");
