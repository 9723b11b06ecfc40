//! Destinations: which IP addresses may be dialled. Whoever writes an MX record chooses where we connect to, so by
//! default nothing inside is reachable: no loopback, no private network, nothing reserved.
//!
//! From the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and those that add to it), read in
//! November 2026. Blocks for anycast services are refused too, though global: no mail host is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Where probes may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destinations {
    /// Public unicast addresses alone.
    #[default]
    Public,
    /// Any address, so that a laboratory on loopback can be probed.
    Any,
}

impl Destinations {
    /// Whether this address may be dialled.
    pub fn allow(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Any, _) => true,
            (Self::Public, IpAddr::V4(v4)) => is_public_v4(v4),
            (Self::Public, IpAddr::V6(v6)) => is_public_v6(v6),
        }
    }
}

/// A block and the bits of its prefix.
type BlockV4 = ([u8; 4], u32);

#[rustfmt::skip]
const NOT_PUBLIC_V4: &[BlockV4] = &[
    ([0, 0, 0, 0], 8),       // this network, RFC 791
    ([10, 0, 0, 0], 8),      // private, RFC 1918
    ([100, 64, 0, 0], 10),   // behind carriers' NAT, RFC 6598
    ([127, 0, 0, 0], 8),     // loopback, RFC 1122
    ([169, 254, 0, 0], 16),  // link-local, RFC 3927: clouds keep their metadata here
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments, RFC 6890
    ([192, 0, 2, 0], 24),    // documentation, RFC 5737
    ([192, 31, 196, 0], 24), // AS112, RFC 7535
    ([192, 52, 193, 0], 24), // AMT relays, RFC 7450
    ([192, 88, 99, 0], 24),  // 6to4 relays, RFC 7526
    ([192, 168, 0, 0], 16),  // private
    ([192, 175, 48, 0], 24), // AS112, RFC 7534
    ([198, 18, 0, 0], 15),   // benchmarks, RFC 2544
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast, RFC 5771
    ([240, 0, 0, 0], 4),     // reserved, RFC 1112, and broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within =
        |(block, prefix): &BlockV4| (address.to_bits() ^ u32::from_be_bytes(*block)) >> (32 - prefix) == 0;
    !NOT_PUBLIC_V4.iter().any(within)
}

/// IPv6 hands out unicast addresses from `2000::/3` alone, so that all else is refused unseen: loopback, `fc00::/7`,
/// `fe80::/10`, `ff00::/8`, IPv4-mapped ones.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead where the IPv4 address inside them says.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Protocol assignments, RFC 2928 (Teredo, ORCHID, benchmarks); documentation, RFC 3849 and RFC 9637.
        [0x2001, ..0x200 | 0xdb8, ..] | [0x3fff, ..0x1000, ..] => false,
        [first, ..] => first >> 13 == 0b001,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_every_special_block() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::10.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::808:808",
            "64:ff9b:0:1::808:808",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let ip = address.parse().unwrap();
            assert!(!Destinations::Public.allow(ip), "{address} is not public");
            assert!(Destinations::Any.allow(ip));
        }
    }

    #[test]
    fn allows_what_lies_beside_them() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.1",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2002:808:808::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "3fff:1000::1",
            "64:ff9b::808:808",
        ] {
            assert!(Destinations::Public.allow(address.parse().unwrap()), "{address} is public");
        }
    }

    #[test]
    fn is_a_lower_case_word_in_a_configuration() {
        assert_eq!(
            toml::from_str::<std::collections::BTreeMap<String, Destinations>>("d = \"any\"").unwrap()["d"],
            Destinations::Any
        );
    }
}
