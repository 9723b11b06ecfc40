//! What the text says, where no code has said it; and what the three digits say alone.

use mailsonde_engine::{ReplyClass, Strength};

use super::{RFC_5321, rcpt};
use crate::classify::{Rule, Text};

const OBSERVED: &str = "observed at several hosts";

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { id: "full.text", codes: &[4, 5], source: "Dovecot, Cyrus, Exchange: quota messages",
        text: Text::Says(&["mailbox full", "mailbox is full", "mailbox * full", "mail box full", "mail box is full", "inbox full", "inbox is full", "quota exceeded", "over quota", "overquota",
            "out of quota", "exceed* * quota", "quota * exceeded", "quota full", "quota is full", "exceed* storage", "exceed* * storage", "storage limit", "storage quota", "disk quota", "disk space", "disk full",
            "out of storage", "insufficient disk", "not enough space", "not enough storage", "no space left", "account is full", "user is full", "maildir delivery", "mailfolder is full", "mailbox size",
            "mailbox has reached", "mailbox limit", "box is full", "no more space", "over the limit", "over its limit"]),
        example: "552 Requested mail action aborted: quota exceeded", ..rcpt(ReplyClass::Full, Strength::Text) },
    Rule { id: "full.storage", codes: &[552], source: RFC_5321,
        text: Text::Only(&["requested", "mail", "action", "aborted", "exceeded", "storage", "allocation", "rcpt"]),
        example: "552 Requested mail action aborted", ..rcpt(ReplyClass::Full, Strength::Bare) },

    // From here on, a 4xx is a host with trouble, or one that does not know us yet.
    Rule { id: "greylist.text", codes: &[450, 451], source: OBSERVED,
        text: Text::Says(&["try again in", "try again after", "retry in", "retry after", "retry later", "wait * minutes", "wait * seconds", "please try again later", "please retry", "not yet authorized", "unfamiliar", "first contact"]),
        example: "451 Please retry in 300 seconds", ..rcpt(ReplyClass::Greylisted, Strength::Text) },
    Rule { id: "temporary", codes: &[4], source: RFC_5321,
        example: "450 Requested mail action not taken: mailbox busy", ..rcpt(ReplyClass::Temporary, Strength::Bare) },

    Rule { id: "domain.text", source: OBSERVED,
        text: Text::Says(&["no such domain", "unknown domain", "domain not found", "domain unknown", "domain does not exist", "domain doesnt exist", "invalid domain", "domain is not valid",
            "domain name not found", "unknown host", "host unknown", "domain * not configured", "domain is disabled", "domain * suspended", "domain isnt"]),
        example: "550 Unknown domain", ..rcpt(ReplyClass::NoSuchDomain, Strength::Text) },
    Rule { id: "disabled.text", source: OBSERVED,
        text: Text::Says(&["disabled", "inactive", "deactivated", "suspended", "not active", "is locked", "account locked", "mailbox locked", "blocked mailbox", "mailbox blocked", "account blocked",
            "account * blocked", "mailbox * blocked", "has expired", "account expired", "account closed", "account * closed", "mailbox closed", "mailbox frozen", "mailbox * frozen", "account * terminated",
            "no longer active", "currently unavailable mailbox", "is discontinued", "not accepting mail", "not accepting messages", "not accepting any mail"]),
        example: "554 This account has been suspended", ..rcpt(ReplyClass::Disabled, Strength::Text) },
    Rule { id: "gone.text", source: "Postfix, Exim, Sendmail, qmail, Exchange, Domino: messages for unknown recipients",
        text: Text::Says(&["user unknown", "unknown user", "user * unknown", "unknown local", "unknown or illegal alias", "unknown recipient", "recipient unknown", "recipient * unknown", "recipient is unknown",
            "unknown mailbox", "mailbox unknown", "mailbox * unknown", "unknown address", "address unknown", "address * unknown", "unknown account", "account unknown", "unknown email", "unknown alias",
            "no such user", "no such recipient", "no such mailbox", "no such account", "no such address", "no such email", "no such e mail", "no such person", "no such local", "no such name", "no such mail", "no such virtual", "no such alias",
            "user not found", "recipient not found", "mailbox not found", "address not found", "account not found", "email not found", "user is not found", "user * not found", "recipient * not found", "mailbox * not found", "account * not found", "address * not found", "alias not found",
            "user does not exist", "user doesnt exist", "recipient does not exist", "recipient doesnt exist", "mailbox does not exist", "mailbox doesnt exist", "account does not exist", "account doesnt exist",
            "address does not exist", "address doesnt exist", "rcpt does not exist", "rcpt doesnt exist", "does not exist", "doesnt exist", "did not exist", "not exist*", "no longer exist*", "no longer valid", "no longer available", "no longer here", "no longer in use", "no longer on", "no longer with",
            "no longer work*", "no longer employed", "no longer accept*", "non existent", "nonexistent", "nonexist*", "not exists", "doesnt have a", "does not have a", "doesnt have an", "does not have an",
            "no mailbox", "no valid recipient*", "no account", "no user", "no recipient", "no one here", "not a valid recipient", "not a valid mailbox", "not a valid user", "not a valid address", "not a valid email", "not valid recipient", "is not valid", "not valid",
            "not a known", "not known", "isnt known", "is not a user", "not our user", "not our customer", "not a local user", "not a mailbox", "not a recognized", "not recognized", "not listed in", "not in the directory", "not in directory", "not in our", "not registered", "not a member", "not defined", "not a subscriber",
            "invalid recipient*", "invalid mailbox", "invalid user*", "invalid address", "invalid email", "invalid e mail", "invalid account", "invalid local", "invalid rcpt", "invalid final delivery", "recipient invalid", "recipient is invalid", "recipient address invalid", "address invalid", "address is invalid", "mailbox invalid", "mailbox is invalid",
            "bad recipient", "bad destination", "bad address", "wrong recipient", "illegal recipient", "illegal user", "illegal alias", "mailbox unavailable", "mailbox not available", "mailbox is unavailable", "mailbox is not available", "mailbox * unavailable", "mailbox * not available", "user unavailable", "account unavailable", "account is unavailable", "account not available", "account is not available", "recipient unavailable",
            "unrouteable", "unroutable", "unrouteable address", "undeliverable address", "address undeliverable", "undeliverable", "unable to deliver to", "user deleted", "account deleted", "mailbox deleted", "been deleted", "been removed", "user removed", "left the company", "left our company", "cant find user", "cannot find user", "cannot find the user", "cannot find recipient", "unable to find user", "unable to find recipient", "could not find user", "could not find recipient",
            "cant verify recipient", "recipient verification failed", "recipient verify failed", "recipientnotfound", "user not known", "user not local", "user isnt", "user not exist", "unknown customer", "nosuchuser", "recipient no longer"]),
        example: "550 Unrouteable address", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },
    // Cisco Secure Email gives this to recipients that its directory query rejects.
    Rule { id: "gone.address_rejected", codes: &[550], enhanced: &["5.1.0"], source: "Cisco Secure Email: LDAP accept queries",
        text: Text::Says(&["address rejected"]),
        example: "550 #5.1.0 Address rejected.", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Text) },

    // RFC 5321's own text for 550 names no cause; a second voice has to agree before this counts.
    Rule { id: "bare.silent", codes: &[550], source: RFC_5321,
        text: Text::Only(&["rcpt"]),
        example: "550 <jane@example.org>", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Bare) },
    Rule { id: "unclear.word", codes: &[550], source: "observed: content filters and blocklists that say no more",
        text: Text::Only(&["rejected", "refused", "denied", "error", "failed", "failure", "sorry", "blocked"]),
        example: "550 Rejected", ..rcpt(ReplyClass::Unclear, Strength::Bare) },
    Rule { id: "bare", codes: &[550], source: RFC_5321,
        text: Text::Only(&["rcpt", "domain", "requested", "action", "not", "taken", "rejected", "refused", "recipient", "address", "error", "failed", "no", "sorry", "rejecting",
            "recipients", "the", "your", "unavailable", "denied", "command", "to", "permanent", "failure", "5", "1", "0"]),
        example: "550 Requested action not taken", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Bare) },
    Rule { id: "unclear", codes: &[5], source: RFC_5321,
        example: "554 Transaction failed", ..rcpt(ReplyClass::Unclear, Strength::Bare) },
];
