// The profile `smoke` shows within a minute whether anything is broken at all. It requests every operation of the API at least once, opens
// every page except the one for faults, and holds a socket. The run fails if an operation of docs/openapi.json is never requested.
//
//   k6 run --env EDGE=http://localhost:8080 load/smoke.js

import { check } from 'k6';

import { tour as travel } from './journeys/tour.js';
import { requested } from './lib/http.js';
import { profile } from './lib/profile.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const { paths } = JSON.parse(open('../docs/openapi.json'));
const DESCRIBED = Object.entries(paths).flatMap(([path, operations]) =>
  Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
);

const once = (exec) => ({ exec, executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '1m' });

export const options = profile(
  'smoke',
  { tour: once('tour'), guests: once('guest') },
  {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    // Excludes the requests of `setup`.
    'http_reqs{scenario:tour}': [`count>=${DESCRIBED.length}`],
  },
);

/** Runs the tour and checks that it was complete. */
export function tour(stage) {
  travel(stage);
  const missing = DESCRIBED.filter((operation) => !requested.has(operation));
  check(missing, { 'every operation is requested': () => missing.length === 0 });
  if (missing.length > 0) {
    throw new Error(`never requested: ${missing.join(', ')}`);
  }
}

/** Runs before the tour. */
export const setup = () => setUp();

/** Runs after the tour. */
export const teardown = tearDown;
