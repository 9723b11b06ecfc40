//! Where messages may go. Whoever gives us an address chooses where we connect to, so it is looked at when it is given,
//! and at each try: its form here, what its name leads to in [`super::resolver`], at the moment of the connection.
//!
//! Addresses are public where the IANA registries say so (`Destinations` of the mail side). What a name leads to later is
//! nothing that is checked here: a name without an answer is let in, and looked at when it is connected to.

use std::{net::IpAddr, sync::Arc};

use mailsonde_engine::Resolver;
use mailsonde_net::Destinations;
use reqwest::Url;

use super::{
    WebhooksConfig,
    resolver::{NameError, addresses},
};

/// Octets of an address. Longer ones are no addresses that anybody serves.
const URL_MAX: usize = 2_048;

/// Ports from 1,024 on whose services heed what is in a request, or at which what is inside listens: those that browsers
/// refuse, databases, caches, and what runs containers.
#[rustfmt::skip]
const PORTS_DENIED: &[u16] = &[
    1025, 1080, 1099, 1433, 1434, 1521, 1719, 1720, 1723, 1883, 2049, 2181, 2375, 2376, 2377, 2379, 2380, 2525, 3128,
    3268, 3269, 3306, 3389, 3659, 4045, 4190, 4369, 4444, 4505, 4506, 5000, 5060, 5061, 5432, 5555, 5601, 5672, 5900,
    5984, 5985, 5986, 6000, 6001, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 7000, 7001, 7199, 7474,
    7687, 7946, 8125, 8300, 8301, 8500, 8600, 8649, 9042, 9092, 9160, 9200, 9300, 9418, 10025, 10080, 10250, 10255,
    10256, 11211, 11300, 15672, 16379, 25565, 26257, 26379, 27017, 27018, 27019, 28015, 50000, 50070, 61616,
];

/// Names that stand for what is near (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`), and all below them.
const NEAR: &[&str] = &["localhost", "local", "internal", "home.arpa"];

/// An address to which messages may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it is requested: without a fragment.
    pub(super) url: Url,
    host: Host,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// It is checked already: nobody is asked.
    Address,
    Name(Box<str>),
}

/// Why messages may not go there. Names nothing of the address itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsafe {
    /// Not what is called a URL.
    #[error("it is not a URL")]
    Unreadable,
    /// See [`URL_MAX`].
    #[error("it is longer than {URL_MAX} characters")]
    TooLong,
    /// Another scheme.
    #[error("it does not begin with https://")]
    Scheme,
    /// `user:password@`, which is often there to deceive.
    #[error("it holds a user name or a password")]
    UserInfo,
    /// See [`PORTS_DENIED`].
    #[error("its port may not be connected to: 443 may, and most from 1024 on")]
    Port,
    /// A name that stands for what is near.
    #[error("its host is not a public one")]
    Name,
    /// An address, or one of those that a name leads to, is not public.
    #[error("blocked address: its host is not a public one")]
    Address,
}

/// Looks at the form of an address, and at a host that is a number. Nobody is asked.
///
/// # Errors
/// Why messages may not go there.
pub(crate) fn check(url: &str, config: &WebhooksConfig) -> Result<Target, Unsafe> {
    if url.len() > URL_MAX {
        return Err(Unsafe::TooLong);
    }
    // The parser would leave some of them out.
    if url.chars().any(|char| char.is_control() || char.is_whitespace()) {
        return Err(Unsafe::Unreadable);
    }
    let mut url = Url::parse(url).map_err(|_| Unsafe::Unreadable)?;
    url.set_fragment(None);
    let is_http = url.scheme() == "http" && config.http;
    if url.scheme() != "https" && !is_http {
        return Err(Unsafe::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unsafe::UserInfo);
    }
    if !may_dial(url.port_or_known_default(), is_http) {
        return Err(Unsafe::Port);
    }
    let host = host_of(&url, config.destinations)?;
    Ok(Target { url, host })
}

fn may_dial(port: Option<u16>, is_http: bool) -> bool {
    match port {
        Some(443) => true,
        Some(80) => is_http,
        Some(port) => port >= 1024 && !PORTS_DENIED.contains(&port),
        None => false,
    }
}

fn host_of(url: &Url, destinations: Destinations) -> Result<Host, Unsafe> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Unsafe::Unreadable)?;
    // The parser has made numbers of whatever browsers take for one: 0x7f.1, 2130706433, 0177.0.0.1.
    let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = number.parse::<IpAddr>() {
        return if destinations.allow(address) { Ok(Host::Address) } else { Err(Unsafe::Address) };
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_near = !name.contains('.') || NEAR.iter().any(|near| is_at_or_below(name, near));
    match destinations {
        Destinations::Public if is_near => Err(Unsafe::Name),
        _ => Ok(Host::Name(name.into())),
    }
}

