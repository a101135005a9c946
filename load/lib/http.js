// Requests: one on one route, counted by route and status, and failed when its status is not the wanted one.
// Routes are templates, as the service's own metrics name them, so that no identifier becomes a series. What is asked for is said
// elsewhere.

import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

import { EDGE } from './settings.js';

/** Everything that was answered at the edge, with the labels `method`, `route` and `status`; status 0 is no answer. */
const requests = new Counter('requests');
/** The seconds that they took, and how many took no longer than is promised: both grow, so that a window of them can be compared with a
 *  window of the service's own. k6's percentiles cannot: they are of the whole run. */
const seconds = new Counter('request_seconds');
const fast = new Counter('requests_fast');
/** In milliseconds: `requests-latency` of monitoring/slo.yml. */
const PROMISED = 300;

const TIMEOUT = '15s';

/** Whoever asks, told by the cookies of this iteration alone. */
export const browser = { call };

/** A program, which says by its token who it is. */
export function program(token) {
  const authorization = `Bearer ${token}`;
  return { call: (method, route, options = {}) => call(method, route, { ...options, headers: { ...options.headers, authorization } }) };
}

/**
 * A request to the edge, and its answer. `at` fills the route's template, `query` follows it, `body` is sent as JSON. Throws when the
 * status is none of the `wanted`: a journey cannot go on from there.
 */
export function call(method, route, { at = {}, query = '', body, headers = {}, wanted = [200] } = {}) {
  const path = route.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(at[name]));
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = send(method, `${EDGE}${path}${query}`, body === undefined ? null : JSON.stringify(body), { ...json, ...headers }, wanted);
  requests.add(1, { method, route, status: String(answer.status) });
  seconds.add(answer.timings.duration / 1000, { method, route });
  fast.add(answer.timings.duration <= PROMISED ? 1 : 0, { method, route });
  expect(answer, wanted, `${method} ${route}`);
  return answer;
}

/** A page or a form of somebody else than the service. */
export function elsewhere(method, url, form, wanted) {
  const answer = send(method, url, form, form === null ? {} : { 'content-type': 'application/x-www-form-urlencoded' }, wanted);
  expect(answer, wanted, `${method} ${url.split('?')[0]}`);
  return answer;
}

function send(method, url, body, headers, wanted) {
  const params = { headers, redirects: 0, timeout: TIMEOUT, responseCallback: http.expectedStatuses(...wanted) };
  return http.request(method, url, body, params);
}

function expect(answer, wanted, what) {
  const expected = check(answer, { 'the answer is the wanted one': ({ status }) => wanted.includes(status) });
  if (!expected) {
    throw new Error(`${what}: ${answer.status} ${answer.error || answer.body}`);
  }
}

/** A key that no other request has. */
export function newKey() {
  return { 'idempotency-key': crypto.randomUUID() };
}
