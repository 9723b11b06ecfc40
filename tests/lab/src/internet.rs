//! The whole of it: one zone, mail servers, a round-trip time, and the books.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::time::sleep;

use crate::{
    cable::Cable,
    counts::{Book, Counts, Tally},
    host::{Host, Reach},
    network::Network,
    smtp::{Server, serve},
    zone::{Answer, RecordType, Zone},
};

/// The client of those who do not say who they are.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// TTL of addresses that the zone leaves to us, in seconds.
const TTL_SECONDS: u32 = 300;

/// Name servers, mail servers and the way to them.
#[derive(Debug)]
pub struct Internet {
    zone: Zone,
    servers: BTreeMap<String, Arc<Server>>,
    by_address: HashMap<IpAddr, Arc<Server>>,
    rtt: Duration,
    all: Arc<Mutex<Tally>>,
    dns: Mutex<BTreeMap<(String, RecordType), u64>>,
}

/// The text of mail servers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Hosts {
    /// Round-trip time to whatever has none of its own.
    #[serde(with = "humantime_serde")]
    rtt: Duration,
    host: BTreeMap<String, toml::Table>,
}

impl Internet {
    /// Reads a zone (see [`Zone`]) and tables `[host."mx.a.test"]` of [`Host`] options, of which `like` makes a server
    /// a look-alike. `rtt = "50ms"` before them is the round-trip time to everything.
    ///
    /// # Errors
    /// When one of the two is not what it should be; the error says where.
    pub fn parse(zone: &str, hosts: &str) -> Result<Self> {
        let Hosts { rtt, host } = toml::from_str(hosts)?;
        let hosts = host
            .into_iter()
            .map(|(name, table)| {
                let host = Host::from_table(table).with_context(|| format!("host {name}"))?;
                Ok((name, host))
            })
            .collect::<Result<_>>()?;
        Ok(Self::new(zone, hosts)?.with_rtt(rtt))
    }

    /// The same from code. Servers to which the zone gives no address get one each.
    ///
    /// # Errors
    /// When the zone cannot be read, leads to a server that is not there, or more than one is at `::1`.
    pub fn new(zone: &str, hosts: BTreeMap<String, Host>) -> Result<Self> {
        let mut zone = Zone::from_str(zone)?;
        ensure!(hosts.values().filter(|host| host.ipv6).count() <= 1, "there is only one ::1");
        let mut free = Network::of_this_process().hosts();
        let all = Arc::default();
        let (mut servers, mut by_address) = (BTreeMap::new(), HashMap::new());
        for (name, host) in hosts {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if zone.addresses(&name).next().is_none() {
                let address = if host.ipv6 {
                    Ipv6Addr::LOCALHOST.into()
                } else {
                    free.next().context("no address left")?.into()
                };
                zone.add_address(&name, TTL_SECONDS, address);
            }
            let server = Arc::new(Server::new(&name, host, Book::beside(&all)));
            by_address.extend(zone.addresses(&name).map(|address| (address, server.clone())));
            servers.insert(name, server);
        }
        for (name, host, ttl) in std::mem::take(&mut zone.leads) {
            ensure!(servers.contains_key(&host), "{name} leads to {host}, which is no host");
            for address in zone.addresses(&host).collect::<Vec<_>>() {
                zone.add_address(&name, ttl, address);
            }
        }
        Ok(Self { zone, servers, by_address, rtt: Duration::ZERO, all, dns: Mutex::default() })
    }

    /// Sets the round-trip time to everything that has none of its own.
    #[must_use]
    pub fn with_rtt(self, rtt: Duration) -> Self {
        Self { rtt, ..self }
    }

    /// The address of a mail server.
    pub fn address(&self, host: &str) -> Option<IpAddr> {
        self.servers.contains_key(host).then(|| self.zone.addresses(host).next()).flatten()
    }

    /// Connects to a mail server in memory. Needs tokio, whose clock may stand still.
    ///
    /// # Errors
    /// `ConnectionRefused` where nobody is. A silent server never returns.
    pub async fn dial(&self, to: IpAddr) -> io::Result<Cable> {
        self.dial_from(CLIENT, to).await
    }

    /// The same for a client that has an address: servers tell clients apart by it.
    ///
    /// # Errors
    /// As [`Internet::dial`].
    pub async fn dial_from(&self, client: IpAddr, to: IpAddr) -> io::Result<Cable> {
        let server = self.by_address.get(&to);
        let rtt = server.map_or(self.rtt, |server| self.rtt_to(server));
        if let Some(server) = server.filter(|server| server.host.reach != Reach::Open) {
            server.book.note(|tally| tally.missed += 1);
            if server.host.reach == Reach::Silent {
                std::future::pending::<()>().await;
            }
        }
        sleep(rtt).await;
        let server = server.filter(|server| server.host.reach == Reach::Open);
        let server = server.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (ours, theirs) = Cable::pair(rtt / 2);
        // The third packet of the handshake is still on its way when the client is already connected.
        tokio::spawn(serve(server.clone(), client, theirs, rtt / 2));
        Ok(ours)
    }

    /// Asks the name server in memory. A fault with packets is [`Answer::Silent`]: nothing usable comes.
    pub async fn lookup(&self, name: &str, record_type: RecordType) -> Answer {
        sleep(self.rtt).await;
        self.answer(&name.trim_end_matches('.').to_ascii_lowercase(), record_type)
    }

    /// Everything that was counted so far.
    pub fn counts(&self) -> Counts {
        Counts {
            total: self.all.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            hosts: self.servers.iter().map(|(name, server)| (name.clone(), server.book.tally())).collect(),
            dns: self.dns.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Counts a question and answers it at once.
    pub(crate) fn answer(&self, name: &str, record_type: RecordType) -> Answer {
        let mut dns = self.dns.lock().unwrap_or_else(PoisonError::into_inner);
        *dns.entry((name.to_owned(), record_type)).or_default() += 1;
        drop(dns);
        self.zone.lookup(name, record_type)
    }

    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    pub(crate) fn rtt(&self) -> Duration {
        self.rtt
    }

    pub(crate) fn rtt_to(&self, server: &Server) -> Duration {
        server.host.rtt.unwrap_or(self.rtt)
    }

    /// Every mail server with each of its addresses.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (IpAddr, &Arc<Server>)> {
        self.by_address.iter().map(|(address, server)| (*address, server))
    }
}
