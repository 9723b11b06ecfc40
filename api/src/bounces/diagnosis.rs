//! What a bounce says of the mailbox: codes, the mail host's own words and the reporter's word for it, heard together.
//!
//! The host's words are read by the rules that read replies to a probe. The worst error is to call a live mailbox
//! gone, so whatever speaks against that counts more.

use mailsonde_engine::{Address, DialogueStage, Operator, ReplyClass, Strength};
use mailsonde_net::{Reply, classify};

/// What a bounce means for the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is not there, or closed.
    Gone,
    /// It may take mail another time.
    Passing,
    /// The sender, or the message, was not wanted.
    AboutUs,
    /// Nothing that is plain enough.
    Unclear,
}

/// What reporters call it, in lower case and without signs, by what it means.
const WORDS: &[(Meaning, &[&str])] = &[
    (
        Meaning::Gone,
        &[
            "hard",
            "hardbounce",
            "permanent",
            "permanentfailure",
            "unknownuser",
            "userunknown",
            "nosuchuser",
            "usernotfound",
            "noemail",
            "mailboxnotfound",
            "bademail",
            "bademailaddress",
            "invalidemail",
            "invalidrecipient",
            "invalidmailbox",
        ],
    ),
    (
        Meaning::Passing,
        &[
            "soft",
            "softbounce",
            "transient",
            "temporary",
            "temporaryfailure",
            "deferred",
            "delayed",
            "delay",
            "expired",
            "mailboxfull",
            "quota",
            "overquota",
        ],
    ),
    (
        Meaning::AboutUs,
        &[
            "block",
            "blocked",
            "spam",
            "spamblock",
            "spamnotification",
            "policy",
            "reputation",
            "dmarc",
            "content",
            "contentrejected",
            "messagetoolarge",
            "attachmentrejected",
        ],
    ),
    (
        Meaning::Unclear,
        &[
            "delivered",
            "delivery",
            "relayed",
            "expanded",
            "sent",
            "accepted",
            "processed",
            "open",
            "opened",
            "click",
            "clicked",
            "complaint",
            "unsubscribe",
            "unsubscribed",
            "suppressed",
        ],
    ),
];

/// What they call every bounce.
const SAYS_NOTHING: &[&str] =
    &["bounce", "bounced", "fail", "failed", "failure", "dropped", "undelivered", "undeliverable", "general"];

/// What is known of one bounce.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    code: Option<u16>,
    enhanced: Option<[u16; 3]>,
    /// The longest text tells most.
    text: String,
    /// What the reporter calls it.
    word: Option<Meaning>,
}

