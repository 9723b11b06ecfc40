//! Dialers: how a connection to a mail host comes about. Behind the trait, so that the dialogue neither knows nor
//! cares whether it runs over TCP, through a proxy, or in memory under a paused clock.
//!
//! A dialer takes addresses, never names: names are the resolver's, and where probes may go is decided before.

mod fault;
mod proxy;
mod socks5;

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use mailsonde_engine::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
};

pub use self::{
    fault::EgressFault,
    proxy::{BadProxy, Proxy},
    socks5::Socks5Dialer,
};

/// Both directions of a connection.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A connection of whatever kind.
pub type Stream = Box<dyn Connection>;

/// Makes connections. The caller bounds the time: a dialer may take as long as its means do.
pub trait Dialer: Send + Sync {
    /// Connects to `to`.
    ///
    /// # Errors
    /// What the operating system or the proxy says of the way to `to`. An error that holds an [`EgressFault`] says
    /// nothing of `to`: our own side is out of order.
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>>;
}

/// Plain TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDialer {
    bind: Option<IpAddr>,
}

impl TcpDialer {
    /// Leaves from the address `bind`, or from the one that the system chooses. An address of one family cannot
    /// reach the other, which is then a network out of reach.
    pub fn new(bind: Option<IpAddr>) -> Self {
        Self { bind }
    }

    async fn connect(self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(bind) = self.bind {
            if bind.is_ipv4() != to.is_ipv4() {
                return Err(io::ErrorKind::NetworkUnreachable.into());
            }
            socket.bind(SocketAddr::new(bind, 0)).map_err(|error| EgressFault::Bind(error.kind()))?;
        }
        let stream = socket.connect(to).await?;
        // The dialogue is short lines, each waiting for the last one's answer.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Dialer for TcpDialer {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move { Ok(Box::new(self.connect(to).await?) as Stream) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    #[tokio::test]
    async fn connects_from_the_bound_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialer = TcpDialer::new(Some("127.0.0.9".parse().unwrap()));
        let (stream, accepted) = tokio::join!(dialer.dial(listener.local_addr().unwrap()), listener.accept());
        let (mut ours, (mut theirs, from)) = (stream.unwrap(), accepted.unwrap());
        assert_eq!(from.ip(), "127.0.0.9".parse::<IpAddr>().unwrap());
        ours.write_all(b"QUIT\r\n").await.unwrap();
        let mut read = [0; 6];
        theirs.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"QUIT\r\n");
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = TcpDialer::default().dial(free).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(EgressFault::of(&error), None);
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_our_fault() {
        let dialer = TcpDialer::new(Some("192.0.2.1".parse().unwrap()));
        let error = dialer.dial("127.0.0.1:25".parse().unwrap()).await.err().unwrap();
        assert_eq!(EgressFault::of(&error), Some(EgressFault::Bind(io::ErrorKind::AddrNotAvailable)));
    }

    #[tokio::test]
    async fn the_other_family_is_out_of_reach() {
        let dialer = TcpDialer::new(Some("127.0.0.1".parse().unwrap()));
        let error = dialer.dial("[::1]:25".parse().unwrap()).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
        assert_eq!(EgressFault::of(&error), None);
    }
}
