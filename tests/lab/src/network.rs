//! Addresses for everybody, on loopback.

use std::net::Ipv4Addr;

/// Loopback addresses. Linux answers at all of 127.0.0.0/8, so every process can have its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network(Ipv4Addr);

impl Network {
    /// Those of this process: 127.128.0.0/10 has room for 2^14 processes with 256 addresses each. Whoever needs more
    /// takes its neighbour's, which matters to those alone that listen.
    pub(crate) fn of_this_process() -> Self {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Self(Ipv4Addr::new(127, 128 | (high & 0x3f), low, 0))
    }

    pub(crate) fn name_server(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0.to_bits() + 1)
    }

    /// Addresses for mail servers.
    pub(crate) fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        (self.0.to_bits() + 2..).map(Ipv4Addr::from_bits).take_while(Ipv4Addr::is_loopback)
    }
}
