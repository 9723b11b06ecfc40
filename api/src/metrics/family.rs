//! Figures that are only read: as many of a name as there are labels for it.

use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Opts, core::Collector, proto::MetricFamily};

/// Metrics of one name, one for each set of labels.
pub(super) struct Family<'n> {
    name: &'n str,
    help: &'n str,
    labels: &'n [&'n str],
    values: Vec<(Vec<String>, f64)>,
}

impl<'n> Family<'n> {
    pub(super) fn new(name: &'n str, help: &'n str, labels: &'n [&'n str]) -> Self {
        Self { name, help, labels, values: Vec::new() }
    }

    /// One more; as many labels as there are names of them.
    pub(super) fn add<L: Into<String>>(&mut self, labels: impl IntoIterator<Item = L>, value: f64) {
        self.values.push((labels.into_iter().map(Into::into).collect(), value));
    }

    /// They only grow, for as long as what counts them lives.
    pub(super) fn counters(self) -> Vec<MetricFamily> {
        self.collected(CounterVec::new, |vec, labels, value| {
            let metric: prometheus::Result<Counter> = vec.get_metric_with_label_values(labels);
            metric.map(|counter| counter.inc_by(value.max(0.0)))
        })
    }

    /// They go up and down.
    pub(super) fn gauges(self) -> Vec<MetricFamily> {
        self.collected(GaugeVec::new, |vec, labels, value| {
            let metric: prometheus::Result<Gauge> = vec.get_metric_with_label_values(labels);
            metric.map(|gauge| gauge.set(value))
        })
    }

    fn collected<V: Collector>(
        self,
        new: impl FnOnce(Opts, &[&str]) -> prometheus::Result<V>,
        set: impl Fn(&V, &[&str], f64) -> prometheus::Result<()>,
    ) -> Vec<MetricFamily> {
        let collected = new(Opts::new(self.name, self.help), self.labels).and_then(|vec| {
            for (labels, value) in &self.values {
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                set(&vec, &labels, *value)?;
            }
            Ok(vec.collect())
        });
        collected.unwrap_or_else(|error| {
            tracing::error!("the metric {} cannot be told: {error}", self.name);
            Vec::new()
        })
    }
}

/// One figure without labels.
pub(super) fn gauge(name: &str, help: &str, value: f64) -> Vec<MetricFamily> {
    let mut family = Family::new(name, help, &[]);
    family.add(std::iter::empty::<String>(), value);
    family.gauges()
}

/// Counts are far below what a double holds exactly.
#[allow(clippy::cast_precision_loss)]
pub(super) fn count(value: u64) -> f64 {
    value as f64
}
