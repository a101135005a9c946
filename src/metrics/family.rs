//! A metric family: the series of one name, in blocks. Each block has its own recorder. A scrape formats a block again only if one of its
//! series has changed since the previous scrape: formatting is most of the cost of a scrape, and most series are idle between two scrapes.
//! Summaries are formatted in every scrape.
//!
//! The typed metrics that record into a family belong in [`kinds`](super::kinds). The exposition of all families belongs in
//! [`exporter`](super::exporter).

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};
use parking_lot::{Mutex, RwLock};

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Number of series per block. After a change, at most this many series are formatted again. Smaller blocks would need more recorders,
/// each of which uses about as much memory as ten series.
const BLOCK_SIZE: usize = 16;
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];
/// Number of windows of a summary. Together, the windows cover one scrape interval (15 s).
const SUMMARY_WINDOWS: NonZeroU32 = NonZeroU32::new(3).expect("three is not zero");
const SUMMARY_WINDOW: Duration = Duration::from_secs(5);

/// The series of one row of the catalogue.
pub(super) struct Family {
    name: &'static str,
    header: String,
    /// Whether to format every block in every scrape: quantiles over a sliding window change even without a new observation.
    always_changes: bool,
    buckets: &'static [f64],
    series: RwLock<Series>,
}

#[derive(Default)]
struct Series {
    blocks: Vec<Arc<Block>>,
    /// The index of each series' block.
    block_of: HashMap<Key, usize>,
}

impl Family {
    /// Creates a family without series. `kind` and `help` are the texts of the `# TYPE` and `# HELP` lines; only histograms have `buckets`.
    pub fn new(name: &'static str, kind: &str, help: &str, buckets: &'static [f64]) -> Self {
        Self {
            name,
            header: format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
            always_changes: kind == "summary",
            buckets,
            series: RwLock::default(),
        }
    }

    /// The metric's full name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The series with these labels, created at zero if it is new.
    pub fn counter(&self, key: &Key) -> Counter {
        let block = self.block(key);
        let handle = block.recorder.register_counter(key, &METADATA);
        Counter::from_arc(Tracked::new(handle, block))
    }

    /// The series with these labels, created at zero if it is new.
    pub fn gauge(&self, key: &Key) -> Gauge {
        let block = self.block(key);
        let handle = block.recorder.register_gauge(key, &METADATA);
        Gauge::from_arc(Tracked::new(handle, block))
    }

    /// The series with these labels, created empty if it is new.
    pub fn histogram(&self, key: &Key) -> Histogram {
        let block = self.block(key);
        let handle = block.recorder.register_histogram(key, &METADATA);
        Histogram::from_arc(Tracked::new(handle, block))
    }

    fn block(&self, key: &Key) -> Arc<Block> {
        let series = self.series.read();
        if let Some(&index) = series.block_of.get(key) {
            return series.blocks[index].clone();
        }
        drop(series);
        let mut series = self.series.write();
        let count = series.block_of.len();
        let index = *series.block_of.entry(key.clone()).or_insert(count / BLOCK_SIZE);
        if index == series.blocks.len() {
            series.blocks.push(Arc::new(Block::new(recorder(self.buckets))));
        }
        series.blocks[index].clone()
    }

    /// Appends the family in the text exposition format.
    pub fn render(&self, output: &mut String) {
        let series = self.series.read();
        if !series.blocks.is_empty() {
            output.push_str(&self.header);
        }
        for block in &series.blocks {
            block.render(output, self.always_changes);
        }
    }

    /// Processes the observations that histograms and summaries have queued, so that the queues stay short.
    pub fn drain(&self) {
        for block in self.series.read().blocks.iter().filter(|block| block.has_changed.load(Ordering::Relaxed)) {
            block.recorder.handle().run_upkeep();
        }
    }
}

fn recorder(buckets: &[f64]) -> PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    let builder = if buckets.is_empty() { windowed(builder) } else { builder.set_buckets(buckets) };
    builder.expect("quantiles, buckets and windows are not empty").build_recorder()
}

fn windowed(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    Ok(builder.set_quantiles(&QUANTILES)?.set_bucket_duration(SUMMARY_WINDOW)?.set_bucket_count(SUMMARY_WINDOWS))
}

struct Block {
    recorder: PrometheusRecorder,
    has_changed: AtomicBool,
    text: Mutex<String>,
}