fn is_at_or_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Looks at addresses when they are given.
#[derive(Clone)]
pub(crate) struct Guard {
    config: WebhooksConfig,
    resolver: Arc<dyn Resolver>,
}

impl Guard {
    pub(crate) fn new(config: WebhooksConfig, resolver: Arc<dyn Resolver>) -> Self {
        Self { config, resolver }
    }

    /// Looks at the form of an address, and at what its name leads to now. A name without an answer is let in: it is
    /// looked at again when it is connected to.
    ///
    /// # Errors
    /// Why messages may not go there.
    pub(crate) async fn check(&self, url: &str) -> Result<Target, Unsafe> {
        let target = check(url, &self.config)?;
        if let Host::Name(name) = &target.host {
            match addresses(&*self.resolver, self.config.destinations, name).await {
                Err(NameError::Blocked) => return Err(Unsafe::Address),
                Ok(_) | Err(NameError::NoAddress | NameError::NoAnswer) => {}
            }
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::{Always, Lookup, LookupFailure};

    use super::{super::testing::*, *};

    #[rustfmt::skip]
    const REFUSED: &[(&str, Unsafe)] = &[
        ("https://127.0.0.1/", Unsafe::Address),
        ("https://[::1]/", Unsafe::Address),
        ("https://0x7f.1/", Unsafe::Address),
        ("https://0x7f000001/", Unsafe::Address),
        ("https://2130706433/", Unsafe::Address),
        ("https://0177.0.0.01/", Unsafe::Address),
        ("https://127.1/", Unsafe::Address),
        ("https://127.0.0.1./", Unsafe::Address),
        ("https://%31%32%37.0.0.1/", Unsafe::Address),
        ("https://１２７.０.０.１/", Unsafe::Address),
        ("https://0/", Unsafe::Address),
        ("https://0.0.0.0/", Unsafe::Address),
        ("https://10.1.2.3:8443/hook", Unsafe::Address),
        ("https://172.31.0.1/", Unsafe::Address),
        ("https://192.168.1.1/", Unsafe::Address),
        ("https://100.64.0.1/", Unsafe::Address),
        ("https://169.254.169.254/latest/meta-data/", Unsafe::Address),
        ("https://192.0.0.192/", Unsafe::Address),
        ("https://192.0.2.1/", Unsafe::Address),
        ("https://198.18.0.1/", Unsafe::Address),
        ("https://198.51.100.1/", Unsafe::Address),
        ("https://203.0.113.1/", Unsafe::Address),
        ("https://192.88.99.1/", Unsafe::Address),
        ("https://224.0.0.1/", Unsafe::Address),
        ("https://240.0.0.1/", Unsafe::Address),
        ("https://255.255.255.255/", Unsafe::Address),
        ("https://[::]/", Unsafe::Address),
        ("https://[::ffff:10.0.0.1]/", Unsafe::Address),
        ("https://[::ffff:8.8.8.8]/", Unsafe::Address),
        ("https://[::10.0.0.1]/", Unsafe::Address),
        ("https://[64:ff9b::a00:1]/", Unsafe::Address),
        ("https://[64:ff9b:1::1]/", Unsafe::Address),
        ("https://[2002:7f00:1::]/", Unsafe::Address),
        ("https://[2001::1]/", Unsafe::Address),
        ("https://[2001:db8::1]/", Unsafe::Address),
        ("https://[fd00:ec2::254]/", Unsafe::Address),
        ("https://[fe80::1]/", Unsafe::Address),
        ("https://[ff02::1]/", Unsafe::Address),
        ("https://localhost/", Unsafe::Name),
        ("https://localhost./", Unsafe::Name),
        ("https://LOCALHOST/", Unsafe::Name),
        ("https://a.localhost/", Unsafe::Name),
        ("https://metadata.google.internal/", Unsafe::Name),
        ("https://printer.local/", Unsafe::Name),
        ("https://router.home.arpa/", Unsafe::Name),
        ("https://intranet/", Unsafe::Name),
        ("https://intranet./", Unsafe::Name),
        ("https://user@example.com/", Unsafe::UserInfo),
        ("https://user:password@example.com/", Unsafe::UserInfo),
        ("https://:password@example.com/", Unsafe::UserInfo),
        ("https://example.com@127.0.0.1/", Unsafe::UserInfo),
        ("https://example.com:25/", Unsafe::Port),
        ("https://example.com:22/", Unsafe::Port),
        ("https://example.com:80/", Unsafe::Port),
        ("https://example.com:1023/", Unsafe::Port),
        ("https://example.com:0/", Unsafe::Port),
        ("https://example.com:6379/", Unsafe::Port),
        ("https://example.com:11211/", Unsafe::Port),
        ("http://example.com/", Unsafe::Scheme),
        ("ftp://example.com/", Unsafe::Scheme),
        ("file:///etc/passwd", Unsafe::Scheme),
        ("gopher://example.com/", Unsafe::Scheme),
        ("javascript:alert(1)", Unsafe::Scheme),
        ("", Unsafe::Unreadable),
        ("example.com", Unsafe::Unreadable),
        ("https://", Unsafe::Unreadable),
        ("https://exa mple.com/", Unsafe::Unreadable),
        ("https://example.com/\r\nHost: inside", Unsafe::Unreadable),
        ("https://example.com/\0", Unsafe::Unreadable),
        (" https://example.com/", Unsafe::Unreadable),
        ("https://example.com:99999/", Unsafe::Unreadable),
        ("https://[::1/", Unsafe::Unreadable),
        ("https://[fe80::1%25eth0]/", Unsafe::Unreadable),
        ("https://1.2.3.4.5/", Unsafe::Unreadable),
        ("https://256.1.1.1/", Unsafe::Unreadable),
    ];

    #[test]
    fn what_leads_inside_is_refused() {
        for (url, why) in REFUSED {
            assert_eq!(check(url, &public()), Err(*why), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_MAX));
        assert_eq!(check(&long, &public()), Err(Unsafe::TooLong));
    }

    #[test]
    fn what_is_public_is_let_in_as_it_is_dialled() {
        for (url, dialled, host) in [
            ("https://example.com", "https://example.com/", "example.com"),
            ("https://Example.COM:443/a?b=c#d", "https://example.com/a?b=c", "example.com"),
            ("https://example.com:8443/", "https://example.com:8443/", "example.com"),
            ("https://exämple.com/", "https://xn--exmple-cua.com/", "xn--exmple-cua.com"),
            ("https://example.com./", "https://example.com./", "example.com."),
            ("https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/", "[2606:4700::1111]"),
            ("https://notlocalhost.com/", "https://notlocalhost.com/", "notlocalhost.com"),
        ] {
            let target = check(url, &public()).unwrap();
            assert_eq!((target.url.as_str(), target.url.host_str().unwrap()), (dialled, host));
        }
    }

    #[test]
    fn a_laboratory_may_have_http_and_addresses_of_its_own_but_ports_stay() {
        let laboratory = laboratory();
        for url in ["http://127.0.0.1/", "https://[::1]:8443/", "http://hooks:8080/", "https://localhost/"] {
            assert!(check(url, &laboratory).is_ok(), "{url}");
        }
        assert_eq!(check("http://127.0.0.1:25/", &laboratory), Err(Unsafe::Port));
        // One of the two alone.
        let open = WebhooksConfig { http: true, ..public() };
        assert_eq!(check("http://127.0.0.1/", &open), Err(Unsafe::Address));
        assert!(check("http://example.com/", &open).is_ok());
        let inside = WebhooksConfig { destinations: Destinations::Any, ..public() };
        assert_eq!(check("http://127.0.0.1/", &inside), Err(Unsafe::Scheme));
    }

    #[tokio::test]
    async fn a_name_is_refused_if_any_address_of_it_is_not_public() {
        let guard = |addresses: &[&str]| Guard::new(public(), Arc::new(Names::new(addresses)));
        for (addresses, expected) in [
            (&["8.8.8.8", "2606:4700::1111"][..], Ok(())),
            (&["8.8.8.8", "10.0.0.1"], Err(Unsafe::Address)),
            (&["8.8.8.8", "::1"], Err(Unsafe::Address)),
            (&["::ffff:10.0.0.1"], Err(Unsafe::Address)),
            (&["169.254.169.254"], Err(Unsafe::Address)),
            (&[], Ok(())),
        ] {
            let checked = guard(addresses).check("https://hooks.example.com/").await;
            assert_eq!(checked.map(drop), expected, "{addresses:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_answers_for_is_looked_at_later() {
        for lookup in [Lookup::NoDomain, Lookup::NoData, Lookup::Failed(LookupFailure::Timeout)] {
            let guard = Guard::new(public(), Arc::new(Always(lookup)));
            assert!(guard.check("https://hooks.example.com/").await.is_ok());
        }
    }
}
