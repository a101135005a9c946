// Colours that mean something, the same on every dashboard: green is well, orange wants a look, red wants somebody; blue is a fact.

import type { Threshold } from '@grafana/grafana-foundation-sdk/dashboard';

export const GOOD = 'green';
export const WARNING = 'orange';
export const BAD = 'red';
export const FACT = 'blue';
export const IDLE = '#8e8e8e';

/** Colours of series by a pattern of their names. */
export type Colours = Record<string, string>;

/** What `orNone` says. */
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
/** The slower the darker. */
export const BY_QUANTILE: Colours = {
  '/p50/': 'super-light-blue',
  '/p75|p90/': 'light-blue',
  '/p95/': 'semi-dark-blue',
  '/p99/': 'purple',
};
export const BY_POOL: Colours = { '/used/': FACT, '/idle/': GOOD, '/max/': BAD };
export const BY_SEVERITY: Colours = { '/critical/': BAD, '/error/': WARNING, '/warning/': 'yellow' };

/** From which value on which colour, the first one from the beginning. */
export type Limits = Threshold[];

const limits = (first: string, ...rest: [number, string][]): Limits => [
  { value: null, color: first },
  ...rest.map(([value, color]) => ({ value, color })),
];

/** Good while it is low. */
export const low = (warning: number, bad: number) => limits(GOOD, [warning, WARNING], [bad, BAD]);
/** Good while it is high. */
export const high = (warning: number, good: number) => limits(BAD, [warning, WARNING], [good, GOOD]);
/** Good while there is none. */
export const none = limits(GOOD, [0.001, BAD]);
/** Good from this on. */
export const above = (good: number) => limits(BAD, [good, GOOD]);
/** Good once it has grown to this. */
export const atLeast = (good: number) => limits(WARNING, [good, GOOD]);
/** Good while it is below this. */
export const below = (bad: number) => limits(GOOD, [bad, BAD]);
/** Neither good nor bad. */
export const fact = limits(FACT);
