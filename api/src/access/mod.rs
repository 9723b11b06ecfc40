//! Access: whose key a request shows, and what its holder may do.
//!
//! A key is a text of a fixed shape ([`token`]) that the store keeps as a keyed digest alone. [`Directory`] answers for
//! keys from memory. What a request costs is counted in `billing`; how often one may ask is limited in `http`.

mod directory;
mod issue;
mod scopes;
mod token;

use std::{sync::Arc, time::Duration};

use clap::ValueEnum;
use mailsonde_engine::Context;
use uuid::Uuid;

pub(crate) use self::{
    directory::Directory,
    issue::{id_of, issue, issue_with_client, rotate},
    scopes::Scope,
};
use crate::store::StoreError;

/// The product whose clients' shapes a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Facade {
    /// Email Verifier
    EmailVerifier,
    /// Relentless Identity
    Relentless,
    /// The tasks product
    Tasks,
}

impl Facade {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::EmailVerifier, Self::Relentless, Self::Tasks];

    /// Its word in the store and on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::EmailVerifier => "email-verifier",
            Self::Relentless => "relentless",
            Self::Tasks => "tasks",
        }
    }

    /// The facade of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facade| facade.word() == word)
    }

    /// Whether its clients hear of mailboxes alone: each input has a result of its own, be it there twice, and what an
    /// address looks like is no category.
    pub(crate) fn is_of_mailboxes(self) -> bool {
        match self {
            Self::EmailVerifier => false,
            Self::Relentless | Self::Tasks => true,
        }
    }

    /// What its keys begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::EmailVerifier => "ev_live_",
            Self::Relentless => "relid_pat_",
            Self::Tasks => "sk_live_",
        }
    }
}

/// What the holder of a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// The id of the key. It is no secret.
    pub(crate) key: Uuid,
    /// Whose it is.
    pub(crate) client: Uuid,
    /// The same as stages are told it.
    pub(crate) caller: Arc<str>,
    /// Where it is good.
    pub(crate) facade: Facade,
    /// What it is good for.
    pub(crate) scopes: Box<[Scope]>,
    /// Credits of a month (UTC); none: as many as they like.
    pub(crate) monthly_quota: Option<i64>,
    /// At the quota nothing more is done. Else it is only said.
    pub(crate) hard_cap: bool,
}

impl Access {
    /// Whether the key is good for this.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        scope.is_among(&self.scopes)
    }

    /// A run of a pipeline for the holder, which ends after this time.
    pub(crate) fn context(&self, time: Duration) -> Context {
        Context { client: Some(self.caller.clone()), ..Context::within(time) }
    }
}

/// Why a key does not let its holder in. Never holds the key.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Denied {
    /// No key of this facade.
    #[error("the key is not valid")]
    Invalid,
    /// It was revoked, or replaced by another one.
    #[error("the key was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the key has expired")]
    Expired,
    /// The key is good, but its client is not served.
    #[error("the client is inactive")]
    ClientInactive,
    /// It is not known whose key it is, and cannot be found out now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facade_has_one_word_everywhere() {
        for facade in Facade::ALL {
            assert_eq!(Facade::of(facade.word()), Some(facade));
            assert_eq!(facade.to_possible_value().unwrap().get_name(), facade.word());
        }
        assert_eq!(Facade::of("local"), None);
    }
}
