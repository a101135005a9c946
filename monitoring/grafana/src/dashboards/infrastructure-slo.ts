// What is promised and what is left of it; and what the service stands on: edge, machine, monitoring.

import { BAD, below, BY_STATUS, GOOD, high, low, none } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { barGauge, stat, stateTimeline, table, timeSeries } from '../panels.js';
import { AT_EDGE, byClass, from, inShownTime, max, min, orNone, orZero, part, perMinute, quantile, rate, ratio, sum } from '../queries.js';

const edge = (...matchers: string[]) => from('caddy', 'caddy_http_request_duration_seconds', AT_EDGE, ...matchers);
const edgeRequests = (...matchers: string[]) => part(edge(...matchers), 'count');
const node = (metric: string, ...matchers: string[]) => from('node', metric, ...matchers);
const prometheus = (metric: string, ...matchers: string[]) => from('prometheus', metric, ...matchers);
const alertmanager = (metric: string) => from('alertmanager', metric);
const EVERY_TARGET = 'up{job=~".+"}';
const free = `${node('node_filesystem_avail_bytes', 'fstype!="tmpfs"')} / ${node('node_filesystem_size_bytes', 'fstype!="tmpfs"')}`;

/** What the replicas hold of the machine's memory. */
const replicas = sum(from('backend', 'process_resident_memory_bytes'));

const notifications = alertmanager('alertmanager_notifications_total');
/** Ways that notifications have taken: Alertmanager counts for all that it knows. */
const used = `(${sum(inShownTime(notifications), 'integration')} > 0)`;

