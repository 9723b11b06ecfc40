//! The only crate that opens sockets towards DNS and mail servers.
//!
//! It answers behind the engine's traits: [`HickoryResolver`] is the `Resolver`, [`SmtpProber`] the `Prober`. Both are one
//! per process, so that a cache is shared and sessions serve whoever asked. No mail is ever sent: the dialogue ends at
//! RCPT.

pub mod budget;
pub mod catch_all;
pub mod classify;
pub mod destination;
pub mod dialer;
mod echo;
pub mod egress;
pub mod learned;
mod memory;
pub mod prober;
mod random;
mod recent;
pub mod reply;
pub mod resolver;
pub mod rules;
#[cfg(test)]
mod script;
mod session;
mod tls;

pub use resolver::{Config as DnsConfig, HickoryResolver, ResolverError, ResolverStats};

pub use budget::{Claim, Leave, Portion, Ration, RationError, RationKey, Rival, Usage, UsageOf};
pub use classify::{Classified, Peer, classify};
pub use destination::Destinations;
pub use dialer::{Dialer, Socks5Dialer, TcpDialer};
pub use egress::{EgressConfig, Outage};
pub use learned::{Learned, Lesson, Lessons};
pub use prober::{Commons, Config as SmtpConfig, ConfigError as SmtpConfigError, SmtpProber};
pub use reply::Reply;
pub use session::StartTls;
pub use tls::Certificates;
