//! What Prometheus reads.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::StatusCode;
use hitters_dataflows::ranking::State;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::refusal::Refusal;
use crate::meters::Meters;
use crate::query::history::History;
use crate::store::catalog::Catalog;

type Labels = Vec<(&'static str, String)>;
type Size = Gauge<u64, AtomicU64>;

/// Upper bounds of durations, in seconds.
const DURATIONS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counts of requests.
pub(super) struct Metrics {
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATIONS);
        Metrics { requests: Family::default(), durations: Family::new_with_constructor(histogram) }
    }

    /// Notes a request that was answered or refused.
    pub(super) fn note(&self, route: &'static str, status: StatusCode, took: Duration) {
        let route = ("route", route.to_string());
        self.requests.get_or_create(&vec![route.clone(), ("status", status.as_str().into())]).inc();
        self.durations.get_or_create(&vec![route]).observe(took.as_secs_f64());
    }

    /// All of it, with the sizes as they are now and how many questions are worked on, in the OpenMetrics text format.
    pub(super) fn text(&self, history: &History, running: usize) -> Result<String, Refusal> {
        let mut registry = Registry::with_prefix("hitters");
        registry.register("http_requests", "Requests by route and status", self.requests.clone());
        registry.register("http_request_duration_seconds", "Time from request to answer", self.durations.clone());
        gauge(&mut registry, "http_running", "Questions that are worked on", running as u64);
        if let Some(catalog) = history.catalog()? {
            store(&mut registry, &catalog);
        }
        if let Some(live) = history.live() {
            let open = live.known().rankings().filter(|ranking| ranking.state == State::Early).count();
            gauge(&mut registry, "windows_open", "Windows with early results", open as u64);
            job(&mut registry, live.meters());
        }
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|_| Refusal::broken())?;
        Ok(text)
    }
}

fn store(registry: &mut Registry, catalog: &Catalog) {
    let windows = Family::<Labels, Size>::default();
    for level in 0..catalog.levels().count() {
        let labels = vec![("level", catalog.levels().name(level))];
        windows.get_or_create(&labels).set(catalog.count(level) as u64);
    }
    registry.register("store_windows", "Windows that are stored, by length", windows);
    let (all, live) = catalog.packs().fold((0, 0), |(all, live), (_, end, used)| (all + end, live + used));
    gauge(registry, "store_segment_bytes", "Size of all segments on disk", all);
    gauge(registry, "store_replaced_bytes", "Size of segments that were replaced", all.saturating_sub(live));
    gauge(registry, "store_dictionary_bytes", "Size of the dictionary of keys", catalog.keys_end());
    gauge(registry, "store_keys", "Different keys that are stored", catalog.keys().into());
    if let Some((_, end)) = catalog.span() {
        let seconds = Gauge::<f64, AtomicU64>::default();
        seconds.set(end as f64 / 1e3);
        registry.register("store_until_seconds", "End of the last window that is stored, as a Unix time", seconds);
    }
}

fn job(registry: &mut Registry, meters: &Meters) {
    let events = Counter::<u64>::default();
    events.inc_by(meters.events());
    registry.register("events", "Events that were read", events);
    let rejected = Family::<Labels, Counter>::default();
    for (reason, count) in meters.rejected() {
        rejected.get_or_create(&vec![("reason", reason.name().into())]).inc_by(count);
    }
    registry.register("rejected", "Records that gave no event, by reason", rejected);
    if let Some(watermark) = meters.watermark() {
        let seconds = Gauge::<f64, AtomicU64>::default();
        seconds.set(watermark as f64 / 1e3);
        registry.register("watermark_seconds", "The job's watermark, as a Unix time", seconds);
    }
}

fn gauge(registry: &mut Registry, name: &str, about: &str, value: u64) {
    let gauge = Size::default();
    gauge.set(value);
    registry.register(name, about, gauge);
}
