// The profile `soak`: a moderate load for hours. It answers whether anything grows without end: `cargo xtask load --gate` compares memory,
// file descriptors and series in the last quarter of the run with the quarter before. k6 checks the latency of both halves with one limit.
//
//   k6 run --env EDGE=http://localhost:8080 --env DURATION=4h load/soak.js

import { crowd, profile, SOCKETS, visits } from './lib/profile.js';
import { duration, rate } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const SECONDS = duration('4h');

export const options = profile(
  'soak',
  {
    ...crowd(SECONDS, 20),
    first: visits(rate(50), SECONDS / 2),
    second: visits(rate(50), SECONDS / 2, SECONDS / 2),
  },
  {
    http_req_failed: ['rate<0.01'],
    'http_req_duration{scenario:first}': ['p(95)<200'],
    // Growth without end slows the service down, so the second half has a gate of its own.
    'http_req_duration{scenario:second}': ['p(95)<200'],
    dropped_iterations: ['count==0'],
    ...SOCKETS,
  },
);

/** Runs before the first journey. */
export const setup = () => setUp({ readers: 8 });

/** Runs after the last journey. */
export const teardown = tearDown;