impl Block {
    fn new(recorder: PrometheusRecorder) -> Self {
        Self { recorder, has_changed: AtomicBool::new(true), text: Mutex::default() }
    }

    /// Marks the block as changed. Callers first change the series and then call this method, so that the render that clears the flag sees
    /// the change. The method must swap the flag, not store it: after plain stores by several threads, a render would synchronize only with
    /// the last store and could miss the other changes.
    fn changed(&self) {
        self.has_changed.swap(true, Ordering::Release);
    }

    fn render(&self, output: &mut String, always: bool) {
        let mut text = self.text.lock();
        if self.has_changed.swap(false, Ordering::AcqRel) || always {
            text.clear();
            // Drops the block's own header: the family writes one header for all blocks.
            text.extend(self.recorder.handle().render().split_inclusive('\n').filter(|line| !line.starts_with(['#', '\n'])));
        }
        output.push_str(&text);
    }
}

/// A handle that marks the block of its series as changed.
struct Tracked<H> {
    handle: H,
    block: Arc<Block>,
}

impl<H> Tracked<H> {
    /// Marks the block as changed, so that the next render contains a new series.
    fn new(handle: H, block: Arc<Block>) -> Arc<Self> {
        block.changed();
        Arc::new(Self { handle, block })
    }
}

impl CounterFn for Tracked<Counter> {
    fn increment(&self, value: u64) {
        self.handle.increment(value);
        self.block.changed();
    }

    fn absolute(&self, value: u64) {
        self.handle.absolute(value);
        self.block.changed();
    }
}

impl GaugeFn for Tracked<Gauge> {
    fn increment(&self, value: f64) {
        self.handle.increment(value);
        self.block.changed();
    }

    fn decrement(&self, value: f64) {
        self.handle.decrement(value);
        self.block.changed();
    }

    fn set(&self, value: f64) {
        self.handle.set(value);
        self.block.changed();
    }
}

impl HistogramFn for Tracked<Histogram> {
    fn record(&self, value: f64) {
        self.handle.record(value);
        self.block.changed();
    }
}

#[cfg(test)]
mod tests {
    use metrics::Label;

    use super::*;

    fn family(kind: &str, buckets: &'static [f64]) -> Family {
        Family::new("things", kind, "Things", buckets)
    }

    fn key(thing: usize) -> Key {
        Key::from_parts("things", vec![Label::new("thing", thing.to_string())])
    }

    fn rendered(family: &Family) -> String {
        let mut text = String::new();
        family.render(&mut text);
        text
    }

    #[test]
    fn several_blocks_render_as_one_family() {
        let family = family("counter", &[]);
        let handles: Vec<Counter> = (0..=2 * BLOCK_SIZE).map(|thing| family.counter(&key(thing))).collect();
        for handle in &handles {
            handle.increment(2);
        }
        let text = rendered(&family);
        assert!(text.starts_with("# HELP things Things\n# TYPE things counter\n"), "{text}");
        assert_eq!(text.matches('#').count(), 2, "{text}");
        for thing in 0..handles.len() {
            assert_eq!(text.matches(&format!("things{{thing=\"{thing}\"}} 2\n")).count(), 1, "{text}");
        }
    }

    #[test]
    fn the_next_render_contains_a_change() {
        let family = family("histogram", &[1.0]);
        let (changed, other) = (family.histogram(&key(1)), family.histogram(&key(2)));
        other.record(0.5);
        let before = rendered(&family);
        assert_eq!(rendered(&family), before);
        changed.record(0.5);
        family.drain();
        assert_eq!(
            rendered(&family),
            before
                .replace(r#"{thing="1",le="1"} 0"#, r#"{thing="1",le="1"} 1"#)
                .replace(r#"{thing="1",le="+Inf"} 0"#, r#"{thing="1",le="+Inf"} 1"#)
                .replace(r#"_sum{thing="1"} 0"#, r#"_sum{thing="1"} 0.5"#)
                .replace(r#"_count{thing="1"} 0"#, r#"_count{thing="1"} 1"#)
        );
    }

    #[test]
    fn a_family_without_series_renders_nothing() {
        assert_eq!(rendered(&family("gauge", &[])), "");
    }

    #[test]
    fn handles_of_one_series_share_its_value() {
        let family = family("counter", &[]);
        family.counter(&key(1)).increment(1);
        family.counter(&key(1)).increment(1);
        assert!(rendered(&family).ends_with("things{thing=\"1\"} 2\n"));
    }
}
