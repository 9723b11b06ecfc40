//! A visit: one session's way through a ledger, write by write, until nobody is left to ask, the session breaks, or a
//! limit says that a new one serves better.

use std::time::Duration;

use mailsonde_engine::{ProbeFailure, Reading, ReplyClass};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    ledger::{Postponed, Room, Taken},
    presence::Presence,
    tally::{Bounds, Tally},
};
use crate::{
    budget::{Grant, Stint},
    memory::Rest,
    rules::Limit,
    session::{Break, Heard, Session},
};

/// Replies are handed on together, once no further one has come for this long: a host that says more than it was asked
/// is found out only at the end of what it says.
const FLUSH: Duration = Duration::from_millis(250);

/// A session at work.
pub(super) struct Visit<'a> {
    session: &'a mut Session,
    presence: &'a Presence,
    bounds: Bounds,
    tally: Tally,
    /// What the session uses up.
    stint: &'a mut Stint,
    /// When the last write began.
    asked_at: Instant,
    /// The host will not go on without TLS.
    wants_tls: bool,
}

/// The room that there is leave for. A place is kept for a random recipient: without one, those who are accepted prove
/// nothing.
fn within(room: Room, randoms_due: usize, granted: usize) -> Room {
    let randoms = room.randoms.min(granted);
    let kept = if granted > 1 { randoms_due.min(randoms).max(1) } else { randoms_due.min(randoms) };
    Room { targets: room.targets.min(granted - kept), randoms, answers: room.answers.min(granted), ..room }
}

