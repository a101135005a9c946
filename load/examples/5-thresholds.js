// Thresholds: conditions for all requests, or for the requests with a tag. If one is not met, the run fails. A threshold with
// `abortOnFail` also ends the run early, but not before `delayAbortEval` has passed.
//
//   k6 run load/examples/5-thresholds.js

import http from 'k6/http';

import { duration, EDGE } from '../lib/settings.js';

export const options = {
  vus: 2,
  duration: `${duration('10s')}s`,
  thresholds: {
    http_req_failed: [{ threshold: 'rate<0.5', abortOnFail: true, delayAbortEval: '5s' }, 'rate<0.01'],
    'http_req_duration{kind:page}': ['p(95)<2000'],
    'http_req_duration{kind:data}': ['p(50)<500', 'p(95)<1000'],
    // Without samples, a threshold on a percentile passes, but `count>0` fails.
    'http_reqs{kind:page}': ['count>0'],
    'http_reqs{kind:data}': ['count>0'],
  },
};

export default function () {
  http.get(`${EDGE}/projects`, { tags: { kind: 'page' } });
  http.get(`${EDGE}/api/showcase`, { tags: { kind: 'data' } });
}
