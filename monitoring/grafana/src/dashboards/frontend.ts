// Pages, as the server renders them and as browsers report them.

import { BAD, BY_QUANTILE, BY_STATUS, low } from '../colours.js';
import { dashboard, row } from '../dashboard.js';
import { barGauge, heatmap, stat, timeSeries } from '../panels.js';
import { buckets, orNone, orZero, ours, perMinute, quantile, rate, ratio, sum, top } from '../queries.js';
import { instance, route } from '../variables.js';

const ROUTE = 'route=~"$route"';
const vital = (name: string) => ours('web_vitals_seconds', ROUTE, `vital="${name}"`);
const cls = ours('web_vitals_cls', ROUTE);
const ssr = ours('ssr_duration_seconds', ROUTE);
const views = ours('page_views_total', ROUTE);

export const frontend = dashboard('frontend', {
  title: 'Frontend',
  folder: 'service',
  description:
    'Do users see fast and complete pages? Browsers report most of the data: it is unverified, and timings may come from a sample of page loads.',
  variables: [instance, route],
  rows: [
    row(
      'Now',
      stat({
        title: 'Page views',
        description: 'Page views per minute. Good: typical for the time of day.',
        unit: 'cpm',
        decimals: 0,
        query: perMinute(sum(rate(views))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Paint (LCP)',
        description:
          '75 % of visitors see the largest part of a page (largest contentful paint) within this time. Good: below 2.5 s; above 4 s is poor.',
        unit: 's',
        query: orZero(quantile(0.75, vital('lcp'))),
        limits: low(2.5, 4),
        alert: 'PoorWebVitals',
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Reaction (INP)',
        description:
          '75 % of visitors see a page react to input (interaction to next paint) within this time. Good: below 0.2 s; above 0.5 s is poor.',
        unit: 's',
        query: orZero(quantile(0.75, vital('inp'))),
        limits: low(0.2, 0.5),
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Shift (CLS)',
        description: '75 % of visitors see at most this cumulative layout shift. Good: below 0.1; above 0.25 is poor.',
        unit: 'short',
        decimals: 2,
        query: orZero(quantile(0.75, cls)),
        limits: low(0.1, 0.25),
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Errors per view',
        description: 'Errors that browsers report per page view. Good: below 1 %; 5 % raises an alert.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(ours('client_errors_total'))), sum(rate(ours('page_views_total'))))),
        limits: low(0.01, 0.05),
        alert: 'ClientErrorsHigh',
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Failed calls',
        description: "Share of the pages' API calls that failed, at the server or on the network. Good: below 1 %.",
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(ours('api_calls_total', 'status=~"5xx|failed"'))), sum(rate(ours('api_calls_total'))))),
        limits: low(0.01, 0.05),
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'SSR p95',
        description: 'The server renders 95 % of pages within this time. Good: below 100 ms.',
        unit: 's',
        query: orZero(quantile(0.95, ssr)),
        limits: low(0.1, 0.5),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Broken parts',
        description: 'Parts of pages that failed to start, per minute. Good: 0.',
        unit: 'cpm',
        decimals: 0,
        query: perMinute(sum(rate(ours('error_boundaries_total', ROUTE)))),
        limits: low(1, 10),
        movedBy: 'browser-reports',
      }),
    ),
    row(
      'Pages',
      timeSeries({
        title: 'Page views by route',
        description: 'Page views per minute by route. Good: the routes are in their usual order.',
        unit: 'cpm',
        query: { '{{route}}': orNone(`${perMinute(sum(rate(views), 'route'))} > 0`, 'route') },
        legend: 'right',
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Rendering p95 by route',
        description: "The server renders 95 % of a route's pages within this time. Good: below 100 ms (dashed).",
        unit: 's',
        query: { '{{route}}': orNone(quantile(0.95, ssr, 'route'), 'route') },
        legend: 'right',
        limits: low(0.1, 0.5),
        movedBy: 'traffic',
      }),
    ),
    row(
      'Web vitals',
      timeSeries({
        title: 'Vitals p75',
        description:
          'Times that 75 % of visitors do not exceed: first byte (TTFB), first paint (FCP), largest paint (LCP), reaction (INP). Good: LCP below 2.5 s, INP below 0.2 s.',
        unit: 's',
        query: {
          TTFB: orZero(quantile(0.75, vital('ttfb'))),
          FCP: orZero(quantile(0.75, vital('fcp'))),
          LCP: orZero(quantile(0.75, vital('lcp'))),
          INP: orZero(quantile(0.75, vital('inp'))),
        },
        alert: 'PoorWebVitals',
        movedBy: 'browser-reports',
      }),
      heatmap({
        title: 'LCP distribution',
        description: 'Number of page loads by the time of their largest contentful paint. Good: nearly all below 2.5 s.',
        unit: 's',
        query: buckets(vital('lcp')),
        movedBy: 'browser-reports',
        width: 8,
      }),
      timeSeries({
        title: 'Shift (CLS) over time',
        description: 'Cumulative layout shift of pages. Good: p75 below 0.1; above 0.25 is poor (dashed).',
        unit: 'short',
        query: { p50: orZero(quantile(0.5, cls)), p75: orZero(quantile(0.75, cls)), p95: orZero(quantile(0.95, cls)) },
        colours: BY_QUANTILE,
        limits: low(0.1, 0.25),
        movedBy: 'browser-reports',
      }),
      barGauge({
        title: 'LCP p75 by route',
        description: '75 % of visitors see the largest part of a page within this time, by route. Good: below 2.5 s.',
        unit: 's',
        query: { '{{route}}': orNone(top(10, quantile(0.75, vital('lcp'), 'route')), 'route') },
        limits: low(2.5, 4),
        alert: 'PoorWebVitals',
        movedBy: 'traffic',
      }),
      barGauge({
        title: 'Reaction p75 by route',
        description: '75 % of visitors see a page react to input within this time, by route. Good: below 0.2 s.',
        unit: 's',
        query: { '{{route}}': orNone(top(10, quantile(0.75, vital('inp'), 'route')), 'route') },
        limits: low(0.2, 0.5),
        movedBy: 'browser-reports',
      }),
    ),
    row(
      'API calls and files',
      timeSeries({
        title: 'Calls by status',
        description: 'API calls of pages per minute by status class. Good: 2xx; `failed` calls got no response.',
        unit: 'cpm',
        query: { '{{status}}': perMinute(sum(rate(ours('api_calls_total')), 'status')) },
        colours: BY_STATUS,
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Calls by endpoint',
        description: 'API calls of pages per minute for the five busiest endpoints. Good: the endpoints are in their usual order.',
        unit: 'cpm',
        query: { '{{endpoint}}': orNone(top(5, perMinute(sum(rate(ours('api_calls_total')), 'endpoint'))), 'endpoint') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Loading files p95',
        description: 'Browsers load 95 % of the files of a type within this time. Good: below 100 ms.',
        unit: 's',
        query: { '{{type}}': orNone(quantile(0.95, ours('static_asset_load_seconds'), 'type'), 'type') },
        movedBy: 'browser-reports',
      }),
    ),
    row(
      'Errors',
      timeSeries({
        title: 'Errors by type',
        description: 'Errors in pages per minute, as browsers report them. Good: 0; `csp_violation` often comes from a browser extension.',
        unit: 'cpm',
        query: { '{{type}}': perMinute(sum(rate(ours('client_errors_total')), 'type')) },
        alert: 'ClientErrorsHigh',
        shades: BAD,
        movedBy: 'browser-reports',
      }),
      timeSeries({
        title: 'Broken parts by route',
        description: 'Parts of pages that failed to start, per minute and route. Good: none.',
        unit: 'cpm',
        query: { '{{route}}': orNone(`${perMinute(sum(rate(ours('error_boundaries_total', ROUTE)), 'route'))} > 0`, 'route') },
        shades: BAD,
        movedBy: 'browser-reports',
      }),
      timeSeries({
        title: 'Failed calls by endpoint',
        description:
          'Failed API calls of pages per minute, for the five endpoints with the most failures, and beacons that the rate limit refused. Good: none.',
        unit: 'cpm',
        query: {
          '{{endpoint}}': orNone(top(5, perMinute(sum(rate(ours('api_calls_total', 'status=~"5xx|failed"')), 'endpoint'))), 'endpoint'),
          'throttled reports': perMinute(sum(rate(ours('rate_limited_total', 'limiter="beacons"')))),
        },
        shades: BAD,
        movedBy: 'browser-reports',
      }),
    ),
  ],
});
