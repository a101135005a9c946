//! The export of one kind of telemetry, in batches, by one task. Items wait in a bounded queue: while the collector does not respond,
//! further items are dropped and counted. Nothing here ever blocks the work that the items describe.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::collector::exporting;
use crate::metrics::Metrics;
use crate::metrics::labels::TelemetrySignal;

/// Time during which items gather for a request, unless half of the queue is full.
const PAUSE: Duration = Duration::from_secs(1);
/// Time limit of the last export, at shutdown.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// A kind of telemetry with its exporter.
pub trait Signal: Send + Sync {
    /// What waits in the queue, and is counted if it is lost.
    type Item: Send;
    /// The name of the kind.
    const NAME: TelemetrySignal;
    /// Maximum number of items that wait.
    const QUEUE: usize;
    /// Maximum number of items in one request.
    const BATCH: usize;

    /// Sends items to the collector; an error means that all of them are lost.
    fn export(&self, items: Vec<Self::Item>) -> impl Future<Output = OTelSdkResult> + Send;
}

enum Entry<T> {
    Item(T),
    /// Notifies the sender when everything before it has been exported.
    Flush(oneshot::Sender<()>),
}

/// The sending end of a queue; clones share it.
pub struct Queue<T> {
    sender: mpsc::Sender<Entry<T>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Number of items that found the queue full and are not in the metrics yet.
    dropped: AtomicU64,
    /// Ends the pause between requests.
    is_urgent: Notify,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<T> Queue<T> {
    /// Queues an item. Never blocks; a full queue drops the item.
    pub fn put(&self, item: T) {
        if self.sender.try_send(Entry::Item(item)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if self.is_half_full() {
            self.shared.is_urgent.notify_one();
        }
    }

    /// As [`Self::put`], but leaves half of the queue to other items.
    pub fn put_in_first_half(&self, item: T) {
        if self.is_half_full() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            self.put(item);
        }
    }

    fn is_half_full(&self) -> bool {
        self.sender.capacity() <= self.sender.max_capacity() / 2
    }
}

/// The exporter and the receiving end of its queue.
pub struct Export<S: Signal> {
    queue: Queue<S::Item>,
    /// [`Self::run`] holds the lock while it runs.
    receiving: Mutex<Receiving<S>>,
}

struct Receiving<S: Signal> {
    entries: mpsc::Receiver<Entry<S::Item>>,
    signal: S,
}

impl<S: Signal> Export<S> {
    /// The export of a kind of telemetry, and the queue of its items.
    pub fn new(signal: S) -> (Self, Queue<S::Item>) {
        let (sender, entries) = mpsc::channel(S::QUEUE);
        let queue = Queue { sender, shared: Arc::default() };
        (Self { queue: queue.clone(), receiving: Mutex::new(Receiving { entries, signal }) }, queue)
    }

    /// Exports the queued items; never returns.
    pub async fn run(&self, metrics: &Metrics) {
        exporting(self.export(metrics)).await;
    }

    async fn export(&self, metrics: &Metrics) {
        let Receiving { entries, signal } = &mut *self.receiving.lock().await;
        let Queue { shared, .. } = &self.queue;
        let mut batch = Vec::with_capacity(S::BATCH);
        while entries.recv_many(&mut batch, S::BATCH).await > 0 {
            let (mut items, mut flushes) = (Vec::with_capacity(batch.len()), Vec::new());
            for entry in batch.drain(..) {
                match entry {
                    Entry::Item(item) => items.push(item),
                    Entry::Flush(done) => flushes.push(done),
                }
            }
            let mut lost = shared.dropped.swap(0, Ordering::Relaxed);
            let count = items.len() as u64;
            if count > 0
                && let Err(error) = signal.export(items).await
            {
                lost += count;
                tracing::debug!(signal = S::NAME.name(), error = &error as &dyn std::error::Error, "failed to export telemetry");
            }
            metrics.telemetry_export_failures.add(S::NAME, lost);
            for done in flushes {
                // Fails only if the flush has reached its limit.
                let _late = done.send(());
            }
            if entries.is_empty() {
                let _urgent = timeout(PAUSE, shared.is_urgent.notified()).await;
            }
        }
    }

    /// Waits until the queued items are exported, for a limited time.
    pub async fn flush(&self) {
        let (done, exported) = oneshot::channel();
        let flushed = timeout(FLUSH_LIMIT, async {
            self.queue.shared.is_urgent.notify_one();
            self.queue.sender.send(Entry::Flush(done)).await.is_ok() && exported.await.is_ok()
        });
        if flushed.await != Ok(true) {
            tracing::warn!(signal = S::NAME.name(), "failed to export the last telemetry in time");
        }
    }
}
