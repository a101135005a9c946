//! Metrics of the async runtime: timer delay, worker utilisation, tasks. Uses only stable APIs of tokio, without `tokio_unstable`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::metrics::Metrics;

/// Duration of the probe's sleep. The probe reports how much longer the sleep took; the timer wheel itself adds about 1 ms. A shorter
/// sleep would make the probe the largest cost of an idle replica: with 10 ms, the probe caused half of the replica's cost.
const PROBE: Duration = Duration::from_millis(50);
const READ_EVERY: Duration = Duration::from_secs(5);

/// Live threads of the runtime: workers and blocking threads.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Builds the runtime of the process, with hooks that count its threads.
///
/// # Errors
/// When the operating system refuses to create threads.
pub fn build() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(|| {
            THREADS.fetch_add(1, Ordering::Relaxed);
        })
        .on_thread_stop(|| {
            THREADS.fetch_sub(1, Ordering::Relaxed);
        })
        .build()
}

/// Measures the scheduling delay; never returns.
pub async fn probe_delay(metrics: Metrics) {
    loop {
        let start = Instant::now();
        tokio::time::sleep(PROBE).await;
        let late = start.elapsed().saturating_sub(PROBE).as_secs_f64();
        metrics.runtime_scheduling_delay.record((), late);
        metrics.runtime_scheduling_delay_quantile.record((), late);
    }
}

/// Samples the runtime's workers, tasks, queue and blocking threads; never returns.
#[expect(clippy::cast_precision_loss, reason = "counts of tasks and threads stay far below 2^53")]
pub async fn read_figures(metrics: Metrics) {
    let runtime = Handle::current().metrics();
    let workers = runtime.num_workers();
    metrics.runtime_workers.set((), workers as f64);
    let busy = || (0..workers).map(|worker| runtime.worker_total_busy_duration(worker)).sum::<Duration>();
    let (mut last_busy, mut last_read) = (busy(), Instant::now());
    let mut ticks = tokio::time::interval(READ_EVERY);
    loop {
        ticks.tick().await;
        metrics.runtime_tasks_alive.set((), runtime.num_alive_tasks() as f64);
        metrics.runtime_global_queue_depth.set((), runtime.global_queue_depth() as f64);
        metrics.runtime_blocking_threads.set((), THREADS.load(Ordering::Relaxed).saturating_sub(workers) as f64);
        let (now_busy, now) = (busy(), Instant::now());
        let available = (now - last_read).as_secs_f64() * workers as f64;
        if available > 0.0 {
            metrics.runtime_worker_busy_ratio.set((), (now_busy.saturating_sub(last_busy).as_secs_f64() / available).min(1.0));
        }
        (last_busy, last_read) = (now_busy, now);
    }
}
