// The profile `spike`: a calm load, then suddenly six times as many requests, then the calm load again. It answers whether a sudden crowd
// is served, and whether the service is fast again afterwards.
//
//   k6 run --env EDGE=http://localhost:8080 --env RATE=300 load/spike.js

import { crowd, profile, SOCKETS, visits } from './lib/profile.js';
import { duration, rate } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const SECONDS = duration('2m');
const PEAK = rate(300);
const CALM = PEAK / 6;

export const options = profile(
  'spike',
  {
    ...crowd(SECONDS),
    before: visits(CALM, SECONDS / 4),
    crowd: visits(PEAK, SECONDS / 4, SECONDS / 4),
    after: visits(CALM, SECONDS / 2, SECONDS / 2),
  },
  {
    // Requests of the crowd may be slow, but less than 1 % of all requests may fail.
    'http_req_duration{scenario:crowd}': ['p(95)<1000'],
    http_req_failed: ['rate<0.01'],
    // The calm load has the same gate before the crowd and after it.
    'http_req_duration{scenario:before}': ['p(95)<200'],
    'http_req_duration{scenario:after}': ['p(95)<200'],
    ...SOCKETS,
  },
);

/** Runs before the first journey. */
export const setup = () => setUp({ readers: 8 });

/** Runs after the last journey. */
export const teardown = tearDown;