impl Diagnosis {
    /// Takes in one field, whatever it is: `5.1.1`, `550`, `hard`, `smtp; 550 5.1.1 User unknown`.
    pub(super) fn hear(&mut self, value: &str) {
        let value = without_type(value.trim());
        let (first, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        if let Some(code) = enhanced(first).filter(|_| rest.is_empty() || rest.starts_with('(')) {
            self.enhanced.get_or_insert(code);
        } else if let Some(code) = refusal(value) {
            self.code.get_or_insert(code);
        } else if let Some(word) = word(value) {
            self.word = milder(self.word, Some(word));
        } else if value.len() > self.text.len() && !SAYS_NOTHING.contains(&&*plain(value)) {
            value.clone_into(&mut self.text);
        }
    }

    /// What it means for this mailbox; `host` is who refused, if that is known.
    pub(super) fn meaning(&self, address: &Address, host: Option<&str>) -> Meaning {
        let enhanced = self.enhanced.or_else(|| self.text.split_whitespace().find_map(enhanced_of));
        if enhanced.is_some_and(|code| code[0] == 4) || self.code.is_some_and(|code| code < 500) {
            return Meaning::Passing;
        }
        let (reply, is_said) = match (reply_in(&self.text), self.code.or(enhanced.map(|_| 550))) {
            (Some(said), _) => (with_enhanced(said, enhanced), true),
            (None, Some(code)) => {
                (with_enhanced(&format!("{code} {}", self.text), enhanced), !self.text.is_empty())
            }
            // Words without a code, of whom one has to believe that they are about a failure for good.
            (None, None) if self.word == Some(Meaning::Gone) => (format!("550 {}", self.text), false),
            (None, None) => return self.word.unwrap_or(Meaning::Unclear),
        };
        let operator = host.and_then(Operator::of_host);
        match (read(&reply, operator, address), self.word) {
            // Nothing was said by the host, or nothing that is quoted: the reporter heard more.
            (Meaning::Unclear, Some(word)) if !is_said => word,
            (meaning, word) => milder(Some(meaning), word).unwrap_or(Meaning::Unclear),
        }
    }
}

/// What the rules make of a reply.
fn read(reply: &str, operator: Option<Operator>, address: &Address) -> Meaning {
    use ReplyClass::{
        Blocked, Disabled, Full, Greylisted, NoSuchMailbox, Policy, Rate, Temporary, TlsRequired,
    };
    let Some(reply) = Reply::from_text(reply) else { return Meaning::Unclear };
    let read = classify(DialogueStage::Rcpt, &reply, operator, Some(address));
    match read.class {
        NoSuchMailbox | Disabled if read.strength != Strength::Bare => Meaning::Gone,
        Full | Greylisted | Temporary => Meaning::Passing,
        Policy | Blocked | Rate | TlsRequired => Meaning::AboutUs,
        _ => Meaning::Unclear,
    }
}

/// Of two opinions the one that leaves the mailbox alive.
fn milder(one: Option<Meaning>, other: Option<Meaning>) -> Option<Meaning> {
    match (one, other) {
        (Some(Meaning::Gone) | None, Some(_)) => other,
        _ => one,
    }
}

/// `smtp; 550 …` without the name of the kind of code (RFC 3464 §2.1.2).
fn without_type(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest)) if kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            rest.trim_start()
        }
        _ => value,
    }
}

fn word(value: &str) -> Option<Meaning> {
    let plain = plain(value);
    WORDS.iter().find(|(_, words)| words.contains(&&*plain)).map(|(meaning, _)| *meaning)
}

/// In lower case and without signs.
fn plain(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Three digits of a refusal, and nothing else.
fn refusal(text: &str) -> Option<u16> {
    let is_code = text.len() == 3 && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|code| is_code && (400..600).contains(code))
}

/// `5.1.1`, and nothing else.
fn enhanced(text: &str) -> Option<[u16; 3]> {
    let mut parts = text.split('.').map(|part| part.parse::<u16>().ok().filter(|_| part.len() <= 3));
    let code = [parts.next()??, parts.next()??, parts.next()??];
    (parts.next().is_none() && matches!(code[0], 4 | 5)).then_some(code)
}

/// The same with the signs that texts put around it.
fn enhanced_of(word: &str) -> Option<[u16; 3]> {
    enhanced(word.trim_matches(|c: char| !c.is_ascii_digit()))
}

/// The reply that a text quotes: `host mx.example.org said: 550 5.1.1 User unknown`.
fn reply_in(text: &str) -> Option<&str> {
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        let is_apart =
            before.is_none_or(|c| c.is_whitespace() || matches!(c, ':' | ';' | '"' | '\'' | '(' | '#'));
        let code = text.get(at..at + 3).and_then(refusal);
        let after = text[at..].chars().nth(3);
        is_apart && code.is_some() && after.is_none_or(|c| c == ' ' || c == '-')
    };
    text.char_indices().map(|(at, _)| at).find(|at| begins(*at)).map(|at| &text[at..])
}

