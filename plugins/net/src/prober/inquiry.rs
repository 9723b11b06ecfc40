//! An inquiry: what is known so far of the recipients of one ask, who is to be asked next, and who gets which answer.
//!
//! No waiting and no wires here. Every recipient is answered exactly once: when an answer is final, or when the ask
//! ends, with the best of what was heard.

use std::{collections::BTreeMap, mem};

use mailsonde_engine::{
    Address, Answer, Answered, Ask, CatchAll, CatchAllSource, ProbeFailure, Reading, Reason, ReplyClass,
    Stop, Strength,
};
use tokio::sync::mpsc;

use super::domain::{Domain, verdict};
use crate::catch_all::CatchAllFacts;

pub(super) struct Inquiry {
    targets: Vec<Target>,
    /// Indices of targets in the order of asking: those that need SMTPUTF8 last, so that one transaction serves the
    /// rest; and domain by domain, as some operators want a transaction for each.
    order: Vec<usize>,
    domains: BTreeMap<Box<str>, Domain>,
    /// Hosts that the ask names.
    hosts: usize,
    /// The host that is being asked.
    host: Box<str>,
    stop: Stop,
    answers: mpsc::UnboundedSender<Answered>,
    /// The most telling reason why a host could not be asked.
    failure: Option<ProbeFailure>,
    second_look: bool,
}

struct Target {
    address: Address,
    state: State,
    /// The host that is being asked has answered, or is not to be asked again.
    asked_here: bool,
    /// Hosts that said that the recipient gets no mail there ([`is_denial`]).
    denials: usize,
}

/// What is known of a recipient.
enum State {
    /// No final answer; perhaps a reply that a better one may replace.
    Open(Option<Box<Reading>>),
    /// Refused by the three digits alone: a second voice is wanted.
    Refused(Box<Reading>),
    /// Accepted, but perhaps everything is.
    Accepted(Box<Reading>),
    Answered,
}

/// Whom to ask next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A recipient, by index.
    Target(usize),
    /// Somebody who does not exist, at this domain.
    Random(Box<str>),
    Nobody,
}

/// What the session still has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) targets: bool,
    pub(super) randoms: bool,
}

impl Inquiry {
    pub(super) fn new(ask: &Ask, answers: mpsc::UnboundedSender<Answered>) -> Self {
        let target = |address: &Address| Target {
            address: address.clone(),
            state: State::Open(None),
            asked_here: false,
            denials: 0,
        };
        let mut order: Vec<usize> = (0..ask.recipients.len()).collect();
        let rank = |index: usize| (ask.recipients[index].is_smtputf8(), ask.recipients[index].domain());
        order.sort_by(|a, b| rank(*a).cmp(&rank(*b)));
        let domains =
            ask.recipients.iter().map(|address| (address.domain().into(), Domain::default())).collect();
        Self {
            targets: ask.recipients.iter().map(target).collect(),
            order,
            domains,
            hosts: ask.mx.len(),
            host: Box::default(),
            stop: ask.stop,
            answers,
            failure: None,
            second_look: false,
        }
    }

    pub(super) fn address(&self, index: usize) -> &Address {
        &self.targets[index].address
    }

    pub(super) fn is_done(&self) -> bool {
        self.targets.iter().all(|target| matches!(target.state, State::Answered))
    }

    /// A further host is about to be asked; with `second_look`, only about those whose refusal wants a second voice.
    /// What one host does with unknown recipients says nothing of another: backups often accept everybody.
    pub(super) fn enter_host(&mut self, host: &str, second_look: bool) {
        self.host = host.into();
        self.second_look = second_look;
        for domain in self.domains.values_mut() {
            domain.enter_host();
        }
        for target in &mut self.targets {
            target.asked_here = false;
        }
    }

    /// A further session begins: what the last one left undone comes first, and what it learned is from before.
    pub(super) fn enter_session(&mut self) {
        for domain in self.domains.values_mut() {
            domain.enter_session();
        }
    }

