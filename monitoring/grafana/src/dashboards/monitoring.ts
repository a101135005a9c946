// The monitoring itself: what Prometheus scrapes, evaluates and stores, and the alerts that it sends.

import { BAD, below, GOOD, low, none } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { EVERY_TARGET, targetsDown } from '../figures.js';
import { barGauge, stat, stateTimeline, timeSeries } from '../panels.js';
import { from, inShownTime, max, min, orNone, orZero, perMinute, rate, ratio, sum, top } from '../queries.js';

const prometheus = (metric: string, ...matchers: string[]) => from('prometheus', `prometheus_${metric}`, ...matchers);
const alertmanager = (metric: string) => from('alertmanager', `alertmanager_${metric}`);
const slowestScrape = (...labels: string[]) => max('scrape_duration_seconds{job=~".+"}', ...labels);
/** Adds the label `group`: the name of a group of rules, without its file. */
const byGroup = (of: string) => `label_replace(${of}, "group", "$1", "rule_group", ".*;(.*)")`;
/** Within this time, Prometheus evaluates the inner part of 99 % of queries; 0 while there are none (NaN). */
const queryP99 = orZero(`${max(prometheus('engine_query_duration_seconds', 'slice="inner_eval"', 'quantile="0.99"'))} >= 0`);

const notifications = alertmanager('notifications_total');
/** Selects integrations with at least one notification, because Alertmanager also exposes a counter for each unused integration. */
const used = `(${sum(inShownTime(notifications), 'integration')} > 0)`;
/** Alerts that Prometheus could not hand over to Alertmanager. */
const lost = (of: (counter: string) => string) =>
  `${sum(of(prometheus('notifications_dropped_total')))} + ${sum(of(prometheus('notifications_errors_total')))}`;

