// Scenarios: several kinds of users at once, each with a function, a rate and gates of its own. The second kind arrives later.
//
//   k6 run load/examples/6-scenarios.js

import http from 'k6/http';

import { duration, EDGE } from '../lib/settings.js';

const SECONDS = duration('10s');
const arrivals = (exec, rate, seconds) => ({
  exec,
  executor: 'constant-arrival-rate',
  rate,
  timeUnit: '1s',
  duration: `${seconds}s`,
  preAllocatedVUs: 10,
});

export const options = {
  scenarios: {
    readers: arrivals('reader', 10, SECONDS),
    watchers: { ...arrivals('watcher', 2, Math.ceil(SECONDS / 2)), startTime: `${Math.floor(SECONDS / 2)}s` },
  },
  thresholds: {
    'http_req_failed{scenario:readers}': ['rate<0.01'],
    'http_req_failed{scenario:watchers}': ['rate<0.01'],
    'http_reqs{scenario:readers}': ['count>0'],
    'http_reqs{scenario:watchers}': ['count>0'],
  },
};

export function reader() {
  http.get(`${EDGE}/api/showcase`);
}

export function watcher() {
  http.get(`${EDGE}/api/fleet`);
}
