//! Postfix with many faces: an own `smtpd` per address, each told to behave in its own way.
//!
//! No instance delivers a message. It could receive one, and then [`Postfix::log`] would tell.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};

use super::daemon::{Daemon, Folder, wait_until};
use super::greeting::greets;
use super::places::Places;
use super::{namespace, tls};

/// `postlogd` writes within milliseconds.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);

/// `$0` is the folder, `$1` that of the configuration. `check` creates those for data and the queue, with the owners
/// that Postfix wants; it also warns of owners in vain, since the queue is not under `/var/spool`.
const START: &str = r#"postfix -c "$1" check && exec /usr/lib/postfix/sbin/master -c "$1" -d"#;

/// The name of all instances, in greetings and certificates.
const HOST: &str = "mail.lab.test";

/// An instance of Postfix: what its listeners share. In all texts, `{name}` is the address of a listener, or of
/// another server of the lab, and `{port}` the port of all mail servers.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    /// Its name among the instances.
    pub name: &'static str,
    /// What `main.cf` has beyond that of all instances.
    pub parameters: &'static str,
    /// What `master.cf` has besides the listeners and what they need in every instance.
    pub services: &'static str,
    /// Where it listens; the first one is asked for a greeting when it starts.
    pub listeners: &'static [Listener],
}

/// An address where Postfix listens, and how it behaves there.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// The name in the log and in the zone.
    pub name: &'static str,
    /// What differs from the instance's `main.cf`: parameters and values.
    pub settings: &'static [(&'static str, &'static str)],
}

/// What every `main.cf` has. `mynetworks`: else loopback is trusted, and spared most restrictions. The domains behind a
/// `!` are not its own, all others are.
const PARAMETERS: &str = "
compatibility_level = 3.6
queue_directory = @folder@/queue
data_directory = @folder@/data
maillog_file = @folder@/log
maillog_file_prefixes = @folder@
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = @host@
inet_interfaces = loopback-only
mynetworks = 127.255.255.254/32
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = !no-relay.test, !nowhere.lab.test, static:all
virtual_mailbox_maps = texthash:@folder@/config/mailboxes
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_event_limit_exceptions =
smtpd_tls_chain_files = @folder@/certificate.pem
";

/// What every `master.cf` has: no queue manager and no delivery agents.
const SERVICES: &str = "
postlog unix-dgram n - n - 1 postlogd
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
";

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    daemon: Daemon,
    instance: Instance,
    first: SocketAddr,
    config: PathBuf,
    log: PathBuf,
}

impl Postfix {
    /// Starts an instance. `mailboxes` has a line for each that exists: an address, or `@domain` for a domain where
    /// all do, a blank, and any word. Every domain is a local one.
    ///
    /// Returns at once; see [`Postfix::wait_until_ready`].
    pub fn start(
        instance: Instance,
        places: &Places,
        name_server: Ipv4Addr,
        mailboxes: &str,
    ) -> Result<Self> {
        ensure!(is_root(), "Postfix can only be started by root: run these tests as root");
        let first = instance.listeners.first().context("Postfix without a listener")?;
        let folder = Folder::create(&format!("postfix-{}", instance.name))?;
        let config = folder.path().join("config");
        fs::create_dir(&config)?;
        fs::create_dir(folder.path().join("queue"))?;
        tls::self_signed(&folder, HOST)?;
        let path = folder.path().to_string_lossy();
        let fill = |text: &str| places.fill(text).replace("@folder@", &path).replace("@host@", HOST);
        write_settled(&folder, "config/mailboxes", mailboxes)?;
        write_settled(&folder, "config/main.cf", &fill(&[PARAMETERS, instance.parameters].concat()))?;
        write_settled(&folder, "config/master.cf", &fill(&master_cf(instance, places)?))?;
        Ok(Self {
            daemon: namespace::start(&folder, name_server, &[], START, &[&config])?,
            instance,
            first: places.mail(first.name).context("a listener without an address")?,
            config,
            log: folder.path().join("log"),
        })
    }

    /// Waits for the first greeting.
    pub fn wait_until_ready(&self) -> Result<()> {
        let log = || fs::read_to_string(&self.log).unwrap_or_default();
        let ready = self.daemon.wait_until_ready(|| greets(self.first));
        ready.with_context(|| format!("Postfix; its log:\n{}", log()))
    }

    /// Whether one of its listeners has that name.
    pub fn has(&self, listener: &str) -> bool {
        self.instance.listeners.iter().any(|it| it.name == listener)
    }

    /// Whether it asks other servers about addresses. It does that with messages of its own, which end at RCPT.
    pub fn asks_others(&self) -> bool {
        self.instance.services.contains("\nverify ")
    }

    /// All that Postfix logged up to now. Waits until what it has said already is written.
    pub fn log(&self) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("log read {}.", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut postlog = Command::new("/usr/sbin/postlog");
        let status = postlog.arg("-c").arg(&self.config).args(["-t", "lab", &mark]).output()?.status;
        ensure!(status.success(), "postlog: {status}");
        let mut log = String::new();
        let written = wait_until(LOGGED_WITHIN, || {
            log = fs::read_to_string(&self.log).unwrap_or_default();
            log.contains(&mark)
        });
        ensure!(written, "Postfix's log is not written: {log}");
        Ok(log)
    }
}

/// Whether we are root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Writes a file that looks an hour old: Postfix reads one that changed a moment ago again and again, for two
/// seconds, lest somebody is still at it.
fn write_settled(folder: &Folder, name: &str, content: &str) -> Result<()> {
    let path = folder.write(name, content)?;
    let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
    File::options().append(true).open(path)?.set_modified(an_hour_ago)?;
    Ok(())
}

/// One `smtpd` per listener, and what they need.
fn master_cf(instance: Instance, places: &Places) -> Result<String> {
    let mut services = [SERVICES, instance.services].concat();
    for Listener { name, settings } in instance.listeners {
        let address = places.mail(name).context("a listener without an address")?;
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let _ = writeln!(services, "{host}:{} inet n - n - - smtpd", address.port());
        let _ = writeln!(services, "  -o syslog_name=postfix/{name}");
        for (parameter, value) in *settings {
            let _ = writeln!(services, "  -o {{ {parameter} = {value} }}");
        }
    }
    Ok(services)
}
