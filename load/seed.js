// The profile `seed`: the load of a small product on its first server, 200 requests per second and 100 sockets. It answers whether the
// service is fast enough with room to spare. `cargo xtask load --gate` also checks the gates on cache, CPU, memory and scheduling delay,
// whose values only Prometheus has.
//
//   k6 run --env EDGE=http://localhost:8080 --env DURATION=5m load/seed.js

import { crowd, profile, SOCKETS, visits } from './lib/profile.js';
import { duration, rate } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const SECONDS = duration('5m');
const SOCKETS_OPEN = 100;
/** Approximate requests per second of all journeys but the visits. */
const OTHERS = 12;

export const options = profile(
  'seed',
  { ...crowd(SECONDS, SOCKETS_OPEN), visits: visits(Math.max(4, rate(200) - OTHERS), SECONDS) },
  {
    // Users perceive these times as immediate, fast, and bearable. 99 % of requests succeed.
    http_req_duration: ['p(50)<50', 'p(95)<200', 'p(99)<1000'],
    http_req_failed: ['rate<0.01'],
    // The other gates prove something only if more than 90 % of the load was sent.
    http_reqs: [`count>${Math.floor(0.9 * rate(200) * SECONDS)}`],
    dropped_iterations: ['count==0'],
    ...SOCKETS,
  },
);

/** Runs before the first journey. */
export const setup = () => setUp({ hosts: 2, readers: 8 });

/** Runs after the last journey. */
export const teardown = tearDown;
