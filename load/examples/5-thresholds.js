// Thresholds: what makes a run fail, for all requests or for those with a tag. `abortOnFail` ends the run when its
// threshold fails, at the earliest after `delayAbortEval`.
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
    // A threshold on a percentile passes without samples; a threshold on a count fails.
    'http_reqs{kind:page}': ['count>0'],
    'http_reqs{kind:data}': ['count>0'],
  },
};

export default function () {
  http.get(`${EDGE}/projects`, { tags: { kind: 'page' } });
  http.get(`${EDGE}/api/showcase`, { tags: { kind: 'data' } });
}
