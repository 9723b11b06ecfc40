//! Exim, on several addresses. It could take a message, and then [`Exim::log`] would tell, but delivers none.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::daemon::{Daemon, Folder};
use super::greeting::greets;
use super::places::Places;
use super::{namespace, unpacked};

/// `$0` is the folder, `$1` the package's root. Exim wants a configuration that nobody but root can change.
const START: &str = r#"
export LD_LIBRARY_PATH=$(echo "$1"/usr/lib/*-linux-gnu*)
install -d -o Debian-exim -g Debian-exim "$0/spool" "$0/log"
chown root:root "$0/exim.conf"
chmod 644 "$0/exim.conf"
exec "$1/usr/sbin/exim4" -C "$0/exim.conf" -bdf
"#;

/// The addresses of the configuration that are its own.
pub const ADDRESSES: [&str; 3] = ["exim", "exim-callout", "exim-slow-quit"];

/// A running Exim.
#[derive(Debug)]
pub struct Exim {
    daemon: Daemon,
    first: SocketAddr,
    log: PathBuf,
}

impl Exim {
    /// Starts it at [`ADDRESSES`], which `places` knows. Returns at once.
    pub fn start(places: &Places, name_server: Ipv4Addr) -> Result<Self> {
        let folder = Folder::create("exim")?;
        let root = unpacked::root("exim4-daemon-light")?;
        let config = places
            .fill(include_str!("exim.conf"))
            .replace("@root@", &root.to_string_lossy())
            .replace("@folder@", &folder.path().to_string_lossy());
        folder.write("exim.conf", &config)?;
        Ok(Self {
            daemon: namespace::start(&folder, name_server, &["Debian-exim"], START, &[&root])?,
            first: places.mail(ADDRESSES[0]).context("Exim without an address")?,
            log: folder.path().join("log/mainlog"),
        })
    }

    /// Waits for the first greeting.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.daemon.wait_until_ready(|| greets(self.first)).context("Exim")
    }

    /// All that Exim has logged. It writes as things happen, but nobody promises when.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).context("Exim's log")
    }
}
