// The profile `peak`: more and more requests per second, until a gate breaks. It answers how much the service can take: the knee is the
// rate of the last step before a gate broke. Each step is a scenario, so that its gates see its own requests only.
//
//   k6 run --env EDGE=http://localhost:8080 --env RATE=100 load/peak.js

import { GROWTH, knee, stepName, STEPS } from './lib/steps.js';
import { profile, visits } from './lib/profile.js';
import { duration, rate } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const LENGTH = duration('5m') / STEPS;
const FIRST = rate(100);
const RATES = Array.from({ length: STEPS }, (_, number) => Math.round(FIRST * GROWTH ** number));

const scenarios = Object.fromEntries(RATES.map((each, number) => [stepName(each), visits(each, LENGTH, number * LENGTH)]));

/** The gates of `seed` on latency and failures, and a limit of fewer than ten dropped visits. The first gate that breaks ends the run. */
const gates = (step) => ({
  [`http_req_duration{scenario:${step}}`]: ['p(50)<50', 'p(95)<200', 'p(99)<1000'].map(ends),
  [`http_req_failed{scenario:${step}}`]: [ends('rate<0.01')],
  [`dropped_iterations{scenario:${step}}`]: [ends('count<10')],
});

function ends(threshold) {
  return { threshold, abortOnFail: true };
}

const { thresholds, ...others } = profile('peak', scenarios, Object.assign({}, ...Object.keys(scenarios).map(gates)));

export const options = {
  ...others,
  // Steps after the first broken gate never begin, so only the first step must complete journeys.
  thresholds: Object.fromEntries(
    Object.entries(thresholds).filter(([name]) => !name.startsWith('journeys') || name.endsWith(`{scenario:${stepName(FIRST)}}`)),
  ),
};

/** Runs before the first step. */
export const setup = () => setUp({ readers: 8 });

/** Runs after the last step. */
export const teardown = tearDown;

/** Prints the knee. */
export const handleSummary = (data) => ({ stdout: knee(data, RATES) });
