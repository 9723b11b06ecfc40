//! Limits of the engine: each a name, a value and a reason.

/// MX records of one domain that are looked at, best preference first.
/// A sender that needs more than ten hosts to deliver one message does not exist; answers with 500 do.
pub const MX_HOSTS_MAX: usize = 10;

/// Addresses of one mail host that are tried, both families together.
pub const HOST_ADDRESSES_MAX: usize = 4;

/// Octets of an input that is still looked at; contract: anything longer is `too_long`.
pub const INPUT_OCTETS_MAX: usize = 320;

/// Subjects in flight while results leave in order: bounds memory when one domain is slow.
pub const ORDER_WINDOW: usize = 10_000;

/// Subjects of one batch. Large enough that a probe can pool by mail host, small enough that results flow.
pub const BATCH_MAX: usize = 1_000;

/// Octets of a reply's text that are kept as evidence.
pub const REPLY_TEXT_MAX: usize = 512;
