//! The internet on loopback: real sockets, for programs that know nothing of the lab.
//!
//! Every mail server listens at an address of its own, all at one port, since a client knows but one. A server that
//! is `silent` has a full queue of connections, so that the kernel ignores further ones. Connections cannot be
//! delayed here: the kernel makes them. The banner comes later instead, by as much.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    runtime,
    sync::oneshot,
    task::JoinSet,
    time::sleep,
};

use crate::{
    cable::Cable,
    dns::Doors,
    host::Reach,
    internet::Internet,
    network::Network,
    smtp::{Server, serve},
};

/// Attempts to find a port that is free at all addresses.
const ATTEMPTS: usize = 50;

/// Clients that the kernel may keep waiting for us.
const BACKLOG: u32 = 1024;

/// An internet that listens; it ends with the value.
#[derive(Debug)]
pub struct Net {
    dns: SocketAddr,
    smtp_port: u16,
    internet: Arc<Internet>,
    /// Dropped to end it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Internet {
    /// Opens all sockets, and serves them on a thread of its own, so that tests need no runtime and a busy one does
    /// not slow the servers.
    ///
    /// # Errors
    /// When the sockets cannot be opened. Addresses that the zone names must be loopback ones.
    pub fn listen(self) -> Result<Net> {
        let (stop, stopped) = oneshot::channel();
        let (opened, is_open) = std::sync::mpsc::channel();
        let internet = Arc::new(self);
        let served = internet.clone();
        let thread = thread::Builder::new().name("lab".into()).spawn(move || {
            // What goes wrong before `opened` was told is told by the error of `recv`.
            if let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(async {
                    let sockets = Sockets::open(&served).await;
                    let _ = opened
                        .send(sockets.as_ref().map(Sockets::ports).map_err(|error| anyhow!("{error:#}")));
                    if let Ok(sockets) = sockets {
                        tokio::select! { () = sockets.serve(served) => {}, _ = stopped => {} }
                    }
                });
            }
        })?;
        let (dns, smtp_port) = is_open.recv().context("no runtime for the lab")??;
        Ok(Net { dns, smtp_port, internet, stop: Some(stop), thread: Some(thread) })
    }
}

impl Net {
    /// The internet behind it, with its counts.
    pub fn internet(&self) -> &Internet {
        &self.internet
    }

    /// Where the name server listens, UDP and TCP.
    pub fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// Where a mail server listens.
    pub fn smtp(&self, host: &str) -> Option<SocketAddr> {
        self.internet.address(host).map(|address| SocketAddr::new(address, self.smtp_port))
    }

    /// The environment that points `mailsonde` here.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("MAILSONDE_DNS__SERVERS", format!(r#"["{}"]"#, self.dns)),
            ("MAILSONDE_SMTP__PORT", self.smtp_port.to_string()),
            ("MAILSONDE_SMTP__DESTINATIONS", "any".to_owned()),
            ("MAILSONDE_SMTP__HELLO_NAME", "probe.lab.test".to_owned()),
            ("MAILSONDE_SMTP__MAIL_FROM", "probe@lab.test".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been printed already
        }
    }
}

/// Everything that is open, not yet served.
struct Sockets {
    dns: Doors,
    dns_address: SocketAddr,
    smtp: Vec<(TcpListener, Arc<Server>)>,
    smtp_port: u16,
    /// What fills the queues of silent servers.
    silence: Vec<(TcpListener, TcpStream)>,
}

impl Sockets {
    async fn open(internet: &Internet) -> Result<Self> {
        let ip = Network::of_this_process().name_server();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            // The kernel gives this port to nobody else at this address, and to few at the others.
            let port = std::net::TcpListener::bind((ip, 0))?.local_addr()?.port();
            match Self::open_at(internet, ip, port).await {
                Ok(sockets) => return Ok(sockets),
                Err(error) => last = Some(error),
            }
        }
        bail!("no port is free at all addresses: {last:?}")
    }

    async fn open_at(internet: &Internet, ip: Ipv4Addr, port: u16) -> Result<Self> {
        let dns_address = SocketAddr::from((ip, port));
        let (mut smtp, mut silence) = (Vec::new(), Vec::new());
        for (address, server) in internet.servers() {
            let address = SocketAddr::new(address, port);
            match server.host.reach {
                Reach::Open => smtp.push((listener(address, BACKLOG)?, server.clone())),
                Reach::Refused => {}
                Reach::Silent => {
                    let listener = listener(address, 0)?;
                    silence.push((listener, TcpStream::connect(address).await?));
                }
            }
        }
        Ok(Self { dns: Doors::open(dns_address).await?, dns_address, smtp, smtp_port: port, silence })
    }

    fn ports(&self) -> (SocketAddr, u16) {
        (self.dns_address, self.smtp_port)
    }

    async fn serve(self, internet: Arc<Internet>) {
        let mut doors = JoinSet::new();
        for (listener, server) in self.smtp {
            let rtt = internet.rtt_to(&server);
            doors.spawn(accept(listener, server, rtt));
        }
        doors.spawn(self.dns.serve(internet));
        doors.join_all().await;
        drop(self.silence);
    }
}

fn listener(address: SocketAddr, backlog: u32) -> Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(address).with_context(|| address.to_string())?;
    Ok(socket.listen(backlog)?)
}

async fn accept(listener: TcpListener, server: Arc<Server>, rtt: Duration) {
    let mut clients = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                let (outer, inner) = Cable::pair(rtt / 2);
                // The connection should have taken a round trip, and its last packet is still on its way.
                clients.spawn(serve(server.clone(), client.ip(), inner, rtt * 3 / 2));
                clients.spawn(relay(stream, outer));
            }
            // Out of descriptors, most likely: other sessions have to end first.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
        while clients.try_join_next().is_some() {}
    }
}

/// Moves octets between a socket and a cable. A reset of the cable becomes one of the socket.
async fn relay(mut stream: TcpStream, mut cable: Cable) {
    let _ = stream.set_nodelay(true); // else octets wait for company
    if copy_bidirectional(&mut stream, &mut cable).await.is_err() {
        let _ = stream.set_zero_linger();
    }
}
