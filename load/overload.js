// The profile `overload`: ten times as much as the service can take. It answers whether the service protects itself: it refuses early what
// it cannot serve, serves as much as before, keeps its sockets, stays healthy, and recovers within ten seconds. RATE is the rate to send:
// ten times the knee that `peak` printed.
//
//   k6 run --env EDGE=http://localhost:8080 --env RATE=8000 load/overload.js

import { perMinute, profile, visits } from './lib/profile.js';
import { duration, rate } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export * from './journeys/all.js';

const SECONDS = duration('1m');
const RATE = rate();
const KNEE = RATE / 10;
/** Time to recover. */
const PAUSE = 10;
const AFTER = 30;

const flood = {
  exec: 'arrival',
  executor: 'constant-arrival-rate',
  duration: `${Math.ceil(SECONDS)}s`,
  rate: RATE,
  timeUnit: '1s',
  // Each waits at most for its time-out; more of them would only fill the memory of this machine.
  preAllocatedVUs: Math.min(1000, Math.max(10, Math.ceil(RATE / 4))),
  gracefulStop: '20s',
};

const watched = {
  probes: perMinute('probe', SECONDS, 60, 20),
  guests: perMinute('guest', SECONDS, 120, 30),
  after: visits(Math.max(4, KNEE / 10), AFTER, SECONDS + PAUSE),
};

const { thresholds, ...others } = profile('overload', watched, {
  // The goodput stays within 80 % of the knee.
  accepted: [`count>${Math.floor(0.8 * KNEE * SECONDS)}`],
  // Accepted requests are served in time.
  accepted_duration: ['p(99)<1000'],
  // The others are refused, early and with the time of the next attempt; a few find no connection.
  shed: ['count>0'],
  broken: ['rate<0.01'],
  // Clients that are connected stay.
  sockets_lost: ['count==0'],
  'http_req_duration{scenario:after}': ['p(95)<200'],
});

export const options = {
  ...others,
  scenarios: { flood, ...watched },
  // Refusals fail no check.
  thresholds,
};

/** Runs before the first journey. */
export const setup = () => setUp({ readers: 8 });

/** Runs after the last journey. */
export const teardown = tearDown;
