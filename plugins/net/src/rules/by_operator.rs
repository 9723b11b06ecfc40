//! What single operators mean, where that differs from the standard or is firmer than it.

use mailsonde_engine::{ReplyClass, Strength};

use super::{Rule, Text, rcpt};

const GOOGLE: &str = "Google Workspace: SMTP errors and codes";
const MICROSOFT: &str = "Microsoft: NDR error codes in Exchange Online";
const YAHOO: &str = "Yahoo Sender Hub: SMTP error codes";
const MIMECAST: &str = "Mimecast: SMTP error codes";
const OBSERVED: &str = "observed";

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { id: "google.rate", operators: &["google", "gmail"], codes: &[450, 452, 550, 552],
        enhanced: &["x.2.1", "x.2.0"], source: GOOGLE,
        text: Text::Says(&["receiving mail at a rate", "receiving mail too quickly", "receiving mail too fast"]),
        example: "450-4.2.1 The user you are trying to contact is receiving mail at a rate that\n450 4.2.1 prevents additional messages from being delivered.",
        ..rcpt(ReplyClass::Rate, Strength::Operator) },
    Rule { id: "google.no_such_user", operators: &["google", "gmail"], codes: &[550], enhanced: &["5.1.1"],
        source: GOOGLE,
        example: "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 https://support.google.com/mail/?p=NoSuchUser a1-2b3.4 - gsmtp",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    Rule { id: "google.disabled", operators: &["google", "gmail"], codes: &[550], enhanced: &["5.2.1"],
        source: GOOGLE,
        example: "550 5.2.1 The email account that you tried to reach is disabled. https://support.google.com/mail/?p=DisabledUser",
        ..rcpt(ReplyClass::Disabled, Strength::Operator) },

    // Directory-based edge blocking: the tenant's directory does not hold the recipient.
    Rule { id: "microsoft.edge_blocking", operators: &["microsoft365", "outlook"], codes: &[550],
        enhanced: &["5.4.1"], source: MICROSOFT,
        text: Text::Says(&["recipient address rejected access denied"]),
        example: "550 5.4.1 Recipient address rejected: Access denied. For more information see https://aka.ms/EXOSmtpErrors [XX1.eurprd01.prod.outlook.com]",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    Rule { id: "microsoft.not_found", operators: &["microsoft365", "outlook"], codes: &[550],
        enhanced: &["5.1.10", "5.1.1"], source: MICROSOFT,
        example: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    Rule { id: "microsoft.unavailable", operators: &["outlook"], codes: &[550], enhanced: &["5.5.0"],
        source: OBSERVED,
        text: Text::Says(&["mailbox unavailable"]),
        example: "550 5.5.0 Requested action not taken: mailbox unavailable",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    // The tenant has no mailbox at all, but this may pass and the code says so.
    Rule { id: "microsoft.no_subscription", operators: &["microsoft365"], codes: &[451], enhanced: &["4.4.4"],
        source: MICROSOFT,
        example: "451 4.4.4 Mail received as unauthenticated, incoming to a recipient domain configured in a hosted tenant which has no mail-enabled subscriptions. ATTR5",
        ..rcpt(ReplyClass::Temporary, Strength::Operator) },
    Rule { id: "microsoft.restricted", operators: &["microsoft365"], codes: &[550], enhanced: &["5.7.124",
            "5.7.133", "5.7.134", "5.7.136"], source: MICROSOFT,
        example: "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
        ..rcpt(ReplyClass::Policy, Strength::Operator) },

    // The 5.7.1 is a habit there: it stands before the plainest of texts.
    Rule { id: "yandex.no_such_user", operators: &["yandex"], codes: &[550], source: OBSERVED,
        text: Text::Says(&["no such user"]),
        example: "550 5.7.1 No such user!", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    Rule { id: "yandex.rate", operators: &["yandex"], codes: &[450, 451], enhanced: &["4.2.1", "4.7.1"],
        source: OBSERVED,
        text: Text::Says(&["rate", "too many", "too quickly", "too much"]),
        example: "450 4.2.1 The recipient has exceeded message rate limit. Try again later.",
        ..rcpt(ReplyClass::Rate, Strength::Operator) },

    Rule { id: "yahoo.no_account", operators: &["yahoo"], codes: &[550, 552, 554], source: YAHOO,
        text: Text::Says(&["doesnt have a * account", "not a valid * account"]),
        example: "554 delivery error: dd This user doesn't have a yahoo.com account [0] - mta4001.mail.bf1.yahoo.com",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    Rule { id: "yahoo.disabled", operators: &["yahoo"], codes: &[550, 552, 554], source: YAHOO,
        text: Text::Says(&["mailbox * disabled", "account * disabled"]),
        example: "554 delivery error: dd Sorry, your message cannot be delivered. This mailbox is disabled (554.30).",
        ..rcpt(ReplyClass::Disabled, Strength::Operator) },

    Rule { id: "mimecast.greylisting", operators: &["mimecast"], codes: &[451], source: MIMECAST,
        text: Text::Says(&["internal resource* * temporarily unavailable"]),
        example: "451 Internal resource temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451",
        ..rcpt(ReplyClass::Greylisted, Strength::Operator) },
    Rule { id: "mimecast.invalid", operators: &["mimecast"], codes: &[550], source: MIMECAST,
        text: Text::Says(&["invalid recipient"]),
        example: "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Operator) },
    Rule { id: "proofpoint.verifying", operators: &["proofpoint"], codes: &[421, 450, 451],
        enhanced: &["4.1.1"], source: OBSERVED,
        example: "421 4.1.1 Recipient address verification in progress",
        ..rcpt(ReplyClass::Greylisted, Strength::Operator) },
    Rule { id: "gmx.refused_us", operators: &["gmx", "webde", "mailcom", "ionos"], codes: &[550, 554],
        source: "postmaster.gmx.net: error messages",
        text: Text::Says(&["ip address", "dns mx", "bad dns", "ptr", "reject due to policy"]),
        example: "550-Requested action not taken: mailbox unavailable\n550-Reject due to policy restrictions.\n550 For explanation visit https://postmaster.gmx.net/en/case?c=hi",
        ..rcpt(ReplyClass::Policy, Strength::Operator) },
    // What they have against us they say, in further lines; without any, it is the mailbox.
    Rule { id: "gmx.no_mailbox", operators: &["gmx", "webde", "mailcom", "ionos"], codes: &[550], source: OBSERVED,
        text: Text::Only(&["requested", "action", "not", "taken", "mailbox", "unavailable", "rcpt"]),
        example: "550 Requested action not taken: mailbox unavailable",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },
    Rule { id: "opensmtpd.invalid", codes: &[524], enhanced: &["5.2.4"], source: "OpenSMTPD: smtp_session.c",
        example: "524 5.2.4 Mailing list expansion problem: <jane@example.org>",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Code) },
];
