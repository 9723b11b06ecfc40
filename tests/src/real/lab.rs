//! The lab: all servers at once, on addresses that no other test process uses.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::daemon::wait_until;
use super::dns::{Nsd, SilentDns};
use super::exim::{self, Exim};
use super::map;
use super::opensmtpd::{self, OpenSmtpd};
use super::places::Places;
use super::postfix::Postfix;
use super::postgrey::Postgrey;
use super::sessions::Session;

/// Servers notice within milliseconds that a client has gone.
const SESSIONS_END_WITHIN: Duration = Duration::from_secs(10);

/// Name servers, mail servers and tripwires; they end with the value, or with the process.
#[derive(Debug)]
pub struct Lab {
    places: Places,
    nsd: Nsd,
    silent_dns: SilentDns,
    postfix: Vec<Postfix>,
    exim: Exim,
    opensmtpd: OpenSmtpd,
    postgrey: Postgrey,
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
        let mut places = Places::new()?;
        let dns = places.add("dns")?;
        let silent_dns = SilentDns::start(places.add("silent-dns")?)?;
        places.add(map::NOBODY)?;
        let tripwires = tripwires(&mut places)?;
        for name in exim::ADDRESSES.into_iter().chain([opensmtpd::ADDRESS, map::POSTSCREEN, map::POSTGREY]) {
            places.add(name)?;
        }
        for listener in map::INSTANCES.iter().flat_map(|instance| instance.listeners) {
            if listener.name == map::ON_IPV6 {
                places.add_ipv6(listener.name);
            } else {
                places.add(listener.name)?;
            }
        }

        // All at once; then wait for each.
        let nsd = Nsd::start(dns, &places.fill(include_str!("lab.zone")), map::SERVFAIL)?;
        let mailboxes = map::mailboxes();
        let start = |instance| Postfix::start(instance, &places, dns, &mailboxes);
        let postfix = map::INSTANCES.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        let exim = Exim::start(&places, dns)?;
        let opensmtpd = OpenSmtpd::start(&places, dns)?;
        let policy = places.mail(map::POSTGREY).context("postgrey without an address")?;
        let postgrey = Postgrey::start(policy, map::GREYLISTED_FOR)?;
        let lab = Self { places, nsd, silent_dns, postfix, exim, opensmtpd, postgrey, tripwires };
        lab.wait_until_ready()?;
        Ok(lab)
    }

    fn wait_until_ready(&self) -> Result<()> {
        self.nsd.wait_until_ready()?;
        self.postfix.iter().try_for_each(Postfix::wait_until_ready)?;
        self.exim.wait_until_ready()?;
        self.opensmtpd.wait_until_ready()?;
        self.postgrey.wait_until_ready()
    }

    /// The environment that points `mailsonde` at this lab.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("MAILSONDE_DNS__SERVERS", server_list(self.nsd.address())),
            ("MAILSONDE_SMTP__PORT", self.places.port().to_string()),
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
        self.places.mail(name)
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

    /// Postfix's log lines of one of its listeners.
    pub fn log_of(&self, listener: &str) -> Result<Vec<String>> {
        let program = format!("postfix/{listener}/smtpd[");
        let postfix = self.postfix.iter().find(|it| it.has(listener)).context("no such listener")?;
        Ok(postfix.log()?.lines().filter(|line| line.contains(&program)).map(str::to_owned).collect())
    }

    /// What the sessions at one of Postfix's listeners consisted of. Waits until all have ended.
    pub fn sessions(&self, listener: &str) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        let mut begun = 0;
        let mut read = || -> Result<bool> {
            let log = self.log_of(listener)?;
            begun = log.iter().filter(|line| line.contains("]: connect from ")).count();
            sessions = log.iter().filter_map(|line| Session::read(line)).collect();
            Ok(sessions.len() >= begun)
        };
        read()?;
        let ended = wait_until(SESSIONS_END_WITHIN, || read().unwrap_or(false));
        ensure!(ended, "{listener}: {} of {begun} sessions have ended", sessions.len());
        Ok(sessions)
    }

    /// What Exim has logged.
    pub fn exim_log(&self) -> Result<String> {
        self.exim.log()
    }

    /// What OpenSMTPD has logged.
    pub fn opensmtpd_log(&self) -> Result<String> {
        self.opensmtpd.log()
    }

    /// An error if any session got as far as the message.
    pub fn ensure_no_message_was_sent(&self) -> Result<()> {
        let signs = self.signs_of_messages()?;
        ensure!(signs.is_empty(), "a message was sent: {signs:#?}");
        Ok(())
    }

    /// The lines of the logs that tell of a message, or of DATA.
    pub fn signs_of_messages(&self) -> Result<Vec<String>> {
        let mut signs = Vec::new();
        for postfix in &self.postfix {
            // A session's commands are counted at its end; a message is named at once.
            let words: &[_] = if postfix.asks_others() {
                &[" data=", " bdat="]
            } else {
                &[" data=", " bdat=", "message-id="]
            };
            signs.extend(lines_with(&postfix.log()?, words));
        }
        signs.extend(lines_with(&self.exim.log()?, &[" <= ", "DATA"]));
        signs.extend(lines_with(&self.opensmtpd.log()?, &["smtp message ", "DATA"]));
        Ok(signs)
    }
}

/// The lines of `log` that have one of `words`.
fn lines_with(log: &str, words: &[&str]) -> Vec<String> {
    let has_one = |line: &&str| words.iter().any(|word| line.contains(word));
    log.lines().filter(has_one).map(str::to_owned).collect()
}

/// Listens where nobody should call.
fn tripwires(places: &mut Places) -> Result<BTreeMap<&'static str, TcpListener>> {
    let mut tripwires = BTreeMap::new();
    for name in map::TRIPWIRES {
        let listener = TcpListener::bind((places.add(name)?, places.port())).context("a tripwire")?;
        listener.set_nonblocking(true)?;
        tripwires.insert(name, listener);
    }
    Ok(tripwires)
}

/// A list of one name server, as a configuration value.
fn server_list(address: SocketAddr) -> String {
    format!(r#"["{address}"]"#)
}
