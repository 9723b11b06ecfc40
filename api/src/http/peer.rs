//! From where a request comes: the other side of the connection, or whom a proxy that is trusted names.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// From where a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Proxies whose word is believed.
pub(super) struct Proxies(Vec<IpAddr>);

impl Proxies {
    /// As configured.
    pub(super) fn new(trusted: &[IpAddr]) -> Self {
        Self(trusted.iter().map(IpAddr::to_canonical).collect())
    }

    /// Who asks on a connection from there: where that is a proxy of ours, whom the last of them names.
    pub(super) fn peer(&self, from: IpAddr, headers: &HeaderMap) -> Peer {
        let from = from.to_canonical();
        if !self.0.contains(&from) {
            return Peer(from);
        }
        let named = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .map(|name| address(name.trim()))
            .collect::<Vec<_>>();
        // What stands before a name that is none was written by nobody that we trust.
        let named = named.into_iter().rev().map_while(|address| address);
        Peer(named.into_iter().find(|address| !self.0.contains(address)).unwrap_or(from))
    }
}

/// An address as proxies write it, some of them with its port.
fn address(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let address = bare.parse().ok().or_else(|| name.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn peer(from: &str, named: &[&'static str]) -> String {
        let proxies = Proxies::new(&["10.0.0.1".parse().unwrap(), "::ffff:10.0.0.2".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in named {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        proxies.peer(from.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn who_is_no_proxy_of_ours_names_nobody() {
        assert_eq!(peer("192.0.2.7", &["203.0.113.9"]), "192.0.2.7");
        assert_eq!(peer("::ffff:192.0.2.7", &[]), "192.0.2.7");
    }

    #[test]
    fn the_last_that_is_no_proxy_is_meant() {
        assert_eq!(peer("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(peer("10.0.0.1", &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(peer("::ffff:10.0.0.2", &["198.51.100.1", "203.0.113.9, 10.0.0.1"]), "203.0.113.9");
        assert_eq!(peer("10.0.0.2", &["10.0.0.1"]), "10.0.0.2");
    }

    #[test]
    fn a_name_with_a_port_is_a_name_and_what_is_none_ends_the_search() {
        assert_eq!(peer("10.0.0.1", &["203.0.113.9:51234"]), "203.0.113.9");
        assert_eq!(peer("10.0.0.1", &["[2001:db8::9]:51234"]), "2001:db8::9");
        assert_eq!(peer("10.0.0.1", &["[2001:db8::9]"]), "2001:db8::9");
        assert_eq!(peer("10.0.0.1", &["203.0.113.9, unknown"]), "10.0.0.1");
        assert_eq!(peer("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.1");
    }
}
