//! What can go wrong with the store, by what to do about it.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use super::keys::SealError;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// It cannot be reached, has no room or no free connection, or was gone before it could say whether it is done. Worth
    /// another try.
    #[error("the database cannot be used now: {0}")]
    Away(Box<str>),
    /// Others were in the way; nothing is done. Worth another try at once.
    #[error("the database could not do it beside others: {0}")]
    Conflict(Box<str>),
    /// Somebody else holds the task now, or its job has ended: what was to be written is not.
    #[error("the lease was lost")]
    Fenced,
    /// What is kept cannot be read.
    #[error("what is kept cannot be read: {0}")]
    Sealed(#[from] SealError),
    /// What is kept cannot be understood.
    #[error("what is kept cannot be read: {0}")]
    Unread(Box<str>),
    /// A fault of ours.
    #[error("the database refused: {0}")]
    Refused(Box<str>),
}

impl StoreError {
    /// The database said nothing: it cannot be reached, or we asked what cannot be asked.
    fn without_word(error: &tokio_postgres::Error) -> Self {
        let text = error.to_string();
        let is_ours = ["serializing", "encoding", "invalid column", "number of rows", "parameters but got"];
        if is_ours.iter().any(|word| text.contains(word)) {
            Self::Refused(text.into())
        } else {
            Self::Away(with_cause(error).into())
        }
    }

    /// Whether the same may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Conflict(_))
    }
}

/// Errors of Postgres are told by their message alone: details quote values.
impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else { return Self::without_word(&error) };
        let message = format!("{} ({})", refusal.message(), refusal.code().code()).into();
        match refusal.code() {
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::UNIQUE_VIOLATION
            | &SqlState::QUERY_CANCELED => Self::Conflict(message),
            // Connections (08), resources (53), an operator's hand (57), the disk (58), a server that only reads (25).
            code if ["08", "53", "57", "58", "25"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Away(message)
            }
            _ => Self::Refused(message),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => match Self::from(error) {
                Self::Conflict(message) => Self::Away(message),
                other => other,
            },
            other => Self::Away(other.to_string().into()),
        }
    }
}

/// An error and what is behind it, since the error itself says only at what it happened.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
