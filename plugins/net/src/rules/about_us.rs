//! Texts that speak of us: our address, our name, our sender, our speed, our message. They stand above the codes of
//! mailboxes, since hosts give any code with them and none of it is about the mailbox.

use mailsonde_engine::{ReplyClass, Strength};

use super::{ANYWHERE, RFC_3463, anywhere, rcpt};
use crate::classify::{Rule, Text};

const POSTFIX: &str = "Postfix: SMTPD_ACCESS_README and its messages";
const EXIM: &str = "Exim: default configuration and messages";
const OBSERVED: &str = "observed at several hosts";

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { id: "us.greylisted", source: "postgrey, milter-greylist, Exim: messages",
        text: Text::Says(&["greylist*", "graylist*", "grey list*", "gray list*", "postgrey", "first time seen", "temporarily deferred",
            "temporarily delayed", "delivery * delayed please", "come back later", "come back in * minutes"]),
        example: "450 4.2.0 <jane@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.org.html",
        ..anywhere(ReplyClass::Greylisted, Strength::Text) },
    Rule { id: "us.too_many_recipients", codes: &[450, 451, 452], enhanced: &["4.5.3"], source: "RFC 5321 §4.5.3.1.10",
        example: "452 4.5.3 Error: too many recipients", ..rcpt(ReplyClass::Rate, Strength::Code) },
    Rule { id: "us.rate", source: OBSERVED,
        text: Text::Says(&["rate limit*", "ratelimit*", "throttl*", "too many connections", "too many concurrent", "too many messages", "too many mails",
            "too many emails", "too many errors", "too many recipients", "too many invalid recipients", "too many unknown", "too many bad", "too many failed",
            "too many requests", "too many sessions", "too many commands", "too much mail", "too fast", "too quickly", "too frequent*", "sending rate",
            "exceeded the rate", "exceed* * rate", "exceeded * limit * messages", "connection limit", "connection frequency", "connection rate",
            "message rate", "mail rate", "receiving mail at a rate", "unusual rate", "slow down", "tss04", "ts03", "deferred due to user complaints",
            "deferred due to unexpected volume"]),
        example: "450 4.7.1 Error: too many connections from 192.0.2.1", ..anywhere(ReplyClass::Rate, Strength::Text) },

    Rule { id: "us.reverse_dns", source: POSTFIX,
        text: Text::Says(&["reverse dns", "rdns", "ptr", "reverse hostname", "reverse host", "reverse lookup", "reverse mapping", "reverse address",
            "find your hostname", "find your reverse", "reverse name", "forward confirmed", "dns lookup * your", "no host name", "generic * hostname", "dynamic ip", "dynamic * address*",
            "residential", "dial up", "dialup", "fcrdns"]),
        example: "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
        ..anywhere(ReplyClass::Policy, Strength::Text) },
    Rule { id: "us.blocklist", source: "the blocklists' own names and wordings",
        text: Text::Says(&["spamhaus", "spamcop", "barracudacentral", "sorbs", "uceprotect", "abuseat", "abusix", "mailspike", "senderscore", "invaluement",
            "cloudmark", "ipcheck proofpoint", "dnsbl", "dnswl", "rbl*", "surbl", "uribl", "blacklist*", "blocklist*", "black list*", "block list*", "denylist*",
            "blocked using", "block* by * reputation", "poor reputation", "bad reputation", "low reputation", "reputation of", "ip reputation", "banned sending ip",
            "ip * blocked", "ip address * blocked", "host * blocked", "server * blocked", "network * blocked", "client * blocked", "sender * blocked",
            "domain * blocked", "blocked * ip", "blocked * spam", "banned", "ip * rejected", "ip * not allowed", "ip * denied", "ip * refused", "host rejected",
            "host refused", "is listed", "listed at", "listed by", "bl21", "bl23"]),
        example: "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        ..anywhere(ReplyClass::Blocked, Strength::Text) },
    Rule { id: "us.helo", source: POSTFIX,
        text: Text::Says(&["helo", "ehlo"]),
        example: "550 5.7.1 <probe.example.net>: Helo command rejected: Host not found", ..anywhere(ReplyClass::Policy, Strength::Text) },
    Rule { id: "us.sender", source: POSTFIX,
        text: Text::Says(&["sender address", "sender rejected", "sender denied", "sender refused", "sender not", "sender is not", "sender verif*", "sender domain",
            "sender unknown", "unknown sender", "invalid sender", "sender invalid", "bad sender", "sender id", "sender policy", "senders domain", "senders address",
            "senders ip", "sending domain", "sending address", "sending host", "sending server", "sending mta", "envelope sender", "envelope from", "return path",
            "mail from", "mailfrom", "mfrom", "from address", "from domain", "null sender", "null reverse", "empty sender", "empty envelope", "bounce* to", "verify sender", "verify * sender",
            "verification failed for", "domain of sender", "callout", "sendernotauthenticated*", "not authorized to send", "not allowed to send", "not permitted to send", "allowed senders"]),
        example: "450 4.1.8 <probe@example.net>: Sender address rejected: Domain not found", ..anywhere(ReplyClass::Policy, Strength::Text) },
    Rule { id: "us.authentication", source: "RFC 7208, RFC 6376, RFC 7489: policies on the sender",
        text: Text::Says(&["spf", "dkim", "dmarc", "openspf", "authentication required", "authentication is required", "requires authentication", "not authenticated",
            "authentication failed", "unauthenticated", "must authenticate", "please authenticate", "smtp auth", "pop before smtp", "check for mail before", "log in first"]),
        example: "550 5.7.26 This mail has been blocked because the domain fails SPF and DKIM", ..anywhere(ReplyClass::Policy, Strength::Text) },
    Rule { id: "us.relay", source: "Postfix, Exim, Sendmail, qmail, Exchange: relay refusals",
        text: Text::Says(&["relay access denied", "relay denied", "relay not permitted", "relay not allowed", "relay prohibited", "relay operation", "relay rejected", "relaying",
            "unable to relay", "not permitted to relay", "cannot relay", "can not relay", "not relay", "no relay", "open relay", "mail relay", "rcpthosts",
            "not a gateway", "not an open", "through this server", "not a local domain", "not local domain", "not hosted here"]),
        example: "554 5.7.1 <jane@example.org>: Relay access denied", ..anywhere(ReplyClass::Policy, Strength::Text) },
    Rule { id: "us.content", source: OBSERVED,
        text: Text::Says(&["spam", "unsolicited", "ube", "uce", "content rejected", "message content", "phishing", "virus", "malware", "mail content", "bulk mail",
            "administrative prohibition", "administratively", "administrator", "policy reasons", "policy violation", "local policy", "security policy", "site policy", "policy restrict*", "policy reject*",
            "rejected * policy", "due to policy", "poor * score", "access control", "firewall", "message rejected", "message refused", "message too", "message size"]),
        example: "550 Administrative prohibition", ..anywhere(ReplyClass::Policy, Strength::Text) },
    Rule { id: "us.sender_code", stages: ANYWHERE, codes: &[4, 5], enhanced: &["x.1.7", "x.1.8"], source: RFC_3463,
        example: "550 5.1.8 Bad origin", ..anywhere(ReplyClass::Policy, Strength::Code) },
    Rule { id: "exim.verify", codes: &[450, 451], source: EXIM,
        text: Text::Says(&["temporary local problem", "could not complete", "local problem", "local error", "local configuration", "server configuration", "temporary lookup failure",
            "lookup failure", "internal error", "internal server error", "resources temporarily", "insufficient system"]),
        example: "451 Temporary local problem - please try later", ..rcpt(ReplyClass::Temporary, Strength::Text) },
];
