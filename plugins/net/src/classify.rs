//! What a reply means: the table of [`rules`](crate::rules) read from the top, the first rule that fits wins.
//!
//! A rule looks at where in the dialogue the reply came, at the code, the enhanced code and the operator, and at the
//! text last. Text is read as words, without what it echoes of us ([`crate::echo`]). The worst error is to call a
//! live mailbox dead, so every doubt falls on the other side.

use std::{borrow::Cow, sync::Arc};

use mailsonde_engine::{Address, DialogueStage, Operator, Reading, ReplyClass, Strength};

use crate::{
    echo::{escape, mask},
    reply::Reply,
    rules::rules,
};

/// Words that a `*` in a phrase may stand for.
const GAP_MAX: usize = 4;

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
    /// A reply that this rule reads, and no rule above it.
    pub example: &'static str,
    /// Where this is known from.
    pub source: &'static str,
}

/// A condition on a reply's text. Phrases are words in lower case, without signs; `block*` fits every word that
/// begins so, and a `*` alone up to four words.
#[derive(Debug)]
pub enum Text {
    /// Whatever it says.
    Any,
    /// One of these phrases is in it.
    Says(&'static [&'static str]),
    /// It has no words but these.
    Only(&'static [&'static str]),
}

/// What a rule made of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// What it means.
    pub class: ReplyClass,
    /// What that rests on.
    pub strength: Strength,
    /// The rule's id.
    pub rule: &'static str,
}

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The mail host's name.
    pub host: Arc<str>,
    /// Who runs it.
    pub operator: Option<Operator>,
}

impl Peer {
    /// The peer of this name (lower case, no final dot).
    pub fn named(host: &str) -> Self {
        Self { host: host.into(), operator: Operator::of_host(host) }
    }

    /// Reads a reply of this peer; `recipient` is whom it was about, when it was about one.
    pub fn read(&self, stage: DialogueStage, reply: &Reply, recipient: Option<&Address>) -> Reading {
        let Classified { class, strength, rule } = classify(stage, reply, self.operator, recipient);
        let text = reply.lines().collect::<Vec<_>>().join("\n");
        Reading {
            class,
            strength,
            rule: Cow::Borrowed(rule),
            stage,
            code: reply.code(),
            enhanced: reply.enhanced(),
            text: escape(&mask(&text, recipient)),
            host: self.host.clone(),
            agreed: false,
        }
    }
}

/// Finds the rule that reads a reply.
pub fn classify(
    stage: DialogueStage,
    reply: &Reply,
    operator: Option<Operator>,
    recipient: Option<&Address>,
) -> Classified {
    let text = normal(&mask(&reply.words(), recipient));
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let heard = Heard { stage, code: reply.code(), enhanced: reply.enhanced(), operator, words: &words };
    rules()
        .find(|rule| heard.fits(rule))
        .map_or(Classified { class: ReplyClass::Unclear, strength: Strength::Bare, rule: "none" }, |rule| {
            Classified { class: rule.class, strength: rule.strength, rule: rule.id }
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
    let fits = part.strip_suffix('*').map_or(*word == part, |stem| word.starts_with(stem));
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
    fn enhanced_codes_match_by_part() {
        assert!(is_enhanced([5, 7, 606], "x.7.x") && is_enhanced([5, 1, 1], "5.1.1"));
        assert!(!is_enhanced([5, 1, 10], "5.1.1") && !is_enhanced([4, 7, 1], "5.7.x"));
    }
}
