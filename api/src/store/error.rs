//! What can go wrong with the store, by what to do about it.

use std::{error::Error as _, fmt};

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use super::keys::SealError;

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// It cannot be reached, has no room, only reads, or was gone before it could say whether it is done. Worth another
    /// try.
    #[error("the database cannot be used now: {0}")]
    Away(Absence),
    /// Others have what is needed, and were waited for as long as may be; nothing is done. Worth another try later.
    #[error("the database is busy: {0}")]
    Busy(Box<str>),
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

/// Why the store cannot be used now.
#[derive(Debug, Clone)]
pub(crate) struct Absence {
    message: Box<str>,
    /// There is no room on its disk.
    is_full: bool,
}

impl<M: Into<Box<str>>> From<M> for Absence {
    fn from(message: M) -> Self {
        Self { message: message.into(), is_full: false }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
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

    /// What the database said.
    fn of(code: &SqlState, message: &str) -> Self {
        let message: Box<str> = format!("{message} ({})", code.code()).into();
        match code {
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::UNIQUE_VIOLATION => Self::Conflict(message),
            // By `lock_timeout` or `statement_timeout`.
            &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED => Self::Busy(message),
            // Connections (08), resources (53), an operator's hand (57), the disk (58), a server that only reads (25).
            code if ["08", "53", "57", "58", "25"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Away(Absence { message, is_full: *code == SqlState::DISK_FULL })
            }
            _ => Self::Refused(message),
        }
    }

    /// Whether there is no room on the disk (53100), which is not over in a moment.
    pub(crate) fn is_out_of_room(&self) -> bool {
        matches!(self, Self::Away(Absence { is_full: true, .. }))
    }

    /// Whether the same may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Busy(_) | Self::Conflict(_))
    }
}

/// Errors of Postgres are told by their message alone: details quote values.
impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else { return Self::without_word(&error) };
        Self::of(refusal.code(), refusal.message())
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => match Self::from(error) {
                Self::Conflict(message) => Self::Away(message.into()),
                other => other,
            },
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::Busy("all connections are taken, and none became free".into())
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What to do about each; codes are those of Postgres' appendix A.
    const TABLE: &[(&str, &[&str])] = &[
        ("conflict", &["40001", "40P01", "23505"]),
        ("busy", &["55P03", "57014"]),
        (
            "away",
            &[
                "08000", "08003", "08006", "25006", "25P03", "53000", "53100", "53200", "53300", "53400",
                "57P01", "57P02", "57P03", "57P05", "58000", "58030",
            ],
        ),
        // A program, a schema or a right that is wrong: not better a moment later.
        (
            "refused",
            &[
                "0A000", "22001", "22P02", "23502", "23503", "23514", "26000", "28P01", "3D000", "40002",
                "42501", "42703", "42P01", "42P05", "54000", "55006", "P0001", "XX000", "XX001", "ZZZZZ",
            ],
        ),
    ];

    fn name(error: &StoreError) -> &'static str {
        match error {
            StoreError::Away(_) => "away",
            StoreError::Busy(_) => "busy",
            StoreError::Conflict(_) => "conflict",
            StoreError::Refused(_) => "refused",
            _ => "another",
        }
    }

    #[test]
    fn what_to_do_about_what_the_database_says() {
        for (what, codes) in TABLE {
            for code in *codes {
                let error = StoreError::of(&SqlState::from_code(code), "so it is");
                assert_eq!(name(&error), *what, "{code}");
                assert_eq!(error.is_transient(), *what != "refused", "{code}");
                assert_eq!(error.is_out_of_room(), *code == "53100");
                assert!(error.to_string().ends_with(&format!("so it is ({code})")), "{error}");
            }
        }
    }

    #[test]
    fn a_pool_that_is_empty_is_busy_and_one_that_cannot_connect_is_away() {
        assert!(
            !StoreError::Away("so it is (53100)".into()).is_out_of_room(),
            "what is said counts for nothing"
        );
        let of = |timeout| StoreError::from(PoolError::Timeout(timeout));
        assert_eq!(name(&of(TimeoutType::Wait)), "busy");
        assert_eq!(name(&of(TimeoutType::Create)), "away");
        assert_eq!(name(&StoreError::from(PoolError::Closed)), "away");
    }
}
