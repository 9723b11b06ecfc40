//! The rules by which replies are read, in the order in which they are tried.
//!
//! First what breaks the protocol or says yes; then what operators are known to mean; then every text that speaks of
//! *us*, because a refusal of us says nothing of the mailbox, whatever its code; then what the codes say; then what the
//! text says; last the three digits alone. To add a rule, add a line with an example to the right section; the test
//! below fails when a rule above it takes the example away.

mod about_us;
mod by_code;
mod by_operator;
mod by_text;
mod dialogue;

use mailsonde_engine::{DialogueStage, ReplyClass, Strength};

/// One line of the table: when it fits, what the reply then means, and why we think so.
#[derive(Debug)]
pub struct Rule {
    /// Stable id, kept as evidence.
    pub id: &'static str,
    /// Where in the dialogue.
    pub stages: &'static [DialogueStage],
    /// Reply codes; a single digit stands for all that begin with it.
    pub codes: &'static [u16],
    /// Enhanced codes, `x` for any number; none: whatever it is.
    pub enhanced: &'static [&'static str],
    /// Ids of operators; none: whoever it is.
    pub operators: &'static [&'static str],
    /// What the text says.
    pub text: Text,
    /// The meaning.
    pub class: ReplyClass,
    /// What the meaning rests on.
    pub strength: Strength,
    /// The limit of the host that it speaks of, if it does.
    pub limit: Option<Limit>,
    /// A reply that this rule reads, and no rule above it.
    pub example: &'static str,
    /// Where this is known from.
    pub source: &'static str,
}

/// A limit of the host that we ran into. It says nothing of the recipient, who is asked again within the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many recipients and no more, in this transaction or session.
    Recipients,
    /// Recipients of one domain alone in a transaction.
    Domains,
    /// So many refused recipients, and no more, in this session.
    Errors,
    /// So many recipients, messages or connections in a time.
    Pace,
}

/// A condition on a reply's text. Phrases are words in lower case, without signs; `block*` fits every word that
/// begins so, a `*` alone up to four words, and an `@` alone any word for a mailbox (`user`, `account`, its address).
#[derive(Debug)]
pub enum Text {
    /// Whatever it says.
    Any,
    /// One of these phrases is in it.
    Says(&'static [&'static str]),
    /// It has no words but these.
    Only(&'static [&'static str]),
}

/// Every rule, in order.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [dialogue::RULES, by_operator::RULES, about_us::RULES, by_code::RULES, by_text::RULES]
        .into_iter()
        .flatten()
}

/// Every stage before the recipient.
const BEFORE_RCPT: &[DialogueStage] =
    &[DialogueStage::Connect, DialogueStage::Hello, DialogueStage::StartTls, DialogueStage::Mail];

/// Every stage.
const ANYWHERE: &[DialogueStage] = &[
    DialogueStage::Rcpt,
    DialogueStage::Connect,
    DialogueStage::Hello,
    DialogueStage::StartTls,
    DialogueStage::Mail,
];

/// The standards, as sources.
const RFC_5321: &str = "RFC 5321 §4.2";
const RFC_3463: &str = "RFC 3463 §3";

/// A rule for replies to RCPT, to be completed.
const fn rcpt(class: ReplyClass, strength: Strength) -> Rule {
    Rule {
        id: "",
        stages: &[DialogueStage::Rcpt],
        codes: &[5],
        enhanced: &[],
        operators: &[],
        text: Text::Any,
        class,
        strength,
        limit: None,
        example: "",
        source: "",
    }
}

