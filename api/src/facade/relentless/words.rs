//! The words of a result, and what they say of a mailbox. A mailbox's state is all that they depend on: what an address
//! looks like is nothing that this product asks.

use mailsonde_engine::MailboxState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is told of an address at a domain that accepts everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CatchAllPolicy {
    /// Nobody knows.
    Review,
    /// It is believed.
    Deliverable,
    /// It is not.
    Undeliverable,
}

impl CatchAllPolicy {
    /// As it holds for what is asked: at such a domain every guess is accepted, and none of them is told as a person's address.
    pub(crate) fn of(self, asked: RequestType) -> Self {
        match asked {
            RequestType::Finder => Self::Review,
            RequestType::Probe => self,
        }
    }
}

/// Whether a message would arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Deliverable,
    /// Also where nobody knows: see the outcome.
    Undeliverable,
}

impl State {
    /// Its word on the wire and in the store.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Deliverable => "deliverable",
            Self::Undeliverable => "undeliverable",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// There is such a mailbox.
    Found,
    /// There is none.
    NotFound,
    /// Nobody could say.
    Error,
}

impl Outcome {
    /// What a mailbox's state comes to.
    pub(crate) fn of(state: MailboxState, policy: CatchAllPolicy) -> Self {
        use MailboxState as Mailbox;
        match state {
            Mailbox::Accepted | Mailbox::CatchAllConfirmed => Self::Found,
            Mailbox::NotFound
            | Mailbox::Disabled
            | Mailbox::NoDomain
            | Mailbox::NoMailHost
            | Mailbox::NoMail
            | Mailbox::NonAsciiUnsupported
            | Mailbox::Invalid => Self::NotFound,
            Mailbox::CatchAll => match policy {
                CatchAllPolicy::Review => Self::Error,
                CatchAllPolicy::Deliverable => Self::Found,
                CatchAllPolicy::Undeliverable => Self::NotFound,
            },
            Mailbox::Full | Mailbox::Unanswered | Mailbox::Unchecked => Self::Error,
        }
    }

    /// The state that is told with it. What nobody knows is told as undeliverable too, since clients know no third word.
    pub(crate) fn state(self) -> State {
        match self {
            Self::Found => State::Deliverable,
            Self::NotFound | Self::Error => State::Undeliverable,
        }
    }

    /// Its word on the wire and in the store.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Error => "error",
        }
    }
}

/// What is asked for: the address of a person, or whether there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestType {
    Finder,
    Probe,
}

impl RequestType {
    /// Its word on the wire and in the store.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Finder => "finder",
            Self::Probe => "probe",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_proven_is_found_and_only_what_is_refused_is_not() {
        use MailboxState as Mailbox;
        let of = |state| Outcome::of(state, CatchAllPolicy::Review);
        for state in [Mailbox::Accepted, Mailbox::CatchAllConfirmed] {
            assert_eq!((of(state), of(state).state()), (Outcome::Found, State::Deliverable), "{state:?}");
        }
        for state in [
            Mailbox::NotFound,
            Mailbox::Disabled,
            Mailbox::NoDomain,
            Mailbox::NoMailHost,
            Mailbox::NoMail,
            Mailbox::NonAsciiUnsupported,
            Mailbox::Invalid,
        ] {
            assert_eq!(
                (of(state), of(state).state()),
                (Outcome::NotFound, State::Undeliverable),
                "{state:?}"
            );
        }
        for state in [Mailbox::CatchAll, Mailbox::Full, Mailbox::Unanswered, Mailbox::Unchecked] {
            assert_eq!((of(state), of(state).state()), (Outcome::Error, State::Undeliverable), "{state:?}");
        }
    }

    #[test]
    fn what_a_catch_all_domain_accepts_is_what_the_operator_says() {
        let policies = [CatchAllPolicy::Review, CatchAllPolicy::Deliverable, CatchAllPolicy::Undeliverable];
        let told = policies.map(|policy| Outcome::of(MailboxState::CatchAll, policy).word());
        assert_eq!(told, ["error", "found", "not_found"]);
        assert_eq!(Outcome::of(MailboxState::Full, CatchAllPolicy::Deliverable), Outcome::Error);
        assert_eq!(policies.map(|policy| policy.of(RequestType::Probe)), policies);
        assert_eq!(policies.map(|policy| policy.of(RequestType::Finder)), [CatchAllPolicy::Review; 3]);
    }
}
