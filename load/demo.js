// The profile `demo`: all journeys at a gentle pace, about five requests per second and ten sockets, for any duration.
// This file defines rates and thresholds. Journeys are in journeys/, their steps in lib/.
//
//   k6 run --env EDGE=http://localhost:8080 --env DURATION=5m load/demo.js

import { DURATION } from './lib/settings.js';
import { setUp, tearDown } from './lib/stage.js';

export { announcer } from './journeys/announcer.js';
export { builder } from './journeys/builder.js';
export { editor } from './journeys/editor.js';
export { listener } from './journeys/listener.js';
export { newcomer } from './journeys/newcomer.js';
export { visitor } from './journeys/visitor.js';

/** More accounts than concurrent journeys of one kind, so that no two of them share one. */
const PEOPLE = 8;

/** Starts `rate` journeys per minute, whether or not earlier ones have finished; at most `most` run concurrently. */
const every = (exec, rate, most) => ({
  exec,
  executor: 'constant-arrival-rate',
  duration: DURATION,
  rate,
  timeUnit: '1m',
  preAllocatedVUs: most,
  // Lets running journeys finish.
  gracefulStop: '45s',
});

const scenarios = {
  visitors: every('visitor', 6, 4),
  newcomers: every('newcomer', 6, 4),
  builders: every('builder', 2, 6),
  announcers: every('announcer', 2, 4),
  editors: every('editor', 3, 2),
  listeners: every('listener', 20, 20),
};

/** k6 passes a threshold on a rate or a time without samples, so each also has a threshold on a counter, which must be above zero. */
const journeys = Object.fromEntries(
  Object.keys(scenarios).flatMap((name) => [
    [`journeys{scenario:${name}}`, ['rate>0.99']],
    [`journeys_done{scenario:${name}}`, ['count>0']],
  ]),
);

export const options = {
  scenarios,
  thresholds: {
    http_reqs: ['count>0'],
    http_req_failed: ['rate<0.01'],
    http_req_duration: ['p(95)<500'],
    checks: ['rate>0.99'],
    dropped_iterations: ['count==0'],
    socket_heard: ['count>0'],
    events_missed: ['count==0'],
    events_doubled: ['count==0'],
    ...journeys,
  },
  // No `url` and `name`: each URL would be a series; `requests` counts by route instead.
  systemTags: ['scenario', 'check', 'expected_response'],
  summaryTrendStats: ['avg', 'p(50)', 'p(95)', 'p(99)', 'max'],
  userAgent: 'Vitrine load (k6)',
};

/** Runs before the first journey. */
export const setup = () => setUp(PEOPLE);

/** Runs after the last journey. */
export const teardown = tearDown;