export const infrastructureSlo = dashboard('infrastructure-slo', {
  title: 'Infrastructure and SLO',
  description: 'Is what is promised kept? And is what the service stands on well: edge, machine, monitoring?',
  rows: [
    row(
      'Now',
      stat({
        title: 'Budget left',
        description: 'Of the failures that 30 days allow, what is left; the worst objective counts. Good: above a quarter.',
        unit: 'percentunit',
        decimals: 0,
        query: 'min(slo:period_error_budget_remaining:ratio)',
        limits: high(0, 0.25),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      stat({
        title: 'Burn rate',
        description:
          'How many times faster than allowed the worst objective uses up its budget now. Good: below 1; 14.4 for an hour pages somebody.',
        unit: 'short',
        decimals: 1,
        query: 'max(slo:current_burn_rate:ratio)',
        limits: low(1, 14.4),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      stat({
        title: 'Targets down',
        description: 'Everything that Prometheus scrapes and that does not answer. Good: 0.',
        unit: 'none',
        query: orZero(`count(${EVERY_TARGET} == 0)`),
        limits: none,
        alert: 'TargetDown',
        movedBy: 'replica-stopped',
      }),
      stat({
        title: 'Upstreams',
        description: 'Replicas that the edge sends requests to. Good: 3.',
        unit: 'none',
        query: orZero(sum(from('caddy', 'caddy_reverse_proxy_upstreams_healthy'))),
        limits: high(2, 3),
        alert: 'EdgeUpstreamUnhealthy',
        movedBy: 'replica-stopped',
      }),
      stat({
        title: 'Edge failed',
        description: 'Share of the answers of the edge that are 5xx. Good: below 0.1 %; 5 % is an alert.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(edgeRequests('code=~"5.."'))), sum(rate(edgeRequests())))),
        limits: low(0.001, 0.05),
        alert: 'EdgeErrors',
        movedBy: 'edge-errors',
      }),
      stat({
        title: 'Disk free',
        description: 'Share of the fullest disk that is free. Good: above 20 %.',
        unit: 'percentunit',
        decimals: 0,
        query: `min(${free})`,
        limits: high(0.1, 0.2),
        alert: 'DiskWillFill',
        movedBy: 'disk',
      }),
      stat({
        title: 'Machine CPU',
        description:
          "Share of the machine's cores that is in use, and the part of it that the replicas and the edge use. Good: below 80 %. Far apart: other programs take the machine.",
        unit: 'percentunit',
        decimals: 0,
        query: {
          machine: `1 - avg(${rate(node('node_cpu_seconds_total', 'mode="idle"'))})`,
          service: `${sum(rate('process_cpu_seconds_total{job=~"backend|caddy"}'))} / scalar(count(${rate(node('node_cpu_seconds_total', 'mode="idle"'))}))`,
        },
        limits: low(0.8, 0.95),
        movedBy: 'busy',
      }),
      stat({
        title: 'Alerts firing',
        description: 'Alerts that fire now; Watchdog, which always does, is left out. Good: 0.',
        unit: 'none',
        query: orZero('count(ALERTS{alertstate="firing", alertname!="Watchdog"})'),
        limits: none,
        movedBy: 'alerts',
      }),
    ),
    row(
      'Objectives',
      table({
        title: 'Objectives',
        description: 'What is promised over 30 days, what came of it, what is left. Good: green. monitoring/slo.yml says what counts.',
        unit: 'none',
        query: {
          objective: 'max by (slo) (slo:objective:ratio)',
          kept: '1 - max by (slo) (slo:sli_error:ratio_rate30d)',
          left: 'min by (slo) (slo:period_error_budget_remaining:ratio)',
          burn: 'max by (slo) (slo:current_burn_rate:ratio)',
          hour: 'max by (slo) (slo:sli_error:ratio_rate1h / on (slo) slo:error_budget:ratio)',
        },
        columns: {
          slo: { title: 'Objective' },
          'Value #A': { title: 'Promised', unit: 'percentunit', decimals: 1, width: 110 },
          'Value #B': { title: 'Kept', unit: 'percentunit', decimals: 2, width: 110 },
          'Value #C': { title: 'Budget left', unit: 'percentunit', decimals: 0, limits: high(0, 0.25), width: 110 },
          'Value #D': { title: 'Burn now', unit: 'short', decimals: 1, limits: low(1, 14.4), width: 110 },
          'Value #E': { title: 'Burn, hour', unit: 'short', decimals: 1, limits: low(1, 14.4), width: 110 },
        },
        movedBy: 'error-budget',
        width: 12,
        height: 8,
      }),
      timeSeries({
        title: 'Budget left over time',
        description:
          'Of the failures that 30 days allow, what is left. Good: falls no faster than time goes by; below 0 the promise is broken.',
        unit: 'percentunit',
        min: 'free',
        max: 1,
        query: { '{{slo}}': 'min by (slo) (slo:period_error_budget_remaining:ratio)' },
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
        width: 12,
        height: 8,
      }),
      timeSeries({
        title: 'Burn rate now',
        description: 'How many times faster than allowed each budget is used up, over five minutes. Good: below 1 (dashed).',
        unit: 'short',
        query: { '{{slo}}': 'max by (slo) (slo:current_burn_rate:ratio)' },
        limits: low(1, 14.4),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      timeSeries({
        title: 'Burn rate of an hour',
        description: 'The same over an hour: what pages somebody at 14.4 (dashed). Good: below 1.',
        unit: 'short',
        query: { '{{slo}}': 'max by (slo) (slo:sli_error:ratio_rate1h / on (slo) slo:error_budget:ratio)' },
        limits: low(1, 14.4),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      timeSeries({
        title: 'Burn rate of six hours',
        description: 'The same over six hours: what pages somebody at 6 (dashed). Good: below 1.',
        unit: 'short',
        query: { '{{slo}}': 'max by (slo) (slo:sli_error:ratio_rate6h / on (slo) slo:error_budget:ratio)' },
        limits: low(1, 6),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
    ),
    row(
      'Edge',
      timeSeries({
        title: 'Answers by status',
        description:
          'Answers of the edge in a second by the class of their status. Good: green; 502 and 503 mean that it found no replica.',
        unit: 'reqps',
        query: { '{{class}}': byClass(rate(edgeRequests()), 'code') },
        colours: BY_STATUS,
        stacked: true,
        alert: 'EdgeErrors',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Time to the first byte',
        description: 'What clients wait for at the edge until a successful answer begins. Good: p95 below 300 ms (dashed).',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, from('caddy', 'caddy_http_response_duration_seconds', AT_EDGE))),
          p95: orZero(quantile(0.95, from('caddy', 'caddy_http_response_duration_seconds', AT_EDGE))),
          p99: orZero(quantile(0.99, from('caddy', 'caddy_http_response_duration_seconds', AT_EDGE))),
        },
        limits: low(0.3, 1),
        movedBy: 'slowness',
      }),
      stateTimeline({
        title: 'Upstreams by replica',
        description: 'When the edge found which replica healthy. Good: green; one at a time is red in a rolling restart.',
        unit: 'none',
        query: { '{{upstream}}': min(from('caddy', 'caddy_reverse_proxy_upstreams_healthy'), 'upstream') },
        words: { 0: ['unhealthy', BAD], 1: ['healthy', GOOD] },
        alert: 'EdgeUpstreamUnhealthy',
        movedBy: 'replica-stopped',
        width: 8,
        height: 9,
      }),
      timeSeries({
        title: 'In flight at the edge',
        description: 'Requests and sockets that are open at the edge. Good: follows users.',
        unit: 'none',
        query: { open: sum(from('caddy', 'caddy_http_requests_in_flight', AT_EDGE)) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Edge and replicas',
        description:
          'Requests in a second as the edge and as the replicas count them; probes and scrapes pass the edge by. Good: close together; the edge has more when replicas are away.',
        unit: 'reqps',
        query: {
          edge: sum(rate(edgeRequests())),
          replicas: 'sum(rate(http_requests_total{job="backend", route!~"/health.*|(/api)?/metrics"}[$__rate_interval]))',
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Sent by the edge',
        description: 'Bytes of answers in a second. Good: follows requests.',
        unit: 'Bps',
        query: { sent: sum(rate(from('caddy', 'caddy_http_response_size_bytes_sum', AT_EDGE))) },
        movedBy: 'traffic',
      }),
    ),
    row(
      'Machine',
      timeSeries({
        title: 'CPU by mode',
        description: "Share of the machine's cores, by what they do. Good: room at the top; `iowait` and `steal` are time that is lost.",
        unit: 'percentunit',
        max: 1,
        query: { '{{mode}}': `avg by (mode) (${rate(node('node_cpu_seconds_total', 'mode!="idle"'))}) > 0.001` },
        stacked: true,
        movedBy: 'busy',
      }),
      timeSeries({
        title: 'Memory',
        description:
          'Memory of the machine: what the replicas hold, what other programs use, what is available. Good: much is available; what is cached is given back when it is wanted.',
        unit: 'bytes',
        query: {
          replicas,
          others: `clamp_min(${sum(node('node_memory_MemTotal_bytes'))} - ${sum(node('node_memory_MemAvailable_bytes'))} - ${replicas}, 0)`,
          available: sum(node('node_memory_MemAvailable_bytes')),
        },
        colours: { '/replicas/': 'purple', '/others/': 'blue', '/available/': 'green' },
        stacked: true,
        movedBy: 'memory',
      }),
      timeSeries({
        title: 'Disk in use',
        description: 'Share of each disk that is in use. Good: below 80 % (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{device}}': `1 - ${min(free, 'device')}` },
        limits: low(0.8, 0.9),
        alert: 'DiskWillFill',
        movedBy: 'disk',
      }),
      timeSeries({
        title: 'Disk traffic',
        description: 'Bytes in a second that were read from disks and written to them. Good: follows statements.',
        unit: 'Bps',
        query: {
          read: sum(rate(node('node_disk_read_bytes_total'))),
          written: sum(rate(node('node_disk_written_bytes_total'))),
        },
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Waiting (pressure)',
        description: 'Share of the time in which something waited for a core, a disk, or memory. Good: disk and memory near 0, CPU low.',
        unit: 'percentunit',
        query: {
          CPU: orZero(max(rate(node('node_pressure_cpu_waiting_seconds_total')))),
          disk: orZero(max(rate(node('node_pressure_io_waiting_seconds_total')))),
          memory: orZero(max(rate(node('node_pressure_memory_waiting_seconds_total')))),
        },
        movedBy: 'busy',
      }),
    ),
    row(
      'Processes',
      timeSeries({
        title: 'CPU by process',
        description:
          'Cores that each process uses: replicas, edge, Prometheus, Alertmanager, exporters. Good: the replicas are at the top.',
        unit: 'short',
        decimals: 2,
        query: { '{{job}} {{instance}}': 'sum by (job, instance) (rate(process_cpu_seconds_total{job=~".+"}[$__rate_interval]))' },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Memory by process',
        description: 'Resident memory of each process, and of Redis. Good: flat.',
        unit: 'bytes',
        query: {
          '{{job}} {{instance}}':
            'sum by (job, instance) (process_resident_memory_bytes{job=~".+"} or redis_memory_used_rss_bytes{job="redis"})',
        },
        legend: 'right',
        alert: 'HighMemoryUsage',
        movedBy: 'memory',
      }),
    ),
    row(
      'Monitoring itself',
      stateTimeline({
        title: 'Targets',
        description: 'When Prometheus could scrape what. Good: green.',
        unit: 'none',
        query: { '{{job}} {{instance}}': min(EVERY_TARGET, 'job', 'instance') },
        words: { 0: ['down', BAD], 1: ['up', GOOD] },
        alert: 'TargetDown',
        movedBy: 'replica-stopped',
        height: 10,
      }),
      barGauge({
        title: 'Lost and found',
        description: 'Times that each target stopped answering in the shown time, the first ten. Good: none; more than twice in 15 minutes is an alert.',
        unit: 'none',
        query: { '{{job}} {{instance}}': orNone('topk(10, resets(up{job=~".+"}[$__range])) > 0', 'job') },
        limits: low(1, 3),
        alert: 'StatusFlapping',
        movedBy: 'replica-stopped',
      }),
      timeSeries({
        title: 'Samples of a scrape',
        description:
          'Samples of a scrape as a share of the `sample_limit` of its job in prometheus.yml, at the biggest target. Good: below a third; above a half is an alert (dashed), above 1 nothing is stored.',
        unit: 'percentunit',
        query: { '{{job}}': max(ratio('scrape_samples_post_metric_relabeling{job=~".+"}', 'scrape_sample_limit{job=~".+"}'), 'job') },
        limits: low(0.5, 1),
        alert: 'CardinalityGrowth',
        movedBy: 'traffic',
        width: 12,
        height: 10,
      }),
      timeSeries({
        title: 'Time of a scrape',
        description: 'Time that a scrape of a job takes, at its slowest target. Good: below a second; the timeout is 10 s (dashed).',
        unit: 's',
        query: { '{{job}}': max('scrape_duration_seconds{job=~".+"}', 'job') },
        limits: below(10),
        movedBy: 'alerts',
      }),
      timeSeries({
        title: 'Rules',
        description: 'Time of evaluating all rules once. Good: well below the interval of 15 s.',
        unit: 's',
        query: {
          'all groups': sum(prometheus('prometheus_rule_group_last_duration_seconds')),
          'slowest group': max(prometheus('prometheus_rule_group_last_duration_seconds')),
        },
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Rules that failed',
        description: 'Evaluations of rules in a minute that ended with an error: what they warn of or record is missing. Good: none.',
        unit: 'cpm',
        query: { failed: perMinute(sum(rate(prometheus('prometheus_rule_evaluation_failures_total')))) },
        colours: { '/failed/': BAD },
        alert: 'MonitoringBroken',
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Series and samples',
        description: 'Series that Prometheus has in memory, and samples in a second that it takes in. Good: flat between deployments.',
        unit: 'short',
        query: {
          series: sum(prometheus('prometheus_tsdb_head_series')),
          'samples a second': sum(rate(prometheus('prometheus_tsdb_head_samples_appended_total'))),
        },
        alert: 'CardinalityGrowth',
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Alerts by state',
        description: 'Alerts that are pending or firing, by severity; Watchdog is the one without. Good: Watchdog alone.',
        unit: 'none',
        query: { '{{severity}} {{alertstate}}': 'count by (severity, alertstate) (ALERTS)' },
        colours: { '/critical firing/': 'red', '/warning firing/': 'orange', '/info firing/': 'blue', '/none firing/': 'green' },
        stacked: true,
        movedBy: 'edge-errors',
      }),
      timeSeries({
        title: 'Notifications',
        description: 'Notifications in a minute by the way they take, and those that failed. Good: follows the alerts, none failed.',
        unit: 'cpm',
        query: {
          '{{integration}}': orNone(`${perMinute(sum(rate(notifications), 'integration'))} and on (integration) ${used}`, 'integration'),
          failed: perMinute(sum(rate(alertmanager('alertmanager_notification_requests_failed_total')))),
        },
        colours: { '/failed/': BAD },
        alert: 'MonitoringBroken',
        movedBy: 'alerts',
      }),
      timeSeries({
        title: 'Prometheus, disk and memory',
        description:
          'Blocks on disk, of which there are none in the first two hours, and memory. Good: blocks below 5 GB, at which the oldest goes.',
        unit: 'bytes',
        query: {
          blocks: sum(prometheus('prometheus_tsdb_storage_blocks_bytes')),
          memory: sum(from('prometheus', 'process_resident_memory_bytes')),
        },
        movedBy: 'rules',
      }),
    ),
  ],
});
