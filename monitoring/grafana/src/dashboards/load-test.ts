// A load test from both sides: what k6 sees at the edge, and what the service says of the same minutes. What is compared is of the same
// window on both sides. k6's quantiles and rates are of the whole run: their panels say so in their titles, and stand apart from the
// service's, which are of a window.

import { above, BAD, below, BY_QUANTILE, BY_STATUS, low, none } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { stat, timeSeries } from '../panels.js';
import { AT_EDGE, byClass, from, inShownTime, max, mean, min, orAll, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, requests, sum } from '../queries.js';
import { instance, route } from '../variables.js';

/** k6 is not scraped: it writes by itself, its times in seconds. */
const k6 = (metric: string, ...matchers: string[]) => `k6_${metric}{${matchers.join(', ')}}`;
/** Not what is made before the first journey. */
const IN_A_SCENARIO = 'scenario!=""';
const latency = requests('http_request_duration_seconds');

export const loadTest = dashboard('load-test', {
  title: 'Load test',
  description:
    'What does k6 see, and what does the service say of it? Begin one by `cargo xtask load`; without one the first row is at zero.',
  variables: [instance, route],
  since: '15m',
  rows: [
    row(
      'Now',
      stat({
        title: 'People',
        description: 'Virtual users that are at work. Good: follows the profile; 0 without a load test.',
        unit: 'none',
        query: orZero(`sum(${k6('vus')})`),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Requests',
        description: 'Requests that k6 makes in a second. Good: as many as the profile wants.',
        unit: 'reqps',
        query: orZero(sum(rate(k6('http_reqs_total')))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed requests',
        description: 'Share of requests whose answer was not the wanted one. Good: below 1 %.',
        unit: 'percentunit',
        // Not k6's own rate of failures: that is kept apart for requests that failed, and is always 1 for these.
        query: orZero(ratio(sum(rate(k6('http_reqs_total', 'expected_response="false"'))), sum(rate(k6('http_reqs_total'))))),
        limits: low(0.001, 0.01),
        movedBy: 'error-budget',
      }),
      stat({
        title: 'p95 k6, whole run',
        description:
          'Of 20 requests since the run began, 19 were answered within this time, in the slowest scenario. Good: below 500 ms. A slow start stays in it.',
        unit: 's',
        query: orZero(`max(${k6('http_req_duration_p95')})`),
        limits: low(0.3, 0.5),
        movedBy: 'traffic',
      }),
      stat({
        title: 'p95 service, now',
        description:
          'Of 20 requests of the last minute or so, the replicas answered 19 within this time. Good: below 500 ms. Not to be compared with the whole run beside it.',
        unit: 's',
        query: orZero(quantile(0.95, latency)),
        limits: low(0.3, 0.5),
        more: 'api-performance',
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed, whole run',
        description: 'Share of the journeys since the run began that did not come to their end, in the worst scenario. Good: below 1 %.',
        unit: 'percentunit',
        query: orZero(`max(1 - ${k6('journeys_rate')})`),
        limits: low(0.001, 0.01),
        movedBy: 'error-budget',
      }),
      stat({
        title: 'Events lost',
        description: 'Events on sockets in the shown time that did not arrive once. Good: 0.',
        unit: 'none',
        query: orZero(`${sum(inShownTime(k6('events_missed_total')))} + ${sum(inShownTime(k6('events_doubled_total')))}`),
        limits: none,
        more: 'realtime',
        movedBy: 'dropped-events',
      }),
      stat({
        title: 'Journeys',
        description: 'Journeys that come to an end in a minute. Good: as many as the profile wants.',
        unit: 'cpm',
        decimals: 0,
        query: orZero(perMinute(sum(rate(k6('iterations_total'))))),
        movedBy: 'traffic',
      }),
    ),
    row(
      'Both sides',
      timeSeries({
        title: 'Requests in a second',
        description: 'As k6, the edge and the replicas count them. Good: the same, but for sockets and for other clients.',
        unit: 'reqps',
        query: {
          k6: orZero(sum(rate(k6('http_reqs_total')))),
          edge: sum(rate(part(from('caddy', 'caddy_http_request_duration_seconds', AT_EDGE), 'count'))),
          replicas: sum(rate(requests('http_requests_total'))),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Mean time',
        description:
          'Mean time of the requests of each moment, at k6 and at the replicas. Good: close together; the gap is the edge, the network, k6 itself, and other clients.',
        unit: 's',
        query: {
          k6: orZero(ratio(sum(rate(k6('request_seconds_total'))), sum(rate(k6('requests_total'))))),
          replicas: orZero(mean(latency)),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Answered within 300 ms',
        description: 'Share of the requests of each moment, at k6 and at the replicas. Good: above 99 % (dashed), close together.',
        unit: 'percentunit',
        min: 'free',
        max: 1,
        query: {
          k6: orAll(ratio(sum(rate(k6('requests_fast_total'))), sum(rate(k6('requests_total'))))),
          replicas: orAll(ratio(sum(rate(requests('http_request_duration_seconds_bucket', 'le="0.3"'))), sum(rate(part(latency, 'count'))))),
        },
        limits: above(0.99),
        movedBy: 'slowness',
      }),
    ),
    row(
      'What k6 sees',
      timeSeries({
        title: 'Latency, whole run',
        description: 'Quantiles since the run began, in the slowest scenario. Good: p95 below 500 ms (dashed); they settle, whatever a moment is like.',
        unit: 's',
        query: {
          p50: orZero(`max(${k6('http_req_duration_p50')})`),
          p95: orZero(`max(${k6('http_req_duration_p95')})`),
          p99: orZero(`max(${k6('http_req_duration_p99')})`),
        },
        colours: BY_QUANTILE,
        limits: below(0.5),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Requests by status',
        description:
          'Requests of k6 in a second by the class of their status; 0xx is no answer. Good: green; 4xx are what journeys want to see: the end of a deletion.',
        unit: 'reqps',
        query: { '{{class}}': orNone(byClass(rate(k6('requests_total'))), 'class') },
        colours: BY_STATUS,
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency p95 by scenario, whole run',
        description: 'Of 20 requests of a scenario, 19 were answered within this time since the run began. Good: below 500 ms (dashed).',
        unit: 's',
        query: { '{{scenario}}': orNone(max(k6('http_req_duration_p95', IN_A_SCENARIO), 'scenario'), 'scenario') },
        limits: below(0.5),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Where the time goes, whole run',
        description:
          'Parts of a request at p95 since the run began, in the slowest scenario. Good: all of it is waiting for the service; `blocked` and `connecting` are k6 and the network.',
        unit: 's',
        query: {
          blocked: orZero(`max(${k6('http_req_blocked_p95')})`),
          connecting: orZero(`max(${k6('http_req_connecting_p95')})`),
          sending: orZero(`max(${k6('http_req_sending_p95')})`),
          waiting: orZero(`max(${k6('http_req_waiting_p95')})`),
          receiving: orZero(`max(${k6('http_req_receiving_p95')})`),
        },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Requests by route',
        description: 'Requests of k6 in a second by route, the first ten. Good: as the journeys go.',
        unit: 'reqps',
        query: { '{{route}}': orNone(`topk(10, ${sum(rate(k6('requests_total')), 'route')}) > 0`, 'route') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failed checks, whole run',
        description: 'Share of the checks of a scenario that did not hold, since the run began. Good: below 1 % (dashed).',
        unit: 'percentunit',
        query: { '{{scenario}}': orNone(`1 - ${min(k6('checks_rate', IN_A_SCENARIO), 'scenario')}`, 'scenario') },
        limits: below(0.01),
        legend: 'right',
        shades: BAD,
        movedBy: 'error-budget',
      }),
    ),
    row(
      'Journeys',
      timeSeries({
        title: 'People at work',
        description: 'Virtual users that are at work, and that there are. Good: fewer at work than there are.',
        unit: 'none',
        query: { 'at work': orZero(`sum(${k6('vus')})`), 'there are': orZero(`sum(${k6('vus_max')})`) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Journeys in a minute',
        description:
          'Journeys that came to an end in a minute, by scenario, and those that could not begin because everybody was busy. Good: as many as the profile wants, all begun.',
        unit: 'cpm',
        decimals: 1,
        query: {
          '{{scenario}}': orNone(perMinute(sum(rate(k6('iterations_total')), 'scenario')), 'scenario'),
          'not begun': orZero(perMinute(sum(rate(k6('dropped_iterations_total'))))),
        },
        colours: { '/not begun/': BAD },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Time of a journey p95, whole run',
        description: 'Of 20 journeys, 19 took no longer since the run began, by scenario. Good: flat; most of it is people who read.',
        unit: 's',
        query: { '{{scenario}}': orNone(max(k6('iteration_duration_p95'), 'scenario'), 'scenario') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Sockets',
        description: 'Events that k6 says and hears in a second, by event. Good: nothing missed, nothing doubled.',
        unit: 'cps',
        query: {
          'said {{event}}': orNone(sum(rate(k6('socket_sent_total')), 'event'), 'event'),
          'heard {{event}}': orNone(sum(rate(k6('socket_heard_total')), 'event'), 'event'),
        },
        legend: 'right',
        more: 'realtime',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Answers on sockets, whole run',
        description: 'From an event to its acknowledgement, since the run began. Good: p95 below 100 ms (dashed).',
        unit: 's',
        query: {
          p50: orZero(`max(${k6('socket_ack_p50')})`),
          p95: orZero(`max(${k6('socket_ack_p95')})`),
          p99: orZero(`max(${k6('socket_ack_p99')})`),
        },
        colours: BY_QUANTILE,
        limits: below(0.1),
        movedBy: 'traffic',
        width: 6,
      }),
      timeSeries({
        title: 'Bytes',
        description: 'Bytes that k6 sends and receives in a second. Good: follows requests.',
        unit: 'Bps',
        query: {
          received: orZero(sum(rate(k6('data_received_total')))),
          sent: orZero(sum(rate(k6('data_sent_total')))),
        },
        movedBy: 'traffic',
        width: 6,
      }),
    ),
    row(
      'What the load does to the service',
      timeSeries({
        title: 'Latency of the service',
        description: 'Quantiles of each moment, as the replicas say it. Good: p95 below 500 ms, p99 below 1 s (dashed).',
        unit: 's',
        query: { p50: orZero(quantile(0.5, latency)), p95: orZero(quantile(0.95, latency)), p99: orZero(quantile(0.99, latency)) },
        colours: BY_QUANTILE,
        limits: low(0.5, 1),
        more: 'api-performance',
        movedBy: 'slowness',
      }),
      timeSeries({
        title: 'CPU',
        description: 'Share of its cores that each replica uses. Good: below 80 % (dashed).',
        unit: 'percentunit',
        query: { '{{instance}}': `${rate(ours('process_cpu_seconds_total'))} / ${ours('runtime_workers')}` },
        limits: below(0.8),
        alert: 'HighCPUUsage',
        more: 'runtime',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Waiting',
        description: 'What requests wait for inside: a worker, a connection of the pool, the database. Good: milliseconds.',
        unit: 's',
        query: {
          'scheduling p95': max(ours('runtime_scheduling_delay_quantile_seconds', 'quantile="0.95"')),
          'pool p95': orZero(quantile(0.95, ours('db_pool_wait_seconds'))),
          'database p95': orZero(quantile(0.95, ours('db_query_duration_seconds'))),
        },
        more: 'database-cache',
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Errors of the service',
        description: 'Answers in a minute that told of a failure of the service, by status. Good: 0.',
        unit: 'opm',
        query: {
          '{{status}}': orNone(`${perMinute(sum(rate(requests('http_requests_total', 'status=~"5.."')), 'status'))} > 0`, 'status'),
        },
        colours: { '/^5/': BAD },
        more: 'http-detail',
        movedBy: 'server-errors',
      }),
    ),
  ],
});
