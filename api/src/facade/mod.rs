//! The objects of the products' vocabularies: what clients of each read, whether over HTTP or in a webhook. Shapes alone:
//! nothing is looked up here.

pub(crate) mod email_verifier;
pub(crate) mod relentless;
pub(crate) mod tasks;
