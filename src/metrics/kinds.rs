//! Metric kinds, typed by their labels. `family` stores and renders their series.
//!
//! A metric with a closed label set holds one handle per combination of values, created at startup. Every series exists at zero from
//! then on, and an update costs an array access and a few atomic operations. [`CounterFamily`], [`GaugeFamily`] and [`HistogramFamily`]
//! create handles on demand, for label values that are not in an enum.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use metrics::{Key, Label};

use super::family::Family;
use super::labels::{Keys, Labels};

/// The families that the metrics of one application record into.
pub struct Registrar {
    families: Arc<[Arc<Family>]>,
}

impl Registrar {
    pub(super) fn new(families: Arc<[Arc<Family>]>) -> Self {
        Self { families }
    }

    fn family(&self, name: &'static str) -> Arc<Family> {
        self.families.iter().find(|family| family.name() == name).expect("each row has a family").clone()
    }
}

fn key(family: &Family, keys: &[&'static str], values: &[&str]) -> Key {
    let labels: Vec<Label> = keys.iter().zip(values).map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
    Key::from_parts(family.name(), labels)
}

/// A kind of metric. The catalogue creates the metric from a row.
pub trait Kind {
    /// The label type of the metric.
    type Labels: Keys;
    /// The type in the `# TYPE` line.
    const TYPE: &'static str;
    /// Creates the metric and, for a closed label set, all of its series.
    fn register(registrar: &Registrar, name: &'static str) -> Self;
    /// The combinations of label values; empty if the values are not in an enum.
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
                let (family, keys) = (registrar.family(name), L::keys());
                let handles = L::all().iter().map(|values| family.$register(&key(&family, &keys, values))).collect();
                Self { handles, labels: PhantomData }
            }
            fn series() -> Vec<Vec<&'static str>> { L::all() }
        }
    };
}

closed_kind! {
    /// A monotonic count of events.
    Counter, "counter", metrics::Counter, counter
}
closed_kind! {
    /// A current value that can go up and down.
    Gauge, "gauge", metrics::Gauge, gauge
}
closed_kind! {
    /// A counter with a fractional value, such as CPU seconds. The counters of the crate `metrics` are integers and would truncate it.
    FloatCounter, "counter", metrics::Gauge, gauge
}
closed_kind! {
    /// A distribution over fixed buckets, which the catalogue's row defines.
    Histogram, "histogram", metrics::Histogram, histogram
}
closed_kind! {
    /// Quantiles over a sliding window of one scrape interval. They cannot be aggregated over replicas.
    Summary, "summary", metrics::Histogram, histogram
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
    pub fn hold(&self, labels: L) -> GaugeGuard {
        let handle = self.handles[labels.index()].clone();
        handle.increment(1.0);
        GaugeGuard(handle)
    }
}

impl<L: Labels> FloatCounter<L> {
    /// Sets the counter to a total that is counted elsewhere.
    pub fn absolute(&self, labels: L, total: f64) {
        self.handles[labels.index()].set(total);
    }
}

impl<L: Labels> Histogram<L> {
    /// Records one observation, in the metric's base unit.
    pub fn record(&self, labels: L, value: f64) {
        self.handles[labels.index()].record(value);
    }

    /// Records the seconds until the timer is dropped.
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

/// Decrements a gauge on drop. [`Gauge::hold`] has incremented the gauge.
pub struct GaugeGuard(metrics::Gauge);

impl Drop for GaugeGuard {
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

macro_rules! family_kind {
    ($(#[$meta:meta])* $kind:ident, $type:literal, $handle:ty, $register:ident) => {
        $(#[$meta])*
        pub struct $kind<K> { family: Arc<Family>, keys: Vec<&'static str>, labels: PhantomData<fn(K)> }

        impl<K: Keys> Kind for $kind<K> {
            type Labels = K;
            const TYPE: &'static str = $type;
            fn register(registrar: &Registrar, name: &'static str) -> Self {
                Self { family: registrar.family(name), keys: K::keys(), labels: PhantomData }
            }
            fn series() -> Vec<Vec<&'static str>> { Vec::new() }
        }

        impl<K: Keys> $kind<K> {
            /// The handle of one series. Values must never come from a client, because clients could create any number of series.
            pub fn with(&self, values: &[&str]) -> $handle {
                self.family.$register(&key(&self.family, &self.keys, values))
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
    /// Counters whose label values are known only at runtime, such as route templates.
    CounterFamily, "counter", metrics::Counter, counter
}
family_kind! {
    /// Gauges whose label values are not in an enum, such as the version of the build.
    GaugeFamily, "gauge", metrics::Gauge, gauge
}
family_kind! {
    /// Histograms whose label values are known only at runtime, such as route templates.
    HistogramFamily, "histogram", metrics::Histogram, histogram
}
