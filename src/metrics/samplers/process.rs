//! Process metrics from the kernel and the allocator. They are sampled on each scrape, so that they are current.

use crate::metrics::Metrics;
use crate::metrics::labels::Heap;

/// Samples all process metrics. After an error, the metrics that were not read keep their last values.
pub fn sample(metrics: &Metrics) {
    heap(metrics);
    #[cfg(target_os = "linux")]
    let _ignored = linux::sample(metrics);
}

#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^53 bytes")]
fn heap(metrics: &Metrics) {
    use tikv_jemalloc_ctl::{epoch, stats};
    // jemalloc caches its statistics until the epoch advances.
    if epoch::advance().is_err() {
        return;
    }
    let statistics = [
        (Heap::Allocated, stats::allocated::read()),
        (Heap::Active, stats::active::read()),
        (Heap::Resident, stats::resident::read()),
        (Heap::Mapped, stats::mapped::read()),
    ];
    for (kind, bytes) in statistics {
        if let Ok(bytes) = bytes {
            metrics.process_heap.set(kind, bytes as f64);
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process};
    use procfs::{CurrentSI, KernelStats, ProcResult, WithCurrentSystemInfo};

    use crate::metrics::Metrics;

    #[expect(clippy::cast_precision_loss, reason = "the kernel's values stay far below 2^53")]
    pub(super) fn sample(metrics: &Metrics) -> ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        metrics.process_cpu.absolute((), (stat.utime + stat.stime) as f64 / ticks);
        metrics.process_resident_memory.set((), stat.rss_bytes().get() as f64);
        metrics.process_virtual_memory.set((), stat.vsize as f64);
        metrics.process_threads.set((), stat.num_threads as f64);
        metrics.process_start_time.set((), KernelStats::current()?.btime as f64 + stat.starttime as f64 / ticks);
        metrics.process_open_fds.set((), process.fd_count()? as f64);
        if let LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            metrics.process_max_fds.set((), limit as f64);
        }
        // Some containers deny access to `/proc/self/io` only, so continue with the network metrics.
        if let Ok(io) = process.io() {
            metrics.process_disk_read.absolute((), io.read_bytes);
            metrics.process_disk_written.absolute((), io.write_bytes);
        }
        let interfaces = process.dev_status()?;
        metrics.process_network_receive.absolute((), interfaces.values().map(|interface| interface.recv_bytes).sum());
        metrics.process_network_transmit.absolute((), interfaces.values().map(|interface| interface.sent_bytes).sum());
        Ok(())
    }
}
