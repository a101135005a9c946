// One request, which an overloaded service may refuse with 503 and `Retry-After`. The metrics of this journey count accepted, refused and
// failed requests separately.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';

import { program } from '../lib/http.js';

/** Requests answered with 200: the goodput. */
const accepted = new Counter('accepted');
const acceptedDuration = new Trend('accepted_duration', true);
/** Requests refused with 503 and `Retry-After`. */
const shed = new Counter('shed');
/** Share of requests with neither outcome: no response, another status, or a 503 without `Retry-After`. */
const broken = new Rate('broken');

/** Sends the request and counts its outcome. */
export function arrival({ readers, exhibit }) {
  const number = exec.scenario.iterationInTest;
  const { token, project } = readers[number % readers.length];
  const requests = [
    ['/api/auth/me', {}],
    ['/api/projects/{id}', { id: project }],
    ['/api/showcase/{slug}', { slug: exhibit }],
    ['/api/projects', {}],
  ];
  const [route, at] = requests[number % requests.length];
  let answer = null;
  try {
    answer = program(token).call('GET', route, { at, wanted: [200, 503] });
  } catch {
    // The failure is counted below. An error message for each failure would slow k6 down.
  }
  const refused = answer?.status === 503 && answer.headers['Retry-After'] !== undefined;
  broken.add(answer?.status !== 200 && !refused);
  if (answer?.status === 200) {
    accepted.add(1);
    acceptedDuration.add(answer.timings.duration);
  } else if (refused) {
    shed.add(1);
    // Without this pause, the run would measure how fast refusals pass through the edge.
    sleep(Number(answer.headers['Retry-After']));
  }
}
