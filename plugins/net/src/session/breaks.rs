//! Why a session can go no further.

use mailsonde_engine::{ProbeFailure, Reading};

use super::command::Unwritable;
use crate::reply::Malformed;

/// Why a session can go no further.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Break {
    #[error("not reachable")]
    Unreachable,
    #[error("no reply in time")]
    Timeout,
    #[error("the connection broke")]
    Disconnected,
    #[error("not SMTP: {0}")]
    Protocol(#[from] Malformed),
    #[error("no TLS, though it was offered or is wanted")]
    Tls,
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The host refused us before it said a word about a recipient.
    #[error("refused: {0:?}")]
    Refused(Box<Reading>),
}

impl Break {
    /// What it means for recipients that were not asked.
    pub(crate) fn failure(&self) -> ProbeFailure {
        match self {
            Self::Timeout => ProbeFailure::Timeout,
            Self::Unreachable => ProbeFailure::ConnectionRefused,
            Self::Disconnected | Self::Refused(_) => ProbeFailure::Disconnected,
            Self::Protocol(_) => ProbeFailure::ProtocolError,
            Self::Tls => ProbeFailure::TlsFailed,
            Self::Unwritable(_) => ProbeFailure::NotProbed,
        }
    }
}
