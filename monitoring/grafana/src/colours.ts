// Colours with the same meaning on every dashboard: green is healthy, orange needs attention, red needs action, blue is neutral, grey is
// inactive.

import type { Threshold } from '@grafana/grafana-foundation-sdk/dashboard';

export const GOOD = 'green';
export const WARNING = 'orange';
export const BAD = 'red';
export const FACT = 'blue';
export const IDLE = '#8e8e8e';

/** Colours of series, keyed by a regular expression on their names. */
export type Colours = Record<string, string>;

/** Colour of the placeholder series `none`, which `orNone` adds. */
export const NOTHING: Colours = { '/^none$/': GOOD };
export const BY_STATUS: Colours = {
  '/^0/': BAD,
  '/^2/': GOOD,
  '/^3/': FACT,
  '/^4/': WARNING,
  '/^499/': IDLE,
  '/^5/': BAD,
  '/^failed/': 'purple',
};
export const BY_OUTCOME: Colours = {
  '/success/': GOOD,
  '/failure|failed|error|dead|lost/': BAD,
  '/timeout|retry|throttled|rate_limited|unreachable/': WARNING,
  '/refused/': 'yellow',
  '/cancelled/': IDLE,
};
export const BY_ENVIRONMENT: Colours = {
  '/running/': GOOD,
  '/error/': BAD,
  '/stopped/': IDLE,
  '/creating|starting/': FACT,
  '/stopping|deleting/': 'purple',
};
/** Darker colours for higher quantiles. */
export const BY_QUANTILE: Colours = {
  '/p50/': 'super-light-blue',
  '/p75|p90/': 'light-blue',
  '/p95/': 'semi-dark-blue',
  '/p99/': 'purple',
};
export const BY_POOL: Colours = { '/used/': FACT, '/idle/': GOOD, '/max/': BAD };
export const BY_SEVERITY: Colours = { '/critical/': BAD, '/error/': WARNING, '/warning/': 'yellow' };

/** Thresholds: lower bounds and their colours. The first one has no bound. */
export type Limits = Threshold[];

const limits = (first: string, ...rest: [number, string][]): Limits => [
  { value: null, color: first },
  ...rest.map(([value, color]) => ({ value, color })),
];

/** Low values are good. */
export const low = (warning: number, bad: number) => limits(GOOD, [warning, WARNING], [bad, BAD]);
/** High values are good. */
export const high = (warning: number, good: number) => limits(BAD, [warning, WARNING], [good, GOOD]);
/** Only zero is good. */
export const none = limits(GOOD, [0.001, BAD]);
/** Good from this value on, bad below. */
export const above = (good: number) => limits(BAD, [good, GOOD]);
/** Good from this value on, a warning below. */
export const atLeast = (good: number) => limits(WARNING, [good, GOOD]);
/** Good below this value. */
export const below = (bad: number) => limits(GOOD, [bad, BAD]);
/** Limits of a panel with several series: each series has a limit of its own, drawn in the given colour. */
export const steps = (...lines: [number, string][]) => limits(GOOD, ...lines);
/** Every value is neutral. */
export const fact = limits(FACT);
