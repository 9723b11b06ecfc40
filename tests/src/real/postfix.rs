//! One Postfix with many faces: an own `smtpd` per address, each told to behave in its own way.
//!
//! There is no delivery agent and no queue manager. A message could be received, and then [`Postfix::log`] would
//! tell, but never leave.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};

use super::daemon::{Daemon, Folder, wait_until};

/// `postlogd` writes within milliseconds.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);

/// `$0` is the folder of the configuration. `check` creates those for data and the queue, with the owners that
/// Postfix wants; it also warns of owners in vain, since the queue is not under `/var/spool`.
const START: &str = r#"postfix -c "$0" check && exec /usr/lib/postfix/sbin/master -c "$0" -d"#;

/// An address where Postfix listens, and how it behaves there.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// The name in the log and in the zone.
    pub name: &'static str,
    /// What differs from the common `main.cf`: parameters and values.
    pub settings: &'static [(&'static str, &'static str)],
}

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    daemon: Daemon,
    first: SocketAddr,
    config: PathBuf,
    log: PathBuf,
}

impl Postfix {
    /// Starts Postfix on `port` of the listeners' addresses. `mailboxes` has a line for each that exists: an
    /// address, or `@domain` for a domain where all do, a blank, and any word. Every domain is a local one.
    ///
    /// Returns at once; see [`Postfix::wait_until_ready`].
    pub fn start(listeners: &[(Ipv4Addr, Listener)], port: u16, mailboxes: &str) -> Result<Self> {
        ensure!(is_root(), "Postfix can only be started by root: run these tests as root");
        let (first, _) = listeners.first().context("Postfix without a listener")?;
        let folder = Folder::create("postfix")?;
        let config = folder.path().join("config");
        fs::create_dir(&config)?;
        fs::create_dir(folder.path().join("queue"))?;
        write_settled(&folder, "config/mailboxes", mailboxes)?;
        write_settled(&folder, "config/main.cf", &main_cf(folder.path()))?;
        write_settled(&folder, "config/master.cf", &master_cf(listeners, port))?;
        let args = ["-c".as_ref(), START.as_ref(), config.as_os_str()];
        Ok(Self {
            daemon: Daemon::start(&folder, "sh", &args)?,
            first: SocketAddr::from((*first, port)),
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

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether the server greets us. The session ends as a client in a hurry ends it.
fn greets(server: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(server) else { return false };
    let mut greeting = String::new();
    let _ = stream.set_read_timeout(Some(LOGGED_WITHIN));
    BufReader::new(stream).read_line(&mut greeting).is_ok() && greeting.starts_with("220 ")
}

/// Writes a file that looks an hour old: Postfix reads one that changed a moment ago again and again, for two
/// seconds, lest somebody is still at it.
fn write_settled(folder: &Folder, name: &str, content: &str) -> Result<()> {
    let path = folder.write(name, content)?;
    let an_hour_ago = SystemTime::now() - Duration::from_hours(1);
    File::options().append(true).open(path)?.set_modified(an_hour_ago)?;
    Ok(())
}

/// What all listeners share. `mynetworks`: else loopback is trusted, and spared most restrictions.
/// `in_flow_delay`: else the whole instance slows down, by 1 s for each transaction after the first hundred.
fn main_cf(folder: &Path) -> String {
    format!(
        "compatibility_level = 3.6
queue_directory = {path}/queue
data_directory = {path}/data
maillog_file = {path}/log
maillog_file_prefixes = {path}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = mail.lab.test
inet_interfaces = loopback-only
mynetworks = 127.255.255.254/32
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = static:all
virtual_mailbox_maps = texthash:{path}/config/mailboxes
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_event_limit_exceptions =
in_flow_delay = 0
",
        path = folder.display(),
    )
}

/// One `smtpd` per listener, and the few services it needs: no queue manager, no delivery agents.
fn master_cf(listeners: &[(Ipv4Addr, Listener)], port: u16) -> String {
    let mut services = String::from(
        "postlog unix-dgram n - n - 1 postlogd
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
",
    );
    for (ip, Listener { name, settings }) in listeners {
        let _ = writeln!(services, "{ip}:{port} inet n - n - - smtpd");
        let _ = writeln!(services, "  -o syslog_name=postfix/{name}");
        for (parameter, value) in *settings {
            let _ = writeln!(services, "  -o {{ {parameter} = {value} }}");
        }
    }
    services
}
