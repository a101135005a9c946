// Arrival rates: in an open model, iterations start at a given rate, whether or not earlier ones have finished. Real users behave like
// this: they do not wait for each other. With a fixed number of users (`vus`, as in the first example), a slow service gets fewer requests,
// and looks better than it is. `dropped_iterations` counts the iterations that could not start because every virtual user was busy.
//
//   k6 run load/examples/4-arrival-rates.js

import http from 'k6/http';

import { duration, EDGE } from '../lib/settings.js';

const SECONDS = duration('10s');

export const options = {
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate: 10, timeUnit: '1s', duration: `${SECONDS}s`, preAllocatedVUs: 50 },
    rising: {
      executor: 'ramping-arrival-rate',
      startRate: 5,
      timeUnit: '1s',
      stages: [{ target: 20, duration: `${SECONDS}s` }],
      preAllocatedVUs: 50,
    },
  },
  thresholds: { http_req_failed: ['rate<0.01'], dropped_iterations: ['count==0'], http_reqs: ['count>0'] },
};

export default function () {
  http.get(`${EDGE}/api/showcase`);
}
