//! Scopes: what a key is good for, in the words of the products.

use super::Facade;

/// Something that a key may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To have addresses verified, and to look after one's jobs. Good for statistics too.
    Verify,
    /// To read statistics of the installation.
    Stats,
    /// To see the jobs of all clients.
    Admin,
    /// To look for a person's address, or to ask about one, at once.
    Identity,
    /// To do so in the background.
    Jobs,
    /// To read what one has used, and one's history.
    Account,
}

impl Scope {
    const ALL: [Self; 6] =
        [Self::Verify, Self::Stats, Self::Admin, Self::Identity, Self::Jobs, Self::Account];

    /// Its word in the store, in errors and on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Stats => "stats",
            Self::Admin => "admin",
            Self::Identity => "identity",
            Self::Jobs => "jobs",
            Self::Account => "account",
        }
    }

    /// The scope of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }

    /// Whether one of these is good for it.
    pub(super) fn is_among(self, scopes: &[Self]) -> bool {
        scopes.contains(&self) || self == Self::Stats && scopes.contains(&Self::Verify)
    }
}

impl Facade {
    /// What keys of this facade may be good for.
    pub(crate) fn scopes(self) -> &'static [Scope] {
        match self {
            Self::EmailVerifier => &[Scope::Verify, Scope::Stats, Scope::Admin],
            Self::Relentless => &[Scope::Identity, Scope::Jobs, Scope::Account],
            Self::Tasks => &[Scope::Verify, Scope::Admin],
        }
    }

    /// What they are good for where nothing else is said: everything that concerns their client alone.
    pub(crate) fn default_scopes(self) -> &'static [Scope] {
        match self {
            Self::EmailVerifier | Self::Tasks => &[Scope::Verify],
            Self::Relentless => self.scopes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::of(scope.word()), Some(scope));
        }
        assert_eq!(Scope::of("Verify"), None);
    }

    #[test]
    fn verify_is_good_for_statistics_and_nothing_else_is_good_for_another() {
        for held in Scope::ALL {
            for asked in Scope::ALL {
                let expected = held == asked || (held, asked) == (Scope::Verify, Scope::Stats);
                assert_eq!(asked.is_among(&[held]), expected, "{held:?} for {asked:?}");
            }
        }
        assert!(!Scope::Verify.is_among(&[]));
    }

    #[test]
    fn nobody_sees_other_clients_without_being_told_so() {
        for facade in Facade::ALL {
            let defaults = facade.default_scopes();
            assert!(!defaults.is_empty() && defaults.iter().all(|scope| facade.scopes().contains(scope)));
            assert!(!defaults.contains(&Scope::Admin));
        }
    }
}
