//! Metric kinds, typed by their labels. This is the only module that uses the `metrics` facade.
//!
//! A metric with a closed label set holds one handle per combination of values, created at startup: an update costs an array access
//! and an atomic operation, and every series exists at zero. A *family* creates handles on demand, for labels that are known only
//! at runtime.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::labels::{Keys, Labels};

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Creates handles that are bound to one recorder.
#[derive(Clone)]
pub struct Registrar {
    recorder: Arc<PrometheusRecorder>,
}

impl Registrar {
    pub(super) fn new(recorder: PrometheusRecorder) -> Self {
        Self { recorder: Arc::new(recorder) }
    }

    fn key(name: &'static str, keys: &[&'static str], values: &[&str]) -> Key {
        let labels: Vec<Label> = keys.iter().zip(values).map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
        Key::from_parts(name, labels)
    }
}

/// A metric that the catalogue can create from a row.
pub trait Kind {
    /// The label type of the metric.
    type Labels: Keys;
    /// The type in the `# TYPE` line.
    const TYPE: &'static str;
    /// Creates the metric and, for a closed label set, all of its series.
    fn register(registrar: &Registrar, name: &'static str) -> Self;
    /// The combinations of label values; empty for a family.
    fn series() -> Vec<Vec<&'static str>>;
}

macro_rules! closed_kind {
    ($(#[$meta:meta])* $kind:ident, $type:literal, $handle:ty, $register:ident) => {
        $(#[$meta])*
        pub struct $kind<L> { handles: Box<[$handle]>, labels: PhantomData<fn(L)> }

        impl<L: Labels> Kind for $kind<L> {
            type Labels = L;
            const TYPE: &'static str = $type;
            fn register(registrar: &Registrar, name: &'static str) -> Self {
                let keys = L::keys();
                let handles = L::all().iter()
                    .map(|values| registrar.recorder.$register(&Registrar::key(name, &keys, values), &METADATA))
                    .collect();
                Self { handles, labels: PhantomData }
            }
            fn series() -> Vec<Vec<&'static str>> { L::all() }
        }
    };
}

closed_kind! {
    /// A monotonic count of events.
    Counter, "counter", metrics::Counter, register_counter
}
closed_kind! {
    /// A current value that can go up and down.
    Gauge, "gauge", metrics::Gauge, register_gauge
}
closed_kind! {
    /// A distribution over fixed buckets, which the catalogue's row defines.
    Histogram, "histogram", metrics::Histogram, register_histogram
}
closed_kind! {
    /// Quantiles over a sliding window of one scrape interval. They cannot be aggregated over replicas.
    Summary, "summary", metrics::Histogram, register_histogram
}

impl<L: Labels> Counter<L> {
    /// Counts one event.
    pub fn increment(&self, labels: L) {
        self.handles[labels.index()].increment(1);
    }

    /// Counts several events.
    pub fn add(&self, labels: L, count: u64) {
        self.handles[labels.index()].increment(count);
    }

    /// Sets the counter to a total that is counted elsewhere, such as by the kernel.
    pub fn absolute(&self, labels: L, total: u64) {
        self.handles[labels.index()].absolute(total);
    }
}

impl<L: Labels> Gauge<L> {
    /// Sets the value.
    pub fn set(&self, labels: L, value: f64) {
        self.handles[labels.index()].set(value);
    }

    /// Sets the value to a row count from the database.
    #[expect(clippy::cast_precision_loss, reason = "2^53 rows do not occur")]
    pub fn set_count(&self, labels: L, count: i64) {
        self.set(labels, count as f64);
    }

    /// Increments the gauge until the guard is dropped.
    pub fn hold(&self, labels: L) -> Held {
        let handle = self.handles[labels.index()].clone();
        handle.increment(1.0);
        Held(handle)
    }
}

impl<L: Labels> Histogram<L> {
    /// Records one observation, in the metric's base unit.
    pub fn record(&self, labels: L, value: f64) {
        self.handles[labels.index()].record(value);
    }

    /// Records the seconds until the guard is dropped.
    pub fn time(&self, labels: L) -> Timer {
        Timer { handle: self.handles[labels.index()].clone(), start: Instant::now() }
    }
}

impl<L: Labels> Summary<L> {
    /// Records one observation, in the metric's base unit.
    pub fn record(&self, labels: L, value: f64) {
        self.handles[labels.index()].record(value);
    }
}

/// Holds a gauge up by one; decrements it on drop.
pub struct Held(metrics::Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Records the seconds from its creation to its drop, so cancelled futures are recorded, too.
pub struct Timer {
    handle: metrics::Histogram,
    start: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.handle.record(self.start.elapsed().as_secs_f64());
    }
}

/// A counter with a fractional value, such as CPU seconds. The exporter's own counters are integers and would truncate it.
pub struct FloatCounter {
    name: &'static str,
    bits: AtomicU64,
}

impl Kind for FloatCounter {
    type Labels = ();
    const TYPE: &'static str = "counter";
    fn register(_: &Registrar, name: &'static str) -> Self {
        Self { name, bits: AtomicU64::new(0) }
    }
    fn series() -> Vec<Vec<&'static str>> {
        <()>::all()
    }
}

impl FloatCounter {
    /// Sets the counter to a total that is counted elsewhere.
    pub fn absolute(&self, total: f64) {
        self.bits.store(total.to_bits(), Ordering::Relaxed);
    }

    /// Renders the metric in the text exposition format.
    pub(super) fn render(&self, help: &str) -> String {
        let Self { name, bits } = self;
        format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {}\n", f64::from_bits(bits.load(Ordering::Relaxed)))
    }
}

macro_rules! family_kind {
    ($(#[$meta:meta])* $kind:ident, $type:literal, $handle:ty, $register:ident) => {
        $(#[$meta])*
        pub struct $kind<K> { registrar: Registrar, name: &'static str, keys: Vec<&'static str>, labels: PhantomData<fn(K)> }

        impl<K: Keys> Kind for $kind<K> {
            type Labels = K;
            const TYPE: &'static str = $type;
            fn register(registrar: &Registrar, name: &'static str) -> Self {
                Self { registrar: registrar.clone(), name, keys: K::keys(), labels: PhantomData }
            }
            fn series() -> Vec<Vec<&'static str>> { Vec::new() }
        }

        impl<K: Keys> $kind<K> {
            /// The handle of one series. Values must come from closed sets or route templates, never from a client.
            pub fn with(&self, values: &[&str]) -> $handle {
                self.registrar.recorder.$register(&Registrar::key(self.name, &self.keys, values), &METADATA)
            }
        }
    };
}

impl<K: Keys> CounterFamily<K> {
    /// Creates a series at zero.
    pub fn touch(&self, values: &[&str]) {
        self.with(values).increment(0);
    }
}

family_kind! {
    /// Counters over route templates.
    CounterFamily, "counter", metrics::Counter, register_counter
}
family_kind! {
    /// Gauges over values known at start.
    GaugeFamily, "gauge", metrics::Gauge, register_gauge
}
family_kind! {
    /// Histograms over route templates.
    HistogramFamily, "histogram", metrics::Histogram, register_histogram
}
