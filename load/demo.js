// The profile `demo`: six kinds of journeys at a gentle pace, about five requests per second and ten sockets, for any duration. It answers
// whether these journeys work, and fills dashboards.
//
//   k6 run --env EDGE=http://localhost:8080 --env DURATION=5m load/demo.js
//
// SLOWDOWN=4 reduces this traffic to a quarter. The endless traffic of a demo (docs/OPERATIONS.md) uses this value.

import { crowd, profile, slower, SOCKETS } from './lib/profile.js';
import { duration, slowdown } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

export const options = profile('demo', slower(crowd(duration('5m')), slowdown()), {
  // Users notice more than one failure in a hundred, and responses that take more than half a second.
  http_req_failed: ['rate<0.01'],
  http_req_duration: ['p(95)<500'],
  // Every journey starts on time.
  dropped_iterations: ['count==0'],
  ...SOCKETS,
});

/** Runs before the first journey. */
export const setup = () => setUp();

/** Runs after the last journey. */
export const teardown = tearDown;
