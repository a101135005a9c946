// The profile `overload`: ten times the load that the service can serve. It answers whether the service protects itself. The service must
// serve more than 80 % of the knee, serve in time what it accepts, refuse the rest properly, keep its sockets, stay healthy, and recover
// within ten seconds. RATE must be ten times the knee. The knee is the highest rate at which every gate of the profile `peak` held; `peak`
// prints it.
//
//   k6 run --env EDGE=http://localhost:8080 --env RATE=8000 load/overload.js

import { perMinute, profile, visits } from './lib/profile.js';
import { duration, rate } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const SECONDS = duration('1m');
const RATE = rate();
const KNEE = RATE / 10;
/** Seconds that the service has to recover after the flood. */
const PAUSE = 10;
/** Seconds of the moderate load after this pause. */
const AFTER = 30;

const flood = {
  exec: 'arrival',
  executor: 'constant-arrival-rate',
  duration: `${Math.ceil(SECONDS)}s`,
  rate: RATE,
  timeUnit: '1s',
  // At most 1000 virtual users: more would only fill the memory of this machine. k6 drops the requests for which no user is free.
  preAllocatedVUs: Math.min(1000, Math.max(10, Math.ceil(RATE / 4))),
  gracefulStop: '20s',
};

const watched = {
  probes: perMinute('probe', SECONDS, 60, 20),
  guests: perMinute('guest', SECONDS, 120, 30),
  after: visits(Math.max(4, KNEE / 10), AFTER, SECONDS + PAUSE),
};

export const options = {
  // The threshold on checks applies to the flood, too: its check accepts 503, the status of a refusal.
  ...profile('overload', watched, {
    // The goodput (accepted requests per second) is above 80 % of the knee.
    accepted: [`count>${Math.floor(0.8 * KNEE * SECONDS)}`],
    // Accepted requests are served in time.
    accepted_duration: ['p(99)<1000'],
    // The others are refused with 503 and `Retry-After`. Less than 1 % of all requests may fail in another way. The counter `shed` has no
    // threshold: when the edge saturates first, few or no requests reach a replica late (docs/adr/0022-overload.md).
    broken: ['rate<0.01'],
    // Every socket connects and stays connected.
    sockets_lost: ['count==0'],
    'http_req_duration{scenario:after}': ['p(95)<200'],
  }),
  scenarios: { flood, ...watched },
};

/** Runs before the first journey. */
export const setup = () => setUp({ readers: 8 });

/** Runs after the last journey. */
export const teardown = tearDown;
