//! What the service refuses before an endpoint is asked, or on behalf of any of them: why, without the words. How each
//! facade says it is in `shape`.

use std::time::Duration;

use super::invalid::Invalid;
use crate::store::StoreError;

/// How long to wait where a fault of ours is expected to be over soon.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// There is no such path.
    NoRoute,
    /// The path has other methods.
    Method,
    /// There is no key, or none that would be one.
    MissingKey,
    /// Nobody's key.
    InvalidKey,
    /// It was withdrawn.
    RevokedKey,
    /// Its time is over.
    ExpiredKey,
    /// Its client may do nothing now.
    ClientInactive,
    /// The key is good for other things; this is what it lacks.
    Scope(&'static str),
    /// Too many requests; one more may come after this time.
    RateLimited(Duration),
    /// A path that is longer than any of ours.
    UriTooLong,
    /// Too many headers, or too long ones.
    HeadersTooLarge,
    /// A body of more octets than this.
    TooLarge(usize),
    /// A body that did not come in time.
    TooSlow,
    /// A body that is not what its endpoint reads, or compressed.
    MediaType,
    /// Fields, each with what is wrong with it.
    Unprocessable(Vec<Invalid>),
    /// The same request is being worked at.
    InProgress,
    /// We cannot now; perhaps after this time.
    Unavailable(Duration),
    /// A fault of ours.
    Internal,
}

impl Refusal {
    /// One field that is wrong.
    pub(crate) fn of(invalid: Invalid) -> Self {
        Self::Unprocessable(vec![invalid])
    }

    /// Whether what is left of the request is not worth reading: the connection ends with the answer.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(self, Self::UriTooLong | Self::HeadersTooLarge | Self::TooLarge(_) | Self::TooSlow)
    }
}

/// Told here, once; the client hears that we cannot.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Fenced) {
            tracing::warn!("a request took so long that it was repeated: the other one is answered");
            Self::InProgress
        } else if error.is_transient() {
            tracing::warn!("a request is refused: {error}");
            Self::Unavailable(SOON)
        } else {
            tracing::error!("a request failed: {error}");
            Self::Internal
        }
    }
}