export const monitoring = dashboard('monitoring', {
  title: 'Monitoring',
  folder: 'infrastructure',
  description: 'Does Prometheus scrape every target, evaluate every rule, store every sample and send every alert?',
  rows: [
    row(
      'Now',
      stat({
        title: 'Targets down',
        description: 'Scrape targets that do not respond. Good: 0. Otherwise "Targets" below names them.',
        unit: 'none',
        query: targetsDown,
        limits: none,
        alert: 'TargetDown',
        movedBy: 'replica-stopped',
      }),
      stat({
        title: 'Slowest scrape',
        description: 'Duration of the last scrape of the slowest target. Good: below a second; a scrape fails after 10 s.',
        unit: 's',
        query: slowestScrape(),
        limits: low(1, 10),
        movedBy: 'alerts',
      }),
      stat({
        title: 'Samples',
        description: 'Samples ingested per second. Good: flat between deployments. A jump has its cause in "Samples per scrape".',
        unit: 'cps',
        query: sum(rate(prometheus('tsdb_head_samples_appended_total'))),
        movedBy: 'rules',
      }),
      stat({
        title: 'Series',
        description: "Series in Prometheus' memory. Good: flat between deployments; each costs a few kilobytes.",
        unit: 'short',
        query: sum(prometheus('tsdb_head_series')),
        alert: 'CardinalityGrowth',
        movedBy: 'rules',
      }),
      stat({
        title: 'Slowest rules',
        description: 'Duration of the slowest group of rules. Good: below a second; above the interval of 15 s, Prometheus skips evaluations.',
        unit: 's',
        query: max(prometheus('rule_group_last_duration_seconds')),
        limits: low(1, 15),
        movedBy: 'rules',
      }),
      stat({
        title: 'Failed rules',
        description:
          'Failed evaluations of rules in the selected time range. Good: 0. Otherwise the page Rules of Prometheus shows the error of each rule.',
        unit: 'none',
        query: sum(inShownTime(prometheus('rule_evaluation_failures_total'))),
        limits: none,
        alert: 'MonitoringBroken',
        movedBy: 'rules',
      }),
      stat({
        title: 'Queries p99',
        description:
          '99 % of queries, of rules and of dashboards, are evaluated within this time. Good: below a second; after 2 minutes a query fails.',
        unit: 's',
        query: queryP99,
        limits: low(1, 10),
        movedBy: 'rules',
      }),
      stat({
        title: 'Alerts sent',
        description:
          'Alerts that Prometheus sent to Alertmanager in the selected time range, and those that it lost. Good: some (Watchdog), none lost. Otherwise check Alertmanager.',
        unit: 'short',
        decimals: 0,
        query: { sent: sum(inShownTime(prometheus('notifications_sent_total'))), lost: lost(inShownTime) },
        alert: 'MonitoringBroken',
        movedBy: 'alerts',
      }),
    ),
    row(
      'Scrapes',
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
        query: { '{{job}}': slowestScrape('job') },
        limits: below(10),
        movedBy: 'alerts',
      }),
    ),
    row(
      'Rules and queries',
      timeSeries({
        title: 'Rule evaluation',
        description: 'Duration of one evaluation of all rules. Good: well below the interval of 15 s.',
        unit: 's',
        query: {
          'all groups': sum(prometheus('rule_group_last_duration_seconds')),
          'slowest group': max(prometheus('rule_group_last_duration_seconds')),
        },
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Failed rule evaluations',
        description: 
          'Evaluations per minute that failed, and those skipped because the previous one took too long. Alerts and recorded series of such rules are missing. Good: none.',
        unit: 'cpm',
        query: {
          failed: perMinute(sum(rate(prometheus('rule_evaluation_failures_total')))),
          skipped: perMinute(sum(rate(prometheus('rule_group_iterations_missed_total')))),
        },
        colours: { '/failed|skipped/': BAD },
        alert: 'MonitoringBroken',
        movedBy: 'rules',
      }),
      barGauge({
        title: 'Slowest groups of rules',
        description: 'Duration of the last evaluation of the ten slowest groups of rules. Good: below a second.',
        unit: 's',
        query: {
          '{{group}}': top(10, max(byGroup(prometheus('rule_group_last_duration_seconds')), 'group')),
        },
        limits: low(1, 15),
        movedBy: 'rules',
        width: 8,
        height: 10,
      }),
      timeSeries({
        title: 'Queries',
        description: 'Queries per second, of rules and of dashboards. Good: flat; dashboards with many viewers add to it.',
        unit: 'cps',
        query: { queries: sum(rate(prometheus('engine_query_duration_seconds_count', 'slice="inner_eval"'))) },
        movedBy: 'rules',
        width: 12,
      }),
      timeSeries({
        title: 'Query duration',
        description:
          'Time of the slowest 1 % of queries, by part: in the queue, preparing (reads series), evaluating, sorting. Good: below a second, the queue empty.',
        unit: 's',
        query: { '{{slice}}': `${max(prometheus('engine_query_duration_seconds', 'quantile="0.99"'), 'slice')} >= 0` },
        movedBy: 'rules',
        width: 12,
      }),
    ),
    row(
      'Storage',
      timeSeries({
        title: 'Series and samples',
        description: "Series in Prometheus' memory, and samples ingested per second. Good: flat between deployments.",
        unit: 'short',
        query: {
          series: sum(prometheus('tsdb_head_series')),
          'samples per second': sum(rate(prometheus('tsdb_head_samples_appended_total'))),
        },
        alert: 'CardinalityGrowth',
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Series created and removed',
        description: 'Series that appear in memory and leave it, per minute. Good: near 0 between deployments; both high is churn: a label changes all the time.',
        unit: 'cpm',
        query: {
          created: perMinute(sum(rate(prometheus('tsdb_head_series_created_total')))),
          removed: perMinute(sum(rate(prometheus('tsdb_head_series_removed_total')))),
        },
        alert: 'CardinalityGrowth',
        movedBy: 'rules',
      }),
      timeSeries({
        title: 'Prometheus disk and memory',
        description:
          'Size on disk of the blocks and of the write-ahead log (0 before Prometheus 3), and resident memory. The first block appears after about three hours. Good: blocks below 5 GB; at 5 GB Prometheus deletes the oldest.',
        unit: 'bytes',
        query: {
          blocks: sum(prometheus('tsdb_storage_blocks_bytes')),
          'write-ahead log': orZero(sum(prometheus('tsdb_wal_storage_size_bytes'))),
          memory: sum(from('prometheus', 'process_resident_memory_bytes')),
        },
        movedBy: 'rules',
      }),
    ),
    row(
      'Alerts',
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
        title: 'Alerts handed over',
        description: 'Alerts per minute that Prometheus sent to Alertmanager, and those that it lost. Good: none lost; otherwise check Alertmanager.',
        unit: 'cpm',
        query: {
          sent: perMinute(sum(rate(prometheus('notifications_sent_total')))),
          lost: `(${lost(rate)}) * 60`,
        },
        colours: { '/lost/': BAD },
        alert: 'MonitoringBroken',
        movedBy: 'alerts',
      }),
      timeSeries({
        title: 'Notifications',
        description: 'Notifications per minute by integration, and failed attempts to send one. Good: follows the alerts, none failed.',
        unit: 'cpm',
        query: {
          '{{integration}}': orNone(`${perMinute(sum(rate(notifications), 'integration'))} and on (integration) ${used}`, 'integration'),
          failed: perMinute(sum(rate(alertmanager('notification_requests_failed_total')))),
        },
        colours: { '/failed/': BAD },
        alert: 'MonitoringBroken',
        movedBy: 'alerts',
      }),
    ),
  ],
});
