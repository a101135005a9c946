// Objectives and their error budgets, and the edge. `machine`, `containers` and `monitoring` have the details of the rest of the
// infrastructure.

import { BAD, BY_STATUS, GOOD, high, low, none } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { alertsFiring, fullestDisk, machineCpu, targetsDown } from '../figures.js';
import { barGauge, stat, stateTimeline, table, timeSeries } from '../panels.js';
import { AT_EDGE, byClass, from, inShownTime, max, min, orZero, part, quantile, rate, ratio, sum } from '../queries.js';

const edge = (...matchers: string[]) => from('caddy', 'caddy_http_request_duration_seconds', AT_EDGE, ...matchers);
const edgeRequests = (...matchers: string[]) => part(edge(...matchers), 'count');
const probe = (metric: string, ...matchers: string[]) => from('probe', metric, ...matchers);
const DAY = 86400;

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
        query: targetsDown,
        limits: none,
        alert: 'TargetDown',
        more: 'monitoring',
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
        query: fullestDisk,
        limits: high(0.1, 0.2),
        alert: 'DiskWillFill',
        more: 'machine',
        movedBy: 'disk',
      }),
      stat({
        title: 'Machine CPU',
        description:
          "Share of the machine's CPU cores in use, and the part used by the replicas and the edge. Good: below 80 %. A wide gap means that other processes load the machine.",
        unit: 'percentunit',
        decimals: 0,
        query: machineCpu,
        limits: low(0.8, 0.95),
        more: 'machine',
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
      'Backups',
      table({
        title: 'Backups',
        description:
          'The last good backup of each kind: its age, its size, how long it took, and the attempts in the selected time range that made none. No rows: nobody has set backups up. Good: an age below 25 hours, and below a minute for wal; no failures.',
        unit: 'none',
        query: {
          age: `time() - max by (kind) (${from('node', 'backup_last_success_timestamp_seconds')})`,
          size: max(from('node', 'backup_size_bytes'), 'kind'),
          duration: max(from('node', 'backup_duration_seconds'), 'kind'),
          failures: max(inShownTime(from('node', 'backup_failures_total')), 'kind'),
        },
        columns: {
          kind: { title: 'Kind' },
          'Value #A': { title: 'Age', unit: 's', limits: low(25 * 3600, 26 * 3600) },
          'Value #B': { title: 'Size', unit: 'bytes' },
          'Value #C': { title: 'Duration', unit: 's' },
          'Value #D': { title: 'Failures', unit: 'short', decimals: 0, limits: none },
        },
        alert: 'BackupTooOld',
        movedBy: 'old-backup',
        height: 6,
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
  ],
});
