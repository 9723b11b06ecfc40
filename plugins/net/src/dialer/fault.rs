//! What can be wrong on our own side of a connection. It travels inside an [`io::Error`], so that a dialer has one
//! kind of error, and no mail host is blamed for what its owner cannot mend.

use std::io;

/// Why connections do not even leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressFault {
    /// The address to leave from, `bind`, cannot be used.
    #[error("the address to leave from cannot be used: {0}")]
    Bind(io::ErrorKind),
    /// No address is known for the proxy's name.
    #[error("the proxy's name does not resolve")]
    ProxyName,
    /// No connection to the proxy.
    #[error("the proxy cannot be reached: {0}")]
    ProxyUnreachable(io::ErrorKind),
    /// The proxy wants a login that it was not given, or another one.
    #[error("the proxy refuses the login")]
    ProxyLogin,
    /// What answers there is no SOCKS 5 proxy that makes connections.
    #[error("the proxy does not speak SOCKS 5")]
    ProxyProtocol,
}

impl EgressFault {
    /// The fault that a dialer's error holds, if it does.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|source| source.downcast_ref()).copied()
    }
}

impl From<EgressFault> for io::Error {
    fn from(fault: EgressFault) -> Self {
        Self::new(io::ErrorKind::NotConnected, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way_through_an_error() {
        let fault = EgressFault::ProxyUnreachable(io::ErrorKind::TimedOut);
        let error = io::Error::from(fault);
        assert_eq!(EgressFault::of(&error), Some(fault));
        assert_eq!(error.to_string(), "the proxy cannot be reached: timed out");
        assert_eq!(EgressFault::of(&io::ErrorKind::TimedOut.into()), None);
        assert_eq!(EgressFault::of(&io::Error::other("else")), None);
    }
}
