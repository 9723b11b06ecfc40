//! What a reply means: the table of [`rules`](crate::rules) read from the top, the first rule that fits wins.
//!
//! A rule looks at where in the dialogue the reply came, at the code, the enhanced code and the operator, and at the
//! text last. Text is read as words, without what it echoes of us (module `echo`). The worst error is to call a
//! live mailbox dead, so every doubt falls on the other side.

use std::{borrow::Cow, sync::Arc};

use mailsonde_engine::{Address, DialogueStage, Operator, Reading, ReplyClass, Strength};

use crate::{
    echo::{escape, mask, mask_addresses, mask_sender},
    reply::Reply,
    rules::{Limit, Rule, Text, rules},
};

/// Words that a `*` in a phrase may stand for.
const GAP_MAX: usize = 4;

/// Words of a text that are read. Real ones have a hundred; a reply may have twenty thousand, to keep us busy.
const WORDS_MAX: usize = 400;

/// What an `@` in a phrase stands for: words for a mailbox, and the mask of its address.
const MAILBOX_WORDS: &[&str] = &[
    "rcpt",
    "recipient",
    "recipients",
    "user",
    "users",
    "username",
    "mailbox",
    "inbox",
    "account",
    "accounts",
    "address",
    "addresses",
    "alias",
    "email",
    "customer",
];

/// What a rule made of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// What it means.
    pub class: ReplyClass,
    /// What that rests on.
    pub strength: Strength,
    /// The rule's id.
    pub rule: &'static str,
    /// The limit of the host that it speaks of, if it does.
    pub limit: Option<Limit>,
}

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The mail host's name.
    pub host: Arc<str>,
    /// Who runs it.
    pub operator: Option<Operator>,
    /// What it was told in MAIL: a text that names our sender is about us. Empty for the null sender.
    pub sender: Box<str>,
}

impl Peer {
    /// The peer of this name (lower case, no final dot).
    pub fn named(host: &str) -> Self {
        Self { host: host.into(), operator: Operator::of_host(host), sender: "".into() }
    }

    /// The same peer, that hears mail from `sender`.
    #[must_use]
    pub fn hearing_from(self, sender: &str) -> Self {
        Self { sender: sender.into(), ..self }
    }

    /// Reads a reply of this peer; `recipient` is whom it was about, when it was about one.
    pub fn read(&self, stage: DialogueStage, reply: &Reply, recipient: Option<&Address>) -> Reading {
        self.hear(stage, reply, recipient).0
    }

    /// Reads a reply of this peer, and the limit of the host that it speaks of, if it does.
    pub(crate) fn hear(
        &self,
        stage: DialogueStage,
        reply: &Reply,
        recipient: Option<&Address>,
    ) -> (Reading, Option<Limit>) {
        let reply = &reply.edited(|text| mask_sender(text, &self.sender, recipient));
        let Classified { class, strength, rule, limit } = classify(stage, reply, self.operator, recipient);
        let reading = Reading {
            class,
            strength,
            rule: Cow::Borrowed(rule),
            stage,
            code: reply.code(),
            enhanced: reply.enhanced(),
            text: escape(&mask(&reply.text(), recipient)),
            host: self.host.clone(),
            agreed: false,
        };
        (reading, limit)
    }
}

/// Finds the rule that reads a reply.
pub fn classify(
    stage: DialogueStage,
    reply: &Reply,
    operator: Option<Operator>,
    recipient: Option<&Address>,
) -> Classified {
    let words = reply.words();
    let (masked, with_local) = (mask(&words, recipient), mask_addresses(&words, recipient));
    let read = |text: &str| find_rule(stage, reply, operator, text);
    let classified = read(&masked);
    // Whoever is called `spam` or `sender` makes such a word of the host's an echo. Only where both ways of reading
    // call the mailbox dead, it is.
    if masked != with_local && classified.is_dead() {
        return Some(read(&with_local)).filter(|other| !other.is_dead()).unwrap_or(classified);
    }
    classified
}

impl Classified {
    fn is_dead(self) -> bool {
        use ReplyClass::{Disabled, NoSuchDomain, NoSuchMailbox, NonAsciiUnsupported, NotAcceptingMail};
        matches!(self.class, NoSuchMailbox | NoSuchDomain | Disabled | NotAcceptingMail | NonAsciiUnsupported)
    }
}

fn find_rule(stage: DialogueStage, reply: &Reply, operator: Option<Operator>, text: &str) -> Classified {
    let text = normal(text);
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
    let heard = Heard { stage, code: reply.code(), enhanced: reply.enhanced(), operator, words: &words };
    let unread =
        Classified { class: ReplyClass::Unclear, strength: Strength::Bare, rule: "none", limit: None };
    rules().find(|rule| heard.fits(rule)).map_or(unread, |rule| Classified {
        class: rule.class,
        strength: rule.strength,
        rule: rule.id,
        limit: rule.limit,
    })
}

/// Lower case, and `doesn't` as one word.
fn normal(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\'' | '’')).flat_map(char::to_lowercase).collect()
}

/// A reply, taken apart as rules look at it.
struct Heard<'a> {
    stage: DialogueStage,
    code: u16,
    enhanced: Option<[u16; 3]>,
    operator: Option<Operator>,
    words: &'a [&'a str],
}

