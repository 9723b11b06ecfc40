//! TCP through a SOCKS 5 proxy (RFC 1928), with or without user name and password (RFC 1929). The proxy is told an IP
//! address, never a name: it looks up nothing, and what was checked before is where it goes.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mailsonde_engine::BoxFuture;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_socks::{Error as SocksError, tcp::Socks5Stream};

use super::{Dialer, EgressFault, Proxy, Stream, TcpDialer};

/// Time to reach the proxy, less than there is for a mail host, so that a dead proxy is not taken for dead hosts.
const PROXY_CONNECT_MAX: Duration = Duration::from_secs(3);

/// Connects through one proxy.
#[derive(Debug, Clone)]
pub struct Socks5Dialer {
    proxy: Proxy,
    to_proxy: TcpDialer,
}

impl Socks5Dialer {
    /// Leaves from the address `bind` towards the proxy, or from the one that the system chooses.
    pub fn new(proxy: Proxy, bind: Option<IpAddr>) -> Self {
        Self { proxy, to_proxy: TcpDialer::new(bind) }
    }

    async fn reach_proxy(&self) -> io::Result<TcpStream> {
        let addresses = lookup_host((&*self.proxy.host, self.proxy.port)).await;
        let mut last = EgressFault::ProxyName.into();
        for address in addresses.into_iter().flatten() {
            match self.to_proxy.connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let reached = timeout(PROXY_CONNECT_MAX, self.reach_proxy()).await;
        let socket = reached.map_err(io::Error::from).flatten().map_err(|error| proxy_fault(&error))?;
        let connected = match &self.proxy.login {
            None => Socks5Stream::connect_with_socket(socket, to).await,
            Some(login) => {
                let (user, password) = (&login.user, &login.password);
                Socks5Stream::connect_with_password_and_socket(socket, to, user, password).await
            }
        };
        connected.map(Socks5Stream::into_inner).map_err(socks_error)
    }
}

impl Dialer for Socks5Dialer {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move { Ok(Box::new(self.connect(to).await?) as Stream) })
    }
}

/// A failure on the way to the proxy, unless a better name for it is known.
fn proxy_fault(error: &io::Error) -> io::Error {
    EgressFault::of(error).unwrap_or(EgressFault::ProxyUnreachable(error.kind())).into()
}

/// Whose failure it is. Only a login or a protocol gone wrong is for sure the proxy's own: many say no more than
/// "general failure", or just hang up, whatever went wrong on the way to the target, and some forbid single targets.
fn socks_error(error: SocksError) -> io::Error {
    match error {
        SocksError::ConnectionRefused => io::ErrorKind::ConnectionRefused.into(),
        // RFC 1928 §6 has no code for a time-out; microsocks for one takes this.
        SocksError::TtlExpired => io::ErrorKind::TimedOut.into(),
        // A proxy without IPv6 is not out of order.
        SocksError::NetworkUnreachable | SocksError::AddressTypeNotSupported => {
            io::ErrorKind::NetworkUnreachable.into()
        }
        SocksError::HostUnreachable
        | SocksError::GeneralSocksServerFailure
        | SocksError::ConnectionNotAllowedByRuleset
        | SocksError::Io(_)
        // A reply past those of the RFC.
        | SocksError::UnknownAuthMethod => io::Error::new(io::ErrorKind::HostUnreachable, error),
        SocksError::NoAcceptableAuthMethods
        | SocksError::AuthorizationRequired
        | SocksError::PasswordAuthFailure(_) => EgressFault::ProxyLogin.into(),
        _ => EgressFault::ProxyProtocol.into(),
    }
}

#[cfg(test)]
mod tests;