/// Whether the session goes on after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl<'a> Visit<'a> {
    /// `targets_max`: recipients of a session, by configuration.
    pub(super) fn new(
        session: &'a mut Session,
        presence: &'a Presence,
        targets_max: usize,
        stint: &'a mut Stint,
    ) -> Self {
        let bounds = Bounds { targets_max, manners: presence.manners() };
        Self {
            session,
            presence,
            bounds,
            tally: Tally::default(),
            stint,
            asked_at: Instant::now(),
            wants_tls: false,
        }
    }

    /// Asks as long as the session lasts.
    pub(super) async fn run(mut self, grant: &Grant) {
        loop {
            let Some(outlook) = self.presence.look() else {
                self.stint.pause();
                if self.is_wanted_soon(grant).await {
                    self.stint.go_on();
                    continue;
                }
                return;
            };
            let Some(room) = self.tally.room(self.bounds, outlook, self.session.pipelines()) else { return };
            let wanted = room.targets.min(outlook.targets) + outlook.randoms.min(room.randoms).max(1);
            let granted = match self.presence.share().recipients(wanted) {
                Ok(granted) => granted,
                Err(at) if self.waits_until(at).await => continue,
                Err(_) => return,
            };
            let room = within(room, outlook.randoms, granted);
            let taken = self.presence.take(room);
            self.presence.share().correct(granted, taken.addresses.len());
            if !taken.addresses.is_empty() && self.ask(&taken).await == Next::End {
                return;
            }
        }
    }

    /// Nobody is left. The session is kept for a moment, in case somebody else asks, unless its place is wanted.
    async fn is_wanted_soon(&mut self, grant: &Grant) -> bool {
        tokio::select! {
            biased;
            () = self.presence.has_work() => true,
            () = self.session.disturbed() => false,
            () = grant.is_wanted() => false,
            () = self.presence.is_closing() => false,
            () = sleep(self.presence.keep_warm()) => false,
        }
    }

    /// The host bears no more recipients now. A short while is waited for; for a long one the session is not kept.
    async fn waits_until(&mut self, at: Instant) -> bool {
        if at.saturating_duration_since(Instant::now()) > self.presence.keep_warm() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.presence.is_abandoned() => false,
            () = self.session.disturbed() => false,
            () = sleep_until(at) => true,
        }
    }

    /// One write, and what comes of it.
    async fn ask(&mut self, taken: &Taken) -> Next {
        let presence = self.presence;
        tokio::select! {
            biased;
            next = self.write_and_hear(taken) => next,
            () = presence.is_abandoned() => Next::End,
        }
    }

    async fn write_and_hear(&mut self, taken: &Taken) -> Next {
        self.asked_at = Instant::now();
        let written = match self.session.write(&taken.addresses).await {
            Ok(written) => written,
            Err(broken) => return self.broke(broken).await,
        };
        let unwritten = taken.addresses.len() - written;
        self.presence.unwritten(unwritten);
        if written == 0 {
            // The session has no room for another transaction.
            return Next::End;
        }
        let extras = taken.extras.min(written);
        self.tally.count_asked(written - extras, extras);
        self.stint.asks(written - extras);
        self.hear(written).await
    }

    /// Hears what the host says of those who were written.
    async fn hear(&mut self, written: usize) -> Next {
        let mut heard = Vec::with_capacity(written);
        for _ in 0..written {
            let next = match timeout(FLUSH, self.session.read()).await {
                Ok(next) => next,
                Err(_) if self.note(heard.drain(..)) == Next::End => return Next::End,
                Err(_) => self.session.read().await,
            };
            match next {
                Ok(reply) => heard.push(reply),
                // With one reply too many, nobody knows which was whose.
                Err(broken @ Break::Protocol(_)) => return self.broke(broken).await,
                Err(broken) if self.note(heard.drain(..)) == Next::GoOn => return self.broke(broken).await,
                Err(_) => return Next::End,
            }
        }
        match self.note(heard.drain(..)) {
            Next::GoOn if self.wants_tls => self.secure().await,
            next => next,
        }
    }

    /// Enters replies into the ledger.
    fn note(&mut self, heard: impl Iterator<Item = Heard>) -> Next {
        let (mut answered, mut refused, mut sent_away, mut put_off) = (0, 0, 0, 0);
        let mut next = Next::GoOn;
        for reply in heard {
            let Heard::Reply { reading, limit, before } = reply else {
                self.presence.decline();
                continue;
            };
            refused += usize::from(limit == Some(Limit::Pace));
            answered += usize::from(limit.is_none());
            sent_away += usize::from(limit.is_some());
            put_off += usize::from(reading.class == ReplyClass::Greylisted);
            next = self.enter(reading, limit, before);
            if next == Next::End {
                break;
            }
        }
        self.presence.share().heard(self.asked_at, answered, refused);
        self.stint.heard(sent_away, put_off);
        self.presence.tell_others();
        next
    }

    fn enter(&mut self, reading: Box<Reading>, limit: Option<Limit>, before: usize) -> Next {
        if reading.code != 421 {
            self.tally.count_heard(&reading);
        }
        let presence = self.presence;
        if reading.code == 421 {
            if presence.broke(Some(reading), ProbeFailure::Disconnected) {
                self.learn_from_end(limit);
            }
            return Next::End;
        }
        match limit {
            Some(Limit::Pace) => {
                presence.postpone(reading, Postponed::Blamed(ProbeFailure::Disconnected));
            }
            Some(Limit::Errors) if self.tally.answered() > 0 => {
                self.learn_from_end(limit);
                presence.postpone(reading, Postponed::ByLimit);
                return Next::End;
            }
            Some(Limit::Domains) if before > 0 && !self.bounds.manners.one_domain => {
                presence.learn(|manners| manners.one_domain = true);
                self.session.take_one_domain();
                presence.postpone(reading, Postponed::ByLimit);
            }
            Some(Limit::Recipients) if self.tally.answered() > 0 => return self.limit(reading, before),
            _ if reading.class == ReplyClass::TlsRequired && self.session.can_secure() => {
                self.wants_tls = true;
                presence.postpone(reading, Postponed::ByLimit);
            }
            _ => {
                self.tally.count_answered();
                presence.hear(reading);
            }
        }
        Next::GoOn
    }

    /// The host takes no more recipients than `before` in a transaction; or, when it says so at the first, no more in
    /// this session.
    fn limit(&mut self, reading: Box<Reading>, before: usize) -> Next {
        self.presence.postpone(reading, Postponed::ByLimit);
        if before > 0 {
            self.presence.learn(|manners| manners.recipients_per_transaction = Some(before));
            self.session.limit_transaction(before);
            return Next::GoOn;
        }
        let max = self.tally.answered();
        self.presence.learn(|manners| manners.recipients_per_session = Some(max));
        Next::End
    }

    /// The host ends the session. Whoever does so twice, or says so, means a limit.
    fn learn_from_end(&self, limit: Option<Limit>) {
        let (answered, rejects) = (self.tally.answered(), self.tally.rejects());
        self.presence.learn(|manners| match limit {
            Some(Limit::Errors) => manners.rejects_per_session = Some(rejects.saturating_sub(1).max(1)),
            Some(Limit::Pace) => {}
            _ if answered == 0 => {}
            Some(Limit::Recipients) => manners.recipients_per_session = Some(answered),
            _ => {
                let earlier = manners.dropped_after.replace(answered);
                manners.recipients_per_session = earlier.map(|earlier| earlier.max(answered));
            }
        });
    }

    async fn broke(&mut self, broken: Break) -> Next {
        let presence = self.presence;
        match broken {
            Break::Refused(reading)
                if reading.class == ReplyClass::TlsRequired && self.session.can_secure() =>
            {
                presence.unwritten(usize::MAX);
                // What left with the refused command is refused too.
                if self.session.drain().await.is_ok() {
                    return self.secure().await;
                }
                presence.give_up_host(&Rest::Failed(ProbeFailure::TlsFailed));
            }
            Break::Refused(reading) if self.tally.answered() == 0 => {
                presence.give_up_host(&Rest::Refused(reading));
            }
            Break::Refused(_) => self.learn_from_end(None),
            broken => {
                if matches!(broken, Break::Protocol(_)) {
                    // One by one, it costs only whom it is about.
                    presence.learn(|manners| manners.lockstep = true);
                }
                let is_first = presence.broke(None, broken.failure());
                if is_first && matches!(broken, Break::Disconnected) {
                    self.learn_from_end(None);
                }
            }
        }
        Next::End
    }

    /// Takes up TLS in the open session.
    async fn secure(&mut self) -> Next {
        self.wants_tls = false;
        self.presence.learn(|manners| manners.needs_tls = true);
        if self.session.secure().await.is_ok() {
            return Next::GoOn;
        }
        self.presence.give_up_host(&Rest::Failed(ProbeFailure::TlsFailed));
        Next::End
    }
}
