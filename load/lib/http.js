// HTTP requests. Those to the edge are counted by route and status. An unexpected status is an error. Routes are templates, as in the
// service's own metrics, so that identifiers do not become series. The other modules define which requests are sent.

import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

import { EDGE } from './settings.js';

/** All requests to the edge, with the labels `method`, `route` and `status`; status 0 means no response. */
const requests = new Counter('requests');
/** Total duration in seconds, and the number of requests within the latency objective. Both are counters, so that their increase over any
 *  window can be compared with that of the service's metrics. k6's percentiles always cover the whole run. */
const seconds = new Counter('request_seconds');
const fast = new Counter('requests_fast');
/** Latency objective in milliseconds: `requests-latency` in monitoring/slo.yml. */
const LATENCY_OBJECTIVE = 300;

/** The operations that this virtual user has requested, such as `GET /api/projects`. */
export const requested = new Set();

const TIMEOUT = '15s';

/** A browser: only the cookies of this iteration identify it. */
export const browser = { call };

/** A program, which authenticates with a bearer token. */
export function program(token) {
  const authorization = `Bearer ${token}`;
  return { call: (method, route, options = {}) => call(method, route, { ...options, headers: { ...options.headers, authorization } }) };
}

/**
 * Sends a request to the edge and returns the response. `at` fills the route's template, `query` is appended, `body` is sent as JSON.
 * Throws if the status is none of `wanted`, because the journey cannot continue.
 */
export function call(method, route, { at = {}, query = '', body, headers = {}, wanted = [200] } = {}) {
  const path = route.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(at[name]));
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = send(method, `${EDGE}${path}${query}`, body === undefined ? null : JSON.stringify(body), { ...json, ...headers }, wanted);
  requested.add(`${method} ${route}`);
  requests.add(1, { method, route, status: String(answer.status) });
  seconds.add(answer.timings.duration / 1000, { method, route });
  fast.add(answer.timings.duration <= LATENCY_OBJECTIVE ? 1 : 0, { method, route });
  expect(answer, wanted, `${method} ${route}`);
  return answer;
}

/** Requests a page of another site, or submits its form. */
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
  const expected = check(answer, { 'the status is expected': ({ status }) => wanted.includes(status) });
  if (!expected) {
    throw new Error(`${what}: unexpected response ${answer.status} ${answer.error || answer.body}`);
  }
}

/** Headers with a new idempotency key. */
export function newKey() {
  return { 'idempotency-key': crypto.randomUUID() };
}
