//! The table `[webhooks]`.

use std::{path::PathBuf, time::Duration};

use mailsonde_net::Destinations;
use serde::Deserialize;

/// See default.toml, where each key has its comment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhooksConfig {
    pub(crate) destinations: Destinations,
    pub(crate) http: bool,
    pub(crate) ca_file: PathBuf,
    #[serde(with = "humantime_serde")]
    pub(crate) timeout: Duration,
    pub(crate) per_host_max: usize,
    pub(crate) at_once_max: usize,
}
