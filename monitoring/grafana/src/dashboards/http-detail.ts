// Every route by itself: how often, how well, how fast, how big.

import { BAD, BY_QUANTILE, BY_STATUS, FACT, IDLE, low, WARNING } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { heatmap, pieChart, stat, table, timeSeries } from '../panels.js';
import {
  answered,
  buckets,
  byClass,
  inShownTime,
  orNone,
  orZero,
  ours,
  part,
  perMinute,
  quantile,
  rate,
  ratio,
  requests,
  sum,
  top,
} from '../queries.js';
import { instance, route } from '../variables.js';

const all = sum(rate(requests('http_requests_total')));
const failed = (statuses: string) => orZero(ratio(sum(rate(requests('http_requests_total', `status=~"${statuses}"`))), sum(rate(answered()))));
const recorded = (series: string) => `sum by (route) (${series}{route=~"$route"})`;

export const httpDetail = dashboard('http-detail', {
  title: 'HTTP detail',
  description: 'Which route is it? How often is each asked, how well and how fast does it answer, and how much?',
  variables: [instance, route],
  rows: [
    row(
      'Now',
      stat({
        title: 'Requests',
        description: 'Requests of clients in a second, on the chosen routes. Good: what this hour usually has.',
        unit: 'reqps',
        query: all,
        movedBy: 'traffic',
      }),
      stat({
        title: 'Routes in use',
        description: 'Routes that were asked within five minutes. Good: steady; a route that drops out may be broken where it is linked.',
        unit: 'none',
        query: orZero('count(route:http_requests:rate5m{route=~"$route"} > 0)'),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Failed (5xx)',
        description: 'Share of requests that the service failed. Good: below 0.1 %.',
        unit: 'percentunit',
        query: failed('5..'),
        limits: low(0.001, 0.05),
        alert: 'HighErrorRate',
        movedBy: 'server-errors',
      }),
      stat({
        title: 'Refused (4xx)',
        description:
          'Share of requests that clients got wrong. Good: a few; many of a sudden are a broken client, or somebody who tries doors.',
        unit: 'percentunit',
        query: failed('4..'),
        limits: low(0.2, 0.5),
        movedBy: 'client-errors',
      }),
      stat({
        title: 'In flight',
        description:
          'Requests whose answer has not ended, on all routes. Good: a few; a rise that goes on means that something behind is slow.',
        unit: 'none',
        query: sum(ours('http_requests_in_flight')),
        limits: low(100, 300),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Latency p95',
        description: 'Of 20 requests, 19 are answered within this time. Good: below 300 ms.',
        unit: 's',
        query: orZero(quantile(0.95, requests('http_request_duration_seconds'))),
        limits: low(0.3, 1),
        alert: 'HighAPILatency',
        movedBy: 'slowness',
      }),
      stat({
        title: 'Received',
        description: 'Bytes of request bodies in a second. Good: small; the limit of a body is 1 MiB.',
        unit: 'Bps',
        query: orZero(sum(rate(requests('http_request_size_bytes_sum')))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Sent',
        description: 'Bytes of answer bodies in a second, as they were sent. Good: follows the requests.',
        unit: 'Bps',
        query: orZero(sum(rate(requests('http_response_size_bytes_sum')))),
        movedBy: 'traffic',
      }),
    ),
    row(
      'Routes',
      table({
        title: 'Routes',
        description: 'Each route over five minutes: requests in a second, share that failed, latency. Good: no red.',
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
        description: 'Requests in a second by route, the first ten. Good: the usual order.',
        unit: 'reqps',
        query: { '{{route}}': orNone(top(10, sum(rate(requests('http_requests_total')), 'route')), 'route') },
        legend: 'right',
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Errors by route and status',
        description:
          'Answers in a minute that told of a problem, by route and status, the first ten, and requests whose client left before the end. Good: no 5xx, and hardly anybody leaves.',
        unit: 'opm',
        query: {
          '{{status}} {{route}}': orNone(top(10, perMinute(sum(rate(requests('api_errors_total')), 'route', 'status'))), 'status'),
          left: orZero(perMinute(sum(rate(requests('http_requests_cancelled_total'))))),
        },
        colours: { '/^5/': BAD, '/^left/': IDLE },
        legend: 'right',
        alert: 'HighErrorRate',
        shades: WARNING,
        movedBy: 'client-errors',
      }),
      timeSeries({
        title: 'Latency p95 by route',
        description: 'The ten slowest routes over five minutes. Good: below 300 ms (dashed); logging in is slow on purpose.',
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
        description: 'What share of the answers in the shown time had which status. Good: 2xx and 3xx fill nearly all of the ring.',
        unit: 'short',
        query: { '{{class}}': byClass(inShownTime(requests('http_requests_total'))) },
        colours: BY_STATUS,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Requests by status',
        description:
          'Requests in a second by status. Good: 200, 201, 204; 429 is a limit, 499 a client that left, 503 a dependency that is away.',
        unit: 'reqps',
        query: { '{{status}}': orNone(`${sum(rate(requests('http_requests_total')), 'status')} > 0`, 'status') },
        colours: BY_STATUS,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Requests by method',
        description: 'Requests in a second by method. Good: mostly GET; `OTHER` is a method that no route knows.',
        unit: 'reqps',
        query: { '{{method}}': orNone(`${sum(rate(requests('http_requests_total')), 'method')} > 0`, 'method') },
        stacked: true,
        movedBy: 'traffic',
      }),
      heatmap({
        title: 'How latency spreads',
        description: 'How many requests took how long. Good: one band at the bottom; a second one above it is a slow path.',
        unit: 's',
        query: buckets(requests('http_request_duration_seconds')),
        movedBy: 'slowness',
      }),
      timeSeries({
        title: 'Latency by method',
        description: 'Of 20 requests of a method, 19 are answered within this time. Good: below 300 ms (dashed).',
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
        description: 'Bodies of requests. Good: a few kilobytes; the limit is 1 MiB.',
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
        title: 'Size of answers',
        description: 'Bodies of answers, as they were sent, compressed or not. Good: below 100 kB.',
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
        title: 'Heaviest routes',
        description:
          'Bytes of answers in a second by route, the first five. Good: pages and files; a list that grows without end wants pages.',
        unit: 'Bps',
        query: { '{{route}}': orNone(top(5, sum(rate(part(requests('http_response_size_bytes'), 'sum')), 'route')), 'route') },
        movedBy: 'traffic',
      }),
    ),
    row(
      'Limits and repeats',
      timeSeries({
        title: 'Refused by limits, and repeated',
        description:
          'Attempts in a minute that came too often, by the limit, and requests that were answered with the stored result of an earlier one. Good: a few repeats, as clients try again; no refusals but of people who mistype.',
        unit: 'opm',
        query: {
          '{{limiter}}': perMinute(sum(rate(ours('rate_limited_total')), 'limiter')),
          repeated: perMinute(sum(rate(ours('idempotent_replays_total')))),
        },
        shades: WARNING,
        colours: { '/^repeated/': FACT },
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
