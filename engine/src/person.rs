//! Persons: whoever is to be found. One enters a pipeline as a subject like any other, a stage puts candidates in its place,
//! and when these have gone their ways, the one that says most speaks for the person.

use serde::{Deserialize, Serialize};

use crate::{
    Address, Deferral, FaultCause, Finding, MailboxState, Policy, ProbeFailure, Subject, judge::mailbox_state,
};

/// An address that a person may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The address.
    pub address: Address,
    /// How it came about.
    pub guess: Guess,
}

/// Why an address is thought to be a person's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// How its local part is made of the name: `first.last`.
    pub format: Box<str>,
    /// Its place among the person's candidates, from 1.
    pub rank: u16,
    /// How many candidates there were.
    pub of: u16,
    /// How probable it was before anybody was asked, from 0 to 1.
    pub chance: f64,
}

/// Whoever an input names who is no address: what is known of a person's candidates becomes what is known of the person.
pub(crate) fn speak_for(person: &mut Subject, candidates: Vec<Subject>, policy: Policy) {
    let states: Vec<MailboxState> =
        candidates.iter().map(|candidate| mailbox_state(candidate.findings(), policy)).collect();
    // Of equals one who may still be asked, and else the first, which was the likeliest.
    let speaker = (0..candidates.len()).min_by_key(|position| {
        (standing(states[*position]), !was_cut_off(&candidates[*position]), *position)
    });
    if let Some(speaker) = speaker {
        let said = &candidates[speaker];
        person.address.clone_from(&said.address);
        person.findings.extend_from_slice(&said.findings);
        (person.settled, person.stopped) = (said.settled, said.stopped);
        // Whoever was put off may yet be the one; whoever is found, or dead, is not asked about again.
        if states[speaker] == MailboxState::Unanswered {
            let deferrals = candidates.iter().filter_map(Subject::deferral);
            deferrals.for_each(|deferral: Deferral| person.defer(deferral));
        }
    }
    person.candidates = candidates;
}

/// Nobody got to ask about it: time was over, or it was not its turn.
fn was_cut_off(candidate: &Subject) -> bool {
    candidate.findings().any(|finding| match finding {
        Finding::Fault(fault) => matches!(fault.cause, FaultCause::Canceled | FaultCause::RequestDeadline),
        Finding::ProbeFailed(failure) => *failure == ProbeFailure::NotItsTurn,
        _ => false,
    })
}

/// Who speaks before whom. A person is found when one candidate is accepted, and not to be found when all are refused: one
/// of whom nobody knows may be the one.
fn standing(state: MailboxState) -> u8 {
    use MailboxState::{
        Accepted, CatchAll, CatchAllConfirmed, Disabled, Full, Invalid, NoDomain, NoMail, NoMailHost,
        NonAsciiUnsupported, NotFound, Unanswered, Unchecked,
    };
    match state {
        Accepted | CatchAllConfirmed => 0,
        CatchAll => 1,
        Unanswered => 2,
        Full => 3,
        Unchecked => 4,
        NotFound | Disabled | NoDomain | NoMailHost | NoMail | NonAsciiUnsupported => 5,
        Invalid => 6,
    }
}
