//! The URL of a proxy: `socks5://[user:password@]host:port`, with the password kept out of everything that is shown.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// Octets of a user name or of a password: their length is one octet on the wire (RFC 1929 §2).
const LOGIN_OCTETS_MAX: usize = 255;

/// Where a SOCKS 5 proxy is, and how to log in. Prints, and serialises, with `***` for the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proxy {
    /// A name or an IP address, without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) login: Option<Login>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Box<str>,
    pub(super) password: Box<str>,
}

/// A text that names no proxy. It does not repeat the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadProxy {
    /// Another scheme, no port, or a host that can be none.
    #[error("expected socks5://host:port or socks5://user:password@host:port")]
    Shape,
    /// Half a login, or one that SOCKS cannot carry.
    #[error("a proxy's login needs a user and a password of up to 255 octets each, with %40 for @")]
    Login,
}

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let rest = text.strip_prefix("socks5://").ok_or(BadProxy::Shape)?;
        // A stray @ in a password is part of it.
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login.parse()?), place),
            None => (None, rest),
        };
        let (host, port) =
            place.strip_suffix('/').unwrap_or(place).rsplit_once(':').ok_or(BadProxy::Shape)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(BadProxy::Shape)?;
        Ok(Self { host: host_of(host).ok_or(BadProxy::Shape)?.into(), port, login })
    }
}

impl FromStr for Login {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let (user, password) = text.split_once(':').ok_or(BadProxy::Login)?;
        let decoded = |part| {
            let part = percent_decode_str(part).decode_utf8().ok()?;
            (1..=LOGIN_OCTETS_MAX).contains(&part.len()).then(|| part.into())
        };
        let (user, password) = decoded(user).zip(decoded(password)).ok_or(BadProxy::Login)?;
        Ok(Self { user, password })
    }
}

/// The host as the system takes it.
fn host_of(text: &str) -> Option<&str> {
    if let Some(v6) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse::<std::net::Ipv6Addr>().is_ok().then_some(v6);
    }
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (!text.is_empty() && text.bytes().all(is_name)).then_some(text)
}

impl TryFrom<String> for Proxy {
    type Error = BadProxy;

    fn try_from(text: String) -> Result<Self, BadProxy> {
        text.parse()
    }
}

impl From<Proxy> for String {
    fn from(proxy: Proxy) -> Self {
        proxy.to_string()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("socks5://")?;
        if let Some(login) = &self.login {
            write!(f, "{}:***@", login.user)?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (String, u16, Option<(String, String)>);

    fn parts(text: &str) -> Result<Parts, BadProxy> {
        let Proxy { host, port, login } = text.parse()?;
        Ok((host.into(), port, login.map(|login| (login.user.into(), login.password.into()))))
    }

    #[test]
    fn reads_what_is_meant() {
        let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (text, host, port, expected) in [
            ("socks5://10.0.0.1:1080", "10.0.0.1", 1080, None),
            ("socks5://[2001:db8::1]:1080/", "2001:db8::1", 1080, None),
            ("socks5://exit_1.example.net:9050", "exit_1.example.net", 9050, None),
            ("socks5://ada:hush@proxy:1080", "proxy", 1080, login("ada", "hush")),
            ("socks5://ada:h:u@sh@proxy:1080", "proxy", 1080, login("ada", "h:u@sh")),
            ("socks5://a%40b:h%2Fush%c3%a9@proxy:1080", "proxy", 1080, login("a@b", "h/ushé")),
        ] {
            assert_eq!(parts(text), Ok((host.to_owned(), port, expected)), "{text}");
        }
    }

    #[test]
    fn refuses_what_names_no_proxy() {
        for text in [
            "",
            "proxy:1080",
            "http://proxy:1080",
            "socks5h://proxy:1080",
            "socks5://proxy",
            "socks5://proxy:0",
            "socks5://proxy:66000",
            "socks5://:1080",
            "socks5://2001:db8::1:1080",
            "socks5://[::g]:1",
            "socks5://a b:1",
            "socks5://proxy:1080/path",
        ] {
            assert_eq!(parts(text), Err(BadProxy::Shape), "{text}");
        }
        let long = format!("socks5://ada:{}@proxy:1080", "x".repeat(256));
        for text in [
            "socks5://ada@proxy:1080",
            "socks5://:hush@proxy:1080",
            "socks5://ada:@proxy:1080",
            "socks5://a:%ff@proxy:1080",
            &long,
        ] {
            assert_eq!(parts(text), Err(BadProxy::Login), "{text}");
        }
    }

    #[test]
    fn never_shows_the_password() {
        for (text, shown) in [
            ("socks5://ada:hush@[::1]:1080", "socks5://ada:***@[::1]:1080"),
            ("socks5://10.0.0.1:1080", "socks5://10.0.0.1:1080"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
            assert_eq!(toml::Value::try_from(&proxy).unwrap().as_str(), Some(shown));
        }
        let error =
            toml::from_str::<std::collections::BTreeMap<String, Proxy>>("p = \"http://ada:hush@x:1\"");
        assert!(!error.unwrap_err().message().contains("hush"));
    }
}
