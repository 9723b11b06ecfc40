//! Dialers: how a connection to a mail host comes about. Behind the trait, so that the dialogue neither knows nor
//! cares whether it runs over TCP, through a proxy, or in memory under a paused clock.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use mailsonde_engine::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpSocket,
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
    /// What the operating system or the proxy says; every kind but a time-out means "not reachable there".
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>>;
}

/// Plain TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDialer {
    bind: Option<IpAddr>,
}

impl TcpDialer {
    /// Leaves from the address `bind`, or from the one that the system chooses. An address of one family cannot
    /// reach the other.
    pub fn new(bind: Option<IpAddr>) -> Self {
        Self { bind }
    }
}

impl Dialer for TcpDialer {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            if let Some(bind) = self.bind {
                socket.bind(SocketAddr::new(bind, 0))?;
            }
            let stream = socket.connect(to).await?;
            // The dialogue is short lines, each waiting for the last one's answer.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Stream)
        })
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
    }
}
