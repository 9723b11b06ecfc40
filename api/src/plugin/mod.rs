//! What authors of plugins need beside the host: a project begun and built, its cases run, its cost measured, a call
//! recorded.
//!
//! Nothing here prints but compilers at work; `cli/plugin` does. What runs in production is in `mailsonde_wasm`.

mod answers;
mod build;
mod cases;
mod manifest;
mod measure;
mod new;
mod project;
mod record;
mod said;
mod sources;
mod stand_ins;
mod trial;
mod values;

pub(crate) use build::{BuildError, build};
pub(crate) use cases::{CASES, Case, Cases, Expect};
pub(crate) use manifest::{Language, World};
pub(crate) use measure::{Cost, measure};
pub(crate) use new::{NewError, NewProject};
pub(crate) use project::component_of;
pub(crate) use record::Recorder;
pub(crate) use sources::newer_than;
pub(crate) use trial::{Came, Trial, What};
