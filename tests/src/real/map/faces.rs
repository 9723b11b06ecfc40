//! The Postfix with the many faces: each listener has one thing that sets it apart.

use super::super::postfix::{Instance, Listener};

/// `in_flow_delay`: else the whole instance slows down, by 1 s for each transaction after the first hundred.
/// `anvil_rate_time_unit`: what is counted by the minute elsewhere is counted by these few seconds.
pub(super) const INSTANCE: Instance = Instance {
    name: "faces",
    parameters: "
in_flow_delay = 0
anvil_rate_time_unit = 3s
",
    services: "",
    listeners: LISTENERS,
};

const LISTENERS: &[Listener] = &[
    Listener { name: "ordinary", settings: &[("smtpd_recipient_restrictions", STATES)] },
    // For the tests that count connections
    Listener { name: "batch", settings: &[] },
    Listener { name: "hosted", settings: &[] },
    Listener { name: "target-first", settings: &[] },
    Listener { name: "no-pipelining", settings: &[("smtpd_discard_ehlo_keywords", "pipelining")] },
    Listener { name: super::ON_IPV6, settings: &[] },
    // Limits. 452 4.5.3 from the eleventh on
    Listener { name: "ten-recipients", settings: &[("smtpd_recipient_limit", "10")] },
    // 421 4.7.0 after the first
    Listener { name: "one-error", settings: &[("smtpd_hard_error_limit", "1")] },
    // 421 4.7.0 instead of a second greeting
    Listener { name: "one-connection", settings: &[("smtpd_client_connection_count_limit", "1")] },
    // 450 4.7.1 after twenty in a time unit
    Listener { name: "paced", settings: &[("smtpd_client_recipient_rate_limit", "20")] },
    // 550 5.5.3 for all but one recipient of the null sender
    Listener {
        name: "no-bounces",
        settings: &[("smtpd_recipient_restrictions", "reject_multi_recipient_bounce")],
    },
    // As a server answers for a domain that is not its own: 554 5.7.1
    Listener { name: "no-relay", settings: &[] },
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
    // A greeting later than anybody waits for, and one that is worth waiting for
    Listener {
        name: "slow",
        settings: &[("smtpd_delay_reject", "no"), ("smtpd_client_restrictions", "sleep 60")],
    },
    Listener {
        name: "late",
        settings: &[("smtpd_delay_reject", "no"), ("smtpd_client_restrictions", "sleep 2")],
    },
    Listener {
        name: "unhurried",
        settings: &[("smtpd_delay_reject", "no"), ("smtpd_client_restrictions", "sleep 2")],
    },
    // A second for each recipient
    Listener { name: "tarpit", settings: &[("smtpd_recipient_restrictions", "sleep 1")] },
    // Encryption: offered, demanded (530 5.7.0), and both with a version that nobody speaks any more
    Listener { name: "tls", settings: &[("smtpd_tls_security_level", "may")] },
    Listener { name: "tls-required", settings: &[("smtpd_tls_security_level", "encrypt")] },
    Listener {
        name: "tls-broken",
        settings: &[("smtpd_tls_security_level", "may"), ("smtpd_tls_protocols", "TLSv1")],
    },
    Listener {
        name: "tls-required-broken",
        settings: &[("smtpd_tls_security_level", "encrypt"), ("smtpd_tls_mandatory_protocols", "TLSv1")],
    },
    // Refusals of every recipient
    Listener {
        name: "greylist",
        settings: &[(
            "smtpd_recipient_restrictions",
            "check_client_access static:{450 4.2.0 Greylisted, see http://postgrey.lab.test/help; try again in 5 minutes}",
        )],
    },
    Listener {
        name: "postgrey",
        settings: &[("smtpd_recipient_restrictions", "check_policy_service inet:{postgrey-policy}:{port}")],
    },
    // 451 4.3.5, after a second
    Listener {
        name: "dead-policy",
        settings: &[("smtpd_recipient_restrictions", "check_policy_service inet:{nobody}:{port}")],
    },
    // Refusals of us, which Postfix holds back until RCPT: for what DNS says of us …
    Listener {
        name: "client-refused",
        settings: &[
            ("smtpd_peername_lookup", "yes"),
            ("smtpd_client_restrictions", "reject_unknown_client_hostname"),
        ],
    },
    Listener {
        name: "dnsbl",
        settings: &[("smtpd_client_restrictions", "reject_rbl_client dnsbl.lab.test=127.0.0.2")],
    },
    Listener {
        name: "strict",
        settings: &[
            ("smtpd_helo_restrictions", "reject_unknown_helo_hostname"),
            ("smtpd_sender_restrictions", "reject_unknown_sender_domain"),
        ],
    },
    // … and whatever we say
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
