// Latency and errors of the API, and the latency of its dependencies.

import { above, BAD, below, BY_QUANTILE, BY_STATUS, high, low, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { inFlight, requestRate, requestRateByClass } from '../figures.js';
import { barGauge, heatmap, stat, timeSeries } from '../panels.js';
import { answered, buckets, orAll, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, requests, sum, top } from '../queries.js';
import { instance, route } from '../variables.js';

const latency = requests('http_request_duration_seconds');

export const apiPerformance = dashboard('api-performance', {
  title: 'API performance',
  folder: 'service',
  description: 'How fast does the API respond, how often does it fail, and what does it wait for?',
  variables: [instance, route],
  rows: [
    row(
      'Now',
      stat({
        title: 'Requests',
        description: 'Client requests per second. Good: typical for the time of day.',
        unit: 'reqps',
        query: requestRate,
        movedBy: 'traffic',
      }),
      stat({
        title: 'Success rate',
        description:
          'Share of requests that did not fail with a 5xx status, without requests whose client disconnected (499). Good: above 99.9 %.',
        unit: 'percentunit',
        query: orAll(ratio(sum(rate(answered('status!~"5.."'))), sum(rate(answered())))),
        limits: high(0.95, 0.999),
        alert: 'LowSuccessRate',
        movedBy: 'server-errors',
      }),
      stat({
        title: 'Server errors',
        description: 'Responses with a 5xx status per second. Good: 0.',
        unit: 'reqps',
        query: orZero(sum(rate(requests('api_errors_total', 'status=~"5.."')))),
        limits: low(0.1, 10),
        alert: 'HighAPIErrorRate',
        more: 'http-detail',
        movedBy: 'server-errors',
      }),
      stat({
        title: 'p50',
        description: '50 % of requests are answered within this time. Good: below 100 ms.',
        unit: 's',
        query: orZero(quantile(0.5, latency)),
        limits: low(0.1, 0.3),
        alert: 'SlowResponseTime',
        movedBy: 'slowness',
      }),
      stat({
        title: 'p95',
        description: '95 % of requests are answered within this time. Good: below 300 ms.',
        unit: 's',
        query: orZero(quantile(0.95, latency)),
        limits: low(0.3, 1),
        alert: 'HighAPILatency',
        movedBy: 'slowness',
      }),
      stat({
        title: 'p99',
        description: '99 % of requests are answered within this time. Good: below 1 s.',
        unit: 's',
        query: orZero(quantile(0.99, latency)),
        limits: low(1, 2),
        alert: 'SlowResponseTime',
        movedBy: 'slowness',
      }),
      stat({
        title: 'In flight',
        description: 'Requests whose response has not ended. Good: a few; a steady rise means that a dependency is slow.',
        unit: 'none',
        query: inFlight,
        limits: low(100, 300),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Connections',
        description: 'Open TCP connections, including WebSockets. Good: steady; the edge keeps some open.',
        unit: 'none',
        query: sum(ours('active_connections')),
        movedBy: 'traffic',
      }),
      stat({
        title: 'WebSockets',
        description: 'Socket.IO connections over the WebSocket transport. Good: follows the number of users with open pages.',
        unit: 'none',
        query: sum(ours('websocket_connections_active', 'transport="websocket"')),
        more: 'realtime',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Latency',
      timeSeries({
        title: 'Latency quantiles',
        description: 'Time from the arrival of a request to the end of its response. Good: p95 below 300 ms; 1 s raises an alert (dashed).',
        unit: 's',
        query: {
          p50: orZero(quantile(0.5, latency)),
          p90: orZero(quantile(0.9, latency)),
          p95: orZero(quantile(0.95, latency)),
          p99: orZero(quantile(0.99, latency)),
        },
        colours: BY_QUANTILE,
        limits: low(0.3, 1),
        alert: 'HighAPILatency',
        movedBy: 'slowness',
        width: 12,
      }),
      heatmap({
        title: 'Latency distribution',
        description:
          'Number of requests by duration. Good: one band at the bottom; a second band means a slow path, a rising band means a queue.',
        unit: 's',
        query: buckets(latency),
        movedBy: 'slowness',
      }),
      barGauge({
        title: 'Slowest routes',
        description: 'p95 latency of the ten slowest routes over five minutes. Good: below 300 ms; sign-in is slow on purpose.',
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
        description: 'Share of requests within the latency objective, over all replicas and by replica. Good: above 99 % (dashed).',
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
        description: 'Requests per second by status class. Good: nearly all green; orange are client errors, red are server errors.',
        unit: 'reqps',
        query: { '{{class}}': requestRateByClass },
        colours: BY_STATUS,
        stacked: true,
        more: 'http-detail',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Errors by type',
        description:
          'Error responses per minute by type. Good: none of the server errors `internal`, `unavailable` and `timeout`; a `timeout` with status 408 is a client error.',
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
        description: 'Responses with a 5xx status per minute, for the ten routes that have the most of them. Good: none.',
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
          "Share of each replica's requests that failed with a 5xx status. Good: 0. If a single replica fails, the cause is in that replica; if several fail, they share a cause.",
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
        description: 'Requests on each replica whose response has not ended. Good: a few, similar on all replicas.',
        unit: 'none',
        query: { '{{instance}}': ours('http_requests_in_flight') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Connections by replica',
        description: 'Open TCP connections on each replica, including WebSockets. Good: steady, similar on all replicas.',
        unit: 'none',
        query: { '{{instance}}': ours('active_connections') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'WebSocket connections by replica',
        description:
          'Socket.IO connections over the WebSocket transport on each replica. Good: follows the number of users with open pages, similar on all replicas.',
        unit: 'none',
        query: { '{{instance}}': sum(ours('websocket_connections_active', 'transport="websocket"'), 'instance') },
        more: 'realtime',
        movedBy: 'traffic',
      }),
    ),
    row(
      'Dependencies',
      timeSeries({
        title: 'Database',
        description: 'Duration of statements, and their wait for a connection. Good: below 50 ms, with almost no wait.',
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
        description:
          'Duration of Redis commands and of calls to platforms. Good: Redis within a few milliseconds, platforms below a second.',
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
        description: 'How late timers of tasks fire on the worst replica. Good: a few milliseconds (limit dashed).',
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
