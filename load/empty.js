// Tests the thresholds of the profile `demo` with scenarios that send no requests. The scenarios named in IDLE (comma-separated) do
// nothing at all; the others count a journey. k6 must fail the run, with exit code 99; `cargo xtask load --gate` checks
// that it fails.
//
//   k6 run --env IDLE=editors load/empty.js

import exec from 'k6/execution';

import { options as demo } from './demo.js';
import { journey } from './lib/journey.js';

const IDLE = (__ENV.IDLE || '').split(',');

const once = { exec: 'pretend', executor: 'shared-iterations', vus: 1, iterations: 1 };

export const options = { ...demo, scenarios: Object.fromEntries(Object.keys(demo.scenarios).map((name) => [name, once])) };

const counted = journey(() => {});

/** One iteration without requests. */
export function pretend() {
  if (!IDLE.includes(exec.scenario.name)) {
    counted();
  }
}
