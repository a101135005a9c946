// How fast the interface answers, how often it fails, and what it waits for.

import { above, BAD, below, BY_QUANTILE, BY_STATUS, high, low, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { barGauge, heatmap, stat, timeSeries } from '../panels.js';
import { answered, buckets, byClass, orAll, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, requests, sum, top } from '../queries.js';
import { instance, route } from '../variables.js';

const all = sum(rate(requests('http_requests_total')));
const latency = requests('http_request_duration_seconds');

export const apiPerformance = dashboard('api-performance', {
  title: 'API performance',
  description: 'How fast does the interface answer, how often does it fail, and what does it wait for?',
  variables: [instance, route],
  rows: [
    row(
      'Now',
      stat({
        title: 'Requests',
        description: 'Requests of clients in a second. Good: what this hour usually has.',
        unit: 'reqps',
        query: all,
        movedBy: 'traffic',
      }),
      stat({
        title: 'Answered well',
        description: 'Share of requests that the service did not fail (5xx), of those whose client did not leave (499). Good: above 99.9 %.',
        unit: 'percentunit',
        query: orAll(ratio(sum(rate(answered('status!~"5.."'))), sum(rate(answered())))),
        limits: high(0.95, 0.999),
        alert: 'LowSuccessRate',
        movedBy: 'server-errors',
      }),
      stat({
        title: 'Errors',
        description: 'Answers in a second that told of a failure of the service. Good: 0.',
        unit: 'reqps',
        query: orZero(sum(rate(requests('api_errors_total', 'status=~"5.."')))),
        limits: low(0.1, 10),
        alert: 'HighAPIErrorRate',
        more: 'http-detail',
        movedBy: 'server-errors',
      }),
      stat({
        title: 'p50',
        description: 'Half of the requests are answered within this time. Good: below 100 ms.',
        unit: 's',
        query: orZero(quantile(0.5, latency)),
        limits: low(0.1, 0.3),
        alert: 'SlowResponseTime',
        movedBy: 'slowness',
      }),
      stat({
        title: 'p95',
        description: 'Of 20 requests, 19 are answered within this time. Good: below 300 ms.',
        unit: 's',
        query: orZero(quantile(0.95, latency)),
        limits: low(0.3, 1),
        alert: 'HighAPILatency',
        movedBy: 'slowness',
      }),
      stat({
        title: 'p99',
        description: 'Of 100 requests, 99 are answered within this time. Good: below 1 s.',
        unit: 's',
        query: orZero(quantile(0.99, latency)),
        limits: low(1, 2),
        alert: 'SlowResponseTime',
        movedBy: 'slowness',
      }),
      stat({
        title: 'In flight',
        description: 'Requests whose answer has not ended. Good: a few; a rise that goes on means that something behind is slow.',
        unit: 'none',
        query: sum(ours('http_requests_in_flight')),
        limits: low(100, 300),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Connections',
        description: 'Open TCP connections, sockets included. Good: steady; the edge keeps some open.',
        unit: 'none',
        query: sum(ours('active_connections')),
        movedBy: 'traffic',
      }),
      stat({
        title: 'WebSockets',
        description: 'Socket.IO connections that are carried by a WebSocket. Good: follows the people who look at pages.',
        unit: 'none',
        query: sum(ours('websocket_connections_active', 'transport="websocket"')),
        more: 'realtime',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Latency',
      timeSeries({
        title: 'Latency by share',
        description: "Time from a request's arrival to the end of its answer. Good: p95 below 300 ms, p99 below 1 s (dashed).",
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, latency)),
          p90: orZero(quantile(0.9, latency)),
          p95: orZero(quantile(0.95, latency)),
          p99: orZero(quantile(0.99, latency)),
        },
        colours: BY_QUANTILE,
        limits: low(0.3, 1),
        alert: 'SlowResponseTime',
        movedBy: 'slowness',
        width: 12,
      }),
      heatmap({
        title: 'How latency spreads',
        description:
          'How many requests took how long. Good: one band at the bottom; a second band above it is a slow path, a climbing one a queue.',
        unit: 's',
        query: buckets(latency),
        movedBy: 'slowness',
      }),
      barGauge({
        title: 'Slowest routes',
        description:
          'Of 20 requests of five minutes, 19 were answered within this time: the ten slowest routes. Good: below 300 ms; logging in is slow on purpose.',
        unit: 's',
        query: {
          '{{route}}': orNone(top(10, 'max by (route) (route:http_request_duration_seconds:p95_rate5m{route=~"$route"})'), 'route'),
        },
        limits: low(0.3, 1),
        more: 'http-detail',
        movedBy: 'slowness',
      }),
      timeSeries({
        title: 'Answered within 300 ms',
        description: 'Share of requests within the time that is promised, over all replicas and by replica. Good: above 99 % (dashed).',
        unit: 'percentunit',
        min: 'free',
        max: 1,
        query: {
          all: orAll(ratio(sum(rate(requests('http_request_duration_seconds_bucket', 'le="0.3"'))), sum(rate(part(latency, 'count'))))),
          '{{instance}}': ratio(
            sum(rate(requests('http_request_duration_seconds_bucket', 'le="0.3"')), 'instance'),
            sum(rate(part(latency, 'count')), 'instance'),
          ),
        },
        limits: above(0.99),
        alert: 'ErrorBudgetBurn',
        more: 'infrastructure-slo',
        movedBy: 'slowness',
        width: 12,
      }),
    ),
    row(
      'Requests and errors',
      timeSeries({
        title: 'Requests by status',
        description: "Requests in a second by the class of their status. Good: nearly all green; orange is the clients' own, red is ours.",
        unit: 'reqps',
        query: { '{{class}}': byClass(rate(requests('http_requests_total'))) },
        colours: BY_STATUS,
        stacked: true,
        more: 'http-detail',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Errors by type',
        description:
          'Answers in a minute that told of a problem, by its type. Good: only what clients get wrong; `internal`, `timeout` and `unavailable` are ours.',
        unit: 'opm',
        query: { '{{type}}': orNone(`${perMinute(sum(rate(requests('api_errors_total')), 'type'))} > 0`, 'type') },
        stacked: true,
        alert: 'HighAPIErrorRate',
        shades: WARNING,
        colours: { '/internal|timeout|unavailable/': BAD },
        movedBy: 'client-errors',
      }),
      timeSeries({
        title: 'Errors by route',
        description: 'Answers in a minute that told of a failure of the service, by route, the first ten. Good: none.',
        unit: 'opm',
        query: { '{{route}}': orNone(top(10, perMinute(sum(rate(requests('api_errors_total', 'status=~"5.."')), 'route'))), 'route') },
        alert: 'HighErrorRate',
        more: 'http-detail',
        shades: BAD,
        movedBy: 'server-errors',
      }),
      timeSeries({
        title: 'Failed by replica',
        description:
          "Share of each replica's requests that failed (5xx). Good: 0; one replica alone points to itself, all at once to what they share.",
        unit: 'percentunit',
        query: {
          '{{instance}}': orNone(
            ratio(
              sum(rate(requests('http_requests_total', 'status=~"5.."')), 'instance'),
              sum(rate(answered()), 'instance'),
            ),
            'instance',
          ),
        },
        limits: below(0.05),
        alert: 'HighErrorRate',
        movedBy: 'server-errors',
      }),
      timeSeries({
        title: 'In flight by replica',
        description: 'Requests at each replica whose answer has not ended. Good: a few, alike everywhere.',
        unit: 'none',
        query: { '{{instance}}': ours('http_requests_in_flight') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Connections by replica',
        description: 'Open TCP connections at each replica, sockets included. Good: steady, alike everywhere.',
        unit: 'none',
        query: { '{{instance}}': ours('active_connections') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'WebSocket connections by replica',
        description: 'Socket.IO connections at each replica that are carried by a WebSocket. Good: follows the people who look at pages, alike everywhere.',
        unit: 'none',
        query: { '{{instance}}': sum(ours('websocket_connections_active', 'transport="websocket"'), 'instance') },
        more: 'realtime',
        movedBy: 'traffic',
      }),
    ),
    row(
      'What answers wait for',
      timeSeries({
        title: 'Database',
        description: 'Time of statements, and what they wait for a connection. Good: below 50 ms, and next to no wait.',
        unit: 's',
        query: {
          'statement p50': orZero(quantile(0.5, ours('db_query_duration_seconds'))),
          'statement p95': orZero(quantile(0.95, ours('db_query_duration_seconds'))),
          'wait p95': orZero(quantile(0.95, ours('db_pool_wait_seconds'))),
        },
        alert: 'SlowDatabaseQueries',
        more: 'database-cache',
        movedBy: 'slow-database',
      }),
      timeSeries({
        title: 'Redis and platforms',
        description: 'Time of Redis commands and of calls of platforms. Good: Redis within a few milliseconds, platforms below a second.',
        unit: 's',
        query: {
          'Redis p95': orZero(quantile(0.95, ours('redis_command_duration_seconds'))),
          'platforms p95': orZero(quantile(0.95, ours('social_api_duration_seconds'))),
        },
        more: 'accounts',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Scheduling delay',
        description: 'How late a task wakes that has set a timer, at the worst replica. Good: a few milliseconds (limit dashed).',
        unit: 's',
        query: {
          p50: `max(${ours('runtime_scheduling_delay_quantile_seconds', 'quantile="0.5"')})`,
          p95: `max(${ours('runtime_scheduling_delay_quantile_seconds', 'quantile="0.95"')})`,
          p99: `max(${ours('runtime_scheduling_delay_quantile_seconds', 'quantile="0.99"')})`,
        },
        colours: BY_QUANTILE,
        limits: below(0.1),
        alert: 'HighEventLoopLag',
        more: 'runtime',
        movedBy: 'busy',
      }),
    ),
  ],
});