/// The reply with the enhanced code that was told beside it, where it has none.
fn with_enhanced(reply: &str, enhanced: Option<[u16; 3]>) -> String {
    let own = Reply::from_text(reply).and_then(|reply| reply.enhanced());
    match (own, enhanced) {
        (None, Some([class, subject, detail])) => {
            let text = reply.get(4..).unwrap_or_default();
            format!("{} {class}.{subject}.{detail} {text}", &reply[..3])
        }
        _ => reply.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(fields: &[&str]) -> Meaning {
        let mut diagnosis = Diagnosis::default();
        for field in fields {
            diagnosis.hear(field);
        }
        diagnosis.meaning(&Address::new("jane", "example.org"), None)
    }

    #[test]
    fn who_is_gone() {
        for fields in [
            &["5.1.1"][..],
            &["5.1.1 (bad destination mailbox address)"],
            &["5.1.1", "smtp; 550 5.1.1 <jane@example.org>: Recipient address rejected: User unknown"],
            &["5.0.0", "smtp; 550 No such user here"],
            &["5.1.1", "x-unix; user unknown"],
            &["550", "User unknown"],
            &[
                "host mx.example.org[192.0.2.1] said: 550 5.1.1 <jane@example.org> (in reply to RCPT TO command)",
            ],
            &["#550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup##"],
            &["5.2.1", "smtp;550 5.2.1 The email account that you tried to reach is disabled."],
            &["hard"],
            &["Permanent", "General"],
            &["Hard Bounce", "550"],
            &["HardBounce", "The user was not found"],
            &["failed", "5.1.1"],
        ] {
            assert_eq!(meaning(fields), Meaning::Gone, "{fields:?}");
        }
    }

    #[test]
    fn who_may_take_mail_another_time() {
        for fields in [
            &["4.2.2"][..],
            &["4.4.7", "smtp; 550 5.1.1 User unknown"],
            &["5.2.2", "smtp; 552 5.2.2 The email account that you tried to reach is over quota"],
            &["soft"],
            &["Transient", "MailboxFull"],
            &["hard", "452 4.2.2 Mailbox full"],
            &["delayed", "5.1.1"],
            &["soft", "5.1.1"],
            &["450", "User unknown"],
        ] {
            assert_eq!(meaning(fields), Meaning::Passing, "{fields:?}");
        }
    }

    #[test]
    fn a_refusal_of_the_sender_is_none_of_the_mailbox() {
        for fields in [
            &["5.7.1"][..],
            &["5.1.1", "smtp; 550 5.1.1 Your message was blocked"],
            &["hard", "550 5.7.1 Service unavailable; client host [192.0.2.1] blocked using bl.example"],
            &["hard", "554 5.7.1 Message rejected as spam"],
            &["blocked", "5.1.1"],
            &["5.7.26", "smtp; 550-5.7.26 This mail has been blocked because the sender is unauthenticated."],
        ] {
            assert_eq!(meaning(fields), Meaning::AboutUs, "{fields:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for fields in [
            &[][..],
            &["bounced"],
            &["failed", "5.0.0"],
            &["5.1.2", "smtp; 550 5.1.2 Host unknown"],
            &["5.4.4", "X-Postfix; Host or domain name not found"],
            &["550", "qwertyuiop"],
            &["hard", "550 qwertyuiop"],
            &["250", "2.0.0 OK"],
            &["delivered", "5.1.1"],
            &["user unknown to us, perhaps"],
            &["550"],
            &["complaint"],
        ] {
            assert_eq!(meaning(fields), Meaning::Unclear, "{fields:?}");
        }
    }

    #[test]
    fn replies_are_found_in_texts() {
        for (text, reply) in [
            ("550 no", Some("550 no")),
            ("mx[192.0.2.1] said: 550-no", Some("550-no")),
            ("refused (550 no)", Some("550 no)")),
            ("é: 550", Some("550")),
            ("192.550.2.1", None),
            ("in 550ms", None),
            ("250 yes", None),
        ] {
            assert_eq!(reply_in(text), reply, "{text}");
        }
    }
}
