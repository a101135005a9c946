// Traffic, errors, latency and sizes of each route.

import { BAD, BY_QUANTILE, BY_STATUS, FACT, IDLE, low, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { inFlight, latencyP95, requestRate, requestsByClass, shareWithStatus } from '../figures.js';
import { heatmap, pieChart, stat, table, timeSeries } from '../panels.js';
import { answered, buckets, orNone, orZero, ours, part, perMinute, quantile, rate, ratio, requests, sum, top } from '../queries.js';
import { instance, route } from '../variables.js';

const recorded = (series: string) => `sum by (route) (${series}{route=~"$route"})`;

export const httpDetail = dashboard('http-detail', {
  title: 'HTTP detail',
  folder: 'service',
  description: 'Which route is the problem? Traffic, errors, latency and sizes of each route.',
  variables: [instance, route],
  rows: [
    row(
      'Now',
      stat({
        title: 'Requests',
        description: 'Client requests per second on the selected routes. Good: typical for the time of day.',
        unit: 'reqps',
        query: requestRate,
        movedBy: 'traffic',
      }),
      stat({
        title: 'Routes in use',
        description: 'Routes with requests within the last five minutes. Good: steady; if a route disappears, a link to it may be broken.',
        unit: 'none',
        query: orZero('count(route:http_requests:rate5m{route=~"$route"} > 0)'),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed (5xx)',
        description: 'Share of requests that failed with a 5xx status. Good: below 0.1 %.',
        unit: 'percentunit',
        query: shareWithStatus('5..'),
        limits: low(0.001, 0.05),
        alert: 'HighErrorRate',
        movedBy: 'server-errors',
      }),
      stat({
        title: 'Refused (4xx)',
        description: 'Share of requests that were refused with a 4xx status. Good: a few; a sudden rise is a broken client or a scanner.',
        unit: 'percentunit',
        query: shareWithStatus('4..'),
        limits: low(0.2, 0.5),
        movedBy: 'client-errors',
      }),
      stat({
        title: 'In flight',
        description: 'Requests in progress on all routes. Good: a few; a steady rise means that a dependency is slow.',
        unit: 'none',
        query: inFlight,
        limits: low(100, 300),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Latency p95',
        description: '95 % of requests are answered within this time. Good: below 300 ms.',
        unit: 's',
        query: latencyP95,
        limits: low(0.3, 1),
        alert: 'HighAPILatency',
        movedBy: 'slowness',
      }),
      stat({
        title: 'Received',
        description: 'Bytes of request bodies per second. Good: small; a body is limited to 1 MiB.',
        unit: 'Bps',
        query: orZero(sum(rate(requests('http_request_size_bytes_sum')))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Sent',
        description: 'Bytes of response bodies per second, before the edge compresses them. Good: follows the requests.',
        unit: 'Bps',
        query: orZero(sum(rate(requests('http_response_size_bytes_sum')))),
        movedBy: 'traffic',
      }),
    ),
    row(
      'Routes',
      table({
        title: 'Routes',
        description: 'Each route over five minutes: requests per second, share of failures, latency. Good: no red.',
        unit: 'none',
        query: {
          rate: `${recorded('route:http_requests:rate5m')} > 0`,
          failed: ratio(
            sum(rate(requests('http_requests_total', 'status=~"5.."')), 'route'),
            sum(rate(answered()), 'route'),
          ),
          p50: recorded('route:http_request_duration_seconds:p50_rate5m'),
          p95: recorded('route:http_request_duration_seconds:p95_rate5m'),
          p99: recorded('route:http_request_duration_seconds:p99_rate5m'),
        },
        columns: {
          route: { title: 'Route' },
          'Value #A': { title: 'Requests', unit: 'reqps', decimals: 2, width: 150 },
          'Value #B': { title: 'Failed', unit: 'percentunit', limits: low(0.001, 0.05), width: 150 },
          'Value #C': { title: 'p50', unit: 's', limits: low(0.1, 0.3), width: 150 },
          'Value #D': { title: 'p95', unit: 's', limits: low(0.3, 1), width: 150 },
          'Value #E': { title: 'p99', unit: 's', limits: low(1, 2), width: 150 },
        },
        sort: 'Requests',
        movedBy: 'traffic',
        height: 12,
      }),
      timeSeries({
        title: 'Requests by route',
        description: 'Requests per second for the ten busiest routes. Good: the routes are in their usual order.',
        unit: 'reqps',
        query: { '{{route}}': orNone(top(10, sum(rate(requests('http_requests_total')), 'route')), 'route') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Errors by route and status',
        description:
          'The ten highest rates of errors by route and status (499 is a client that disconnected), and the rate of all requests whose client disconnected early, per minute. Good: no 5xx, few disconnects.',
        unit: 'opm',
        query: {
          '{{status}} {{route}}': orNone(top(10, perMinute(sum(rate(requests('api_errors_total')), 'route', 'status'))), 'status'),
          disconnected: orZero(perMinute(sum(rate(requests('http_requests_cancelled_total'))))),
        },
        colours: { '/^5/': BAD, '/^disconnected/': IDLE },
        legend: 'right',
        alert: 'HighErrorRate',
        shades: WARNING,
        movedBy: 'client-errors',
      }),
      timeSeries({
        title: 'Latency p95 by route',
        description: 'The ten slowest routes over five minutes. Good: below 300 ms (dashed); sign-in is slow on purpose.',
        unit: 's',
        query: {
          '{{route}}': orNone(top(10, 'max by (route) (route:http_request_duration_seconds:p95_rate5m{route=~"$route"})'), 'route'),
        },
        legend: 'right',
        limits: low(0.3, 1),
        movedBy: 'slowness',
        width: 24,
        height: 8,
      }),
    ),
    row(
      'Statuses and latency',
      pieChart({
        title: 'Statuses',
        description: 'Share of responses in the selected time range by status class. Good: 2xx and 3xx are nearly all.',
        unit: 'short',
        query: { '{{class}}': requestsByClass },
        colours: BY_STATUS,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Requests by status',
        description:
          'Requests per second by status. Good: 200, 201, 204; 429 is a rate limit, 499 a client that disconnected, 503 an unavailable dependency.',
        unit: 'reqps',
        query: { '{{status}}': orNone(`${sum(rate(requests('http_requests_total')), 'status')} > 0`, 'status') },
        colours: BY_STATUS,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Requests by method',
        description: 'Requests per second by method. Good: mostly GET; `OTHER` is a method that the route does not declare.',
        unit: 'reqps',
        query: { '{{method}}': orNone(`${sum(rate(requests('http_requests_total')), 'method')} > 0`, 'method') },
        stacked: true,
        movedBy: 'traffic',
      }),
      heatmap({
        title: 'Latency distribution',
        description: 'Number of requests by duration. Good: one band at the bottom; a second band above is a slow path.',
        unit: 's',
        query: buckets(requests('http_request_duration_seconds')),
        movedBy: 'slowness',
      }),
      timeSeries({
        title: 'Latency by method',
        description: 'p95 latency of requests by method. Good: below 300 ms (dashed).',
        unit: 's',
        query: { '{{method}}': orNone(quantile(0.95, requests('http_request_duration_seconds'), 'method'), 'method') },
        limits: low(0.3, 1),
        movedBy: 'slowness',
        width: 12,
      }),
    ),
    row(
      'Sizes',
      timeSeries({
        title: 'Size of requests',
        description: 'Sizes of request bodies. Good: a few kilobytes; the limit is 1 MiB.',
        unit: 'bytes',
        query: {
          p50: orZero(quantile(0.5, requests('http_request_size_bytes'))),
          p95: orZero(quantile(0.95, requests('http_request_size_bytes'))),
          p99: orZero(quantile(0.99, requests('http_request_size_bytes'))),
        },
        colours: BY_QUANTILE,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Size of responses',
        description: 'Sizes of response bodies before the edge compresses them. Good: below 100 kB.',
        unit: 'bytes',
        query: {
          p50: orZero(quantile(0.5, requests('http_response_size_bytes'))),
          p95: orZero(quantile(0.95, requests('http_response_size_bytes'))),
          p99: orZero(quantile(0.99, requests('http_response_size_bytes'))),
        },
        colours: BY_QUANTILE,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Routes by bytes sent',
        description:
          'Bytes of response bodies per second for the five routes that send the most. Good: pages and files; an ever-growing list needs pagination.',
        unit: 'Bps',
        query: { '{{route}}': orNone(top(5, sum(rate(part(requests('http_response_size_bytes'), 'sum')), 'route')), 'route') },
        movedBy: 'traffic',
      }),
    ),
    row(
      'Rate limits and replays',
      timeSeries({
        title: 'Rate limits and replays',
        description:
          'Attempts per minute that exceeded a rate or concurrency limit, by limiter, and requests answered with the stored response of an earlier request (idempotency). Good: a few replays from retrying clients, and refusals only of users who mistype.',
        unit: 'opm',
        query: {
          '{{limiter}}': perMinute(sum(rate(ours('rate_limited_total')), 'limiter')),
          replayed: perMinute(sum(rate(ours('idempotent_replays_total')))),
        },
        shades: WARNING,
        colours: { '/^replayed/': FACT },
        legend: 'right',
        alert: 'PossibleBruteForceAttack',
        more: 'accounts',
        movedBy: 'rate-limits',
        width: 24,
        height: 8,
      }),
    ),
  ],
});
