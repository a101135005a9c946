// Objectives and their error budgets; the edge, the machine and the monitoring.

import { BAD, below, BY_STATUS, GOOD, high, low, none } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { alertsFiring } from '../figures.js';
import { barGauge, stat, stateTimeline, table, timeSeries } from '../panels.js';
import { AT_EDGE, byClass, from, inShownTime, max, min, orNone, orZero, part, perMinute, quantile, rate, ratio, sum } from '../queries.js';

const edge = (...matchers: string[]) => from('caddy', 'caddy_http_request_duration_seconds', AT_EDGE, ...matchers);
const edgeRequests = (...matchers: string[]) => part(edge(...matchers), 'count');
const node = (metric: string, ...matchers: string[]) => from('node', metric, ...matchers);
const prometheus = (metric: string, ...matchers: string[]) => from('prometheus', metric, ...matchers);
const alertmanager = (metric: string) => from('alertmanager', metric);
const probe = (metric: string, ...matchers: string[]) => from('probe', metric, ...matchers);
const DAY = 86400;
const EVERY_TARGET = 'up{job=~".+"}';
const free = `${node('node_filesystem_avail_bytes', 'fstype!="tmpfs"')} / ${node('node_filesystem_size_bytes', 'fstype!="tmpfs"')}`;

/** Resident memory of all replicas together. */
const replicas = sum(from('backend', 'process_resident_memory_bytes'));

const notifications = alertmanager('alertmanager_notifications_total');
/** Selects integrations with at least one notification, because Alertmanager also exposes a counter for each unused integration. */
const used = `(${sum(inShownTime(notifications), 'integration')} > 0)`;

