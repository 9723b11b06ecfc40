//! The ration: sessions that several processes share, leased from a store that all of them ask.
//!
//! Here is what the store has to keep and how it divides; the store itself is behind [`Ration`]. A process says how many
//! sessions it counts on and how many it could use; the store says how many it has. Both numbers are whole ones, not
//! changes, so that a reply that got lost does no harm: the next claim puts it right.

use std::{sync::Arc, time::Duration};

use mailsonde_engine::{BoxFuture, EgressId};

/// Leave for sessions that several processes share.
pub trait Ration: Send + Sync {
    /// Puts in claims, each for another key, and returns what each comes to by [`Claim::portion`], in the same order.
    ///
    /// What a process was given is its own for [`Leave::life`] from the moment at which it asked, and of no effect
    /// afterwards unless it claims again. A claim for nothing, of nothing, may be forgotten at once.
    ///
    /// The time of a call is the store's to limit, and what it has given up must not take effect later: else a claim
    /// for less could overtake one for more.
    ///
    /// # Errors
    /// Whenever it is not known what the claims came to. They are put in again.
    fn claim<'a>(&'a self, claims: &'a [Claim]) -> BoxFuture<'a, Result<Leave, RationError>>;
}

/// The store does not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("sessions cannot be leased: {0}")]
pub struct RationError(pub String);

/// What sessions are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RationKey {
    /// The identity of ours.
    pub egress: EgressId,
    /// An operator, or a set of mail hosts; at most 200 octets of ASCII.
    pub key: Arc<str>,
}

/// What a process claims of one key, now and until it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of what.
    pub key: RationKey,
    /// Sessions that it counts on: those that it was given before, less those that it gives back.
    pub held: usize,
    /// Sessions that it could use at present. The store keeps this number too, so that others make room.
    pub wanted: usize,
    /// Sessions that there may be of this key, in all processes together, as far as this one knows.
    pub max: usize,
    /// It has made room for others and takes nothing for itself this time.
    pub yields: bool,
}

/// What another process has of the same key and could use, by its last claim, unless that has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rival {
    /// Sessions that it was given.
    pub sessions: usize,
    /// Sessions that it could use.
    pub wanted: usize,
}

/// What a claim comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// Sessions that the process has from now on. The store keeps this number.
    pub sessions: usize,
    /// Sessions that other processes have.
    pub others: usize,
    /// Others wait: as its sessions end, the process is to go down to so many.
    pub keep: usize,
}

/// What several claims come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// In the order of the claims.
    pub portions: Vec<Portion>,
    /// For how long, from the moment at which they were put in.
    pub life: Duration,
}

impl Claim {
    /// What the claim comes to beside these rivals: all that is wanted where there is enough, else a fair share. Nobody
    /// loses at once what he counts on; he is told what he may keep. Where there are fewer sessions than processes that
    /// want one, those that have one give it up, and so it goes round.
    pub fn portion(&self, rivals: &[Rival]) -> Portion {
        let others = rivals.iter().map(|rival| rival.sessions).sum();
        let free = self.max.saturating_sub(others);
        let level = level(self.max, rivals.iter().map(|rival| rival.wanted).chain([self.wanted]));
        let lacks = |rival: &&Rival| rival.sessions < rival.wanted;
        let starves = |rival: &Rival| rival.sessions < rival.wanted.min(level.max(1));
        let (ceiling, keep) = if rivals.iter().any(starves) {
            (self.wanted.min(level.max(1)), self.wanted.min(level))
        } else if rivals.iter().any(|rival| lacks(&rival)) {
            // What does not go into equal shares is for whoever comes first.
            (self.wanted.min(level + 1), self.wanted.min(level + 1))
        } else {
            (self.wanted, usize::MAX)
        };
        let more = if self.yields { 0 } else { ceiling };
        let sessions = more.max(self.held).min(free);
        Portion { sessions, others, keep: keep.min(sessions) }
    }
}