/// A rule for a refusal of us, wherever in the dialogue it comes.
const fn anywhere(class: ReplyClass, strength: Strength) -> Rule {
    Rule { stages: ANYWHERE, codes: &[4, 5], ..rcpt(class, strength) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classify::classify, reply::Reply};
    use mailsonde_engine::Operator;

    #[test]
    fn every_example_is_read_by_its_own_rule() {
        let misread: Vec<_> = rules()
            .filter_map(|rule| {
                let reply = Reply::from_text(rule.example).unwrap_or_else(|| panic!("{}: no reply", rule.id));
                let operator =
                    rule.operators.first().map(|id| Operator::by_id(id).unwrap_or_else(|| panic!("{id}")));
                let read = classify(rule.stages[0], &reply, operator, None);
                (read.rule != rule.id)
                    .then(|| format!("{} reads the example of {}: {}", read.rule, rule.id, rule.example))
            })
            .collect();
        assert!(misread.is_empty(), "{misread:#?}");
    }

    #[test]
    fn ids_are_unique_and_every_rule_has_a_source() {
        let ids: std::collections::HashSet<_> = rules().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), rules().count());
        assert!(rules().all(|rule| !rule.source.is_empty() && !rule.id.is_empty()));
    }

    #[test]
    fn phrases_are_written_as_they_are_read() {
        for rule in rules() {
            let (Text::Says(phrases) | Text::Only(phrases)) = rule.text else { continue };
            for phrase in phrases {
                let is_normal =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, ' ' | '*' | '@');
                assert!(!phrase.is_empty() && phrase.chars().all(is_normal), "{}: {phrase}", rule.id);
                assert!(!phrase.starts_with("* ") && !phrase.ends_with(" *"), "{}: {phrase}", rule.id);
            }
        }
    }

    #[test]
    fn only_a_reply_to_rcpt_says_something_of_a_mailbox() {
        use ReplyClass::{Disabled, Full, NoSuchDomain, NoSuchMailbox};
        for rule in
            rules().filter(|rule| matches!(rule.class, NoSuchMailbox | NoSuchDomain | Disabled | Full))
        {
            assert_eq!(rule.stages, [DialogueStage::Rcpt], "{}", rule.id);
        }
    }

    #[test]
    fn only_a_permanent_reply_calls_a_mailbox_dead() {
        use ReplyClass::{Disabled, NoSuchDomain, NoSuchMailbox, NotAcceptingMail};
        for rule in
            rules().filter(|r| matches!(r.class, NoSuchMailbox | NoSuchDomain | Disabled | NotAcceptingMail))
        {
            assert!(rule.codes.iter().all(|code| *code == 5 || *code / 100 == 5), "{}", rule.id);
        }
    }

    #[test]
    fn every_code_at_every_stage_has_a_rule() {
        for stage in ANYWHERE {
            for code in 200..600 {
                let reply = Reply::from_text(&format!("{code} qwertyuiop")).unwrap();
                let read = classify(*stage, &reply, None, None);
                assert_ne!(read.rule, "none", "{code} at {stage:?}");
                let says_dead = matches!(read.class, ReplyClass::NoSuchMailbox | ReplyClass::Disabled);
                assert!(!says_dead, "{code} at {stage:?} with a text nobody knows");
            }
        }
    }

    /// Refusals of us that are worded like a verdict on the mailbox.
    #[test]
    fn a_refusal_of_us_is_none_of_the_mailbox_however_it_is_worded() {
        use ReplyClass::{Disabled, NoSuchDomain, NoSuchMailbox, NotAcceptingMail};
        let jane = mailsonde_engine::Address::new("jane", "example.org");
        for text in [
            "521 mx.example.org does not accept mail from you",
            "524 Blocked",
            "550 unknown host 192.0.2.1",
            "550 Your domain does not exist",
            "550 Your hostname is not valid",
            "550 5.1.1 <jane@example.org>: Recipient address rejected: Your host does not have a valid MX record",
            "550 5.1.1 Your message was blocked",
            "550 5.1.1 Access from your country is not permitted",
            "550 5.2.1 Recipient restricted to authorized hosts",
            "550 Mailbox is not accepting messages from external senders",
            "550 You are not a member of this list",
            "550 VRFY disabled",
            "550 Mail service suspended",
            "550 Antispam license has expired",
            "550 Certificate not valid",
            "550 We no longer accept connections without encryption",
            "550 Your message has been removed",
            "550 Host not registered",
            "550 Command not recognized",
            "550 Service no longer available",
            "554 5.2.1 Denied by local rule",
            "554 <jane@example.org>: Recipient address rejected: your server is not in our allowed list",
            "554 5.7.1 This server does not accept mail from your network",
        ] {
            let read = classify(DialogueStage::Rcpt, &Reply::from_text(text).unwrap(), None, Some(&jane));
            let says_dead = matches!(read.class, NoSuchMailbox | NoSuchDomain | Disabled | NotAcceptingMail);
            assert!(!says_dead, "{} reads {text}", read.rule);
        }
    }
}
