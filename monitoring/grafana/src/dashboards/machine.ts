// The machine below the service: CPU, memory, disks, network, pressure. Source: node-exporter.

import { high, low } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { diskFree, fullestDisk, machineCpu, node, replicasMemory } from '../figures.js';
import { stat, timeSeries } from '../panels.js';
import { AT_EDGE, from, max, min, orZero, rate, ratio, sum } from '../queries.js';

const memory = (part: string) => sum(node(`node_memory_${part}_bytes`));
const cores = `count(${rate(node('node_cpu_seconds_total', 'mode="idle"'))})`;
const inodes = (metric: string) => node(`node_filesystem_${metric}`, 'fstype!="tmpfs"');
const disk = (metric: string) => rate(node(`node_disk_${metric}_total`));
/** Mean duration of an operation of the slowest disk. */
const slowest = (time: string, count: string) => orZero(max(ratio(sum(disk(time), 'device'), sum(disk(count), 'device'))));
/** Shares of time in which a process waited. A kernel without pressure information counts as 0. */
const waiting = {
  CPU: orZero(max(rate(node('node_pressure_cpu_waiting_seconds_total')))),
  disk: orZero(max(rate(node('node_pressure_io_waiting_seconds_total')))),
  memory: orZero(max(rate(node('node_pressure_memory_waiting_seconds_total')))),
};
/**
 * Bytes per second on the machine's own devices. Under Compose, node-exporter has a network of its own and exposes no devices of the
 * machine, so the sum of all containers replaces them.
 */
const network = (direction: 'receive' | 'transmit') =>
  `${sum(rate(node(`node_network_${direction}_bytes_total`, 'device!~"lo|veth.*|docker.*|br-.*"')))} or ` +
  sum(rate(from('cadvisor', `container_network_${direction}_bytes_total`)));

