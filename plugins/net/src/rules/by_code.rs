//! What enhanced codes, and the few reply codes with one meaning, say by themselves.

use mailsonde_engine::{ReplyClass, Strength};

use super::{ANYWHERE, BEFORE_RCPT, RFC_3463, RFC_5321, Rule, Text, anywhere, rcpt};

const IANA: &str = "IANA: SMTP Enhanced Status Codes";
const MICROSOFT: &str = "Microsoft: NDR error codes in Exchange Online";

/// Plain words for an unknown mailbox, which weigh more than the catch-all code 5.7.1.
const NOBODY: &[&str] = &[
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such account",
    "user unknown",
    "unknown user",
    "user not found",
    "recipient not found",
    "mailbox not found",
    "unknown recipient",
    "recipient unknown",
    "user does not exist",
    "user doesnt exist",
    "mailbox does not exist",
    "recipient does not exist",
    "account does not exist",
];

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    // RFC 7504: 521 is a whole host's answer. Others give it for their blocklists, so the text must say so, and must
    // not say of us: "does not accept mail from your network" is read above.
    Rule { id: "no_mail.host", stages: ANYWHERE, codes: &[521, 554], source: "RFC 7504 §3",
        text: Text::Says(&["does not accept mail", "does not accept email", "does not accept any mail",
            "accepts no mail", "not accept* mail here", "no mail accepted here"]),
        example: "521 mx.example.org does not accept mail", ..rcpt(ReplyClass::NotAcceptingMail, Strength::Code) },
    Rule { id: "no_mail.null_mx", codes: &[550, 556], enhanced: &["5.1.10"], source: "RFC 7505 §4.1",
        text: Text::Says(&["null mx", "nullmx"]),
        example: "550 5.1.10 Recipient address has null MX", ..rcpt(ReplyClass::NotAcceptingMail, Strength::Code) },
    Rule { id: "no_mail.domain", codes: &[556], source: "RFC 7504 §4",
        example: "556 5.1.10 Domain does not accept mail", ..rcpt(ReplyClass::NotAcceptingMail, Strength::Code) },

    // Before the recipient, everything else is about us or about the host's own state.
    Rule { id: "before.try_later", stages: BEFORE_RCPT, codes: &[4], enhanced: &["4.7.x"], source: IANA,
        example: "421 4.7.0 Try again later", ..anywhere(ReplyClass::Rate, Strength::Code) },
    Rule { id: "before.temporary", stages: BEFORE_RCPT, codes: &[4], source: RFC_5321,
        example: "421 4.3.2 Service not available", ..anywhere(ReplyClass::Temporary, Strength::Bare) },
    Rule { id: "before.refused", stages: BEFORE_RCPT, codes: &[5], source: RFC_5321,
        example: "554 No SMTP service here", ..anywhere(ReplyClass::Policy, Strength::Bare) },

    Rule { id: "gone.code", enhanced: &["5.1.1", "5.1.6"], source: RFC_3463,
        example: "550 5.1.1 <jane@example.org>: Recipient address rejected",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Code) },
    Rule { id: "gone.syntax", enhanced: &["5.1.3"], source: RFC_3463,
        example: "550 5.1.3 Invalid address", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Code) },
    Rule { id: "gone.lookup", codes: &[550], enhanced: &["5.1.10"], source: MICROSOFT,
        example: "550 5.1.10 Recipient not found by SMTP address lookup",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Code) },
    // Microsoft 365 behind a name of its customer's.
    Rule { id: "gone.edge_blocking", codes: &[550], enhanced: &["5.4.1"], source: MICROSOFT,
        text: Text::Says(&["recipient address rejected access denied"]),
        example: "550 5.4.1 Recipient address rejected: Access denied",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },
    Rule { id: "domain.code", enhanced: &["5.1.2", "5.4.4", "5.4.310"], source: RFC_3463,
        example: "550 5.1.2 Host unknown", ..rcpt(ReplyClass::NoSuchDomain, Strength::Code) },

    Rule { id: "full.code", codes: &[4, 5], enhanced: &["x.2.2"], source: RFC_3463,
        example: "452 4.2.2 Over quota", ..rcpt(ReplyClass::Full, Strength::Code) },
    Rule { id: "gone.filtered", enhanced: &["5.2.1"], source: "observed: 5.2.1 as the code of recipient filters",
        text: Text::Says(NOBODY),
        example: "550 5.2.1 No such mailbox", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },
    // Meant for a client that logged in (RFC 5248 §2.4); said of a recipient, the text has to agree.
    Rule { id: "disabled.account", enhanced: &["5.7.13"], source: IANA,
        text: Text::Says(&["disabled", "suspended", "inactive", "deactivated"]),
        example: "525 5.7.13 This account is suspended", ..rcpt(ReplyClass::Disabled, Strength::Text) },
    Rule { id: "disabled.code", codes: &[550, 551, 552, 553], enhanced: &["5.2.1"], source: RFC_3463,
        example: "550 5.2.1 Mailbox disabled", ..rcpt(ReplyClass::Disabled, Strength::Code) },
    Rule { id: "size.code", enhanced: &["5.2.3", "5.3.4"], source: RFC_3463,
        example: "552 5.3.4 Exceeds the fixed limit", ..rcpt(ReplyClass::Policy, Strength::Code) },

    Rule { id: "rate.code", codes: &[4, 5], enhanced: &["4.7.28", "4.7.32", "5.7.28", "4.7.500", "4.7.650",
            "4.7.651", "4.7.652"], source: "Google and Microsoft: SMTP error references",
        example: "451 4.7.650 The mail server [192.0.2.1] has been temporarily held back",
        ..rcpt(ReplyClass::Rate, Strength::Code) },
    Rule { id: "greylist.try_again", codes: &[450, 451], enhanced: &["4.7.x", "4.2.0", "4.3.2"],
        source: "postscreen(8), greylisting policy servers",
        text: Text::Says(&["try again", "retry", "service currently unavailable", "deferred", "delayed",
            "minutes", "seconds", "later", "please wait"]),
        example: "450 4.3.2 Service currently unavailable", ..rcpt(ReplyClass::Greylisted, Strength::Code) },
    Rule { id: "rate.closing", codes: &[421], enhanced: &["4.7.x"], source: IANA,
        example: "421 4.7.0 Closing connection", ..rcpt(ReplyClass::Rate, Strength::Code) },
    Rule { id: "policy.nobody", codes: &[550, 551, 553, 554], enhanced: &["5.7.x"],
        source: "observed: 5.7.1 as the code of every refusal",
        text: Text::Says(NOBODY),
        example: "550 5.7.1 Recipient not found", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },
    Rule { id: "policy.code", stages: ANYWHERE, codes: &[4, 5], enhanced: &["x.7.x", "x.6.x"], source: RFC_3463,
        example: "550 5.7.1 Refused", ..rcpt(ReplyClass::Policy, Strength::Code) },
    Rule { id: "policy.many_recipients", codes: &[5], enhanced: &["5.5.3"],
        source: "postconf(5) reject_multi_recipient_bounce",
        example: "550 5.5.3 Multi-recipient bounce", ..rcpt(ReplyClass::Policy, Strength::Code) },
    Rule { id: "protocol.code", codes: &[5], enhanced: &["5.5.1", "5.5.2", "5.5.4", "5.5.6"], source: RFC_3463,
        example: "550 5.5.4 Invalid arguments", ..rcpt(ReplyClass::ProtocolError, Strength::Code) },
    Rule { id: "trouble.code", codes: &[4], enhanced: &["4.1.x", "4.3.x", "4.4.x", "4.5.x"], source: RFC_3463,
        example: "450 4.1.1 Recipient address rejected: unverified address: connection timed out",
        ..rcpt(ReplyClass::Temporary, Strength::Code) },
];
