// Pages, as the server makes them and as browsers have them.

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
  description: 'Are pages fast and whole where people see them? What browsers report is a claim, and a sample of it.',
  variables: [instance, route],
  rows: [
    row(
      'Now',
      stat({
        title: 'Page views',
        description: 'Pages that browsers have shown, in a minute. Good: what this hour usually has.',
        unit: 'cpm',
        decimals: 0,
        query: perMinute(sum(rate(views))),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Paint (LCP)',
        description: 'Three of four visitors see the largest part of a page within this time. Good: below 2.5 s; above 4 s it is poor.',
        unit: 's',
        query: orZero(quantile(0.75, vital('lcp'))),
        limits: low(2.5, 4),
        alert: 'PoorWebVitals',
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Reaction (INP)',
        description: 'Three of four visitors see a page react within this time. Good: below 0.2 s; above 0.5 s it is poor.',
        unit: 's',
        query: orZero(quantile(0.75, vital('inp'))),
        limits: low(0.2, 0.5),
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Shift (CLS)',
        description: 'How much pages move under the eyes of three of four visitors. Good: below 0.1; above 0.25 it is poor.',
        unit: 'short',
        decimals: 2,
        query: orZero(quantile(0.75, cls)),
        limits: low(0.1, 0.25),
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Errors a view',
        description: 'Errors that browsers report for each page view. Good: below 1 %; 5 % is an alert.',
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(ours('client_errors_total'))), sum(rate(ours('page_views_total'))))),
        limits: low(0.01, 0.05),
        alert: 'ClientErrorsHigh',
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'Failed calls',
        description: "Share of the pages' calls of the interface that failed, at the server or on the way. Good: below 1 %.",
        unit: 'percentunit',
        query: orZero(ratio(sum(rate(ours('api_calls_total', 'status=~"5xx|failed"'))), sum(rate(ours('api_calls_total'))))),
        limits: low(0.01, 0.05),
        movedBy: 'browser-reports',
      }),
      stat({
        title: 'SSR p95',
        description: 'Of 20 pages, the server makes 19 within this time. Good: below 100 ms.',
        unit: 's',
        query: orZero(quantile(0.95, ssr)),
        limits: low(0.1, 0.5),
        movedBy: 'traffic',
      }),
      stat({
        title: 'Broken parts',
        description: 'Parts of pages that could not start, in a minute. Good: 0.',
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
        description: 'Pages that browsers have shown, in a minute, by route. Good: the usual order.',
        unit: 'cpm',
        query: { '{{route}}': orNone(`${perMinute(sum(rate(views), 'route'))} > 0`, 'route') },
        legend: 'right',
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Making a page p95 by route',
        description: 'Of 20 pages of a route, the server makes 19 within this time. Good: below 100 ms (dashed).',
        unit: 's',
        query: { '{{route}}': orNone(quantile(0.95, ssr, 'route'), 'route') },
        legend: 'right',
        limits: low(0.1, 0.5),
        movedBy: 'traffic',
      }),
    ),
    row(
      'What visitors wait for',
      timeSeries({
        title: 'Vitals p75',
        description:
          'What three of four visitors wait at most: first byte (TTFB), first paint (FCP), biggest paint (LCP), reaction (INP). Good: LCP below 2.5 s, INP below 0.2 s.',
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
        title: 'How biggest paints spread',
        description: 'How many visitors saw the largest part of a page when. Good: nearly all below 2.5 s.',
        unit: 's',
        query: buckets(vital('lcp')),
        movedBy: 'browser-reports',
        width: 8,
      }),
      timeSeries({
        title: 'Shift (CLS) over time',
        description: "How much pages move under the visitors' eyes. Good: p75 below 0.1; above 0.25 it is poor (dashed).",
        unit: 'short',
        query: { p50: orZero(quantile(0.5, cls)), p75: orZero(quantile(0.75, cls)), p95: orZero(quantile(0.95, cls)) },
        colours: BY_QUANTILE,
        limits: low(0.1, 0.25),
        movedBy: 'browser-reports',
      }),
      barGauge({
        title: 'Biggest paint p75 by route',
        description: 'Three of four visitors see the largest part of a page within this time, by route. Good: below 2.5 s.',
        unit: 's',
        query: { '{{route}}': orNone(top(10, quantile(0.75, vital('lcp'), 'route')), 'route') },
        limits: low(2.5, 4),
        alert: 'PoorWebVitals',
        movedBy: 'traffic',
      }),
      barGauge({
        title: 'Reaction p75 by route',
        description: 'Three of four visitors see a page react within this time, by route. Good: below 0.2 s.',
        unit: 's',
        query: { '{{route}}': orNone(top(10, quantile(0.75, vital('inp'), 'route')), 'route') },
        limits: low(0.2, 0.5),
        movedBy: 'browser-reports',
      }),
    ),
    row(
      'What pages call and load',
      timeSeries({
        title: 'Calls by status',
        description:
          'Calls of the interface that pages made, in a minute, by the class of their status. Good: 2xx; `failed` never arrived.',
        unit: 'cpm',
        query: { '{{status}}': perMinute(sum(rate(ours('api_calls_total')), 'status')) },
        colours: BY_STATUS,
        stacked: true,
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Calls by endpoint',
        description: 'Calls of the interface that pages made, in a minute, by endpoint, the first five. Good: the usual order.',
        unit: 'cpm',
        query: { '{{endpoint}}': orNone(top(5, perMinute(sum(rate(ours('api_calls_total')), 'endpoint'))), 'endpoint') },
        movedBy: 'traffic',
      }),
      timeSeries({
        title: 'Loading files p95',
        description: 'Of 20 files of a type, browsers load 19 within this time. Good: below 100 ms.',
        unit: 's',
        query: { '{{type}}': orNone(quantile(0.95, ours('static_asset_load_seconds'), 'type'), 'type') },
        movedBy: 'browser-reports',
      }),
    ),
    row(
      'What breaks',
      timeSeries({
        title: 'Errors by type',
        description: 'Errors in pages in a minute, as browsers report them. Good: 0; `csp_violation` is often an extension of the browser.',
        unit: 'cpm',
        query: { '{{type}}': perMinute(sum(rate(ours('client_errors_total')), 'type')) },
        alert: 'ClientErrorsHigh',
        shades: BAD,
        movedBy: 'browser-reports',
      }),
      timeSeries({
        title: 'Broken parts by route',
        description: 'Parts of pages that could not start, in a minute, by route. Good: none.',
        unit: 'cpm',
        query: { '{{route}}': orNone(`${perMinute(sum(rate(ours('error_boundaries_total', ROUTE)), 'route'))} > 0`, 'route') },
        shades: BAD,
        movedBy: 'browser-reports',
      }),
      timeSeries({
        title: 'Calls that failed, by endpoint',
        description: 'Calls of pages in a minute that failed, at the server or on the way. Good: none.',
        unit: 'cpm',
        query: {
          '{{endpoint}}': orNone(top(5, perMinute(sum(rate(ours('api_calls_total', 'status=~"5xx|failed"')), 'endpoint'))), 'endpoint'),
          'reports refused': perMinute(sum(rate(ours('rate_limited_total', 'limiter="beacons"')))),
        },
        shades: BAD,
        movedBy: 'browser-reports',
      }),
    ),
  ],
});
