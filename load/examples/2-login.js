// A login: `setup` runs once, before the load, and its result is passed to every iteration. Signing in for each request would mainly
// measure the hashing of passwords.
//
//   k6 run load/examples/2-login.js

import { check } from 'k6';
import http from 'k6/http';

import { duration, EDGE } from '../lib/settings.js';

export const options = {
  vus: 2,
  duration: `${duration('10s')}s`,
  thresholds: { checks: ['rate>0.99'], http_reqs: ['count>2'] },
};

export function setup() {
  const person = { email: `load-${crypto.randomUUID()}@example.org`, password: crypto.randomUUID() };
  post('/api/auth/register', { ...person, display_name: 'An example' });
  return post('/api/auth/login', person).json('token');
}

export default function (token) {
  const answer = http.get(`${EDGE}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  check(answer, { 'the token is accepted': ({ status }) => status === 200 });
}

function post(path, body) {
  return http.post(`${EDGE}${path}`, JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
}
