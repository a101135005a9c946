// One route: the smallest test that can fail. k6 repeats the function below and counts failed checks. The run fails if a threshold is
// not met. A threshold on a rate passes if there are no samples, so a second threshold requires at least one request.
//
//   k6 run load/examples/1-one-route.js

import { check } from 'k6';
import http from 'k6/http';

import { duration, EDGE } from '../lib/settings.js';

export const options = {
  vus: 2,
  duration: `${duration('10s')}s`,
  thresholds: { checks: ['rate>0.99'], http_reqs: ['count>0'] },
};

export default function () {
  const answer = http.get(`${EDGE}/api/showcase`);
  check(answer, {
    'the status is 200': ({ status }) => status === 200,
    'the response has a list of items': (response) => Array.isArray(response.json('items')),
  });
}
