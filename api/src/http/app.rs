//! What endpoints have: one of it for the process, whole from the beginning. Until the database is there, there is none,
//! and `front` answers instead.

use std::sync::Arc;

use mailsonde_engine::Policy;

use super::{
    email_verifier::{Pages, Stats},
    failed::Failed,
    ongoing::Ongoing,
    rate::Limiter,
    relentless::Relentless,
    tasks::Tasks,
    uploads::Uploads,
};
use crate::{
    access::Directory,
    assembly::Variants,
    billing::Ledger,
    jobs::{capacity::Site, config::JobsConfig, download::Places, estimate::Estimate},
    metrics::Metrics,
    store::{Shared, formats::StoredFormats},
    webhooks::Guard,
};

/// The pipeline of requests and of the jobs that they make.
pub(crate) const PIPELINE: &str = "verify";

/// The pipeline of people who are to be found.
pub(crate) const FIND_PIPELINE: &str = "find";

/// What endpoints have.
pub(crate) struct App {
    /// What is kept.
    pub(crate) store: Shared,
    /// Whose key is this.
    pub(crate) directory: Arc<Directory>,
    /// Who has used what.
    pub(crate) ledger: Arc<Ledger>,
    /// The pipeline that addresses go through, as requests choose it.
    pub(crate) verify: Variants,
    /// The pipeline that people are looked for with.
    pub(crate) find: Variants,
    /// What is known of how domains make addresses.
    pub(crate) formats: Arc<StoredFormats>,
    /// What the tasks product has besides.
    pub(crate) tasks: Tasks,
    /// The table `[jobs]`.
    pub(crate) jobs: JobsConfig,
    /// How long jobs are likely to take.
    pub(crate) estimate: Estimate,
    /// What there is to plan jobs with.
    pub(crate) site: Site,
    /// Where webhooks may go.
    pub(crate) guard: Guard,
    /// How findings are judged.
    pub(crate) policy: Policy,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Requests a minute, for each key.
    pub(crate) limiter: Limiter,
    /// Failed authentication, for each address.
    pub(crate) failed: Arc<Failed>,
    /// Files that are read.
    pub(crate) downloads: Places,
    /// Large pages of results that are read.
    pub(crate) pages: Pages,
    /// Files that are taken.
    pub(crate) uploads: Uploads,
    /// Requests that go on when their clients have gone.
    pub(crate) ongoing: Ongoing,
    /// What the installation knows.
    pub(crate) stats: Stats,
    /// What the endpoints of Relentless Identity have besides.
    pub(crate) relentless: Relentless,
}
