//! Real greylisting: postgrey, which Postfix asks about each recipient. Whoever comes back with the same sender,
//! recipient and network after the delay is let in, and no sooner.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::daemon::{Daemon, Folder};
use super::unpacked;

/// `$0` is the folder, `$1` the package's root, `$2` the address, `$3` the delay in seconds. Nobody is let in for
/// good after a few recipients: by default the fifth would end the greylisting.
const START: &str = r#"
root=$1 address=$2 delay=$3
set -- # the command line of perl, which in taint mode hears of no PERL5LIB
for modules in "$root"/usr/share/perl5 "$root"/usr/lib/*/perl5/* "$root"/usr/share/perl/* "$root"/usr/lib/*/perl/*; do
    set -- "$@" -I "$modules"
done
export LD_LIBRARY_PATH=$(echo "$root"/usr/lib/*-linux-gnu*)
chown nobody "$0/db"
exec perl -T "$@" "$root/usr/sbin/postgrey" --inet="$address" --delay="$delay" \
    --dbdir="$0/db" --user=nobody --group=nogroup --auto-whitelist-clients=0 \
    --whitelist-clients=/dev/null --whitelist-recipients=/dev/null
"#;

/// A running postgrey.
#[derive(Debug)]
pub struct Postgrey {
    address: SocketAddr,
    daemon: Daemon,
}

impl Postgrey {
    /// Starts it at `address`, with a `delay` of whole seconds. Returns at once.
    pub fn start(address: SocketAddr, delay: Duration) -> Result<Self> {
        let folder = Folder::create("postgrey")?;
        std::fs::create_dir(folder.path().join("db"))?;
        let root = unpacked::root("postgrey")?;
        let args = [
            "-euc".into(),
            START.into(),
            folder.path().into(),
            root.into_os_string(),
            address.to_string().into(),
            delay.as_secs().to_string().into(),
        ];
        Ok(Self { address, daemon: Daemon::start(&folder, "sh", &args)? })
    }

    /// Waits until it can be asked.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.daemon.wait_until_ready(|| TcpStream::connect(self.address).is_ok()).context("postgrey")
    }
}
