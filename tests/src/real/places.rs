//! Where everything in the lab is: an address for each name, and one port for all mail servers, none of which another
//! test process uses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context as _, Result};

/// Names and their addresses.
#[derive(Debug)]
pub struct Places {
    network: Network,
    port: u16,
    addresses: BTreeMap<&'static str, IpAddr>,
}

impl Places {
    /// None yet.
    pub fn new() -> Result<Self> {
        let network = Network::of_this_process();
        Ok(Self { network, port: network.free_port()?, addresses: BTreeMap::new() })
    }

    /// Gives `name` the next address. A name that has one keeps it.
    pub fn add(&mut self, name: &'static str) -> Result<Ipv4Addr> {
        if let Some(IpAddr::V4(address)) = self.addresses.get(name) {
            return Ok(*address);
        }
        let address = self.network.next_host()?;
        self.addresses.insert(name, address.into());
        Ok(address)
    }

    /// Gives `name` the IPv6 address of loopback. There is only one.
    pub fn add_ipv6(&mut self, name: &'static str) {
        self.addresses.insert(name, Ipv6Addr::LOCALHOST.into());
    }

    /// The port of all mail servers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the mail server `name` is.
    pub fn mail(&self, name: &str) -> Option<SocketAddr> {
        self.addresses.get(name).map(|address| SocketAddr::new(*address, self.port))
    }

    /// `text` with `{name}` replaced by the address of that name, and `{port}` by the port.
    pub fn fill(&self, text: &str) -> String {
        let text = text.replace("{port}", &self.port.to_string());
        self.addresses
            .iter()
            .fold(text, |text, (name, address)| text.replace(&format!("{{{name}}}"), &address.to_string()))
    }
}

/// The host at which a port is looked for, and nothing else is.
const PORT_FINDER: u8 = 254;

/// 254 loopback addresses. Linux answers on all of 127.0.0.0/8, so every process can have its own.
#[derive(Clone, Copy, Debug)]
struct Network(u8, u8);

impl Network {
    /// Those of this process: two processes share them only if 2^14 others were started in between.
    fn of_this_process() -> Self {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Self(64 | (high & 0x3f), low)
    }

    /// The next one, which no other lab of this process has either.
    fn next_host(self) -> Result<Ipv4Addr> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let advance = |host: u8| (host < PORT_FINDER).then(|| host + 1);
        let host = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
        host.map(|host| self.host(host)).ok().context("no loopback address left")
    }

    fn host(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, self.1, host)
    }

    /// A port that is free at this moment, and on the one IPv6 address that all processes share too. The kernel
    /// gives it to nobody else on these addresses unless asked.
    fn free_port(self) -> Result<u16> {
        const ATTEMPTS: usize = 100;
        drop(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).context("the lab needs IPv6 on loopback ([::1])")?);
        for _ in 0..ATTEMPTS {
            let listener =
                TcpListener::bind((self.host(PORT_FINDER), 0)).context("a free port on loopback")?;
            let port = listener.local_addr()?.port();
            if TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        anyhow::bail!("no port is free on IPv4 and IPv6")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses_and_other_braces_stay() {
        let mut places = Places::new().unwrap();
        let address = places.add("known").unwrap();
        places.add_ipv6("ipv6");
        assert_eq!(places.add("known").unwrap(), address, "a name keeps its address");
        assert_ne!(places.add("other").unwrap(), address);
        let filled = places.fill("[{known}]:{port} {ipv6} ${if eq{a}{b}} {unknown}");
        assert_eq!(filled, format!("[{address}]:{} ::1 ${{if eq{{a}}{{b}}}} {{unknown}}", places.port()));
    }
}
