//! The table `[http]`.

use std::{
    net::{IpAddr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use mailsonde_config::{ConfigError, Settings};
use serde::Deserialize;

use super::hosts::HostsConfig;

/// See default.toml, where each key has its comment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) connections_max: NonZeroUsize,
    pub(crate) requests_per_minute: NonZeroU32,
    pub(crate) burst: NonZeroU32,
    pub(crate) failures_per_minute: NonZeroU32,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) hosts: HostsConfig,
    #[serde(with = "humantime_serde")]
    pub(crate) idle_max: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_max: Duration,
}

/// A shorter quiet between requests would end connections before their first one has come.
const IDLE_MIN: Duration = Duration::from_secs(1);

impl HttpConfig {
    /// The table of these settings.
    ///
    /// # Errors
    /// A value with which nobody could be served.
    pub(crate) fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let config: Self = settings.section("http")?;
        if config.idle_max < IDLE_MIN {
            return Err(settings.invalid("http.idle_max", "one second at least"));
        }
        config.hosts.check(settings)?;
        Ok(config)
    }
}

#[cfg(test)]
impl HttpConfig {
    /// The defaults.
    pub(super) fn of_tests() -> Self {
        Self::load(&Settings::load(None).unwrap()).unwrap()
    }
}
