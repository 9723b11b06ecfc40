//! What is counted, for whoever watches: `GET /metrics`, in the text format of Prometheus.
//!
//! | | |
//! |---|---|
//! | here | what is counted as it happens: requests, stages, limits that were met |
//! | `sources` | what others count: mail servers that were asked, plugins, connections |
//! | `figures` | what the database knows: the queue, jobs, quotas; asked now and then, however often somebody scrapes |
//! | `process` | the process as the kernel sees it |
//! | `family` | how figures that are only read become metrics |
//!
//! No label holds what a client sent: routes are our own patterns, and clients stand by their ids.

mod family;
mod figures;
mod process;
mod sources;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mailsonde_engine::{Pipeline, SlotReport};
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder, proto::MetricFamily,
};

use self::figures::Figures;
pub(crate) use self::{process::descriptors_max, sources::Sources};
use crate::store::Shared;

/// Of requests: from what memory answers to what mail servers take.
const REQUEST_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0];

/// Of stages, for a batch: from what only computes to what waits for greylisting hosts.
const STAGE_BUCKETS: &[f64] = &[0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// A limit that somebody met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Requests of a key.
    KeyRate,
    /// Failed authentication of an address.
    AddressRate,
    /// Octets of a body.
    BodySize,
    /// Time for a body.
    BodyTime,
    /// Connections.
    Connections,
    /// Downloads at once.
    Downloads,
    /// Large pages at once.
    Pages,
    /// Uploads at once.
    Uploads,
    /// Addresses that are looked for or asked about at once.
    SyncAddresses,
}

impl Limit {
    fn word(self) -> &'static str {
        match self {
            Self::KeyRate => "key_rate",
            Self::AddressRate => "address_rate",
            Self::BodySize => "body_size",
            Self::BodyTime => "body_time",
            Self::Connections => "connections",
            Self::Downloads => "downloads",
            Self::Pages => "pages",
            Self::Uploads => "uploads",
            Self::SyncAddresses => "sync_addresses",
        }
    }
}

/// What is counted in this process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    /// Requests that are being answered.
    pub(crate) in_flight: IntGauge,
    /// Connections that are open.
    pub(crate) connections: IntGauge,
    /// Files that are read.
    pub(crate) downloads: IntGauge,
    /// Large pages of results that are made, or being read.
    pub(crate) pages: IntGauge,
    /// Files that are taken.
    pub(crate) uploads: IntGauge,
    /// Addresses that are looked for or asked about at once for clients who wait.
    pub(crate) sync_addresses: IntGauge,
    limits: IntCounterVec,
    stage_seconds: HistogramVec,
    stage_subjects: IntCounterVec,
    stage_faults: IntCounterVec,
    /// What others count, once it is there.
    sources: Mutex<Sources>,
    figures: Figures,
}

impl Metrics {
    /// Nothing is counted yet.
    ///
    /// # Errors
    /// Two metrics of one name: a fault of ours.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let metrics = Self {
            requests: counters(
                &registry,
                "mailsonde_http_requests_total",
                "Requests that were answered",
                &["facade", "route", "method", "status"],
            )?,
            request_seconds: histograms(
                &registry,
                "mailsonde_http_request_seconds",
                "Time from the head of a request to that of its answer",
                &["facade", "route"],
                REQUEST_BUCKETS,
            )?,
            in_flight: gauge(
                &registry,
                "mailsonde_http_requests_in_flight",
                "Requests that are being answered",
            )?,
            connections: gauge(&registry, "mailsonde_http_connections", "Connections that are open")?,
            downloads: gauge(&registry, "mailsonde_http_downloads", "Files of jobs that are being read")?,
            pages: gauge(&registry, "mailsonde_http_pages", "Large pages of results that are being read")?,
            uploads: gauge(&registry, "mailsonde_http_uploads", "Files for jobs that are being taken")?,
            sync_addresses: gauge(
                &registry,
                "mailsonde_http_sync_addresses",
                "Addresses that are looked for or asked about for clients of Relentless Identity who wait",
            )?,
            limits: counters(
                &registry,
                "mailsonde_http_limits_met_total",
                "Requests and connections that met a limit",
                &["limit"],
            )?,
            stage_seconds: histograms(
                &registry,
                "mailsonde_stage_seconds",
                "Time of a stage for a batch, from the first to the last subject",
                &["pipeline", "stage"],
                STAGE_BUCKETS,
            )?,
            stage_subjects: counters(
                &registry,
                "mailsonde_stage_subjects_total",
                "Subjects that entered a stage",
                &["pipeline", "stage"],
            )?,
            stage_faults: counters(
                &registry,
                "mailsonde_stage_faults_total",
                "Subjects that a stage left open, by a fault or at a deadline",
                &["pipeline", "stage"],
            )?,
            sources: Mutex::default(),
            figures: Figures::default(),
            registry,
        };
        Ok(metrics)
    }

    /// What others count can be read from now on.
    pub(crate) fn watch(&self, sources: Sources) {
        *self.sources.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = sources;
    }

    /// A request was answered. `route`: the pattern of its path.
    pub(crate) fn answered(&self, facade: &str, route: &str, method: &str, status: u16, took: Duration) {
        let mut digits = [0; 3];
        let status = three_digits(status, &mut digits);
        self.requests.with_label_values(&[facade, route, method, status]).inc();
        self.seconds(facade, route).observe(took.as_secs_f64());
    }

    fn seconds(&self, facade: &str, route: &str) -> Histogram {
        self.request_seconds.with_label_values(&[facade, route])
    }

    /// Somebody met a limit.
    pub(crate) fn met(&self, limit: Limit) {
        self.limits.with_label_values(&[limit.word()]).inc();
    }

    /// Where it is counted what the stages of a pipeline cost.
    pub(crate) fn of_pipeline(&self, pipeline: &Pipeline) -> PipelineMetrics {
        let of_stage = |stage: &Arc<str>| {
            let labels = [pipeline.name(), &**stage];
            StageMetrics {
                seconds: self.stage_seconds.with_label_values(&labels),
                subjects: self.stage_subjects.with_label_values(&labels),
                faults: self.stage_faults.with_label_values(&labels),
            }
        };
        PipelineMetrics(pipeline.stages().map(of_stage).collect())
    }

    /// Everything, as text. The database is asked where there is one, and if it was not asked just now.
    pub(crate) async fn text(&self, store: Option<&Shared>) -> String {
        let mut families = self.registry.gather();
        families.extend(process::families());
        families.extend(self.sources.lock().unwrap_or_else(std::sync::PoisonError::into_inner).families());
        if let Some(store) = store {
            families.extend(self.figures.families(store).await);
        }
        families.sort_by(|a, b| a.name().cmp(b.name()));
        encoded(&families)
    }
}