impl Heard<'_> {
    fn fits(&self, rule: &Rule) -> bool {
        let by_code = |code: &u16| if *code < 10 { self.code / 100 == *code } else { self.code == *code };
        let by_enhanced = |pattern: &&str| self.enhanced.is_some_and(|code| is_enhanced(code, pattern));
        let by_operator = |id: &&str| self.operator.is_some_and(|operator| operator.id() == *id);
        rule.stages.contains(&self.stage)
            && rule.codes.iter().any(by_code)
            && (rule.enhanced.is_empty() || rule.enhanced.iter().any(by_enhanced))
            && (rule.operators.is_empty() || rule.operators.iter().any(by_operator))
            && match rule.text {
                Text::Any => true,
                Text::Says(phrases) => phrases.iter().any(|phrase| says(self.words, phrase)),
                Text::Only(known) => self.words.iter().all(|word| known.contains(word)),
            }
    }
}

fn is_enhanced(code: [u16; 3], pattern: &str) -> bool {
    code.iter().zip(pattern.split('.')).all(|(number, part)| part == "x" || part.parse() == Ok(*number))
}

fn says(words: &[&str], phrase: &str) -> bool {
    (0..words.len()).any(|start| begins(&words[start..], phrase))
}

/// Whether `words` begin with `phrase`.
fn begins(words: &[&str], phrase: &str) -> bool {
    if phrase.is_empty() {
        return true;
    }
    let (part, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
    if part == "*" {
        return (0..=GAP_MAX.min(words.len())).any(|skipped| begins(&words[skipped..], rest));
    }
    let Some((word, more)) = words.split_first() else { return false };
    let fits = match part.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None if part == "@" => MAILBOX_WORDS.contains(word),
        None => *word == part,
    };
    fits && begins(more, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_whole_words_with_gaps_and_stems() {
        let words: Vec<_> = "the mailbox of this person is full now".split(' ').collect();
        for (phrase, fits) in [
            ("mailbox", true),
            ("box", false),
            ("mailbox * full", true),
            ("the * full", false),
            ("mail*", true),
            ("is full now", true),
            ("full now please", false),
            ("now", true),
            ("@ * full", true),
            ("person * @", false),
        ] {
            assert_eq!(says(&words, phrase), fits, "{phrase}");
        }
        assert!(!says(&[], "full"));
    }

    #[test]
    fn an_echo_is_not_read() {
        let jane = Address::new("inactive.user.unknown", "disabled.test");
        let reply = Reply::from_text("550 <inactive.user.unknown@disabled.test> sent us to bed").unwrap();
        assert_eq!(classify(DialogueStage::Rcpt, &reply, None, Some(&jane)).class, ReplyClass::Unclear);
        let reading = Peer::named("mx.example.org").read(DialogueStage::Rcpt, &reply, Some(&jane));
        assert_eq!(&*reading.text, "<rcpt> sent us to bed");
    }

    #[test]
    fn a_text_that_names_our_sender_is_about_us() {
        let (jane, probe) = (Address::new("jane", "example.org"), Address::new("probe", "example.net"));
        let reply =
            Reply::from_text("550-5.1.1 Callout:\n550 5.1.1 <Probe@example.net>: no such user").unwrap();
        let peer = Peer::named("mx.example.org").hearing_from("probe@example.net");
        let reading = peer.read(DialogueStage::Rcpt, &reply, Some(&jane));
        assert_eq!((reading.class, reading.rule.as_ref()), (ReplyClass::Policy, "us.sender"));
        assert!(reading.text.ends_with("<mailfrom>: no such user"), "{}", reading.text);
        // Asked about itself, the sender is the recipient.
        let reply = Reply::from_text("550 5.1.1 <probe@example.net>: no such user").unwrap();
        assert_eq!(peer.read(DialogueStage::Rcpt, &reply, Some(&probe)).class, ReplyClass::NoSuchMailbox);
    }

    #[test]
    fn a_local_part_that_is_a_word_hides_no_refusal_of_us() {
        for (local, text, class) in [
            ("spam", "550 Rejected: spam", ReplyClass::Policy),
            ("sender", "550 Sender rejected", ReplyClass::Policy),
            ("user", "550 User unknown", ReplyClass::NoSuchMailbox),
            ("inactive", "550 inactive... sent us to bed", ReplyClass::Unclear),
        ] {
            let recipient = Address::new(local, "example.org");
            let reply = Reply::from_text(text).unwrap();
            assert_eq!(classify(DialogueStage::Rcpt, &reply, None, Some(&recipient)).class, class, "{text}");
        }
    }

    #[test]
    fn an_endless_text_is_not_read_to_its_end() {
        let text = |words: usize| format!("550 {}no such user", "nothing ".repeat(words));
        let class_of =
            |text: &str| classify(DialogueStage::Rcpt, &Reply::from_text(text).unwrap(), None, None).class;
        assert_eq!(class_of(&text(100)), ReplyClass::NoSuchMailbox);
        assert_eq!(class_of(&text(WORDS_MAX)), ReplyClass::Unclear);
    }

    #[test]
    fn enhanced_codes_match_by_part() {
        assert!(is_enhanced([5, 7, 606], "x.7.x") && is_enhanced([5, 1, 1], "5.1.1"));
        assert!(!is_enhanced([5, 1, 10], "5.1.1") && !is_enhanced([4, 7, 1], "5.7.x"));
    }
}
