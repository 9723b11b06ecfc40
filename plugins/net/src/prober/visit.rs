//! A visit: one session's way through an inquiry, until nobody is left to ask, the session breaks, or a limit says
//! that a new one serves better.

use mailsonde_engine::{ProbeFailure, Reading, ReplyClass};

use super::inquiry::{Inquiry, Next, Room};
use crate::{
    catch_all::{CatchAllFacts, random_recipient},
    random::Random,
    session::{Break, Session},
};

/// Refused recipients after which a session ends by itself: Postfix slows down after ten errors and hangs up after
/// twenty. The random recipient may be the tenth.
const REJECTS_MAX: usize = 9;

/// Replies in a row that say nothing of any mailbox, after which the host is taken to refuse us altogether.
const MUTE_MAX: usize = 5;

/// How many recipients a session may name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// By configuration; random ones do not count.
    pub(super) targets_max: usize,
    /// By what the host has shown; random ones count.
    pub(super) learned_max: Option<usize>,
}

/// How a visit ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody is left for this host.
    Finished,
    /// There are more, for another session.
    Full,
    /// The host set a limit, after so many recipients.
    Limited { answered: usize },
    /// The host hung up, after so many recipients.
    Dropped { answered: usize },
    /// This host will not answer.
    Over,
}

/// What a session has heard so far.
#[derive(Debug, Default)]
struct Tally {
    targets: usize,
    randoms: usize,
    rejects: usize,
    mute: usize,
}

impl Tally {
    fn answered(&self) -> usize {
        self.targets + self.randoms
    }

    fn room(&self, size: Size) -> Room {
        let may_go_on = size.learned_max.is_none_or(|max| self.answered() < max);
        Room {
            targets: may_go_on && self.targets < size.targets_max && self.rejects < REJECTS_MAX,
            randoms: may_go_on && self.rejects <= REJECTS_MAX,
        }
    }

    fn count(&mut self, next: &Next, reading: &Reading) {
        match next {
            Next::Target(_) => self.targets += 1,
            Next::Random(_) => self.randoms += 1,
            Next::Nobody => {}
        }
        self.rejects += usize::from(reading.code >= 400);
        self.mute = if is_mute(reading) { self.mute + 1 } else { 0 };
    }
}

/// Asks as long as the session lasts.
pub(super) async fn visit(
    session: &mut Session,
    inquiry: &mut Inquiry,
    size: Size,
    accepts_all: bool,
    random: &Random,
    facts: &CatchAllFacts,
) -> Ended {
    let mut tally = Tally::default();
    loop {
        let next = inquiry.next(tally.room(size), facts);
        let heard = match &next {
            Next::Target(index) => session.recipient(inquiry.address(*index)).await,
            Next::Random(domain) => session.recipient(&random_recipient(random, domain)).await,
            Next::Nobody if inquiry.has_work() => return Ended::Full,
            Next::Nobody => return Ended::Finished,
        };
        let reading = match (heard, &next) {
            (Ok(reading), _) => reading,
            (Err(Break::Unwritable), Next::Target(index)) => {
                inquiry.decline(*index, ProbeFailure::NotProbed);
                continue;
            }
            (Err(broken), _) => {
                inquiry.put_last(&next);
                return after_break(broken, &tally, inquiry);
            }
        };
        if let Some(ended) = cut_by(&reading, tally.answered()) {
            inquiry.put_last(&next);
            inquiry.postpone(&next, reading);
            return ended;
        }
        tally.count(&next, &reading);
        if tally.mute == MUTE_MAX {
            inquiry.refuse_all(&reading);
        }
        match &next {
            Next::Target(index) => inquiry.hear(*index, reading, accepts_all),
            Next::Random(domain) => inquiry.hear_random(domain, &reading, facts),
            Next::Nobody => {}
        }
    }
}

/// Whether the reply ends the session for this recipient too.
fn cut_by(reading: &Reading, answered: usize) -> Option<Ended> {
    let is_limit =
        reading.class == ReplyClass::Rate && (reading.code == 452 || reading.enhanced == Some([4, 5, 3]));
    match reading.code {
        421 => Some(Ended::Dropped { answered }),
        // At the first recipient it is no limit but a refusal.
        _ if is_limit && answered > 0 => Some(Ended::Limited { answered }),
        _ => None,
    }
}

fn after_break(broken: Break, tally: &Tally, inquiry: &mut Inquiry) -> Ended {
    let answered = tally.answered();
    match broken {
        Break::Refused(reading) if answered == 0 => {
            inquiry.refuse_all(&reading);
            Ended::Over
        }
        Break::Refused(_) => Ended::Dropped { answered },
        broken => {
            inquiry.note_failure(broken.failure());
            let may_return =
                matches!(broken, Break::Disconnected) || (matches!(broken, Break::Timeout) && answered > 0);
            if may_return { Ended::Dropped { answered } } else { Ended::Over }
        }
    }
}

/// Says nothing of the mailbox, and would say the same of another.
fn is_mute(reading: &Reading) -> bool {
    use ReplyClass::{Blocked, Policy, ProtocolError, Rate, Temporary, TlsRequired};
    matches!(reading.class, Blocked | Policy | ProtocolError | Rate | Temporary | TlsRequired)
}