export const machine = dashboard('machine', {
  title: 'Machine',
  folder: 'infrastructure',
  description: 'Does the machine have spare CPU, memory, disk space and disk time?',
  rows: [
    row(
      'Now',
      stat({
        title: 'CPU',
        description:
          "Share of the machine's CPU cores in use, and the part used by the replicas and the edge. Good: below 80 %. If it is higher, compare the two: a wide gap means that other processes load the machine.",
        unit: 'percentunit',
        decimals: 0,
        query: machineCpu,
        limits: low(0.8, 0.95),
        more: 'containers',
        movedBy: 'busy',
      }),
      stat({
        title: 'Load',
        description:
          'Processes that run or wait, per CPU core, over the last minute. Good: below 1. Above 1, look at "Waiting": is it CPU or disk?',
        unit: 'short',
        decimals: 2,
        query: `${sum(node('node_load1'))} / ${cores}`,
        limits: low(1, 2),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Memory',
        description:
          'Share of the memory that is not available, and the part used by the replicas. Good: below 80 %. If it is higher, find the process that grows.',
        unit: 'percentunit',
        query: {
          used: `1 - ${memory('MemAvailable')} / ${memory('MemTotal')}`,
          replicas: `${replicasMemory} / ${memory('MemTotal')}`,
        },
        limits: low(0.8, 0.9),
        more: 'containers',
        movedBy: 'memory',
      }),
      stat({
        title: 'Disk free',
        description: 'Free share of the fullest disk. Good: above 20 %. Below that, delete files or enlarge the disk.',
        unit: 'percentunit',
        decimals: 0,
        query: fullestDisk,
        limits: high(0.1, 0.2),
        alert: 'DiskWillFill',
        movedBy: 'disk',
      }),
      stat({
        title: 'Disk busy',
        description:
          'Share of time in which the busiest disk had operations in progress. Good: below 70 %. Above that, find the writer: "Disk traffic" here, "Statements by operation" of Database and cache.',
        unit: 'percentunit',
        decimals: 0,
        query: max(disk('io_time_seconds')),
        limits: low(0.7, 0.9),
        more: 'database-cache',
        movedBy: 'disk-traffic',
      }),
      stat({
        title: 'Waiting',
        description:
          'Shares of time in which a process waited for CPU, disk or memory (pressure). Good: below a quarter. Whichever is higher is the bottleneck.',
        unit: 'percentunit',
        decimals: 0,
        query: waiting,
        limits: low(0.25, 0.6),
        movedBy: 'disk-traffic',
      }),
    ),
    row(
      'CPU',
      timeSeries({
        title: 'CPU by mode',
        description: "Share of the machine's CPU cores by mode. Good: spare capacity at the top; `iowait` and `steal` are lost time.",
        unit: 'percentunit',
        max: 1,
        query: { '{{mode}}': `avg by (mode) (${rate(node('node_cpu_seconds_total', 'mode!="idle"'))}) > 0.001` },
        stacked: true,
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'CPU by core',
        description: 'Busy share of each core. Good: similar; one full core among idle ones is a process with a single thread.',
        unit: 'percentunit',
        max: 1,
        query: { 'core {{cpu}}': `1 - avg by (cpu) (${rate(node('node_cpu_seconds_total', 'mode="idle"'))})` },
        movedBy: 'busy',
      }),
      timeSeries({
        title: 'Load and cores',
        description: 'Processes that run or wait, on average over 1, 5 and 15 minutes. Good: below the number of cores.',
        unit: 'short',
        decimals: 2,
        query: {
          '1 minute': sum(node('node_load1')),
          '5 minutes': sum(node('node_load5')),
          '15 minutes': sum(node('node_load15')),
          cores,
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Processes by state',
        description: 'Processes that run or could run, and those blocked by a disk. Good: few run, none is blocked for long.',
        unit: 'none',
        query: { running: sum(node('node_procs_running')), blocked: sum(node('node_procs_blocked')) },
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Switches and interrupts',
        description:
          'Context switches, interrupts, and requests at the edge, per second. Good: follow requests; a jump without requests is a busy loop or a device.',
        unit: 'cps',
        query: {
          'context switches': sum(rate(node('node_context_switches_total'))),
          interrupts: sum(rate(node('node_intr_total'))),
          requests: sum(rate(from('caddy', 'caddy_http_request_duration_seconds_count', AT_EDGE))),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Waiting (pressure)',
        description:
          'Share of time in which a process waited for CPU, disk or memory. Good: disk and memory near 0, CPU low. Waiting for memory means that pages are read again: add memory or lower a limit.',
        unit: 'percentunit',
        query: waiting,
        movedBy: 'disk-traffic',
      }),
    ),
    row(
      'Memory and files',
      timeSeries({
        title: 'Memory by use',
        description:
          'Memory of the machine: used by the replicas, used by other processes, available. Good: much is available; caches are freed on demand.',
        unit: 'bytes',
        query: {
          replicas: replicasMemory,
          others: `clamp_min(${memory('MemTotal')} - ${memory('MemAvailable')} - ${replicasMemory}, 0)`,
          available: memory('MemAvailable'),
        },
        colours: { '/replicas/': 'purple', '/others/': 'blue', '/available/': 'green' },
        stacked: true,
        movedBy: 'memory',
      }),
      timeSeries({
        title: 'Caches and swap',
        description:
          'Memory of disk caches, pages that wait to be written or are being written, and swap in use. Good: little waits, no swap. Growing swap means that memory is short.',
        unit: 'bytes',
        query: {
          cached: `${memory('Cached')} + ${memory('Buffers')}`,
          'waits to be written': memory('Dirty'),
          'being written': memory('Writeback'),
          'swap in use': `${memory('SwapTotal')} - ${memory('SwapFree')}`,
        },
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Open files of the machine',
        description: 'Open file descriptors of all processes. Good: follows connections; steady growth is a leak of one of the processes.',
        unit: 'none',
        query: { open: sum(node('node_filefd_allocated')) },
        more: 'containers',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Disks',
      timeSeries({
        title: 'Disk in use',
        description: 'Used share of each disk. Good: below 80 % (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{device}}': `1 - ${min(diskFree, 'device')}` },
        limits: low(0.8, 0.9),
        alert: 'DiskWillFill',
        movedBy: 'disk',
      }),
      timeSeries({
        title: 'Inodes in use',
        description: 'Used share of the inodes of each disk. Good: below 80 % (dashed). A disk without free inodes is full, whatever its free space.',
        unit: 'percentunit',
        max: 1,
        query: { '{{device}}': `1 - min by (device) (${ratio(inodes('files_free'), inodes('files'))})` },
        limits: low(0.8, 0.9),
        movedBy: 'disk',
      }),
      timeSeries({
        title: 'Disk traffic',
        description: 'Bytes per second read from and written to disks. Good: follows database statements.',
        unit: 'Bps',
        query: { read: sum(disk('read_bytes')), written: sum(disk('written_bytes')) },
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Disk operations',
        description: 'Reads and writes per second. Good: follows database statements; many small writes are costly.',
        unit: 'iops',
        query: { reads: sum(disk('reads_completed')), writes: sum(disk('writes_completed')) },
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Busy disks',
        description: 'Share of time in which each disk had operations in progress. Good: below 70 % (dashed).',
        unit: 'percentunit',
        query: { '{{device}}': sum(disk('io_time_seconds'), 'device') },
        limits: low(0.7, 0.9),
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Disk latency',
        description: 'Mean duration of a read and of a write on the slowest disk. Good: a few milliseconds; commits of Postgres wait for writes.',
        unit: 's',
        query: {
          read: slowest('read_time_seconds', 'reads_completed'),
          write: slowest('write_time_seconds', 'writes_completed'),
        },
        movedBy: 'disk-traffic',
      }),
    ),
    row(
      'Network',
      timeSeries({
        title: 'Network',
        description:
          "Bytes per second that the machine receives and sends, without loopback, and those of the edge's responses. Under Compose: the sum of all containers. Good: follows the responses; otherwise another program uses the network.",
        unit: 'Bps',
        query: {
          received: network('receive'),
          sent: network('transmit'),
          responses: sum(rate(from('caddy', 'caddy_http_response_size_bytes_sum', AT_EDGE))),
        },
        movedBy: 'traffic',
        width: 24,
      }),
    ),
  ],
});
