//! What a session keeps to: who we say that we are, how long we wait, when TLS is taken up.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{memory::Manners, tls::Tls};

/// Who we say that we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The name in EHLO.
    pub(crate) hello: Box<str>,
    /// The sender in MAIL; empty for the null sender.
    pub(crate) sender: Box<str>,
}

/// When sessions take up TLS (RFC 3207). A probe carries no message, but it tells who is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// Where the host will not speak without: the fewest round trips.
    #[default]
    IfRequired,
    /// Where the host offers it; without, where that fails.
    IfOffered,
    /// Or not at all: a host without TLS is not asked.
    Always,
    /// Not even where the host wants it.
    Never,
}

/// What a session keeps to.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) identity: Arc<Identity>,
    /// Time for one whole reply.
    pub(crate) reply_timeout: Duration,
    pub(crate) starttls: StartTls,
    pub(crate) tls: Arc<Tls>,
    /// What the host is known to want.
    pub(crate) manners: Manners,
}