export const infrastructureSlo = dashboard('infrastructure-slo', {
  title: 'Infrastructure and SLO',
  folder: 'infrastructure',
  description: 'Are the objectives met? Are the edge, the machine and the monitoring healthy?',
  rows: [
    row(
      'Now',
      stat({
        title: 'Budget left',
        description: 'Remaining share of the 30-day error budget of the worst objective. Good: above a quarter.',
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
          'Current burn rate of the worst objective; 1 uses up the budget exactly in 30 days. Good: below 1; above 14.4 over an hour it pages.',
        unit: 'short',
        decimals: 1,
        query: 'max(slo:current_burn_rate:ratio)',
        limits: low(1, 14.4),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      stat({
        title: 'Targets down',
        description: 'Scrape targets that do not respond. Good: 0.',
        unit: 'none',
        query: orZero(`count(${EVERY_TARGET} == 0)`),
        limits: none,
        alert: 'TargetDown',
        movedBy: 'replica-stopped',
      }),
      stat({
        title: 'Upstreams',
        description: 'Replicas that the edge finds healthy. Good: 3.',
        unit: 'none',
        query: orZero(sum(from('caddy', 'caddy_reverse_proxy_upstreams_healthy'))),
        limits: high(2, 3),
        alert: 'EdgeUpstreamUnhealthy',
        movedBy: 'replica-stopped',
      }),
      stat({
        title: 'Edge failed',
        description:
          "Share of the edge's responses with a 5xx status, without requests whose client disconnected (499). Good: below 0.1 %; 5 % raises an alert.",
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(edgeRequests('code=~"5.."'))), sum(rate(edgeRequests('code!="499"'))))),
        limits: low(0.001, 0.05),
        alert: 'EdgeErrors',
        movedBy: 'edge-errors',
      }),
      stat({
        title: 'Disk free',
        description: 'Free share of the fullest disk. Good: above 20 %.',
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
          "Share of the machine's CPU cores in use, and the part used by the replicas and the edge. Good: below 80 %. A wide gap means that other processes load the machine.",
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
        description: 'Alerts that fire now, without Watchdog, which always fires. Good: 0.',
        unit: 'none',
        query: alertsFiring,
        limits: none,
        movedBy: 'alerts',
      }),
    ),
    row(
      'Objectives',
      table({
        title: 'Objectives',
        description:
          'Each objective over 30 days: target, actual value, remaining budget; and its burn rate now and over an hour. Good: green. monitoring/slo.yml defines which events count.',
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
          'Value #A': { title: 'Target', unit: 'percentunit', decimals: 1, width: 110 },
          'Value #B': { title: 'Actual', unit: 'percentunit', decimals: 2, width: 110 },
          'Value #C': { title: 'Budget left', unit: 'percentunit', decimals: 0, limits: high(0, 0.25), width: 110 },
          'Value #D': { title: 'Burn rate', unit: 'short', decimals: 1, limits: low(1, 14.4), width: 110 },
          'Value #E': { title: 'Burn rate 1 h', unit: 'short', decimals: 1, limits: low(1, 14.4), width: 110 },
        },
        movedBy: 'error-budget',
        width: 12,
        height: 8,
      }),
      timeSeries({
        title: 'Budget left over time',
        description: 'Remaining share of the 30-day error budget. Good: above a quarter; below 0 the objective is missed.',
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
        description: 'Burn rate of each error budget over five minutes. Good: below 1 (dashed).',
        unit: 'short',
        query: { '{{slo}}': 'max by (slo) (slo:current_burn_rate:ratio)' },
        limits: low(1, 14.4),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      timeSeries({
        title: 'Burn rate over 1 h',
        description: 'Burn rate over one hour. Good: below 1; above 14.4 it pages (dashed).',
        unit: 'short',
        query: { '{{slo}}': 'max by (slo) (slo:sli_error:ratio_rate1h / on (slo) slo:error_budget:ratio)' },
        limits: low(1, 14.4),
        alert: 'ErrorBudgetBurn',
        movedBy: 'error-budget',
      }),
      timeSeries({
        title: 'Burn rate over 6 h',
        description: 'Burn rate over six hours. Good: below 1; above 6 it pages (dashed).',
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
        title: 'Responses by status',
        description: "The edge's responses per second by status class. Good: green; 5xx includes requests that no replica answered.",
        unit: 'reqps',
        query: { '{{class}}': byClass(rate(edgeRequests()), 'code') },
        colours: BY_STATUS,
        stacked: true,
        alert: 'EdgeErrors',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Time to first byte',
        description: "Time at the edge until the first byte of a replica's response, for 2xx only. Good: p95 below 300 ms (dashed).",
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
        description: 'When the edge found each replica healthy. Good: green; during a rolling restart one at a time is red.',
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
        description: 'Open requests and WebSockets at the edge. Good: follows users.',
        unit: 'none',
        query: { open: sum(from('caddy', 'caddy_http_requests_in_flight', AT_EDGE)) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Edge and replicas',
        description:
          'Requests per second as counted by the edge, and by the replicas without probes and scrapes, which bypass the edge. Good: close together; the edge counts more when replicas are down.',
        unit: 'reqps',
        query: {
          edge: sum(rate(edgeRequests())),
          replicas: 'sum(rate(http_requests_total{job="backend", route!~"/health.*|(/api)?/metrics"}[$__rate_interval]))',
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Sent by the edge',
        description: 'Bytes of responses per second. Good: follows requests.',
        unit: 'Bps',
        query: { sent: sum(rate(from('caddy', 'caddy_http_response_size_bytes_sum', AT_EDGE))) },
        movedBy: 'traffic',
      }),
    ),
    row(
      'From outside',
      stateTimeline({
        title: 'Probes',
        description:
          'Whether requests through the edge succeed, as a client sees it: the home page, the API, a Socket.IO handshake, and TLS. Good: green.',
        unit: 'none',
        query: { '{{probe}}': min(probe('probe_success'), 'probe') },
        words: { 0: ['fails', BAD], 1: ['succeeds', GOOD] },
        alert: 'EdgeProbeFailing',
        movedBy: 'edge-errors',
        width: 8,
        height: 9,
      }),
      barGauge({
        title: 'Uptime',
        description: 'Share of the probes in the selected time range that succeeded. Good: 100 %.',
        unit: 'percentunit',
        max: 1,
        query: { '{{probe}}': `avg by (probe) (avg_over_time(${probe('probe_success')}[$__range]))` },
        limits: high(0.99, 0.999),
        alert: 'EdgeProbeFailing',
        movedBy: 'edge-errors',
        width: 6,
      }),
      timeSeries({
        title: 'Probe duration',
        description: 'Duration of each probe, from the connection to the end of the answer. Good: below a second.',
        unit: 's',
        query: { '{{probe}}': max(probe('probe_duration_seconds'), 'probe') },
        movedBy: 'slowness',
        width: 6,
        height: 9,
      }),
      stat({
        title: 'Certificate',
        description:
          "Time until the edge's certificate, or one in its chain, expires. Good: above 30 days, because Caddy renews a certificate of 90 days when 30 are left.",
        unit: 's',
        query: `min(${probe('probe_ssl_earliest_cert_expiry', 'probe="tls"')}) - time()`,
        limits: high(14 * DAY, 29 * DAY),
        alert: 'CertificateExpiry',
        movedBy: 'certificate',
        width: 4,
      }),
    ),
    row(
      'Machine',
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
        title: 'Memory',
        description:
          'Memory of the machine: used by the replicas, used by other processes, available. Good: much is available; caches are freed on demand.',
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
        description: 'Used share of each disk. Good: below 80 % (dashed).',
        unit: 'percentunit',
        max: 1,
        query: { '{{device}}': `1 - ${min(free, 'device')}` },
        limits: low(0.8, 0.9),
        alert: 'DiskWillFill',
        movedBy: 'disk',
      }),
      timeSeries({
        title: 'Disk traffic',
        description: 'Bytes per second read from and written to disks. Good: follows database statements.',
        unit: 'Bps',
        query: {
          read: sum(rate(node('node_disk_read_bytes_total'))),
          written: sum(rate(node('node_disk_written_bytes_total'))),
        },
        movedBy: 'disk-traffic',
      }),
      timeSeries({
        title: 'Waiting (pressure)',
        description: 'Share of time in which a process waited for CPU, disk or memory. Good: disk and memory near 0, CPU low.',
        unit: 'percentunit',
        query: {
          CPU: orZero(max(rate(node('node_pressure_cpu_waiting_seconds_total')))),
          disk: orZero(max(rate(node('node_pressure_io_waiting_seconds_total')))),
          memory: orZero(max(rate(node('node_pressure_memory_waiting_seconds_total')))),
        },
        movedBy: 'disk-traffic',
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
      'Monitoring',
      stateTimeline({
        title: 'Targets',
        description: 'When Prometheus could scrape each target. Good: green.',
        unit: 'none',
        query: { '{{job}} {{instance}}': min(EVERY_TARGET, 'job', 'instance') },
        words: { 0: ['down', BAD], 1: ['up', GOOD] },
        alert: 'TargetDown',
        movedBy: 'replica-stopped',
        height: 10,
      }),
      barGauge({
        title: 'Target losses',
        description:
          'Number of times that a target stopped responding in the selected time range, for the ten worst targets. Good: none; more than two in 15 minutes raise an alert.',
        unit: 'none',
        query: { '{{job}} {{instance}}': orNone('topk(10, resets(up{job=~".+"}[$__range])) > 0', 'job') },
        limits: low(1, 3),
        alert: 'StatusFlapping',
        movedBy: 'replica-stopped',
      }),
      timeSeries({
        title: 'Samples per scrape',
        description:
          "Samples per scrape as a share of the job's `sample_limit` in prometheus.yml, for the largest target. Good: below 33 %; more than 50 % raises an alert, and above 100 % Prometheus drops the scrape (both dashed).",
        unit: 'percentunit',
        query: { '{{job}}': max(ratio('scrape_samples_post_metric_relabeling{job=~".+"}', 'scrape_sample_limit{job=~".+"}'), 'job') },
        limits: low(0.5, 1),
        alert: 'CardinalityGrowth',
        movedBy: 'traffic',
        width: 12,
        height: 10,
      }),
      timeSeries({
        title: 'Scrape duration',
        description: "Scrape duration of each job's slowest target. Good: below a second; the timeout is 10 s (dashed).",
        unit: 's',
        query: { '{{job}}': max('scrape_duration_seconds{job=~".+"}', 'job') },
        limits: below(10),
        movedBy: 'alerts',
      }),
      timeSeries({
        title: 'Rule evaluation',
        description: 'Duration of one evaluation of all rules. Good: well below the interval of 15 s.',
        unit: 's',
        query: {
          'all groups': sum(prometheus('prometheus_rule_group_last_duration_seconds')),
          'slowest group': max(prometheus('prometheus_rule_group_last_duration_seconds')),
        },
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Failed rule evaluations',
        description: 'Failed rule evaluations per minute. Alerts and recorded series of a failed rule are missing. Good: none.',
        unit: 'cpm',
        query: { failed: perMinute(sum(rate(prometheus('prometheus_rule_evaluation_failures_total')))) },
        colours: { '/failed/': BAD },
        alert: 'MonitoringBroken',
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Series and samples',
        description: "Series in Prometheus' memory, and samples ingested per second. Good: flat between deployments.",
        unit: 'short',
        query: {
          series: sum(prometheus('prometheus_tsdb_head_series')),
          'samples per second': sum(rate(prometheus('prometheus_tsdb_head_samples_appended_total'))),
        },
        alert: 'CardinalityGrowth',
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Alerts by state',
        description: 'Pending and firing alerts by severity; Watchdog has the severity none. Good: only Watchdog.',
        unit: 'none',
        query: { '{{severity}} {{alertstate}}': 'count by (severity, alertstate) (ALERTS)' },
        colours: { '/critical firing/': 'red', '/warning firing/': 'orange', '/info firing/': 'blue', '/none firing/': 'green' },
        stacked: true,
        movedBy: 'edge-errors',
      }),
      timeSeries({
        title: 'Notifications',
        description: 'Notifications per minute by integration, and failed attempts to send one. Good: follows the alerts, none failed.',
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
        title: 'Prometheus disk and memory',
        description:
          'Size of the blocks on disk, and resident memory. The first block appears after about three hours. Good: blocks below 5 GB; at 5 GB Prometheus deletes the oldest.',
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
