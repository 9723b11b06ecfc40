//! What stands where in the lab: the mail servers, the mailboxes and, in `lab.zone`, the domains.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::postfix::Listener;

/// The mail servers. A name is also the name in the log (`postfix/<name>/smtpd`) and the placeholder in the zone.
pub const LISTENERS: &[Listener] = &[
    Listener { name: "ordinary", settings: &[("smtpd_recipient_restrictions", STATES)] },
    // For the one test that counts connections.
    Listener { name: "batch", settings: &[] },
    Listener { name: "no-pipelining", settings: &[("smtpd_discard_ehlo_keywords", "pipelining")] },
    // 452 4.5.3 from the eleventh on
    Listener { name: "ten-recipients", settings: &[("smtpd_recipient_limit", "10")] },
    // As a server answers for a domain that is not its own
    Listener {
        name: "no-relay",
        settings: &[(
            "smtpd_recipient_restrictions",
            "check_client_access static:{554 5.7.1 Relay access denied}",
        )],
    },
    // Refusals instead of a greeting
    Listener {
        name: "blocklist",
        settings: &[
            ("smtpd_delay_reject", "no"),
            (
                "smtpd_client_restrictions",
                "check_client_access static:{554 5.7.1 Service unavailable; client host blocked using dnsbl.lab.test}",
            ),
        ],
    },
    Listener {
        name: "busy",
        settings: &[
            ("smtpd_delay_reject", "no"),
            (
                "smtpd_client_restrictions",
                "check_client_access static:{421 4.3.2 Too many connections, come back later}",
            ),
        ],
    },
    // A greeting later than anybody waits for
    Listener {
        name: "slow",
        settings: &[("smtpd_delay_reject", "no"), ("smtpd_client_restrictions", "sleep 60")],
    },
    // Refusals of every recipient
    Listener {
        name: "greylist",
        settings: &[(
            "smtpd_recipient_restrictions",
            "check_client_access static:{450 4.2.0 Greylisted, see http://postgrey.lab.test/help; try again in 5 minutes}",
        )],
    },
    // Refusals of us, which Postfix holds back until RCPT
    Listener {
        name: "client-refused",
        settings: &[(
            "smtpd_client_restrictions",
            "check_client_access static:{450 4.7.25 Client host rejected: cannot find your hostname}",
        )],
    },
    Listener {
        name: "helo-refused",
        settings: &[(
            "smtpd_helo_restrictions",
            "check_helo_access static:{504 5.5.2 need fully-qualified hostname}",
        )],
    },
    Listener {
        name: "sender-refused",
        settings: &[("smtpd_sender_restrictions", "check_sender_access static:{550 5.1.8 Domain not found}")],
    },
];

/// States that a mailbox can be in, by the local part.
const STATES: &str = "check_recipient_access inline:{\
    {anna.full@states.test = 452 4.2.2 Mailbox full}, \
    {peter.quota@states.test = 552 5.2.2 The recipient is over quota}, \
    {paul.disabled@states.test = 550 5.2.1 The account is disabled}, \
    {mary.greylisted@states.test = 450 4.2.0 Greylisted for 300 seconds}, \
    {tom.trouble@states.test = 451 4.3.0 Temporary lookup failure}, \
    {rita.policy@states.test = 550 5.7.1 Message refused by local policy}}";

/// The mailboxes that exist. Those with a state in [`STATES`] do not get so far.
const MAILBOXES: &str = "\
jane.doe@known.test ok
john.smith@known.test ok
jane.doe@implicit.test ok
jane.doe@second.test ok
jane.doe@equal.test ok
jane.doe@null-mx-beside.test ok
jane.doe@no-pipelining.test ok
@catch-all.test ok
";

/// Names under which every look-up fails.
pub const SERVFAIL: &[&str] = &["broken.test"];

/// Number of mailboxes `member1` … at `batch.test` and at `ten-recipients.test`.
pub const MEMBERS: usize = 100;

/// The table of mailboxes for Postfix.
pub fn mailboxes() -> String {
    let mut table = MAILBOXES.to_owned();
    for number in 1..=MEMBERS {
        for domain in ["batch.test", "ten-recipients.test"] {
            let _ = writeln!(table, "member{number}@{domain} ok");
        }
    }
    table
}

/// The zone, with the placeholders replaced by the addresses of that name.
pub fn zone(addresses: &BTreeMap<&str, Ipv4Addr>) -> String {
    addresses.iter().fold(include_str!("lab.zone").to_owned(), |zone, (name, address)| {
        zone.replace(&format!("{{{name}}}"), &address.to_string())
    })
}