    /// Whether there is anything to ask the present host.
    pub(super) fn has_work(&self) -> bool {
        self.targets.iter().any(|target| self.is_askable(target))
            || self.domains.values().any(|d| d.waiting > 0)
    }

    /// Hosts whose bare refusals nobody has confirmed yet.
    pub(super) fn unconfirmed_hosts(&self) -> Vec<Box<str>> {
        let host = |target: &Target| {
            if let State::Refused(reading) = &target.state { Some((*reading.host).into()) } else { None }
        };
        let mut hosts: Vec<_> = self.targets.iter().filter_map(host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    fn is_askable(&self, target: &Target) -> bool {
        !target.asked_here
            && match target.state {
                State::Open(_) => !self.second_look,
                State::Refused(_) => true,
                State::Accepted(_) | State::Answered => false,
            }
    }

    /// Chooses whom to ask. Recipients come before random ones, which matter only where somebody was accepted.
    pub(super) fn next(&mut self, room: Room, facts: &CatchAllFacts) -> Next {
        if room.randoms
            && let Some(domain) =
                self.next_random(facts, |domain, stop| domain.is_late || stop == Stop::FirstAccepted)
        {
            return Next::Random(domain);
        }
        let askable = self.order.iter().find(|index| self.is_askable(&self.targets[**index]));
        if let Some(index) = askable.filter(|_| room.targets) {
            return Next::Target(*index);
        }
        match self.next_random(facts, |_, _| true) {
            Some(domain) if room.randoms => Next::Random(domain),
            _ => Next::Nobody,
        }
    }

    /// A domain whose accepted recipients wait for a random one. What is remembered settles a domain on the way.
    fn next_random(&mut self, facts: &CatchAllFacts, is_due: fn(&Domain, Stop) -> bool) -> Option<Box<str>> {
        let stop = self.stop;
        loop {
            let mut waiting =
                self.domains.iter().filter(|(_, domain)| domain.waiting > 0 && is_due(domain, stop));
            let (name, domain) = waiting.next()?;
            let name = name.clone();
            match facts.recall(&name, &self.host) {
                Some(accepts_all) if !domain.contradicts(accepts_all) => {
                    self.learn(&name, verdict(accepts_all, CatchAllSource::Cache));
                }
                Some(_) => {
                    facts.forget(&name, &self.host);
                    return Some(name);
                }
                None => return Some(name),
            }
        }
    }

    /// Takes a reply about a recipient.
    pub(super) fn hear(&mut self, index: usize, reading: Reading, operator_accepts_all: bool) {
        let target = &mut self.targets[index];
        target.asked_here = true;
        let reading = Box::new(reading);
        match mem::replace(&mut target.state, State::Answered) {
            State::Refused(first) => self.confirm(index, first, reading),
            State::Open(earlier) => match reading.class {
                ReplyClass::Accepted => self.accept(index, reading, operator_accepts_all),
                ReplyClass::NoSuchMailbox | ReplyClass::Disabled => self.refuse(index, reading),
                ReplyClass::Full | ReplyClass::Greylisted | ReplyClass::Unclear => {
                    self.reply(index, reading, None);
                }
                _ => self.targets[index].keep(earlier, reading),
            },
            settled @ (State::Accepted(_) | State::Answered) => self.targets[index].state = settled,
        }
    }

    /// At this recipient the session broke: the others come first, in case it was for its sake.
    pub(super) fn put_last(&mut self, next: &Next) {
        if let Next::Target(last) = next {
            self.order.retain(|index| index != last);
            self.order.push(*last);
        }
    }

    /// Takes a reply that ends the session before the recipient got its answer.
    pub(super) fn postpone(&mut self, next: &Next, reading: Reading) {
        match next {
            Next::Target(index) => {
                let target = &mut self.targets[*index];
                if let State::Open(earlier) = &mut target.state {
                    let earlier = earlier.take();
                    target.keep(earlier, Box::new(reading));
                }
            }
            Next::Random(domain) => {
                if let Some(domain) = self.domains.get_mut(domain) {
                    domain.delayed = reading.class.unknown_reason();
                }
            }
            Next::Nobody => {}
        }
    }

    /// Takes a host's refusal to speak about anybody: the others are not asked there.
    pub(super) fn refuse_all(&mut self, reading: &Reading) {
        let second_look = self.second_look;
        for target in self.targets.iter_mut().filter(|target| !target.asked_here && !second_look) {
            target.asked_here = true;
            if let State::Open(earlier) = &mut target.state {
                let earlier = earlier.take();
                target.keep(earlier, Box::new(reading.clone()));
            }
        }
    }

    /// Takes a reply about somebody who does not exist.
    pub(super) fn hear_random(&mut self, name: &str, reading: &Reading, facts: &CatchAllFacts) {
        let heard = self.domains.get_mut(name).and_then(|domain| domain.hear_random(reading));
        match heard {
            Some(known @ CatchAll::Unknown { .. }) => self.learn(name, known),
            Some(known) => {
                // A refusal of whatever cause may be of this session alone.
                if reading.class != ReplyClass::Unclear {
                    facts.remember(name, &self.host, matches!(known, CatchAll::Yes { .. }));
                }
                self.learn(name, known);
            }
            // A second one will tell.
            None => {}
        }
    }

    /// A host could not be asked.
    pub(super) fn note_failure(&mut self, failure: ProbeFailure) {
        if self.failure.is_none_or(|earlier| telling(earlier) < telling(failure)) {
            self.failure = Some(failure);
        }
    }

    /// Answers one recipient without having asked.
    pub(super) fn decline(&mut self, index: usize, failure: ProbeFailure) {
        self.targets[index].state = State::Answered;
        self.send(index, Answer::Failed(failure));
    }

    /// Answers everybody who is still open with the best of what was heard. `late`: the deadline has passed.
    pub(super) fn finish(&mut self, late: bool) {
        let failure =
            if late { ProbeFailure::Timeout } else { self.failure.unwrap_or(ProbeFailure::Timeout) };
        for index in 0..self.targets.len() {
            match mem::replace(&mut self.targets[index].state, State::Answered) {
                State::Answered => {}
                State::Refused(reading) => self.reply(index, reading, None),
                State::Accepted(reading) => {
                    let domain = self.domains.get(self.targets[index].address.domain());
                    let reason = domain.and_then(|domain| domain.delayed).unwrap_or(reason_of(failure));
                    self.reply(index, reading, Some(CatchAll::Unknown { reason }));
                }
                State::Open(Some(reading)) if !is_denial(&reading) => self.reply(index, reading, None),
                State::Open(Some(mut reading)) if self.targets[index].denials >= self.hosts => {
                    reading.agreed = self.hosts > 1;
                    self.reply(index, reading, None);
                }
                // One host that takes no mail says nothing about the others, which could not be asked.
                State::Open(_) => self.send(index, Answer::Failed(failure)),
            }
        }
    }

    fn accept(&mut self, index: usize, reading: Box<Reading>, operator_accepts_all: bool) {
        let domain = self.domains.entry(self.targets[index].address.domain().into()).or_default();
        domain.accepted += 1;
        if operator_accepts_all {
            let catch_all = verdict(true, CatchAllSource::Operator);
            return self.reply(index, reading, Some(catch_all));
        }
        if let Some(known) = domain.known {
            return self.reply(index, reading, Some(known));
        }
        domain.waiting += 1;
        self.targets[index].state = State::Accepted(reading);
    }

    fn refuse(&mut self, index: usize, reading: Box<Reading>) {
        let target = &mut self.targets[index];
        if let Some(domain) = self.domains.get_mut(target.address.domain()) {
            domain.unknown += usize::from(reading.class == ReplyClass::NoSuchMailbox);
        }
        if reading.strength == Strength::Bare {
            target.state = State::Refused(reading);
        } else {
            self.reply(index, reading, None);
        }
    }

    /// A second reply about a recipient that was refused without a word.
    fn confirm(&mut self, index: usize, first: Box<Reading>, second: Box<Reading>) {
        match second.class {
            ReplyClass::Accepted => self.send(index, Answer::Failed(ProbeFailure::Inconsistent)),
            ReplyClass::NoSuchMailbox | ReplyClass::Disabled => {
                let mut stronger = if second.strength < first.strength { second } else { first };
                stronger.agreed = true;
                self.reply(index, stronger, None);
            }
            _ => self.reply(index, first, None),
        }
    }

    /// The domain's accepted recipients have waited for this.
    fn learn(&mut self, name: &str, known: CatchAll) {
        let Some(domain) = self.domains.get_mut(name) else { return };
        domain.known = Some(known);
        domain.waiting = 0;
        for index in 0..self.targets.len() {
            let target = &mut self.targets[index];
            if target.address.domain() == name && matches!(target.state, State::Accepted(_)) {
                let State::Accepted(reading) = mem::replace(&mut target.state, State::Answered) else {
                    continue;
                };
                self.reply(index, reading, Some(known));
            }
        }
    }

    fn reply(&mut self, index: usize, reading: Box<Reading>, catch_all: Option<CatchAll>) {
        let accepted = reading.class == ReplyClass::Accepted;
        self.send(index, Answer::Replied { reading, catch_all });
        if accepted && self.stop == Stop::FirstAccepted {
            self.decline_open();
        }
    }

    /// One is enough: nobody else needs to be asked.
    fn decline_open(&mut self) {
        for index in 0..self.targets.len() {
            if !matches!(self.targets[index].state, State::Answered) {
                self.decline(index, ProbeFailure::NotProbed);
            }
        }
        for domain in self.domains.values_mut() {
            domain.waiting = 0;
        }
    }

    fn send(&self, recipient: usize, answer: Answer) {
        // Whoever asked may have gone; the task sees that by itself.
        let _ = self.answers.send(Answered { recipient, answer });
    }
}

impl Target {
    /// Keeps the better of two replies that settle nothing: the first one, unless it only denies.
    fn keep(&mut self, earlier: Option<Box<Reading>>, reading: Box<Reading>) {
        self.denials += usize::from(is_denial(&reading));
        self.state = State::Open(Some(earlier.filter(|earlier| !is_denial(earlier)).unwrap_or(reading)));
    }
}

/// Why the random recipient got no answer.
fn reason_of(failure: ProbeFailure) -> Reason {
    if failure == ProbeFailure::ProtocolError { Reason::ProtocolError } else { Reason::Timeout }
}

/// Says what this host does not serve: the domain, or addresses that are not ASCII. Another host may, so every one has
/// to say it before it counts.
fn is_denial(reading: &Reading) -> bool {
    use ReplyClass::{NoSuchDomain, NonAsciiUnsupported, NotAcceptingMail};
    matches!(reading.class, NotAcceptingMail | NoSuchDomain | NonAsciiUnsupported)
}

/// How much a failure tells about the hosts. One host without an address must not hide another that did not answer.
fn telling(failure: ProbeFailure) -> u8 {
    match failure {
        ProbeFailure::NotProbed => 0,
        ProbeFailure::MxWithoutAddress => 1,
        ProbeFailure::MxNotAllowed => 2,
        ProbeFailure::DnsFailure => 3,
        ProbeFailure::ConnectionRefused => 4,
        ProbeFailure::Timeout => 5,
        ProbeFailure::Disconnected => 6,
        ProbeFailure::ProtocolError => 7,
        ProbeFailure::Inconsistent => 8,
    }
}
