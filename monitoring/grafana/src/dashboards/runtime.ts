// Inside the replicas: the event loop, the process, the allocator, and background errors.

import { BAD, below, BY_QUANTILE, BY_SEVERITY, GOOD, IDLE, low, none, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { cpuByReplica, memoryByReplica } from '../figures.js';
import { barGauge, heatmap, stat, stateTimeline, table, timeSeries } from '../panels.js';
import { buckets, inShownTime, max, ours, perMinute, quantile, rate, sum } from '../queries.js';
import { instance } from '../variables.js';

/** The memory limit of a replica's container. */
const MEMORY_LIMIT = 512 * 1024 * 1024;
const delay = (quantile: string) => ours('runtime_scheduling_delay_quantile_seconds', `quantile="${quantile}"`);

export const runtime = dashboard('runtime', {
  title: 'Runtime',
  folder: 'service',
  description: 'Are the replicas themselves healthy: CPU, memory, event loop, files, tasks?',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'CPU',
        description: 'CPU usage of the busiest replica, as a share of its cores. Good: below 80 %.',
        unit: 'percentunit',
        decimals: 0,
        query: max(cpuByReplica),
        limits: low(0.6, 0.8),
        alert: 'HighCPUUsage',
        movedBy: 'traffic',
      }),
      stat({
        title: 'Memory',
        description: "Resident memory of the largest replica. Good: flat; 90 % of the container's 512 MiB raises an alert.",
        unit: 'bytes',
        decimals: 0,
        query: max(memoryByReplica),
        limits: low(0.7 * MEMORY_LIMIT, 0.9 * MEMORY_LIMIT),
        alert: 'HighMemoryUsage',
        movedBy: 'memory',
      }),
      stat({
        title: 'Delay p95',
        description: 'Scheduling delay of tasks on the worst replica. Good: a few milliseconds; 100 ms raises an alert.',
        unit: 's',
        query: max(delay('0.95')),
        limits: low(0.025, 0.1),
        alert: 'HighEventLoopLag',
        movedBy: 'busy',
      }),
      stat({
        title: 'Workers busy',
        description: 'Share of time that the workers of the busiest replica are busy. Good: below 70 %.',
        unit: 'percentunit',
        decimals: 0,
        query: max(ours('runtime_worker_busy_ratio')),
        limits: low(0.7, 0.9),
        movedBy: 'busy',
      }),
      stat({
        title: 'Open files',
        description: 'Share of the allowed file descriptors that the worst replica has open. Good: below half.',
        unit: 'percentunit',
        query: `max(${ours('process_open_fds')} / ${ours('process_max_fds')})`,
        limits: low(0.5, 0.8),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Panics',
        description:
          'Panics in the selected time range. Good: 0. If a handler panics, the request fails with 500, and the replica continues.',
        unit: 'none',
        query: sum(inShownTime(ours('uncaught_exceptions_total'))),
        limits: none,
        alert: 'PanicDetected',
        movedBy: 'panic',
      }),
      stat({
        title: 'Failed tasks',
        description:
          'Background tasks that ended unexpectedly in the selected time range. Good: 0. The replica of such a task exits and restarts.',
        unit: 'none',
        query: sum(inShownTime(ours('unhandled_rejections_total'))),
        limits: none,
        alert: 'TaskFailures',
        movedBy: 'task',
      }),
      stat({
        title: 'Injected faults',
        description: 'Faults injected in the selected time range. Good: 0, except during tests.',
        unit: 'short',
        decimals: 0,
        query: sum(inShownTime(ours('faults_injected_total'))),
        limits: [
          { value: null, color: GOOD },
          { value: 0.001, color: 'purple' },
        ],
        movedBy: 'server-errors',
      }),
    ),
    row(
      'Replicas',
      stateTimeline({
        title: 'Lifecycle',
        description:
          'State of each replica over time. Good: ready; during a rolling restart, one replica at a time drains and becomes ready again. In a gap, Prometheus has no data.',
        unit: 'none',
        query: {
          '{{instance}}': `sum by (instance) (${ours('service_ready', 'dependency="all"')}) + 2 * sum by (instance) (${ours('service_draining')}) or sum by (instance) (${ours('up')}) - 1`,
        },
        words: { [-1]: ['down', BAD], 0: ['not ready', WARNING], 1: ['ready', GOOD], 2: ['draining', IDLE], 3: ['draining', IDLE] },
        alert: 'ServiceDown',
        movedBy: 'replica-restarted',
        height: 6,
      }),
      table({
        title: 'Builds',
        description: 'Version and uptime of each replica. Good: one version, except during a rolling update.',
        unit: 'none',
        query: `(time() - ${ours('process_start_time_seconds')}) * on (instance) group_left (version, revision, rustc) ${ours('build_info')}`,
        columns: {
          instance: { title: 'Replica' },
          version: { title: 'Version', width: 100 },
          revision: { title: 'Revision' },
          rustc: { title: 'Compiler', width: 100 },
          Value: { title: 'Uptime', unit: 's', width: 140 },
        },
        movedBy: 'replica-restarted',
        width: 12,
        height: 6,
      }),
    ),
    row(
      'Event loop',
      timeSeries({
        title: 'Scheduling delay',
        description: 'How late timers of tasks fire on the worst replica: the event loop lag. Good: a few milliseconds (limit dashed).',
        unit: 's',
        query: { p50: max(delay('0.5')), p90: max(delay('0.9')), p95: max(delay('0.95')), p99: max(delay('0.99')) },
        colours: BY_QUANTILE,
        limits: below(0.1),
        alert: 'HighEventLoopLag',
        movedBy: 'busy',
      }),
      heatmap({
        title: 'Delay distribution',
        description: 'Number of timers by delay. Good: one band at a millisecond; above 100 ms a task blocks a worker thread.',
        unit: 's',
        query: buckets(ours('runtime_scheduling_delay_seconds')),
        movedBy: 'busy',
        width: 8,
      }),
      timeSeries({
        title: 'Delay p99 by replica',
        description:
          '99 % of timers on each replica fire within this delay. Good: similar; an outlier has a task that blocks a worker thread.',
        unit: 's',
        query: { '{{instance}}': quantile(0.99, ours('runtime_scheduling_delay_seconds'), 'instance') },
        movedBy: 'busy',
      }),
      timeSeries({
        title: 'Workers busy by replica',
        description: 'Share of time that the workers are busy. Good: below 70 %.',
        unit: 'percentunit',
        max: 1,
        query: { '{{instance}}': ours('runtime_worker_busy_ratio') },
        limits: low(0.7, 0.9),
        movedBy: 'busy',
      }),
      timeSeries({
        title: 'Tasks',
        description: 'Live tasks of the runtime. Good: follows connections; steady growth is a leak.',
        unit: 'short',
        decimals: 0,
        query: { '{{instance}}': ours('runtime_tasks_alive') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Queue and threads',
        description:
          'Threads, and tasks that wait for a worker in the global queue, summed over all replicas. Good: the queue is empty; the number of blocking threads varies with sign-ins.',
        unit: 'none',
        query: {
          'queued tasks': sum(ours('runtime_global_queue_depth')),
          workers: sum(ours('runtime_workers')),
          'blocking threads': sum(ours('runtime_blocking_threads')),
          'all threads': sum(ours('process_threads')),
        },
        movedBy: 'replica-stopped',
      }),
    ),
    row(
      'CPU and memory',
      timeSeries({
        title: 'CPU by replica',
        description: 'CPU usage of each replica, as a share of its cores. Good: below 80 % (dashed).',
        unit: 'percentunit',
        query: { '{{instance}}': cpuByReplica },
        limits: below(0.8),
        alert: 'HighCPUUsage',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Resident memory',
        description: 'Resident memory of each replica. Good: flat, far below 460 MiB.',
        unit: 'bytes',
        query: { '{{instance}}': memoryByReplica },
        limits: below(0.9 * MEMORY_LIMIT),
        alert: 'HighMemoryUsage',
        movedBy: 'memory',
      }),
      timeSeries({
        title: 'Allocator',
        description:
          'Allocator memory of all replicas. Good: `allocated` is flat; `resident` far above it is fragmentation. There is no garbage collector.',
        unit: 'bytes',
        query: { '{{kind}}': sum(ours('process_heap_bytes'), 'kind') },
        movedBy: 'memory',
      }),
      timeSeries({
        title: 'Virtual memory',
        description: 'Address space of each replica. Good: flat; address space alone uses no memory.',
        unit: 'bytes',
        query: { '{{instance}}': ours('process_virtual_memory_bytes') },
        movedBy: 'memory',
      }),
      timeSeries({
        title: 'Open files by replica',
        description: 'Open file descriptors of each replica, mostly connections. Good: follows connections; steady growth is a leak.',
        unit: 'none',
        query: { '{{instance}}': ours('process_open_fds') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Threads',
        description: 'Threads of each replica. Good: flat.',
        unit: 'none',
        query: { '{{instance}}': ours('process_threads') },
        movedBy: 'traffic',
      }),
    ),
    row(
      'Network and disk',
      timeSeries({
        title: 'Network',
        description:
          'Bytes per second on the network of the busiest replica, and in the responses of all replicas. Good: both follow requests. Replicas outside containers count all traffic of the machine.',
        unit: 'Bps',
        query: {
          received: max(rate(ours('process_network_receive_bytes_total'))),
          sent: max(rate(ours('process_network_transmit_bytes_total'))),
          responses: sum(rate(ours('http_response_size_bytes_sum', 'route!~"(/api)?/metrics"'))),
        },
        movedBy: 'downloads',
        width: 12,
      }),
      timeSeries({
        title: 'Disk',
        description: 'Bytes per second that replicas read from and write to disks. Good: almost nothing, because replicas store no files.',
        unit: 'Bps',
        query: {
          '{{instance}} read': rate(ours('process_disk_read_bytes_total')),
          '{{instance}} written': rate(ours('process_disk_written_bytes_total')),
        },
        movedBy: 'replica-stopped',
        width: 12,
      }),
    ),
    row(
      'Errors',
      timeSeries({
        title: 'Panics and failed tasks',
        description:
          'Panics, background tasks that ended unexpectedly, and traces and log lines that could not be exported, per minute. Good: 0.',
        unit: 'opm',
        query: {
          panics: perMinute(sum(rate(ours('uncaught_exceptions_total')))),
          'failed tasks': perMinute(sum(rate(ours('unhandled_rejections_total')))),
          'lost telemetry': perMinute(sum(rate(ours('telemetry_export_failures_total')))),
        },
        colours: { '/panics/': 'red', '/failed tasks/': 'orange', '/lost telemetry/': 'purple' },
        alert: 'PanicDetected',
        movedBy: 'panic',
      }),
      barGauge({
        title: 'Restarts',
        description:
          'Restarts of each replica in the selected time range. Good: one per deployment; more than two in 15 minutes raise an alert.',
        unit: 'none',
        query: { '{{instance}}': `changes(${ours('process_start_time_seconds')}[$__range])` },
        limits: low(1, 3),
        alert: 'ProcessRestarting',
        movedBy: 'replica-restarted',
      }),
      timeSeries({
        title: 'System errors',
        description: 'Panics, ended background tasks, failed migrations and failed connections per minute, by type and severity. Good: 0.',
        unit: 'opm',
        query: { '{{error_type}} {{severity}}': perMinute(sum(rate(ours('system_errors_total')), 'error_type', 'severity')) },
        colours: BY_SEVERITY,
        alert: 'TaskFailures',
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Injected faults by kind',
        description: 'Injected faults per minute by kind. Good: 0, except during tests.',
        unit: 'opm',
        query: { '{{fault}}': perMinute(sum(rate(ours('faults_injected_total')), 'fault')) },
        movedBy: 'server-errors',
      }),
    ),
  ],
});
