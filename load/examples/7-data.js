// Data: a `SharedArray` is loaded once, whatever the number of virtual users. The iterations of all virtual users share one
// counter. Each iteration uses its number to select an item, so all items are used equally often.
//
//   k6 run load/examples/7-data.js

import { check } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';

import { logIn, register } from '../lib/accounts.js';
import { browser, newKey, program } from '../lib/http.js';
import { deleteProject } from '../lib/projects.js';
import { duration } from '../lib/settings.js';

const projects = new SharedArray('projects', () => JSON.parse(open('./projects.json')));

export const options = {
  vus: 2,
  duration: `${duration('10s')}s`,
  thresholds: { checks: ['rate>0.99'], iterations: ['count>0'] },
};

export const setup = () => logIn(browser, register(`load-${crypto.randomUUID()}@example.org`));

export default function (token) {
  const body = projects[exec.scenario.iterationInTest % projects.length];
  const client = program(token);
  const created = client.call('POST', '/api/projects', { body, headers: newKey(), wanted: [201] }).json();
  check(created, { 'it has the name': ({ name }) => name === body.name });
  deleteProject(client, created.id);
}
