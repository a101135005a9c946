// The processes of the stack and, under Compose, their containers. Sources: the `process_*` series of each program, and cAdvisor.

import { below, low } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { barGauge, stat, timeSeries } from '../panels.js';
import { from, orNone, rate, ratio, sum } from '../queries.js';

const EVERY_JOB = 'job=~".+"';
const process = (metric: string) => `process_${metric}{${EVERY_JOB}}`;
const cpuByProcess = sum(rate(process('cpu_seconds_total')), 'job', 'instance');
const memoryByProcess = `sum by (job, instance) (${process('resident_memory_bytes')} or redis_memory_used_rss_bytes{job="redis"})`;
const restartsByProcess = `sum by (job, instance) (changes(${process('start_time_seconds')}[$__range]))`;
const filesByProcess = `max by (job, instance) (${process('open_fds')} / ${process('max_fds')})`;
const PROCESS = '{{job}} {{instance}}';

const container = (metric: string) => from('cadvisor', `container_${metric}`);
const CONTAINER = '{{service}} {{name}}';
/** Ends the descriptions of the panels on containers. */
const COMPOSE = 'Only under Compose: processes without containers are in the row above.';

export const containers = dashboard('containers', {
  title: 'Processes and containers',
  folder: 'infrastructure',
  description: 'Which process or container uses the machine, and which restarts?',
  rows: [
    row(
      'Now',
      stat({
        title: 'CPU',
        description:
          'CPU cores that all processes of the stack use together, and the process that uses the most. Good: below the number of cores of the machine, and a replica or the edge at the top. If it is another one, look at its row below.',
        unit: 'short',
        decimals: 2,
        query: { all: sum(rate(process('cpu_seconds_total'))), [PROCESS]: `topk(1, ${cpuByProcess})` },
        more: 'machine',
        movedBy: 'traffic',
        width: 7,
      }),
      stat({
        title: 'Memory',
        description:
          'Resident memory of all processes of the stack together, without Postgres, and the largest of them. Good: flat, and Prometheus or Grafana at the top. A replica that grows has a leak.',
        unit: 'bytes',
        decimals: 0,
        query: { all: `sum(${memoryByProcess})`, [PROCESS]: `topk(1, ${memoryByProcess})` },
        alert: 'HighMemoryUsage',
        more: 'runtime',
        movedBy: 'memory',
        width: 7,
      }),
      stat({
        title: 'Restarts',
        description:
          'Restarts of all processes in the selected time range. Good: 0, except for deployments. Otherwise read the log of the process that restarted.',
        unit: 'none',
        query: `sum(${restartsByProcess})`,
        limits: low(1, 10),
        alert: 'ProcessRestarting',
        movedBy: 'replica-restarted',
      }),
      stat({
        title: 'Open files',
        description:
          'Share of the allowed file descriptors that the worst process has open. Good: below half. Above it, raise the limit or find the leak.',
        unit: 'percentunit',
        query: `max(${filesByProcess})`,
        limits: low(0.5, 0.8),
        movedBy: 'traffic',
      }),
    ),
    row(
      'Processes',
      timeSeries({
        title: 'CPU by process',
        description:
          'CPU cores that each process uses: replicas, edge, exporters, Prometheus, Alertmanager, Grafana. Good: the replicas are at the top.',
        unit: 'short',
        decimals: 2,
        query: { [PROCESS]: cpuByProcess },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Memory by process',
        description: 'Resident memory of each process, and of Redis. Good: flat.',
        unit: 'bytes',
        query: { [PROCESS]: memoryByProcess },
        legend: 'right',
        alert: 'HighMemoryUsage',
        movedBy: 'memory',
      }),
      barGauge({
        title: 'Restarts by process',
        description: 'Restarts of each process in the selected time range. Good: none, except for deployments.',
        unit: 'none',
        query: { [PROCESS]: orNone(`${restartsByProcess} > 0`, 'job') },
        limits: low(1, 3),
        alert: 'ProcessRestarting',
        movedBy: 'replica-restarted',
      }),
      timeSeries({
        title: 'Open files by process',
        description: 'Open file descriptors of each process, mostly connections. Good: follows connections; steady growth is a leak.',
        unit: 'none',
        query: { [PROCESS]: `sum by (job, instance) (${process('open_fds')})` },
        legend: 'right',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Containers, under Compose',
      timeSeries({
        title: 'CPU by container',
        description: `CPU cores that each container uses. Good: the replicas are at the top. ${COMPOSE}`,
        unit: 'short',
        decimals: 2,
        query: { [CONTAINER]: sum(rate(container('cpu_usage_seconds_total')), 'service', 'name') },
        legend: 'right',
        movedBy: 'containers',
      }),
      timeSeries({
        title: 'CPU held back',
        description: `Share of scheduling periods in which the CPU limit of a container (\`cpus\` in docker-compose.yml) stopped it; containers without a limit are absent. Good: near 0, except for \`engine\` and \`demo-traffic\`; otherwise raise the limit. ${COMPOSE}`,
        unit: 'percentunit',
        query: {
          [CONTAINER]: ratio(
            sum(rate(container('cpu_cfs_throttled_periods_total')), 'service', 'name'),
            sum(rate(container('cpu_cfs_periods_total')), 'service', 'name'),
          ),
        },
        legend: 'right',
        movedBy: 'containers',
      }),
      timeSeries({
        title: 'Memory by container',
        description: `Memory of each container that cannot be freed on demand (working set). Good: flat. ${COMPOSE}`,
        unit: 'bytes',
        query: { [CONTAINER]: sum(container('memory_working_set_bytes'), 'service', 'name') },
        legend: 'right',
        movedBy: 'containers',
      }),
      timeSeries({
        title: 'Share of the memory limit',
        description: `Working set of each container as a share of its limit (\`mem_limit\` in docker-compose.yml). Good: below 90 % (dashed); at 100 % the kernel kills a process of the container. ${COMPOSE}`,
        unit: 'percentunit',
        query: {
          [CONTAINER]: ratio(
            sum(container('memory_working_set_bytes'), 'service', 'name'),
            sum(container('spec_memory_limit_bytes'), 'service', 'name'),
          ),
        },
        limits: below(0.9),
        legend: 'right',
        movedBy: 'containers',
      }),
      timeSeries({
        title: 'Network by container',
        description: `Bytes per second that each container receives and sends. Good: follows requests. ${COMPOSE}`,
        unit: 'Bps',
        query: {
          '{{service}} {{name}} received': sum(rate(container('network_receive_bytes_total')), 'service', 'name'),
          '{{service}} {{name}} sent': sum(rate(container('network_transmit_bytes_total')), 'service', 'name'),
        },
        legend: 'right',
        movedBy: 'containers',
      }),
      barGauge({
        title: 'Restarts by container',
        description: `Restarts of each container in the selected time range, counted by its CPU time, which begins at 0. Good: none, except for deployments; otherwise \`docker compose logs\` has the reason. ${COMPOSE}`,
        unit: 'none',
        query: { [CONTAINER]: `max by (service, name) (resets(${container('cpu_usage_seconds_total')}[$__range]))` },
        limits: low(1, 3),
        movedBy: 'containers',
      }),
    ),
  ],
});
