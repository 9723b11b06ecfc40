//! OpenSMTPD, which knows no PIPELINING. Its queue is in a file system that ends with it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::daemon::{Daemon, Folder};
use super::greeting::greets;
use super::places::Places;
use super::{namespace, unpacked};

/// `$0` is the folder, `$1` the package's root. The folders that OpenSMTPD insists on are empty ones, and its own.
const START: &str = r#"
export LD_LIBRARY_PATH=$(echo "$1"/usr/lib/*-linux-gnu*)
for folder in /run /var/lib /var/spool; do
    mount -t tmpfs -o mode=755 opensmtpd "$folder"
done
install -d -m 755 /var/lib/opensmtpd/empty
install -d -m 711 /var/spool/smtpd
chmod 644 "$0/smtpd.conf"
exec "$1/usr/sbin/smtpd" -d -v -f "$0/smtpd.conf"
"#;

/// The address of the configuration that is its own.
pub const ADDRESS: &str = "opensmtpd";

/// A running OpenSMTPD.
#[derive(Debug)]
pub struct OpenSmtpd {
    daemon: Daemon,
    address: SocketAddr,
    output: PathBuf,
}

impl OpenSmtpd {
    /// Starts it at [`ADDRESS`], which `places` knows. Returns at once.
    pub fn start(places: &Places, name_server: Ipv4Addr) -> Result<Self> {
        let folder = Folder::create("opensmtpd")?;
        let root = unpacked::root("opensmtpd")?;
        folder.write("smtpd.conf", &places.fill(include_str!("opensmtpd.conf")))?;
        Ok(Self {
            daemon: namespace::start(&folder, name_server, &["opensmtpd", "opensmtpq"], START, &[&root])?,
            address: places.mail(ADDRESS).context("OpenSMTPD without an address")?,
            output: folder.path().join("output"),
        })
    }

    /// Waits for the first greeting.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.daemon.wait_until_ready(|| greets(self.address)).context("OpenSMTPD")
    }

    /// All that OpenSMTPD has logged. It writes as things happen, but nobody promises when.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.output).context("OpenSMTPD's log")
    }
}
