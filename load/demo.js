// The profile `demo`: all journeys at a gentle pace, about five requests per second and ten sockets, for any duration.
// This file defines rates and thresholds. The journeys are in journeys/, their steps in lib/.
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

/** Number of shared accounts. It exceeds the limits of builders and of announcers below, so that two concurrent journeys of one kind use
 * different accounts. */
const ACCOUNTS = 8;

/** Starts `rate` journeys per minute, whether or not earlier ones have finished; at most `limit` run concurrently. */
const perMinute = (exec, rate, limit) => ({
  exec,
  executor: 'constant-arrival-rate',
  duration: DURATION,
  rate,
  timeUnit: '1m',
  preAllocatedVUs: limit,
  // Running journeys may finish.
  gracefulStop: '45s',
});

const scenarios = {
  visitors: perMinute('visitor', 6, 4),
  newcomers: perMinute('newcomer', 6, 4),
  builders: perMinute('builder', 2, 6),
  announcers: perMinute('announcer', 2, 4),
  editors: perMinute('editor', 3, 2),
  listeners: perMinute('listener', 20, 20),
};

/** Thresholds of each journey. Without samples, a threshold on a rate passes, so a second one requires the counter to be above zero. */
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
  // Without `url` and `name`: they would create a series for each URL. The counter `requests` has the route instead.
  systemTags: ['scenario', 'check', 'expected_response'],
  summaryTrendStats: ['avg', 'p(50)', 'p(95)', 'p(99)', 'max'],
  userAgent: 'Vitrine load (k6)',
};

/** Runs before the first journey. */
export const setup = () => setUp(ACCOUNTS);

/** Runs after the last journey. */
export const teardown = tearDown;
