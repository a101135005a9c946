// A load test from both sides: measured by k6 at the edge, and by the service. Panels that compare both use the same window for both.
// Dashed lines are the gates of the profile `seed` (load/seed.js, crates/proofs/src/load/gates.rs), except the upper line of "CPU" and the
// lines of "Answered within 300 ms", "Latency p95 by scenario" and "Socket acknowledgements". The profile `peak` has the same gates on
// latency and failures.
// k6's quantiles and shares (`_rate`) cover the whole run, and the titles of their panels say so. The figures of the service cover a
// window, so they are on other panels.

import { above, BAD, below, BY_QUANTILE, BY_STATUS, GOOD, low, none, steps, WARNING } from '../colours.js';
import { dashboard, mark, row } from '../dashboard.js';
import { cpuByReplica, memoryByReplica, requestRate, shareWithStatus } from '../figures.js';
import { stat, timeSeries } from '../panels.js';
import { AT_EDGE, byClass, from, inShownTime, max, mean, min, orAll, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, requests, sum } from '../queries.js';
import { instance, route } from '../variables.js';

/** A metric of k6. Prometheus does not scrape k6: k6 pushes its metrics by remote write, and converts times to seconds. */
const k6 = (metric: string, ...matchers: string[]) => `k6_${metric}{${matchers.join(', ')}}`;
/** Matches series that belong to a scenario: excludes the setup before the first journey and the teardown after the last. */
const IN_A_SCENARIO = 'scenario!=""';
const latency = requests('http_request_duration_seconds');
const hits = sum(rate(ours('cache_hits_total')));
const misses = sum(rate(ours('cache_misses_total')));
/** Gates of `seed` on p50, p95 and p99. */
const LATENCY_GATES = steps([0.05, GOOD], [0.2, WARNING], [1, BAD]);

/** One region for each run: k6 pushes its number of virtual users from beginning to end, then ends the series. */
const RUNS = mark({
  name: 'Load tests',
  colour: 'purple',
  query: `max by (profile) (${k6('vus_max')})`,
  title: 'Load test {{profile}}',
  text: 'From beginning to end, as reported by k6',
  step: '15s',
});

