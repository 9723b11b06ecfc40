//! The lab: all servers at once, on addresses that no other test process uses.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};

use super::dns::{Nsd, SilentDns};
use super::map;
use super::postfix::{Listener, Postfix};

/// Placeholders of the zone that are no Postfix listener.
const NOBODY: &str = "nobody";
const TRIPWIRES: [&str; 2] = ["tripwire-null-mx", "tripwire-private"];

/// Name servers, mail servers and tripwires; they end with the value, or with the process.
#[derive(Debug)]
pub struct Lab {
    nsd: Nsd,
    silent_dns: SilentDns,
    postfix: Postfix,
    smtp_port: u16,
    addresses: BTreeMap<&'static str, Ipv4Addr>,
    tripwires: BTreeMap<&'static str, TcpListener>,
}

impl Lab {
    /// The lab of this process, started by whoever asks first.
    ///
    /// # Panics
    /// When it cannot be started; the message says why.
    pub fn shared() -> &'static Self {
        static LAB: OnceLock<Result<Lab>> = OnceLock::new();
        LAB.get_or_init(Self::start)
            .as_ref()
            .unwrap_or_else(|error| panic!("the lab does not start: {error:#}"))
    }

    /// Starts all servers and waits until they answer.
    pub fn start() -> Result<Self> {
        let network = Network::of_this_process();
        let smtp_port = network.free_port()?;
        let mut hosts = (1..).map(|host| network.host(host));
        let mut next = || hosts.next().context("no loopback address left");

        let nsd_ip = next()?;
        let silent_dns = SilentDns::start(next()?)?;
        let mut addresses = BTreeMap::from([(NOBODY, next()?)]);
        let mut tripwires = BTreeMap::new();
        for name in TRIPWIRES {
            let ip = next()?;
            let listener = TcpListener::bind((ip, smtp_port)).context("a tripwire")?;
            listener.set_nonblocking(true)?;
            tripwires.insert(name, listener);
            addresses.insert(name, ip);
        }
        let mut listeners: Vec<(Ipv4Addr, Listener)> = Vec::new();
        for listener in map::LISTENERS {
            let ip = next()?;
            addresses.insert(listener.name, ip);
            listeners.push((ip, *listener));
        }

        let nsd = Nsd::start(nsd_ip, &map::zone(&addresses), map::SERVFAIL)?;
        let postfix = Postfix::start(&listeners, smtp_port, &map::mailboxes())?;
        nsd.wait_until_ready()?;
        postfix.wait_until_ready()?;
        Ok(Self { nsd, silent_dns, postfix, smtp_port, addresses, tripwires })
    }

    /// The environment that points `mailsonde` at this lab.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("MAILSONDE_DNS__SERVERS", server_list(self.nsd.address())),
            ("MAILSONDE_SMTP__PORT", self.smtp_port.to_string()),
            ("MAILSONDE_SMTP__DESTINATIONS", "any".to_owned()),
            ("MAILSONDE_SMTP__HELLO_NAME", "probe.lab.test".to_owned()),
            ("MAILSONDE_SMTP__MAIL_FROM", "probe@lab.test".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// NSD's address.
    pub fn dns(&self) -> SocketAddr {
        self.nsd.address()
    }

    /// The value of `MAILSONDE_DNS__SERVERS` for a name server that never answers.
    pub fn silent_dns_servers(&self) -> Result<String> {
        Ok(server_list(self.silent_dns.address()?))
    }

    /// Where the mail server of that name in [`map`] listens, or `nobody` does not.
    pub fn smtp(&self, name: &str) -> Option<SocketAddr> {
        self.addresses.get(name).map(|ip| SocketAddr::from((*ip, self.smtp_port)))
    }

    /// Whether anybody has connected to the tripwire since it was asked last. The kernel accepts a connection
    /// before the caller hears of it, so a process that is gone cannot have one that is not seen here.
    pub fn is_tripped(&self, tripwire: &str) -> Result<bool> {
        match self.tripwires.get(tripwire).context("no such tripwire")?.accept() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Postfix's log lines of one mail server.
    pub fn log_of(&self, server: &str) -> Result<Vec<String>> {
        let program = format!("postfix/{server}/smtpd[");
        Ok(self.postfix.log()?.lines().filter(|line| line.contains(&program)).map(str::to_owned).collect())
    }

    /// An error if any session got as far as the message. Postfix counts a session's commands at its end.
    pub fn ensure_no_message_was_sent(&self) -> Result<()> {
        let log = self.postfix.log()?;
        let guilty = log
            .lines()
            .find(|line| [" data=", " bdat=", "message-id="].iter().any(|sign| line.contains(sign)));
        ensure!(guilty.is_none(), "a message was sent: {guilty:?}");
        Ok(())
    }
}

/// A list of one name server, as a configuration value.
fn server_list(address: SocketAddr) -> String {
    format!(r#"["{address}"]"#)
}

/// 254 loopback addresses. Linux answers on all of 127.0.0.0/8, so every process can have its own.
#[derive(Clone, Copy, Debug)]
struct Network(u8, u8);

impl Network {
    /// Those of this process: two processes share them only if 2^14 others were started in between.
    fn of_this_process() -> Self {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Self(64 | (high & 0x3f), low)
    }

    fn host(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, self.1, host)
    }

    /// A port that is free at this moment. The kernel gives it to nobody else on these addresses unless asked.
    fn free_port(self) -> Result<u16> {
        let listener = TcpListener::bind((self.host(254), 0)).context("a free port on loopback")?;
        Ok(listener.local_addr()?.port())
    }
}
