//! Where mailsonde's settings come from, and what is said when one is wrong.
//!
//! Three layers, each stronger than the one before: the built-in [`DEFAULT_TOML`], one TOML file, and
//! environment variables (`MAILSONDE_SMTP__PORT=2525` is `port` in `[smtp]`). figment merges them.
//!
//! This crate knows layers and errors, not components. Each stage, resolver or prober keeps its own
//! `Config` struct beside its code (serde, `deny_unknown_fields`; no `flatten` or `untagged`, which lose
//! the place of an error), and whoever assembles the program asks for it:
//!
//! ```
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Judge { role: String, random: String, history_trust_days: u32 }
//!
//! let settings: mailsonde_config::Settings = "[judge]\nrandon = 'always'".parse()?;
//! let wrong = settings.section::<Judge>("judge").unwrap_err();
//! assert_eq!(wrong.to_string(), "mailsonde.toml:2: unknown key `randon` in [judge]; did you mean `random`?");
//! # Ok::<(), mailsonde_config::ConfigError>(())
//! ```

mod environment;
mod error;
mod explain;
mod file;
mod layer;
mod nearest;
mod path;
mod read;
mod secret;
mod settings;
mod show;
mod stage;

pub use error::{ConfigError, Place};
pub use nearest::{did_you_mean, nearest};
pub use settings::{DEFAULT_TOML, Settings};
pub use stage::{OnFault, PipelineConfig, SlotConfig, StageSection};
