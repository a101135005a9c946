// Two runs compared: before and after a change, on the same machine. The first run exports a summary. The limits of the second run are the
// response times in this summary, multiplied by a tolerance. Start the second run soon: a different machine, or a different hour on the
// same machine, affects response times more than most changes do.
//
//   k6 run --summary-export=before.json load/examples/8-two-runs.js
//   k6 run --env BEFORE=$PWD/before.json load/examples/8-two-runs.js

import http from 'k6/http';

import { duration, EDGE } from '../lib/settings.js';

/** Maximum ratio of the second run's response times to those of the first. A smaller increase is noise. */
const TOLERANCE = Number(__ENV.TOLERANCE || 1.3);

const before = __ENV.BEFORE ? JSON.parse(open(__ENV.BEFORE)).metrics : null;
const limit = (figure) => `${figure}<${TOLERANCE * before.http_req_duration[figure]}`;

export const options = {
  scenarios: {
    readers: { executor: 'constant-arrival-rate', rate: 20, timeUnit: '1s', duration: `${duration('10s')}s`, preAllocatedVUs: 10 },
  },
  summaryTrendStats: ['p(50)', 'p(95)', 'max'],
  thresholds: {
    http_req_failed: ['rate<0.01'],
    http_reqs: ['count>0'],
    ...(before ? { http_req_duration: [limit('p(50)'), limit('p(95)')] } : {}),
  },
};

export default function () {
  http.get(`${EDGE}/api/showcase`);
}
