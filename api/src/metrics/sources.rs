//! What others count: the prober, plugins, pools of connections. Read when somebody asks.

use std::sync::Arc;

use mailsonde_engine::Stage as _;
use mailsonde_net::{SmtpProber, UsageOf};
use mailsonde_wasm::{PluginStats, WasmStage};
use prometheus::proto::MetricFamily;

use super::family::{Family, count, gauge};

/// What is counted elsewhere in this process.
#[derive(Default)]
pub(crate) struct Sources {
    /// The process's prober, where it has one.
    pub(crate) prober: Option<SmtpProber>,
    /// The plugins that were loaded.
    pub(crate) plugins: Vec<Arc<WasmStage>>,
}

impl Sources {
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut families = self.prober.as_ref().map(of_prober).unwrap_or_default();
        families.extend(self.of_plugins());
        families
    }

    fn of_plugins(&self) -> Vec<MetricFamily> {
        let stats: Vec<(&str, PluginStats)> =
            self.plugins.iter().map(|plugin| (plugin.name(), plugin.stats())).collect();
        let told = |name, help, value: fn(&PluginStats) -> u64| {
            let mut family = Family::new(name, help, &["plugin"]);
            for (plugin, stats) in &stats {
                family.add([*plugin], count(value(stats)));
            }
            family
        };
        let counters = [
            told("mailsonde_plugin_calls_total", "Calls of plugins", |stats| stats.calls),
            told("mailsonde_plugin_failed_calls_total", "Calls that failed", |stats| stats.failed_calls),
            told("mailsonde_plugin_settled_total", "Subjects that were settled", |stats| stats.settled),
            told("mailsonde_plugin_left_open_total", "Subjects that were left open", |stats| stats.left_open),
            told("mailsonde_plugin_parked_total", "Batches that were turned away", |stats| stats.parked),
            told("mailsonde_plugin_reloads_total", "New versions that took over", |stats| stats.reloads),
        ];
        let gauges = [
            told("mailsonde_plugin_warm_instances", "Instances that wait for work", |stats| {
                stats.warm as u64
            }),
            told("mailsonde_plugin_is_parked", "1 while it is parked", |stats| u64::from(stats.is_parked)),
        ];
        let counters = counters.into_iter().flat_map(Family::counters);
        counters.chain(gauges.into_iter().flat_map(Family::gauges)).collect()
    }
}

/// Mail servers that were asked, by operator.
fn of_prober(prober: &SmtpProber) -> Vec<MetricFamily> {
    let operator = &["operator"];
    let mut asked = Family::new(
        "mailsonde_smtp_recipients_total",
        "Recipients that mail servers were asked about",
        operator,
    );
    let mut put_off = Family::new(
        "mailsonde_smtp_put_off_total",
        "Recipients that mail servers want to hear of again later",
        operator,
    );
    let mut seconds =
        Family::new("mailsonde_smtp_session_seconds_total", "Time of sessions at work, in seconds", operator);
    let mut borne = Family::new(
        "mailsonde_smtp_sessions_borne_ratio",
        "Part of the configured sessions that is borne, by what was learned",
        operator,
    );
    let mut pace = Family::new(
        "mailsonde_smtp_recipients_per_minute_borne",
        "Recipients a minute that are borne, where a limit was met",
        operator,
    );
    for usage in prober.usage() {
        let of = [name(usage.of)];
        asked.add(of, count(usage.asked));
        put_off.add(of, count(usage.put_off));
        seconds.add(of, usage.time.as_secs_f64());
        borne.add(of, usage.bears);
        if let Some(per_minute) = usage.pace {
            pace.add(of, count(per_minute as u64));
        }
    }
    let mut families: Vec<MetricFamily> =
        [asked, put_off, seconds].into_iter().flat_map(Family::counters).collect();
    families.extend([borne, pace].into_iter().flat_map(Family::gauges));
    let sessions = count(prober.sessions() as u64);
    families.extend(gauge("mailsonde_smtp_sessions", "Sessions that are open, or about to be", sessions));
    let is_cut_off = f64::from(u8::from(prober.outage().is_some()));
    families.extend(gauge("mailsonde_smtp_outage", "1 while no mail server can be reached", is_cut_off));
    families
}

/// Hosts of nobody known are told apart by how many of their recipients are asked about.
fn name(of: UsageOf) -> &'static str {
    match of {
        UsageOf::Operator(id) => id,
        UsageOf::Many => "other-large",
        UsageOf::Few => "other-small",
    }
}
