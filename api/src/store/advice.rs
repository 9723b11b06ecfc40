//! What to do about a database that does not let us in, for whoever starts a process: the line of the error says it.

use deadpool_postgres::PoolError;
use tokio_postgres::{Config, error::SqlState};

use super::StoreError;

/// Why the first connection was not made, and what to look at.
#[derive(Debug, thiserror::Error)]
#[error("{error}; {advice}")]
pub(crate) struct NotLetIn {
    error: StoreError,
    advice: &'static str,
}

impl NotLetIn {
    /// Whether it may let us in a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        self.error.is_transient()
    }
}

impl From<PoolError> for NotLetIn {
    fn from(error: PoolError) -> Self {
        let advice = advice(&error);
        Self { error: error.into(), advice }
    }
}

fn advice(error: &PoolError) -> &'static str {
    let (code, text) = match error {
        PoolError::Backend(error) => (error.code(), error.to_string()),
        _ => (None, String::new()),
    };
    match code {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "`[database] url` holds the user and the password"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => {
            "make it, or name another one at the end of `[database] url`"
        }
        Some(_) => "see what its administrator allows",
        None if text.contains("configuration") => "`[database] url` is not complete",
        None if text.contains("TLS") => "see `sslmode` in `[database] url`, and `[database] ca_file`",
        None => "see whether it runs where `[database] url` says",
    }
}

/// What is wrong with a URL that can be read, without a word of it: a password may stand in it.
pub(super) fn fault_of(url: &Config) -> Option<&'static str> {
    let has_host = !url.get_hosts().is_empty() || !url.get_hostaddrs().is_empty();
    match (has_host, url.get_user()) {
        (false, _) => Some("it names no host: expected postgres://user:password@host/database"),
        (true, None) => Some("it names no user: expected postgres://user:password@host/database"),
        (true, Some(_)) => None,
    }
}

/// A URL that cannot be read at all.
pub(super) const UNREADABLE: &str =
    "expected postgres://user:password@host/database, with %40 for an @ in a password";