export const loadTest = dashboard('load-test', {
  title: 'Load test',
  folder: 'service',
  description:
    'What do k6 and the replicas measure? Start a test with `cargo xtask load`; without one, k6 panels in the first row show zero.',
  variables: [instance, route],
  since: '15m',
  marks: [RUNS],
  rows: [
    row(
      'Now',
      stat({
        title: 'Virtual users',
        description: 'Active virtual users. Good: follows the load profile; 0 without a load test.',
        unit: 'none',
        query: orZero(`sum(${k6('vus')})`),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Requests',
        description: 'k6 requests per second. Good: as many as the profile demands.',
        unit: 'reqps',
        query: orZero(sum(rate(k6('http_reqs_total')))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed requests',
        description: 'Share of requests with an unexpected response. Good: below 1 %.',
        unit: 'percentunit',
        // Not k6's own `http_req_failed_rate`: it has the outcome as a label, so its series of failed requests is always 1.
        query: orZero(ratio(sum(rate(k6('http_reqs_total', 'expected_response="false"'))), sum(rate(k6('http_reqs_total'))))),
        limits: low(0.001, 0.01),
        movedBy: 'error-budget',
      }),
      stat({
        title: 'p95 k6, whole run',
        description:
          'p95 request duration in the slowest scenario since the start of the run. Good: below 500 ms. A slow start remains included.',
        unit: 's',
        query: orZero(`max(${k6('http_req_duration_p95')})`),
        limits: low(0.3, 0.5),
        movedBy: 'traffic',
      }),
      stat({
        title: 'p95 service, now',
        description:
          'p95 request duration at the replicas over about the last minute. Good: below 500 ms. Do not compare it with the whole run beside it.',
        unit: 's',
        query: orZero(quantile(0.95, latency)),
        limits: low(0.3, 0.5),
        more: 'api-performance',
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed, whole run',
        description: 'Share of failed journeys in the worst scenario since the start of the run. Good: below 1 %.',
        unit: 'percentunit',
        query: orZero(`max(1 - ${k6('journeys_rate')})`),
        limits: low(0.001, 0.01),
        movedBy: 'error-budget',
      }),
      stat({
        title: 'Events lost',
        description: 'Socket.IO events that did not arrive exactly once, in the selected time range. Good: 0.',
        unit: 'none',
        query: orZero(`${sum(inShownTime(k6('events_missed_total')))} + ${sum(inShownTime(k6('events_doubled_total')))}`),
        limits: none,
        more: 'realtime',
        movedBy: 'dropped-events',
      }),
      stat({
        title: 'Journeys',
        description: 'Journeys finished per minute. Good: as many as the profile demands.',
        unit: 'cpm',
        decimals: 0,
        query: orZero(perMinute(sum(rate(k6('iterations_total'))))),
        movedBy: 'traffic',
      }),
    ),
    row(
      'k6 and service: traffic',
      timeSeries({
        title: 'Requests per second',
        description: 'Requests as counted by k6, the edge and the replicas. Good: equal, except for WebSockets, other clients, and requests of k6 to the simulated platforms.',
        unit: 'reqps',
        query: {
          k6: orZero(sum(rate(k6('http_reqs_total')))),
          edge: sum(rate(part(from('caddy', 'caddy_http_request_duration_seconds', AT_EDGE), 'count'))),
          replicas: requestRate,
        },
        width: 6,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Successful requests',
        description: 'Share of requests that did not fail, at k6 and at the replicas (no 5xx). Good: above 99 % (dashed), close together.',
        unit: 'percentunit',
        min: 'free',
        max: 1,
        query: {
          k6: orAll(`1 - ${ratio(sum(rate(k6('http_reqs_total', 'expected_response="false"'))), sum(rate(k6('http_reqs_total'))))}`),
          replicas: `1 - (${shareWithStatus('5..')})`,
        },
        limits: above(0.99),
        width: 6,
        movedBy: 'error-budget',
      }),
      timeSeries({
        title: 'Mean duration',
        description:
          'Mean request duration at each moment, at k6 and at the replicas. Good: close together; the gap is the edge, the network, k6 itself, and other clients.',
        unit: 's',
        query: {
          k6: orZero(ratio(sum(rate(k6('request_seconds_total'))), sum(rate(k6('requests_total'))))),
          replicas: orZero(mean(latency)),
        },
        width: 6,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Answered within 300 ms',
        description: 'Share of requests at each moment, at k6 and at the replicas. Good: above 99 % (dashed), close together.',
        unit: 'percentunit',
        min: 'free',
        max: 1,
        query: {
          k6: orAll(ratio(sum(rate(k6('requests_fast_total'))), sum(rate(k6('requests_total'))))),
          replicas: orAll(ratio(sum(rate(requests('http_request_duration_seconds_bucket', 'le="0.3"'))), sum(rate(part(latency, 'count'))))),
        },
        limits: above(0.99),
        width: 6,
        movedBy: 'slowness',
      }),
    ),
    row(
      'k6 and service: latency',
      timeSeries({
        title: 'Latency, whole run',
        description:
          'Quantiles in the slowest scenario since the start of the run. Good: p50 below 50 ms, p95 below 200 ms, p99 below 1 s (dashed). Single moments have little influence.',
        unit: 's',
        query: {
          p50: orZero(`max(${k6('http_req_duration_p50')})`),
          p95: orZero(`max(${k6('http_req_duration_p95')})`),
          p99: orZero(`max(${k6('http_req_duration_p99')})`),
        },
        colours: BY_QUANTILE,
        limits: LATENCY_GATES,
        width: 12,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency of the service',
        description: 'Latency quantiles at each moment, measured by the replicas. Good: p50 below 50 ms, p95 below 200 ms, p99 below 1 s (dashed).',
        unit: 's',
        query: { p50: orZero(quantile(0.5, latency)), p95: orZero(quantile(0.95, latency)), p99: orZero(quantile(0.99, latency)) },
        colours: BY_QUANTILE,
        limits: LATENCY_GATES,
        more: 'api-performance',
        width: 12,
        movedBy: 'slowness',
      }),
    ),
    row(
      'Gates on the service',
      timeSeries({
        title: 'CPU',
        description:
          'CPU usage of each replica, as a share of its cores. Good: below 70 %, the gate; above 80 % an alert fires (both dashed).',
        unit: 'percentunit',
        query: { '{{instance}}': cpuByReplica },
        limits: low(0.7, 0.8),
        alert: 'HighCPUUsage',
        more: 'runtime',
        width: 6,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Memory of all replicas',
        description: 'Resident memory of the replicas together. Good: flat, below 1 GB (dashed).',
        unit: 'decbytes',
        query: { replicas: sum(memoryByReplica) },
        limits: below(1e9),
        more: 'runtime',
        width: 6,
        movedBy: 'memory',
      }),
      timeSeries({
        title: 'Cache hits',
        description: 'Share of lookups that the cache answers. Good: above 90 % (dashed) once the cache is warm.',
        unit: 'percentunit',
        max: 1,
        query: { hits: orAll(ratio(hits, `(${hits} + ${misses})`)) },
        limits: above(0.9),
        more: 'database-cache',
        width: 6,
        movedBy: 'redis-away',
      }),
      timeSeries({
        title: 'Scheduling delay p95',
        description: 'How late timers of tasks fire on the worst replica. Good: a few milliseconds, below 50 ms (dashed).',
        unit: 's',
        query: { 'worst replica': max(ours('runtime_scheduling_delay_quantile_seconds', 'quantile="0.95"')) },
        limits: below(0.05),
        more: 'runtime',
        width: 6,
        movedBy: 'busy',
      }),
    ),
    row(
      'Measured by k6',
      timeSeries({
        title: 'Requests by status',
        description:
          'k6 requests per second by status class; 0xx means no response. Good: green; journeys provoke some 4xx, as for a wrong password.',
        unit: 'reqps',
        query: { '{{class}}': orNone(byClass(rate(k6('requests_total'))), 'class') },
        colours: BY_STATUS,
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Latency p95 by scenario, whole run',
        description: 'p95 request duration by scenario since the start of the run. Good: below 500 ms (dashed).',
        unit: 's',
        query: { '{{scenario}}': orNone(max(k6('http_req_duration_p95', IN_A_SCENARIO), 'scenario'), 'scenario') },
        limits: below(0.5),
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Request phases, whole run',
        description:
          'Phases of a request at p95, in the slowest scenario since the start of the run. Good: nearly all of the time is `waiting` (for the service); `blocked` and `connecting` are time in k6 and the network.',
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
        description: 'k6 requests per second for the ten busiest routes. Good: matches the journeys.',
        unit: 'reqps',
        query: { '{{route}}': orNone(`topk(10, ${sum(rate(k6('requests_total')), 'route')}) > 0`, 'route') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Failed checks, whole run',
        description: 'Share of failed checks by scenario since the start of the run. Good: below 1 % (dashed).',
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
        title: 'Active virtual users',
        description: 'Active and allocated virtual users. Good: fewer active than allocated.',
        unit: 'none',
        query: { active: orZero(`sum(${k6('vus')})`), allocated: orZero(`sum(${k6('vus_max')})`) },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Journeys per minute',
        description:
          'Journeys finished per minute by scenario, and those that could not start because all virtual users were busy. Good: as many as the profile demands, all started.',
        unit: 'cpm',
        decimals: 1,
        query: {
          '{{scenario}}': orNone(perMinute(sum(rate(k6('iterations_total')), 'scenario')), 'scenario'),
          'not started': orZero(perMinute(sum(rate(k6('dropped_iterations_total'))))),
        },
        colours: { '/not started/': BAD },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Journey duration p95, whole run',
        description: 'p95 duration of journeys by scenario since the start of the run. Good: flat; most of it is simulated reading time.',
        unit: 's',
        query: { '{{scenario}}': orNone(max(k6('iteration_duration_p95'), 'scenario'), 'scenario') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Socket events',
        description:
          'Events that k6 sends and receives per second, by event. Good: follows the load profile; the panel "Events lost" counts missed and duplicated events.',
        unit: 'cps',
        query: {
          'sent {{event}}': orNone(sum(rate(k6('socket_sent_total')), 'event'), 'event'),
          'received {{event}}': orNone(sum(rate(k6('socket_heard_total')), 'event'), 'event'),
        },
        legend: 'right',
        more: 'realtime',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Socket acknowledgements, whole run',
        description: 'Time from an event to its acknowledgement, since the start of the run. Good: p95 below 100 ms (dashed).',
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
        description: 'Bytes that k6 sends and receives per second. Good: follows requests.',
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
      'Measured by the service',
      timeSeries({
        title: 'Waiting',
        description:
          'Where requests wait: between the edge and the replica, for a worker, for a database connection, for the database. Good: milliseconds. The line that rises first shows what is saturated first.',
        unit: 's',
        query: {
          'edge p95': orZero(quantile(0.95, ours('http_queue_duration_seconds'))),
          'scheduling p95': max(ours('runtime_scheduling_delay_quantile_seconds', 'quantile="0.95"')),
          'pool p95': orZero(quantile(0.95, ours('db_pool_wait_seconds'))),
          'database p95': orZero(quantile(0.95, ours('db_query_duration_seconds'))),
        },
        more: 'database-cache',
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Server errors',
        description:
          'Responses with a 5xx status per minute, by status; `shed` counts the 503 responses to requests that waited too long between the edge and the replica. Good: 0.',
        unit: 'opm',
        query: {
          shed: orZero(perMinute(sum(rate(ours('http_requests_shed_total'))))),
          '{{status}}': orNone(`${perMinute(sum(rate(requests('http_requests_total', 'status=~"5.."')), 'status'))} > 0`, 'status'),
        },
        colours: { '/^5/': BAD, shed: WARNING },
        more: 'http-detail',
        movedBy: 'server-errors',
      }),
    ),
  ],
});
