// Tests the thresholds of a profile with scenarios that send no requests. The scenarios named in IDLE (comma-separated) do nothing at all;
// the others count a journey. Every such run must fail, because no requests are counted. In addition, a scenario's threshold
// `journeys_done` must fail if the scenario is idle, and must hold otherwise. `cargo xtask load --gate` checks this in two runs: in one,
// no scenario is idle; in the other, every scenario with this threshold is idle.
//
//   k6 run --env PROFILE=demo --env IDLE=editors load/empty.js

import exec from 'k6/execution';

import { options as demo } from './demo.js';
import { journey } from './lib/journey.js';
import { options as overload } from './overload.js';
import { options as peak } from './peak.js';
import { options as seed } from './seed.js';
import { options as smoke } from './smoke.js';
import { options as soak } from './soak.js';
import { options as spike } from './spike.js';

const profiles = { demo, overload, peak, seed, smoke, soak, spike };
const tested = profiles[__ENV.PROFILE || 'demo'];
const IDLE = (__ENV.IDLE || '').split(',');

const once = { exec: 'pretend', executor: 'shared-iterations', vus: 1, iterations: 1 };

export const options = { ...tested, scenarios: Object.fromEntries(Object.keys(tested.scenarios).map((name) => [name, once])) };

const counted = journey(() => {});

/** One iteration without requests. */
export function pretend() {
  if (!IDLE.includes(exec.scenario.name)) {
    counted();
  }
}
