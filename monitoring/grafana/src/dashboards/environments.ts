// Environments: how they are, what their driver does, who uses them.

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
  description: 'Do environments do what people ask of them? How they are, what their driver does, who uses them.',
  variables: [instance],
  rows: [
    row(
      'Now',
      stat({
        title: 'Running',
        description: 'Environments that run, over the whole fleet. Good: follows the number of users.',
        unit: 'none',
        query: counted('running'),
        movedBy: 'traffic',
      }),
      stat({
        title: 'In error',
        description: 'Environments that could not become what was asked. Good: 0; more than 5 is an alert.',
        unit: 'none',
        query: counted('error'),
        limits: low(1, 6),
        alert: 'HighEnvironmentErrorRate',
        movedBy: 'driver-failures',
      }),
      stat({
        title: 'On their way',
        description:
          'Environments that are created, started, stopped or deleted now. Good: a few; a number that stays is a driver that hangs.',
        unit: 'none',
        query: counted('creating|starting|stopping|deleting'),
        limits: low(20, 50),
        movedBy: 'slow-driver',
      }),
      stat({
        title: 'Log lines',
        description: "Lines of environments' logs that are stored in a second. Good: follows what runs.",
        unit: 'cps',
        query: sum(rate(ours('log_entries_total'))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Driver calls',
        description: 'Calls of the driver in a second. Good: steady, for the reconciler always looks.',
        unit: 'ops',
        query: sum(rate(operations)),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed calls',
        description: "Share of the driver's calls that failed. Good: below 10 %; the simulated driver fails one of fifty on purpose.",
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(failures)), sum(rate(operations)))),
        limits: low(0.05, 0.1),
        alert: 'HighDockerFailureRate',
        movedBy: 'driver-failures',
      }),
      stat({
        title: 'Call p95',
        description: 'Of 20 calls of the driver, 19 take no longer. Good: below 10 s, but for pulling an image.',
        unit: 's',
        query: orZero(quantile(0.95, ours('docker_operation_duration_seconds', 'operation!="pull"'))),
        limits: low(10, 30),
        alert: 'SlowDockerOperations',
        movedBy: 'slow-driver',
      }),
      stat({
        title: 'Longest wait',
        description: 'How long the longest-waiting job has been due. Good: a few seconds; after ten minutes it is an alert.',
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
        description: 'Environments by status, over the whole fleet. Good: no red; blue and purple pass within a minute.',
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
        description: 'Environments by status at this moment. Good: running and stopped are the longest.',
        unit: 'none',
        query: { '{{status}}': 'sum by (status) (status:environments:sum)' },
        colours: BY_ENVIRONMENT,
        movedBy: 'traffic',
        width: 7,
        height: 10,
      }),
      stateTimeline({
        title: 'Driver by replica',
        description: 'Where the driver answers. Good: all green.',
        unit: 'none',
        query: { '{{instance}}': min(ours('service_ready', 'dependency="environment_driver"'), 'instance') },
        words: { 0: ['away', BAD], 1: ['there', GOOD] },
        movedBy: 'replica-stopped',
        width: 5,
        height: 10,
      }),
    ),
    row(
      'What the driver does',
      timeSeries({
        title: 'Calls by operation',
        description:
          'Calls of the driver in a minute, by what was asked; its pings are left out. Good: `list` and `inspect` go on always, the rest follows users.',
        unit: 'opm',
        query: { '{{operation}}': perMinute(sum(rate(ours('docker_operations_total', 'operation!="ping"')), 'operation')) },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failures by operation',
        description:
          'Calls of the driver in a minute that failed, by what was asked. Good: 0; the simulated driver fails one of fifty on purpose.',
        unit: 'opm',
        query: { '{{operation}}': perMinute(sum(rate(failures), 'operation')) },
        legend: 'right',
        alert: 'HighDockerFailureRate',
        shades: BAD,
        movedBy: 'driver-failures',
      }),
      timeSeries({
        title: 'Duration p95 by operation',
        description: 'Of 20 calls of an operation, 19 take no longer. Good: below 10 s; 30 s is an alert (dashed).',
        unit: 's',
        query: { '{{operation}}': orNone(quantile(0.95, ours('docker_operation_duration_seconds'), 'operation'), 'operation') },
        legend: 'right',
        limits: low(10, 30),
        alert: 'SlowDockerOperations',
        movedBy: 'slow-driver',
      }),
      heatmap({
        title: 'How durations spread',
        description:
          'How many calls of the driver took how long; its pings are left out. Good: bands that stay where they are; one that climbs is an engine that gets tired.',
        unit: 's',
        query: buckets(ours('docker_operation_duration_seconds', 'operation!="ping"')),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failed share by operation',
        description: 'Share of the calls of an operation that failed. Good: below 10 % (dashed).',
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
        description: 'Calls of the driver in a minute, by how they ended. Good: green.',
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
          'Attempts in a minute at what people asked and at what the reconciler found. Good: `environment_reconcile` is steady, the rest follows users.',
        unit: 'opm',
        query: { '{{kind}}': perMinute(sum(rate(ours('jobs_total', ENVIRONMENT_JOBS)), 'kind')) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Jobs that did not succeed',
        description: 'Attempts in a minute that are tried again, were given up or lost. Good: few retries, none dead.',
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
        description: 'Of 20 attempts, 19 take no longer. Good: a few seconds.',
        unit: 's',
        query: { '{{kind}}': orNone(quantile(0.95, ours('job_duration_seconds', ENVIRONMENT_JOBS), 'kind'), 'kind') },
        movedBy: 'slow-driver',
      }),
    ),
    row(
      'What runs in them',
      timeSeries({
        title: 'Running and open',
        description:
          'Environments that run, and in them shells, tmux and editors that are open, over the whole fleet. Good: follows the number of users.',
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
          'Installations in an hour at the present pace, by extension, and those that were tried to their end in vain. Good: follows users, none failed.',
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
          "Lines of environments' logs that were stored in a second, by stream, and those that were dropped because an environment wrote too many. Good: little `stderr`, nothing dropped.",
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
        title: 'Lines sent to browsers',
        description: 'Events `env:log` put on their way to clients in a second, one for each client. Good: lines times readers.',
        unit: 'cps',
        query: { 'env:log': sum(rate(ours('websocket_messages_total', 'event_type="env:log", direction="out"'))) },
        more: 'realtime',
        movedBy: 'traffic',
        width: 12,
      }),
    ),
  ],
});
