//! The table `[http]`.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use serde::Deserialize;

/// See default.toml, where each key has its comment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) connections_max: usize,
    pub(crate) requests_per_minute: NonZeroU32,
    pub(crate) burst: NonZeroU32,
    pub(crate) failures_per_minute: NonZeroU32,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    #[serde(with = "humantime_serde")]
    pub(crate) idle_max: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_max: Duration,
}

#[cfg(test)]
impl HttpConfig {
    /// The defaults.
    pub(super) fn of_tests() -> Self {
        mailsonde_config::Settings::load(None).unwrap().section("http").unwrap()
    }
}
