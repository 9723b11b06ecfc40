//! A mail internet of our own: name servers and mail servers that do exactly what a test tells them to, and count
//! what is done to them.
//!
//! A zone is text in the manner of master files, mail servers are tables of TOML:
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use mailsonde_lab::{Answer, Internet, RecordType};
//!
//! let zone = "a.test MX 10 mx.a.test";
//! let hosts = r#"
//!     [host."mx.a.test"]
//!     like = "postfix"
//!     accepts = ["jane@a.test"]
//! "#;
//! let internet = Internet::parse(zone, hosts)?;
//! assert!(matches!(internet.lookup("a.test", RecordType::Mx).await, Answer::Records(_)));
//! let stream = internet.dial(internet.address("mx.a.test").unwrap()).await?;
//! # drop(stream);
//! assert_eq!(internet.counts().total.connections, 1);
//! # anyhow::Ok(()) }).unwrap();
//! ```
//!
//! The same internet lives in two ways, which never mix. In memory ([`Internet::dial`], [`Internet::lookup`]) there is
//! no socket, so a paused clock of tokio runs through hours of delay at once. On loopback ([`Internet::listen`]) every
//! mail server has an address of its own and the name server answers over UDP and TCP, for programs that know nothing
//! of the lab.
//!
//! It takes no message (DATA is counted as a violation), checks no signatures, and knows no crate of the workspace:
//! what it proves does not rest on what it tests.

mod cable;
mod counts;
mod dns;
mod host;
mod internet;
mod limits;
mod look_alike;
mod net;
mod network;
mod pattern;
mod people;
mod say;
mod smtp;
mod verb;
mod zone;

pub use cable::Cable;
pub use counts::{Counts, Tally, Violations};
pub use host::{Ehlo, Greylist, Host, Lie, Reach, StartTls, Tarpit, Texts};
pub use internet::Internet;
pub use limits::{Flow, Limits, OneDomain, Pace, Window};
pub use net::Net;
pub use people::{Person, internet_of, people};
pub use say::{Ending, Say};
pub use verb::Verb;
pub use zone::{Answer, Fault, Record, RecordData, RecordType, Zone};
