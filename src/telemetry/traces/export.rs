//! The export of kept traces, in batches, by one task. Traces wait in a bounded queue: while the collector does not respond, further traces
//! are dropped and counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_otlp::{ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::timeout;
use url::Url;

use super::collector::Collector;
use crate::metrics::Metrics;
use crate::metrics::labels::TelemetrySignal;

/// Maximum number of traces that wait for their export.
const QUEUE: usize = 1024;
/// Maximum number of traces in one request.
const BATCH: usize = 128;
/// Time during which traces gather for a request.
const PAUSE: Duration = Duration::from_secs(1);
/// Time limit of a request to the collector.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time limit of the last export, at shutdown.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

enum Item {
    Trace(Vec<SpanData>),
    /// Notifies the sender when everything before it has been exported.
    Flush(oneshot::Sender<()>),
}

/// The sending end of the queue.
#[derive(Clone)]
pub struct Queue {
    sender: mpsc::Sender<Item>,
    /// Number of traces that found the queue full and are not in the metrics yet.
    dropped: Arc<AtomicU64>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// Queues the spans of a trace. Never blocks; a full queue drops the trace.
    pub fn put(&self, trace: Vec<SpanData>) {
        if self.sender.try_send(Item::Trace(trace)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The exporter and the receiving end of the queue.
pub struct Export {
    queue: Queue,
    is_urgent: Notify,
    /// [`Self::run`] holds the lock while it runs.
    receiving: Mutex<Receiving>,
}

struct Receiving {
    items: mpsc::Receiver<Item>,
    exporter: SpanExporter,
}

impl Export {
    /// An exporter to an OTLP endpoint, such as `http://collector:4318`, and the queue of its traces.
    ///
    /// # Errors
    /// When the exporter cannot be built.
    pub fn new(endpoint: &Url, resource: &Resource) -> Result<(Self, Queue), ExporterBuildError> {
        let address = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(TIMEOUT))
            // Retries of the library would block this thread. A trace is not worth a retry of our own.
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(address)
            .with_timeout(TIMEOUT)
            .build()?;
        exporter.set_resource(resource);
        let (sender, items) = mpsc::channel(QUEUE);
        let queue = Queue { sender, dropped: Arc::default() };
        let receiving = Mutex::new(Receiving { items, exporter });
        Ok((Self { queue: queue.clone(), is_urgent: Notify::new(), receiving }, queue))
    }

    /// Exports the queued traces; never returns.
    pub async fn run(&self, metrics: &Metrics) {
        let Receiving { items, exporter } = &mut *self.receiving.lock().await;
        let mut batch = Vec::with_capacity(BATCH);
        while items.recv_many(&mut batch, BATCH).await > 0 {
            let (mut spans, mut traces, mut flushes) = (Vec::new(), 0, Vec::new());
            for item in batch.drain(..) {
                match item {
                    Item::Trace(trace) => {
                        traces += 1;
                        spans.extend(trace);
                    }
                    Item::Flush(done) => flushes.push(done),
                }
            }
            let mut lost = self.queue.dropped.swap(0, Ordering::Relaxed);
            if !spans.is_empty()
                && let Err(error) = exporter.export(spans).await
            {
                lost += traces;
                tracing::debug!(error = &error as &dyn std::error::Error, "failed to export traces");
            }
            metrics.telemetry_export_failures.add(TelemetrySignal::Traces, lost);
            for done in flushes {
                // Fails only if the flush has reached its limit.
                let _late = done.send(());
            }
            if items.is_empty() {
                let _urgent = timeout(PAUSE, self.is_urgent.notified()).await;
            }
        }
    }

    /// Waits until the queued traces are exported, for a limited time.
    pub async fn flush(&self) {
        let (done, exported) = oneshot::channel();
        let flushed = timeout(FLUSH_LIMIT, async {
            self.is_urgent.notify_one();
            self.queue.sender.send(Item::Flush(done)).await.is_ok() && exported.await.is_ok()
        });
        if flushed.await != Ok(true) {
            tracing::warn!("failed to export the last traces in time");
        }
    }
}