/// What the stages of one pipeline cost, by their places. Its metrics are looked up once: a request has a dozen of them.
pub(crate) struct PipelineMetrics(Box<[StageMetrics]>);

/// What one stage costs.
struct StageMetrics {
    seconds: Histogram,
    subjects: IntCounter,
    faults: IntCounter,
}

impl PipelineMetrics {
    /// A batch has passed the pipeline.
    pub(crate) fn passed(&self, reports: &[SlotReport]) {
        for report in reports {
            let Some(stage) = self.0.get(report.position) else { continue };
            stage.seconds.observe(report.elapsed.as_secs_f64());
            stage.subjects.inc_by(report.entered as u64);
            stage.faults.inc_by(report.faults as u64);
        }
    }
}

fn encoded(families: &[MetricFamily]) -> String {
    let mut text = Vec::new();
    // A family without a metric is none of the format's: there is nothing to say of it.
    let told: Vec<MetricFamily> =
        families.iter().filter(|family| !family.get_metric().is_empty()).cloned().collect();
    if let Err(error) = TextEncoder::new().encode(&told, &mut text) {
        tracing::error!("metrics cannot be written: {error}");
    }
    String::from_utf8(text).unwrap_or_default()
}

/// A status, without asking for memory.
fn three_digits(status: u16, digits: &mut [u8; 3]) -> &str {
    for (digit, weight) in digits.iter_mut().zip([100, 10, 1]) {
        *digit = b'0' + u8::try_from(status / weight % 10).unwrap_or_default();
    }
    std::str::from_utf8(digits).unwrap_or("000")
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> prometheus::Result<HistogramVec> {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let histograms = HistogramVec::new(opts, labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

#[cfg(test)]
mod tests {
    use mailsonde_engine::{Check, Outcome, Pure, Slot, Subject};

    use super::*;

    struct Dns;

    impl Check for Dns {
        fn name(&self) -> &'static str {
            "dns"
        }

        fn check(&self, _: &Subject, _: &mut Outcome) {}
    }

    #[tokio::test]
    async fn what_was_counted_is_told() {
        let metrics = Metrics::new().unwrap();
        metrics.answered("email-verifier", "/api/v1/verify", "POST", 200, Duration::from_millis(3));
        metrics.answered("email-verifier", "/api/v1/verify", "POST", 429, Duration::from_micros(3));
        metrics.met(Limit::KeyRate);
        let report = SlotReport {
            position: 0,
            stage: "dns".into(),
            elapsed: Duration::from_millis(20),
            entered: 7,
            faults: 2,
            cause: None,
        };
        let pipeline = Pipeline::new("verify", vec![Slot::new(Arc::new(Pure(Dns)))]).unwrap();
        metrics.of_pipeline(&pipeline).passed(&[report]);
        let text = metrics.text(None).await;
        for line in [
            "mailsonde_http_requests_total{facade=\"email-verifier\",method=\"POST\",route=\"/api/v1/verify\",status=\"200\"} 1",
            "mailsonde_http_requests_total{facade=\"email-verifier\",method=\"POST\",route=\"/api/v1/verify\",status=\"429\"} 1",
            "mailsonde_http_request_seconds_bucket{facade=\"email-verifier\",route=\"/api/v1/verify\",le=\"0.001\"} 1",
            "mailsonde_http_request_seconds_count{facade=\"email-verifier\",route=\"/api/v1/verify\"} 2",
            "mailsonde_http_limits_met_total{limit=\"key_rate\"} 1",
            "mailsonde_stage_subjects_total{pipeline=\"verify\",stage=\"dns\"} 7",
            "mailsonde_stage_faults_total{pipeline=\"verify\",stage=\"dns\"} 2",
            "mailsonde_stage_seconds_bucket{pipeline=\"verify\",stage=\"dns\",le=\"0.05\"} 1",
            "# TYPE process_resident_memory_bytes gauge",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
