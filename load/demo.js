// The profile `demo`: the whole journey at a gentle pace, about five requests a second and ten sockets, for as long as one likes.
// Who does what is in journeys/, how in lib/; here is only how often, and what is good enough.
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

/** More than journeys that are under way at once. */
const PEOPLE = 8;

/** New ones of a journey in a minute, whether those before are done or not; never more at once than `most`. */
const every = (exec, rate, most) => ({
  exec,
  executor: 'constant-arrival-rate',
  duration: DURATION,
  rate,
  timeUnit: '1m',
  preAllocatedVUs: most,
  // Journeys that have begun come to their end.
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

/** k6 lets a threshold on a rate or a time hold when there is no sample, so each has a counter beside it, which must have counted. */
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
  // Neither address nor name: `requests` counts by route, and these would be a series for each of them.
  systemTags: ['scenario', 'check', 'expected_response'],
  summaryTrendStats: ['avg', 'p(50)', 'p(95)', 'p(99)', 'max'],
  userAgent: 'Vitrine load (k6)',
};

/** Before the first journey. */
export const setup = () => setUp(PEOPLE);

/** After the last. */
export const teardown = tearDown;
