//! Yes, not understood, or wrong at this place in the dialogue: read by stage and code.

use mailsonde_engine::{
    DialogueStage::{Connect, Hello, Mail, Rcpt, StartTls},
    ReplyClass, Strength,
};

use super::{ANYWHERE, RFC_5321, Rule, Text, anywhere, rcpt};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { id: "accepted", codes: &[250, 251], source: RFC_5321,
        example: "250 2.1.5 Ok", ..rcpt(ReplyClass::Accepted, Strength::Code) },
    // 252 "cannot verify, but will attempt delivery" answers VRFY; after RCPT it promises nothing.
    Rule { id: "accepted.unverified", codes: &[252], source: RFC_5321,
        example: "252 Cannot VRFY user, but will accept message", ..rcpt(ReplyClass::Unclear, Strength::Code) },
    Rule { id: "hello.fine", stages: &[Connect, Hello, StartTls, Mail], codes: &[220, 250], source: RFC_5321,
        example: "220 mx.example.org ESMTP", ..rcpt(ReplyClass::Accepted, Strength::Code) },
    Rule { id: "protocol.unexpected", stages: ANYWHERE, codes: &[2, 3], source: RFC_5321,
        example: "354 Start mail input", ..anywhere(ReplyClass::ProtocolError, Strength::Code) },

    // RFC 3207: 530 is the answer to everything until TLS is there.
    Rule { id: "tls.code", stages: ANYWHERE, codes: &[530, 550, 554, 450, 451, 454], source: "RFC 3207 §4",
        enhanced: &["x.7.0"],
        text: Text::Says(&["starttls", "tls required", "require* tls", "require* * tls", "must * tls",
            "encryption required"]),
        example: "530 5.7.0 Must issue a STARTTLS command first",
        ..anywhere(ReplyClass::TlsRequired, Strength::Code) },
    Rule { id: "tls.text", stages: ANYWHERE, codes: &[4, 5],
        source: "Exchange, Exim: wording of require_tls settings",
        text: Text::Says(&["must issue a starttls", "starttls required", "starttls is required",
            "starttls first", "tls required", "tls is required", "requires tls", "require tls",
            "encryption required", "encryption is required", "requires encryption", "must use tls"]),
        example: "550 5.7.1 This host requires TLS", ..anywhere(ReplyClass::TlsRequired, Strength::Text) },
    Rule { id: "tls.enhanced", stages: ANYWHERE, codes: &[523, 538, 550, 554, 530], enhanced: &["5.7.10",
            "5.7.11"], source: "RFC 5248 §2.4",
        example: "523 5.7.10 Needed here", ..anywhere(ReplyClass::TlsRequired, Strength::Code) },
    Rule { id: "auth.required", stages: ANYWHERE, codes: &[530, 534, 535, 538], source: "RFC 4954 §6",
        example: "530 5.7.1 Authentication required", ..anywhere(ReplyClass::Policy, Strength::Code) },

    Rule { id: "helo.incomplete", stages: ANYWHERE, codes: &[504],
        source: "postconf(5) reject_non_fqdn_helo_hostname",
        example: "504 5.5.2 <probe>: Helo command rejected: need fully-qualified hostname",
        ..anywhere(ReplyClass::Policy, Strength::Code) },
    Rule { id: "syntax.recipient", codes: &[500, 501, 553], enhanced: &["5.1.3"], source: RFC_5321,
        example: "501 5.1.3 Bad recipient address syntax", ..rcpt(ReplyClass::NoSuchMailbox, Strength::Code) },
    Rule { id: "protocol.refused", stages: ANYWHERE, codes: &[500, 501, 502, 503, 555], source: RFC_5321,
        example: "503 5.5.1 Error: need MAIL command", ..anywhere(ReplyClass::ProtocolError, Strength::Code) },
    Rule { id: "non_ascii", stages: &[Rcpt, Mail], codes: &[550, 553, 554], enhanced: &["5.6.7"],
        source: "RFC 6531 §4.4",
        example: "553 5.6.7 Non-ASCII addresses not permitted for that recipient",
        ..rcpt(ReplyClass::NonAsciiUnsupported, Strength::Code) },
];