/// The share of which everybody can have at least so much, or all that he wants if that is less.
fn level(max: usize, wanted: impl Iterator<Item = usize>) -> usize {
    let mut wanted: Vec<usize> = wanted.collect();
    wanted.sort_unstable();
    let (mut left, mut many) = (max, wanted.len());
    for one in wanted {
        if one > left / many {
            return left / many;
        }
        left -= one;
        many -= 1;
    }
    max
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(held: usize, wanted: usize, max: usize) -> Claim {
        let key = RationKey { egress: EgressId(0), key: "operator:google".into() };
        Claim { key, held, wanted, max, yields: false }
    }

    fn rival(sessions: usize, wanted: usize) -> Rival {
        Rival { sessions, wanted }
    }

    fn portion(claim: &Claim, rivals: &[Rival]) -> (usize, usize) {
        let portion = claim.portion(rivals);
        (portion.sessions, portion.keep)
    }

    #[test]
    fn who_is_alone_gets_what_there_is() {
        assert_eq!(portion(&claim(0, 4, 10), &[]), (4, 4));
        assert_eq!(portion(&claim(4, 20, 10), &[]), (10, 10));
        assert_eq!(portion(&claim(5, 2, 10), &[]), (5, 5), "what is idle is his to give back");
        assert_eq!(portion(&claim(5, 5, 2), &[]), (2, 2), "there are fewer by now");
    }

    #[test]
    fn who_holds_more_than_is_fair_is_told() {
        assert_eq!(portion(&claim(10, 20, 10), &[rival(0, 20)]), (10, 5));
        assert_eq!(portion(&claim(10, 20, 10), &[rival(0, 1)]), (10, 9), "and no more than is wanted");
        assert_eq!(portion(&claim(0, 20, 10), &[rival(10, 20)]), (0, 0));
        assert_eq!(portion(&claim(5, 20, 10), &[rival(0, 20)]), (5, 5), "what was given back is not his");
    }

    #[test]
    fn what_does_not_go_into_equal_shares_is_used_too() {
        assert_eq!(portion(&claim(3, 9, 3), &[rival(0, 9)]), (3, 1));
        assert_eq!(portion(&claim(0, 9, 3), &[rival(1, 9)]), (2, 2));
        assert_eq!(portion(&claim(1, 9, 3), &[rival(2, 9)]), (1, 1));
        assert_eq!(portion(&claim(2, 9, 3), &[rival(1, 9)]), (2, 2), "and that is left in peace");
    }

    #[test]
    fn one_session_goes_round() {
        assert_eq!(portion(&claim(1, 5, 1), &[rival(0, 5)]), (1, 0));
        let yields = Claim { yields: true, ..claim(0, 5, 1) };
        assert_eq!(portion(&yields, &[rival(0, 5)]), (0, 0));
        assert_eq!(claim(0, 5, 1).portion(&[rival(0, 5)]).sessions, 1);
    }

    proptest! {
        /// Whoever claims in whatever order: never more than there are, and nobody is left without for long.
        #[test]
        fn never_too_many_and_nobody_starves(
            max in 1_usize..8,
            wants in prop::collection::vec(1_usize..12, 1..6),
            turns in prop::collection::vec(0_usize..6, 0..40),
        ) {
            let mut rows: Vec<Rival> = wants.iter().map(|wanted| rival(0, *wanted)).collect();
            let all: Vec<usize> = (0..rows.len()).cycle().take(20 * rows.len()).collect();
            let mut served = vec![false; rows.len()];
            for who in turns.into_iter().filter(|who| *who < wants.len()).chain(all) {
                let mut rivals = rows.clone();
                let mine = rivals.remove(who);
                let told = claim(mine.sessions, mine.wanted, max).portion(&rivals);
                prop_assert!(told.sessions >= mine.sessions && told.sessions + told.others <= max);
                rows[who].sessions = told.sessions;
                served[who] |= told.sessions > 0;
                // Its sessions end, and it goes down to what it may keep.
                let yields = Claim { yields: true, ..claim(told.keep, mine.wanted, max) };
                rows[who].sessions = yields.portion(&rivals).sessions;
            }
            prop_assert!(served.iter().all(|served| *served));
            if rows.len() <= max {
                let total: usize = rows.iter().map(|row| row.sessions).sum();
                prop_assert!(rows.iter().all(|row| row.sessions > 0));
                prop_assert_eq!(total, max.min(wants.iter().sum()));
            }
        }
    }
}
