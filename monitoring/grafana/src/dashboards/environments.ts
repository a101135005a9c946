// Environments: their states, their driver, and their use.

import { BAD, BY_ENVIRONMENT, BY_OUTCOME, GOOD, low } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { barGauge, heatmap, stat, stateTimeline, timeSeries } from '../panels.js';
import { buckets, min, orNone, orZero, ours, perHour, perMinute, quantile, rate, ratio, sum } from '../queries.js';
import { instance } from '../variables.js';

const counted = (statuses: string) => `sum(status:environments:sum{status=~"${statuses}"})`;
const operations = ours('docker_operations_total');
const failures = ours('docker_operations_total', 'status="failure"');
const ENVIRONMENT_JOBS = 'kind=~"environment_change|environment_reconcile|extension_change"';

export const environments = dashboard('environments', {
  title: 'Environments',
  folder: 'service',
  description: 'Do environments work as users expect? Their states, their driver, and their use.',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Running',
        description: 'Running environments, over the whole fleet. Good: follows the number of users.',
        unit: 'none',
        query: counted('running'),
        movedBy: 'traffic',
      }),
      stat({
        title: 'In error',
        description:
          'Environments whose last operation failed for good, or whose container died or was removed. Good: 0; more than 5 raise an alert.',
        unit: 'none',
        query: counted('error'),
        limits: low(1, 6),
        alert: 'HighEnvironmentErrorRate',
        movedBy: 'driver-failures',
      }),
      stat({
        title: 'In transition',
        description:
          'Environments that are being created, started, stopped or deleted. Good: a few; a number that does not fall means that the driver hangs.',
        unit: 'none',
        query: counted('creating|starting|stopping|deleting'),
        limits: low(20, 50),
        movedBy: 'slow-driver',
      }),
      stat({
        title: 'Log lines',
        description: 'Stored log lines of environments per second. Good: follows the running environments.',
        unit: 'cps',
        query: sum(rate(ours('log_entries_total'))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Driver calls',
        description: 'Driver calls per second. Good: steady, because the reconciler polls continuously.',
        unit: 'ops',
        query: sum(rate(operations)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed calls',
        description: 'Share of driver calls that failed. Good: below 10 %; with the simulated driver, 2 % fail on purpose.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(failures)), sum(rate(operations)))),
        limits: low(0.05, 0.1),
        alert: 'HighDockerFailureRate',
        movedBy: 'driver-failures',
      }),
      stat({
        title: 'Call p95',
        description: '95 % of driver calls, except scripts and image pulls, finish within this time. Good: below 2 s; 5 s raises an alert.',
        unit: 's',
        query: orZero(quantile(0.95, ours('docker_operation_duration_seconds', 'operation!~"exec|pull"'))),
        limits: low(2, 5),
        alert: 'SlowDockerOperations',
        movedBy: 'slow-driver',
      }),
      stat({
        title: 'Longest wait',
        description: 'How long the oldest due job has been waiting. Good: a few seconds; more than ten minutes raises an alert.',
        unit: 's',
        query: 'sum(jobs_oldest_due_seconds{job="backend"})',
        limits: low(60, 600),
        alert: 'JobsBacklog',
        more: 'accounts',
        movedBy: 'jobs-backlog',
      }),
    ),
    row(
      'Environments',
      timeSeries({
        title: 'By status',
        description: 'Environments by status, over the whole fleet. Good: no red; blue and purple last less than a minute.',
        unit: 'none',
        query: { '{{status}}': 'sum by (status) (status:environments:sum)' },
        colours: BY_ENVIRONMENT,
        stacked: true,
        alert: 'HighEnvironmentErrorRate',
        movedBy: 'traffic',
        width: 12,
        height: 10,
      }),
      barGauge({
        title: 'By status now',
        description: 'Environments by status at this moment. Good: most are running or stopped.',
        unit: 'none',
        query: { '{{status}}': 'sum by (status) (status:environments:sum)' },
        colours: BY_ENVIRONMENT,
        movedBy: 'traffic',
        width: 7,
        height: 10,
      }),
      stateTimeline({
        title: 'Driver by replica',
        description: 'Whether each replica can reach its driver. Good: all green.',
        unit: 'none',
        query: { '{{instance}}': min(ours('service_ready', 'dependency="environment_driver"'), 'instance') },
        words: { 0: ['unreachable', BAD], 1: ['reachable', GOOD] },
        movedBy: 'replica-stopped',
        width: 5,
        height: 10,
      }),
    ),
    row(
      'Driver',
      timeSeries({
        title: 'Calls by operation',
        description:
          'Driver calls per minute by operation, without pings. Good: `list` and `inspect` are constant, the rest follows users.',
        unit: 'opm',
        query: { '{{operation}}': perMinute(sum(rate(ours('docker_operations_total', 'operation!="ping"')), 'operation')) },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failures by operation',
        description: 'Failed driver calls per minute by operation. Good: 0; with the simulated driver, 2 % of calls fail on purpose.',
        unit: 'opm',
        query: { '{{operation}}': perMinute(sum(rate(failures), 'operation')) },
        legend: 'right',
        alert: 'HighDockerFailureRate',
        shades: BAD,
        movedBy: 'driver-failures',
      }),
      timeSeries({
        title: 'Duration p95 by operation',
        description:
          'p95 duration of driver calls by operation. Good: below 5 s, `exec` below 30 s; more raises an alert (dashed). `pull` has no limit.',
        unit: 's',
        query: { '{{operation}}': orNone(quantile(0.95, ours('docker_operation_duration_seconds'), 'operation'), 'operation') },
        legend: 'right',
        limits: low(5, 30),
        alert: 'SlowDockerOperations',
        movedBy: 'slow-driver',
      }),
      heatmap({
        title: 'Duration distribution',
        description:
          'Number of driver calls by duration, without pings. Good: stable bands; a rising band means that the driver is slowing down.',
        unit: 's',
        query: buckets(ours('docker_operation_duration_seconds', 'operation!="ping"')),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failed share by operation',
        description: "Share of an operation's calls that failed. Good: below 10 % (dashed).",
        unit: 'percentunit',
        max: 1,
        query: { '{{operation}}': orNone(ratio(sum(rate(failures), 'operation'), sum(rate(operations), 'operation')), 'operation') },
        legend: 'right',
        limits: low(0.05, 0.1),
        alert: 'HighDockerFailureRate',
        shades: BAD,
        movedBy: 'driver-failures',
      }),
      timeSeries({
        title: 'Calls by outcome',
        description: 'Driver calls per minute by outcome. Good: green.',
        unit: 'opm',
        query: { '{{status}}': perMinute(sum(rate(operations), 'status')) },
        colours: BY_OUTCOME,
        stacked: true,
        movedBy: 'traffic',
        width: 12,
      }),
    ),
    row(
      'Reconciler and jobs',
      timeSeries({
        title: 'Jobs by kind',
        description:
          'Attempts per minute at jobs of users and of the reconciler. Good: `environment_reconcile` is steady, the rest follows users.',
        unit: 'opm',
        query: { '{{kind}}': perMinute(sum(rate(ours('jobs_total', ENVIRONMENT_JOBS)), 'kind')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Jobs that did not succeed',
        description:
          'Attempts per minute without success: `retry` (tried again later), `dead` (failed for good), `lost` (lease lost, replica shut down, or outcome not stored). Good: few retries, none dead.',
        unit: 'opm',
        query: {
          '{{kind}} {{outcome}}': perMinute(sum(rate(ours('jobs_total', ENVIRONMENT_JOBS, 'outcome!="success"')), 'kind', 'outcome')),
        },
        colours: { '/retry/': 'orange', '/dead/': 'red', '/lost/': 'dark-red' },
        alert: 'JobsFailing',
        movedBy: 'driver-failures',
      }),
      timeSeries({
        title: 'Duration p95 of jobs',
        description: '95 % of attempts finish within this time. Good: a few seconds.',
        unit: 's',
        query: { '{{kind}}': orNone(quantile(0.95, ours('job_duration_seconds', ENVIRONMENT_JOBS), 'kind'), 'kind') },
        movedBy: 'slow-driver',
      }),
    ),
    row(
      'Sessions and extensions',
      timeSeries({
        title: 'Running and open',
        description:
          'Running environments, and shells, tmux sessions and editors (open, or closed in the last week), over the whole fleet. Good: follows the number of users.',
        unit: 'none',
        query: {
          'environments running': counted('running'),
          '{{type}} {{status}}': 'sum by (type, status) (workspace_sessions{job="backend"})',
        },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Extensions',
        description:
          'Installations per hour at the current rate, by extension, and those that failed for good. Good: follows users, none failed.',
        unit: 'short',
        decimals: 0,
        query: {
          '{{extension}}': perHour(sum(rate(ours('extension_installations_total', 'status="success"')), 'extension')),
          failed: perHour(sum(rate(ours('extension_installations_total', 'status="failure"')))),
        },
        colours: { '/failed/': BAD },
        legend: 'right',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Logs',
      timeSeries({
        title: 'Lines by stream',
        description:
          'Stored log lines of environments per second, by stream, and lines dropped because an environment wrote too many. Good: little `stderr`, nothing dropped.',
        unit: 'cps',
        query: {
          '{{stream}}': sum(rate(ours('log_entries_total')), 'stream'),
          dropped: sum(rate(ours('log_entries_dropped_total'))),
        },
        colours: { '/stderr/': 'orange', '/stdout/': 'green', '/system/': 'blue', '/dropped/': BAD },
        stacked: true,
        movedBy: 'traffic',
        width: 12,
      }),
      timeSeries({
        title: 'Log events to clients',
        description:
          '`env:log` events sent to clients per second, counted per client; each has one or more lines. Good: at most the lines per second times the number of readers.',
        unit: 'cps',
        query: { 'env:log': sum(rate(ours('websocket_messages_total', 'event_type="env:log", direction="out"'))) },
        more: 'realtime',
        movedBy: 'traffic',
        width: 12,
      }),
    ),
  ],
});
