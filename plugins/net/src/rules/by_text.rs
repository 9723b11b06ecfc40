//! What the text says, where no code has said it; and what the three digits say alone.

use mailsonde_engine::{ReplyClass, Strength};

use super::{RFC_3463, RFC_5321, rcpt};
use crate::classify::{Rule, Text};

const OBSERVED: &str = "observed at several hosts";

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { id: "full.text", codes: &[4, 5], source: "Dovecot, Cyrus, Exchange: quota messages",
        text: Text::Says(&["mailbox full", "mailbox is full", "mailbox * full", "mail box full", "inbox full",
            "inbox is full", "quota exceeded", "over quota", "overquota", "out of quota", "exceed* * quota",
            "quota * exceeded", "quota full", "quota is full", "exceed* storage", "exceed* * storage",
            "storage limit", "storage quota", "disk quota", "disk space", "disk full", "out of storage",
            "insufficient disk", "not enough space", "not enough storage", "no space left", "account is full",
            "user is full", "maildir delivery", "mailfolder is full", "mailbox size", "mailbox has reached",
            "mailbox limit", "box is full", "no more space", "over the limit", "over its limit"]),
        example: "552 Requested mail action aborted: quota exceeded", ..rcpt(ReplyClass::Full, Strength::Text) },
    Rule { id: "full.storage", codes: &[552], source: RFC_5321,
        text: Text::Only(&["requested", "mail", "action", "aborted", "exceeded", "storage", "allocation", "rcpt"]),
        example: "552 Requested mail action aborted", ..rcpt(ReplyClass::Full, Strength::Bare) },

    // From here on, a 4xx is a host with trouble, or one that does not know us yet.
    Rule { id: "greylist.text", codes: &[450, 451], source: OBSERVED,
        text: Text::Says(&["try again in", "try again after", "retry in", "retry after", "retry later",
            "wait * minutes", "wait * seconds", "please try again later", "please retry", "not yet authorized",
            "unfamiliar", "first contact"]),
        example: "451 Please retry in 300 seconds", ..rcpt(ReplyClass::Greylisted, Strength::Text) },
    Rule { id: "temporary", codes: &[4], source: RFC_5321,
        example: "450 Requested mail action not taken: mailbox busy", ..rcpt(ReplyClass::Temporary, Strength::Bare) },

    Rule { id: "domain.text", source: OBSERVED,
        text: Text::Says(&["no such domain", "unknown domain", "domain not found", "domain unknown",
            "domain does not exist", "domain doesnt exist", "invalid domain", "domain is not valid",
            "domain name not found", "domain * not configured",
            "domain is disabled", "domain * suspended", "domain isnt"]),
        example: "550 Unknown domain", ..rcpt(ReplyClass::NoSuchDomain, Strength::Text) },
    Rule { id: "disabled.text", source: OBSERVED,
        text: Text::Says(&["@ * disabled", "disabled @", "@ * inactive", "inactive @", "@ * deactivated",
            "deactivated @", "@ * suspended", "suspended @", "@ * not active", "@ * is locked",
            "account locked", "mailbox locked", "blocked mailbox", "mailbox blocked", "account blocked",
            "account * blocked", "mailbox * blocked", "@ * expired", "@ closed", "account * closed",
            "mailbox frozen", "mailbox * frozen", "account * terminated", "@ * no longer active",
            "currently unavailable mailbox", "@ * is discontinued", "@ * not accepting mail",
            "@ * not accepting messages", "@ * not accepting any mail"]),
        example: "554 This account has been suspended", ..rcpt(ReplyClass::Disabled, Strength::Text) },
    // RFC 5321's own text for 550, which goes on "no access, or command rejected for policy reasons".
    Rule { id: "bare.unavailable", codes: &[550], source: RFC_5321,
        text: Text::Says(&["action not taken mailbox unavailable"]),
        example: "550 Requested action not taken: mailbox unavailable",
        ..rcpt(ReplyClass::NoSuchMailbox, Strength::Bare) },
    // The text has to speak of a mailbox: a host, a domain or a certificate may be unknown and invalid too.
    Rule { id: "gone.text",
        source: "Postfix, Exim, Sendmail, qmail, Exchange, Domino: messages for unknown recipients",
        text: Text::Says(&["no such @", "no such e mail", "no such person", "no such local", "no such name",
            "no such mail", "no such virtual", "unknown @", "unknown local", "unknown customer", "@ unknown",
            "@ * unknown", "@ not found", "@ * not found", "@ doesnt exist", "@ * doesnt exist",
            "@ * not exist*", "@ * no longer exist*", "@ * no longer valid", "@ * no longer available",
            "@ * no longer in use", "@ * no longer on", "@ * no longer accept*", "no longer here",
            "no longer with", "no longer work*", "no longer employed", "recipient no longer", "non existent @",
            "@ * non existent", "nonexist* @", "@ * nonexist*", "not have a* * account",
            "not have a* * mailbox", "not have a* * user", "doesnt have a* * account",
            "doesnt have a* * mailbox", "doesnt have a* * user", "no mailbox", "no valid recipient*",
            "no account", "no user", "no recipient", "no one here", "not a valid @", "@ * not valid",
            "not a known @", "@ * not known", "@ * isnt known", "is not a user", "not our user",
            "not our customer", "not a local user", "not a mailbox", "not a recognized @",
            "@ * not recognized", "@ * not listed in", "not in the directory", "not in directory",
            "@ * not in our", "@ * not registered", "@ * not defined", "invalid @", "invalid mailbox*",
            "invalid e mail", "invalid local", "invalid final delivery", "@ invalid", "@ is invalid",
            "bad recipient", "bad destination", "bad address", "wrong recipient", "illegal @", "@ unavailable",
            "@ not available", "@ is unavailable", "@ is not available", "mailbox * unavailable",
            "mailbox * not available", "unrouteable", "unroutable", "undeliverable @", "@ * undeliverable",
            "unable to deliver to @", "@ deleted", "@ * been deleted", "@ removed", "@ * been removed",
            "left the company", "left our company", "cant find @", "cannot find @", "cannot find the @",
            "unable to find @", "could not find @", "cant verify @", "recipient verification failed",
            "recipient verify failed", "recipientnotfound", "user not local", "user isnt", "nosuchuser"]),
        example: "550 Unrouteable address", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },
    // What is it that does not exist? 5.1.0 says that an address is at fault, but not whose. Else it may be the domain,
    // if every host says so.
    Rule { id: "unclear.address", enhanced: &["5.1.0"], source: RFC_3463,
        text: Text::Says(&["not exist*", "doesnt exist"]),
        example: "550 5.1.0 mx.example.org does not exist", ..rcpt(ReplyClass::Unclear, Strength::Bare) },
    Rule { id: "domain.bare", codes: &[550, 553], source: OBSERVED,
        text: Text::Says(&["host unknown", "not exist*", "doesnt exist"]),
        example: "550 Host unknown", ..rcpt(ReplyClass::NoSuchDomain, Strength::Bare) },
    // Cisco Secure Email gives this to recipients that its directory query rejects.
    Rule { id: "gone.address_rejected", codes: &[550], enhanced: &["5.1.0"],
        source: "Cisco Secure Email: LDAP accept queries",
        text: Text::Says(&["address rejected"]),
        example: "550 #5.1.0 Address rejected.", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },

    // RFC 5321's own text for 550 names no cause; a second voice has to agree before this counts.
    Rule { id: "bare.silent", codes: &[550], source: RFC_5321,
        text: Text::Only(&["rcpt"]),
        example: "550 <jane@example.org>", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Bare) },
    Rule { id: "unclear.word", codes: &[550], source: "observed: content filters and blocklists that say no more",
        text: Text::Only(&["rejected", "refused", "denied", "error", "failed", "failure", "sorry", "blocked"]),
        example: "550 Denied", ..rcpt(ReplyClass::Unclear, Strength::Bare) },
    Rule { id: "bare", codes: &[550], source: RFC_5321,
        text: Text::Only(&["rcpt", "domain", "requested", "action", "not", "taken", "rejected", "refused",
            "recipient", "address", "error", "failed", "no", "sorry", "rejecting",
            "recipients", "the", "your", "unavailable", "denied", "command", "to", "permanent", "failure", "5",
        "1", "0"]),
        example: "550 Requested action not taken", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Bare) },
    Rule { id: "unclear", codes: &[5], source: RFC_5321,
        example: "554 Transaction failed", ..rcpt(ReplyClass::Unclear, Strength::Bare) },
];
