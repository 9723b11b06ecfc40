//! Authoritative DNS by NSD, a server that never answers, and just enough of a client (RFC 1035) to see that
//! they do what they should. The client reads a reply's header and nothing else.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::daemon::{Daemon, Folder};

/// A look-up on loopback takes microseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A running NSD.
#[derive(Debug)]
pub struct Nsd {
    address: SocketAddr,
    daemon: Daemon,
}

impl Nsd {
    /// Starts NSD on a free port of `ip` with `zone`, a zone file for the root: any name that is not in it does
    /// not exist. Names in and under `servfail` have a zone that cannot be loaded: SERVFAIL.
    ///
    /// It also listens on port 53, for servers that know no other; `ip` should belong to nobody else.
    ///
    /// Returns at once; see [`Nsd::wait_until_ready`].
    pub fn start(ip: Ipv4Addr, zone: &str, servfail: &[&str]) -> Result<Self> {
        let (udp, tcp) = bind_both(ip)?;
        let address = udp.local_addr()?;
        let folder = Folder::create("nsd")?;
        folder.write("root.zone", zone)?;
        let config = folder.write("nsd.conf", &config(&folder, address, servfail))?;
        drop((udp, tcp)); // for NSD to take
        let daemon =
            Daemon::start(&folder, "/usr/sbin/nsd", &["-d".as_ref(), "-c".as_ref(), config.as_os_str()])?;
        Ok(Self { address, daemon })
    }

    /// Waits for the first answer.
    pub fn wait_until_ready(&self) -> Result<()> {
        let ready = || query(self.address, ".", RecordType::Soa).is_ok_and(|answer| answer.answers == 1);
        self.daemon.wait_until_ready(ready).context("NSD")
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The NSD configuration. An empty user name keeps NSD the user we are, so its folder stays writable.
fn config(folder: &Folder, address: SocketAddr, servfail: &[&str]) -> String {
    let path = folder.path().display();
    let mut config = format!(
        r#"server:
    ip-address: {ip}@{port}
    ip-address: {ip}@53
    server-count: 1
    username: ""
    chroot: ""
    database: ""
    pidfile: ""
    zonesdir: "{path}"
    zonelistfile: "{path}/zone.list"
    xfrdfile: ""
    xfrdir: "{path}"
remote-control:
    control-enable: no
zone:
    name: .
    zonefile: root.zone
"#,
        ip = address.ip(),
        port = address.port(),
    );
    for name in servfail {
        let _ = write!(config, "zone:\n    name: {name}\n    zonefile: missing.zone\n");
    }
    config
}

/// A DNS server that takes every question and answers none.
#[derive(Debug)]
pub struct SilentDns {
    udp: UdpSocket,
    _tcp: TcpListener,
}

impl SilentDns {
    /// Opens it on a free port of `ip`.
    pub fn start(ip: Ipv4Addr) -> Result<Self> {
        let (udp, tcp) = bind_both(ip)?;
        Ok(Self { udp, _tcp: tcp })
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.udp.local_addr()?)
    }
}

/// Binds one port for both protocols.
fn bind_both(ip: Ipv4Addr) -> Result<(UdpSocket, TcpListener)> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let tcp = TcpListener::bind((ip, 0)).with_context(|| format!("a TCP port of {ip}"))?;
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr()?) {
            return Ok((udp, tcp));
        }
    }
    anyhow::bail!("no port of {ip} is free for both UDP and TCP")
}

/// The types this client can ask for, with their numbers.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are those of RFC 1035")]
pub enum RecordType {
    A = 1,
    Soa = 6,
    Mx = 15,
}

/// The response codes a test may see.
pub mod rcode {
    /// No error, with or without records.
    pub const NOERROR: u8 = 0;
    /// The server failed.
    pub const SERVFAIL: u8 = 2;
    /// There is no such name.
    pub const NXDOMAIN: u8 = 3;
}

/// What the header of a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// One of [`rcode`].
    pub rcode: u8,
    /// Number of records in the answer section.
    pub answers: u16,
}

/// Asks `server` one question over UDP.
pub fn query(server: SocketAddr, name: &str, record_type: RecordType) -> io::Result<Answer> {
    const HEADER: [u8; 12] = [0x4d, 0x53, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]; // id, recursion desired, 1 question
    let mut question = HEADER.to_vec();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        question.push(u8::try_from(label.len()).map_err(io::Error::other)?);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, record_type as u8, 0, 1]); // the root, the type, class IN

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    socket.connect(server)?;
    socket.send(&question)?;
    let mut reply = [0; 1232];
    let length = socket.recv(&mut reply)?;
    if length < HEADER.len() || reply[..2] != HEADER[..2] {
        return Err(io::Error::other("not a reply to the question"));
    }
    Ok(Answer { rcode: reply[3] & 0x0f, answers: u16::from_be_bytes([reply[6], reply[7]]) })
}
